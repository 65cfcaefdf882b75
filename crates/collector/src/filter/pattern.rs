//! Texts with globs, as filters compare them.

/// A text in which `*` stands for any characters and `?` for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern(Vec<Atom>);

/// A character of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atom {
    /// This one.
    Char(char),
    /// Any one.
    One,
    /// Any number of any.
    Many,
}

impl Pattern {
    /// A pattern that matches `text` alone.
    pub fn literal(text: &str) -> Self {
        text.chars().map(Atom::Char).collect()
    }

    /// Its characters; never one `Many` beside another.
    pub fn atoms(&self) -> &[Atom] {
        &self.0
    }

    /// The text, when it has no globs.
    pub fn text(&self) -> Option<String> {
        self.0.iter().map(|atom| if let Atom::Char(c) = atom { Some(*c) } else { None }).collect()
    }

    /// With upper case as lower case, character by character.
    pub fn folded(&self) -> Self {
        let fold = |atom: &Atom| if let Atom::Char(c) = atom { Atom::Char(fold(*c)) } else { *atom };
        self.0.iter().map(fold).collect()
    }

    /// With `*` at both ends.
    pub fn inside(&self) -> Self {
        std::iter::once(&Atom::Many).chain(&self.0).chain([&Atom::Many]).copied().collect()
    }

    /// Whether it matches the whole of `text`.
    pub fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.as_slice(), text.chars());
        // Where to go on when the last `*` has to take one character more.
        let mut retry = None;
        loop {
            match pattern.split_first() {
                Some((Atom::Many, behind)) => {
                    pattern = behind;
                    retry = Some((behind, rest.clone()));
                    continue;
                }
                Some((atom, behind)) => {
                    if let Some(c) = rest.next()
                        && (*atom == Atom::One || *atom == Atom::Char(c))
                    {
                        pattern = behind;
                        continue;
                    }
                }
                None if rest.as_str().is_empty() => return true,
                None => {}
            }
            let Some((behind, mut from)) = retry.take() else { return false };
            if from.next().is_none() {
                return false;
            }
            (pattern, rest) = (behind, from.clone());
            retry = Some((behind, from));
        }
    }

    /// Whether `text` contains it, upper and lower case being one.
    pub fn is_contained_in(&self, text: &str) -> bool {
        self.folded().inside().matches(&text.chars().map(fold).collect::<String>())
    }
}

/// A character's lower case, where that is one character: what the engine's `lower` does.
fn fold(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

impl FromIterator<Atom> for Pattern {
    fn from_iter<T: IntoIterator<Item = Atom>>(atoms: T) -> Self {
        let mut all: Vec<Atom> = Vec::new();
        for atom in atoms {
            if atom != Atom::Many || all.last() != Some(&Atom::Many) {
                all.push(atom);
            }
        }
        Self(all)
    }
}

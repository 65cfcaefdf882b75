//! A GraphQL document: which operation it asks for, and the arguments of the fields in it.
//!
//! A reader, not a validator: what a server would refuse gives the values that stand there. Each
//! token is visited once or twice, each fragment once however often it is spread, so that time is linear.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::input::Input;
use super::super::undecoded::Reason;
use super::GraphqlPath;
use super::token::{Kind, Tokens, unquoted};

/// A document with its definitions found.
pub(super) struct Document<'d> {
    tokens: Tokens<'d>,
    operations: Vec<Operation<'d>>,
    fragments: Vec<Fragment<'d>>,
    pub(super) failure: Option<Reason>,
}

/// An operation: `query`, `mutation` or `subscription`.
pub(super) struct Operation<'d> {
    pub(super) kind: &'static str,
    pub(super) name: Option<&'d [u8]>,
    /// Its variables' `(`, when there is one.
    variables: Option<usize>,
    /// Its `{`, when it is there.
    selection: Option<usize>,
}

struct Fragment<'d> {
    name: &'d [u8],
    selection: usize,
}

/// What an argument is given.
pub(super) enum Argument<'d, 'w> {
    Value(Cow<'d, [u8]>),
    /// A variable, to be looked up, and the way into it.
    Variable(&'d [u8], &'w [String]),
    /// `null`, or a string with a wrong escape.
    Nothing,
}

/// An argument that is wanted: of which field, its name, and the way into its value.
pub(super) struct Wanted<'w> {
    pub(super) field: &'w str,
    pub(super) argument: &'w str,
    pub(super) path: &'w [String],
}

impl<'w> Wanted<'w> {
    pub(super) fn of(path: &'w GraphqlPath) -> Option<Self> {
        match path {
            GraphqlPath::Argument { field, argument, path } => Some(Self { field, argument, path }),
            _ => None,
        }
    }
}

impl<'d> Document<'d> {
    pub(super) fn of(input: Input<'d>) -> Self {
        let tokens = Tokens::of(input);
        let failure = tokens.failure;
        let mut document = Self { tokens, operations: Vec::new(), fragments: Vec::new(), failure };
        if document.definitions().is_none() {
            document.failure = document.failure.or(Some(Reason::Malformed));
        }
        document
    }

    /// Finds the definitions. `None` when something is no definition, or has no end.
    fn definitions(&mut self) -> Option<()> {
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            at = match (token.kind, self.tokens.name(at)) {
                (Kind::Punctuator(b'{'), _) => self.operation("query", at),
                (_, Some(b"query")) => self.operation("query", at + 1),
                (_, Some(b"mutation")) => self.operation("mutation", at + 1),
                (_, Some(b"subscription")) => self.operation("subscription", at + 1),
                (_, Some(b"fragment")) => self.fragment(at + 1),
                // A description.
                (Kind::String | Kind::Block, _) => Some(at + 1),
                _ => None,
            }?;
        }
        (!self.operations.is_empty()).then_some(())
    }

    /// An operation behind its type; gives what is behind it.
    fn operation(&mut self, kind: &'static str, mut at: usize) -> Option<usize> {
        let name = self.tokens.name(at);
        at += usize::from(name.is_some());
        // Without what follows, the name itself may not be whole.
        self.tokens.get(at)?;
        let variables = self.tokens.is(at, b'(').then_some(at);
        self.operations.push(Operation { kind, name, variables, selection: None });
        if variables.is_some() {
            at = self.tokens.behind(at)?;
        }
        let selection = self.selection(at)?;
        self.operations.last_mut()?.selection = Some(selection);
        self.tokens.behind(selection)
    }

    fn fragment(&mut self, at: usize) -> Option<usize> {
        let name = self.tokens.name(at)?;
        let selection = self.selection(at + 1)?;
        self.fragments.push(Fragment { name, selection });
        self.tokens.behind(selection)
    }

    /// The next `{` behind directives, whose arguments may hold some.
    fn selection(&self, mut at: usize) -> Option<usize> {
        loop {
            match self.tokens.get(at)?.kind {
                Kind::Punctuator(b'{') => return Some(at),
                Kind::Punctuator(b'(') => at = self.tokens.behind(at)?,
                Kind::Punctuator(b'@') | Kind::Name => at += 1,
                _ => return None,
            }
        }
    }

    /// The operation of this name, or the first.
    pub(super) fn chosen(&self, name: Option<&[u8]>) -> Option<&Operation<'d>> {
        match name {
            Some(name) => self.operations.iter().find(|operation| operation.name == Some(name)),
            None => self.operations.first(),
        }
    }

    /// The first value of each wanted argument, in the order in which an operation's fields stand
    /// once fragments are put in.
    pub(super) fn arguments<'w>(
        &self,
        operation: &Operation<'d>,
        wanted: &[(usize, Wanted<'w>)],
    ) -> Vec<Option<Argument<'d, 'w>>> {
        let mut found: Vec<Option<Argument<'d, 'w>>> = wanted.iter().map(|_| None).collect();
        let mut visited = vec![false; self.fragments.len()];
        // The first of a name counts. Sought for each spread: there may be thousands of both.
        let named = self.fragments.iter().enumerate().rev();
        let fragments: BTreeMap<&[u8], usize> = named.map(|(number, fragment)| (fragment.name, number)).collect();
        // Places to go on at, the innermost last: behind a spread, the operation that holds it.
        let mut places: Vec<(usize, usize)> = operation.selection.map(|at| (at, 0)).into_iter().collect();
        while let Some((mut at, mut depth)) = places.pop() {
            while let Some(token) = self.tokens.get(at) {
                match token.kind {
                    Kind::Punctuator(b'{') => depth += 1,
                    Kind::Punctuator(b'}') if depth <= 1 => break,
                    Kind::Punctuator(b'}') => depth -= 1,
                    Kind::Punctuator(b'(') => match self.tokens.behind(at) {
                        Some(behind) => at = behind - 1,
                        None => break,
                    },
                    // A directive's name; its arguments are passed over as any others.
                    Kind::Punctuator(b'@') => at += 1,
                    Kind::Spread => match self.tokens.name(at + 1) {
                        Some(b"on") => at += 2,
                        Some(name) => {
                            if let Some(&fragment) = fragments.get(name)
                                && let Some(seen @ false) = visited.get_mut(fragment)
                            {
                                *seen = true;
                                places.push((at + 2, depth));
                                places.extend(self.fragments.get(fragment).map(|fragment| (fragment.selection, 0)));
                                break;
                            }
                            at += 1;
                        }
                        None => {}
                    },
                    Kind::Name => {
                        let alias = self.tokens.is(at + 1, b':');
                        at += if alias { 2 } else { 0 };
                        if let Some(field) = self.tokens.name(at) {
                            self.take(field, at + 1, wanted, &mut found);
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
        }
        found
    }

    /// Takes the wanted ones of a field's arguments, which stand at `open` when it has any.
    fn take<'w>(
        &self,
        field: &[u8],
        open: usize,
        wanted: &[(usize, Wanted<'w>)],
        found: &mut [Option<Argument<'d, 'w>>],
    ) {
        if !self.tokens.is(open, b'(') || !wanted.iter().any(|(_, wanted)| wanted.field.as_bytes() == field) {
            return;
        }
        let mut at = open + 1;
        while let Some((name, value, behind)) = self.member(at) {
            for ((_, wanted), found) in wanted.iter().zip(found.iter_mut()) {
                let is_it = wanted.field.as_bytes() == field && wanted.argument.as_bytes() == name;
                if found.is_none() && is_it {
                    *found = self.value(value, wanted.path);
                }
            }
            at = behind;
        }
    }

    /// `name: value` at a place: the name, where the value is, and what is behind it.
    fn member(&self, at: usize) -> Option<(&'d [u8], usize, usize)> {
        let name = self.tokens.name(at).filter(|_| self.tokens.is(at + 1, b':'))?;
        Some((name, at + 2, self.tokens.behind_value(at + 2)?))
    }

    /// The value at a place, or what a path leads to in it.
    fn value<'w>(&self, at: usize, path: &'w [String]) -> Option<Argument<'d, 'w>> {
        let token = self.tokens.get(at)?;
        // The way on leads through the variable's JSON.
        if token.kind == Kind::Punctuator(b'$') {
            return self.tokens.name(at + 1).map(|name| Argument::Variable(name, path));
        }
        let written = self.tokens.written(at, self.tokens.behind_value(at)?)?;
        let Some((first, rest)) = path.split_first() else {
            return Some(match token.kind {
                Kind::String | Kind::Block => {
                    unquoted(token.kind, written).map_or(Argument::Nothing, |text| Argument::Value(Cow::Owned(text)))
                }
                Kind::Name if written == b"null" => Argument::Nothing,
                _ => Argument::Value(Cow::Borrowed(written)),
            });
        };
        match token.kind {
            Kind::Punctuator(b'{') => {
                let mut place = at + 1;
                loop {
                    let (name, value, behind) = self.member(place)?;
                    if name == first.as_bytes() {
                        return self.value(value, rest);
                    }
                    place = behind;
                }
            }
            Kind::Punctuator(b'[') => {
                let mut place = at + 1;
                for _ in 0..first.parse::<usize>().ok()? {
                    place = self.tokens.behind_value(place)?;
                }
                self.value(place, rest)
            }
            _ => None,
        }
    }

    /// The value that an operation gives to a variable that the request leaves out.
    pub(super) fn default_of<'w>(
        &self,
        operation: &Operation<'d>,
        name: &[u8],
        path: &'w [String],
    ) -> Option<Argument<'d, 'w>> {
        let mut at = operation.variables? + 1;
        while self.tokens.is(at, b'$') {
            let found = self.tokens.name(at + 1)?;
            at += 2;
            // Its type, then perhaps `= value`, then perhaps directives.
            let mut default = None;
            while let Some(token) = self.tokens.get(at) {
                match token.kind {
                    Kind::Punctuator(b'$' | b')') => break,
                    Kind::Punctuator(b'=') => {
                        default = Some(at + 1);
                        at = self.tokens.behind_value(at + 1)?;
                    }
                    Kind::Punctuator(b'(') => at = self.tokens.behind(at)?,
                    _ => at += 1,
                }
            }
            if found == name {
                return self.value(default?, path);
            }
        }
        None
    }
}

//! What the paths of one host have taught: a tree of their segments.
//!
//! At each place segments that end a path and segments that lead on are told apart, so that a site's
//! pages do not hide its `/api/...`. Of each sort a place holds at most [`MAX_WORDS`] words: with one
//! more they all become `{name}` and what lies below them is united. That never goes back, and depends
//! only on which paths came, not on their order, as long as there is room ([`MAX_PLACES`]).

use std::collections::BTreeMap;
use std::mem;

use super::segment::{NAME, is_placeholder};

/// Different words that a place tells apart.
pub(super) const MAX_WORDS: usize = 100;
/// Places that a host may have; what would need more is not learned.
pub(super) const MAX_PLACES: usize = 10_000;

/// The places of a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tree {
    root: Node,
    places: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    /// Segments that end a path.
    ends: Segments<()>,
    /// Segments that lead on.
    ways: Segments<Node>,
}

/// By segment: words and placeholders. Where `{name}` is, there are no words.
#[derive(Clone, Debug, PartialEq)]
struct Segments<T>(BTreeMap<Box<str>, T>);

impl<T> Default for Segments<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// What two segments become when they are no longer told apart.
trait Unite: Default {
    fn unite(&mut self, other: Self);
    /// Places below it.
    fn places(&self) -> usize;
}

impl Unite for () {
    fn unite(&mut self, (): ()) {}

    fn places(&self) -> usize {
        0
    }
}

impl Unite for Node {
    fn unite(&mut self, other: Self) {
        self.ends.unite(other.ends);
        self.ways.unite(other.ways);
    }

    fn places(&self) -> usize {
        self.ends.places() + self.ways.places()
    }
}

impl<T: Unite> Segments<T> {
    /// The segment under which `segment` is found, if it is known.
    fn known<'a>(&self, segment: &'a str) -> Option<&'a str> {
        [segment, NAME].into_iter().find(|s| self.0.contains_key(*s) && (*s == segment || !is_placeholder(segment)))
    }

    fn get(&self, segment: &str) -> Option<&T> {
        self.known(segment).and_then(|known| self.0.get(known))
    }

    fn entry(&mut self, segment: &str) -> &mut T {
        let key = self.known(segment).unwrap_or(segment);
        self.0.entry(key.into()).or_default()
    }

    /// Gives up the words where there are too many, or where `{name}` is; says whether it did.
    fn settle(&mut self) -> bool {
        let is_word = |segment: &str| !is_placeholder(segment);
        let words = self.0.keys().filter(|segment| is_word(segment)).count();
        if words == 0 || words <= MAX_WORDS && !self.0.contains_key(NAME) {
            return false;
        }
        let (words, mut kept): (BTreeMap<_, _>, _) =
            mem::take(&mut self.0).into_iter().partition(|(segment, _)| is_word(segment));
        let united = kept.entry(NAME.into()).or_default();
        words.into_values().for_each(|below| united.unite(below));
        self.0 = kept;
        true
    }

    fn unite(&mut self, other: Self) {
        for (segment, below) in other.0 {
            self.entry(&segment).unite(below);
        }
        self.settle();
    }

    fn places(&self) -> usize {
        self.0.values().map(|below| 1 + below.places()).sum()
    }
}

impl Tree {
    /// Takes a path in; false when there is no room for it.
    pub(super) fn learn(&mut self, segments: &[&str]) -> bool {
        let Some((end, ways)) = segments.split_last() else { return true };
        let (known, all) = self.template(segments);
        if all {
            return true;
        }
        let new = segments.len() - known.len();
        if self.places + new > MAX_PLACES {
            return false;
        }
        let united = self.root.learn(end, ways);
        self.places = if united { self.root.places() } else { self.places + new };
        true
    }

    /// How many places it has.
    pub(super) fn places(&self) -> usize {
        self.places
    }

    /// The template of as many of the segments as are known, and whether these are all.
    pub(super) fn template<'a>(&self, segments: &[&'a str]) -> (Vec<&'a str>, bool) {
        let mut known = Vec::with_capacity(segments.len());
        let Some((end, ways)) = segments.split_last() else { return (known, true) };
        let mut node = &self.root;
        for way in ways {
            let Some(segment) = node.ways.known(way) else { return (known, false) };
            let Some(next) = node.ways.get(segment) else { return (known, false) };
            known.push(segment);
            node = next;
        }
        let end = node.ends.known(end);
        known.extend(end);
        (known, end.is_some())
    }
}

impl Node {
    /// Takes a path in; says whether anything was united.
    fn learn(&mut self, end: &str, ways: &[&str]) -> bool {
        match ways.split_first() {
            None => {
                self.ends.entry(end);
                self.ends.settle()
            }
            Some((way, rest)) => {
                let below = self.ways.entry(way).learn(end, rest);
                self.ways.settle() || below
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn learned(paths: &[Vec<String>]) -> Tree {
        let mut tree = Tree::default();
        for path in paths {
            assert!(tree.learn(&path.iter().map(String::as_str).collect::<Vec<_>>()));
        }
        tree
    }

    fn template(tree: &Tree, path: &[&str]) -> String {
        tree.template(path).0.join("/")
    }

    /// Paths of which some places have few different segments and some have very many.
    fn paths() -> impl Strategy<Value = Vec<Vec<String>>> {
        let segment = prop_oneof![
            2 => (0..3u32).prop_map(|n| format!("w{n}")),
            3 => (0..400u32).prop_map(|n| format!("v{n}")),
            1 => Just("{id}".to_owned()),
        ];
        prop::collection::vec(prop::collection::vec(segment, 1..4), 0..600)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_learned_depends_on_the_paths_and_not_on_their_order(
            (paths, shuffled) in paths().prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle())),
        ) {
            let tree = learned(&paths);
            prop_assert_eq!(&tree, &learned(&shuffled));
            prop_assert_eq!(tree.places, tree.root.places());
        }

        #[test]
        fn a_template_once_made_stays_whatever_else_comes(before in paths(), after in paths()) {
            let mut tree = learned(&before);
            let now = |tree: &Tree| -> Vec<Vec<String>> {
                let of = |path: &Vec<String>| {
                    let path: Vec<_> = path.iter().map(String::as_str).collect();
                    let (template, all) = tree.template(&path);
                    assert!(all);
                    template.into_iter().map(str::to_owned).collect()
                };
                before.iter().map(of).collect()
            };
            let first = now(&tree);
            after.iter().for_each(|path| { tree.learn(&path.iter().map(String::as_str).collect::<Vec<_>>()); });
            for (was, is) in first.iter().zip(now(&tree)) {
                for (was, is) in was.iter().zip(is) {
                    // Words may still be united; what is a placeholder stays that one.
                    prop_assert!(*was == is || is == NAME && !is_placeholder(was), "{} became {}", was, is);
                }
            }
        }

        #[test]
        fn templates_learned_again_make_the_same_tree(paths in paths()) {
            let tree = learned(&paths);
            let again = |path: &Vec<String>| -> Vec<String> {
                let path: Vec<_> = path.iter().map(String::as_str).collect();
                tree.template(&path).0.into_iter().map(str::to_owned).collect()
            };
            prop_assert_eq!(&learned(&paths.iter().map(again).collect::<Vec<_>>()), &tree);
        }
    }

    #[test]
    fn a_place_of_many_words_becomes_a_name_and_its_neighbours_stay() {
        let mut tree = Tree::default();
        for n in 0..=MAX_WORDS {
            let user = format!("user-{n}");
            tree.learn(&["users", &user]);
            tree.learn(&["users", &user, "orders"]);
            tree.learn(&[&format!("page-{n}")]);
        }
        tree.learn(&["users", "{id}"]);
        assert_eq!(template(&tree, &["users", "anybody"]), "users/{name}");
        assert_eq!(template(&tree, &["users", "{id}"]), "users/{id}");
        assert_eq!(template(&tree, &["users", "anybody", "orders"]), "users/{name}/orders");
        assert_eq!(template(&tree, &["a-new-page"]), "{name}");
        // Of an unknown path the beginning is known.
        assert_eq!(tree.template(&["users", "x", "y"]), (vec!["users", NAME], false));
        assert!(tree.places() < 10);
    }

    #[test]
    fn a_tree_without_room_learns_no_more_and_keeps_what_it_has() {
        let mut tree = Tree::default();
        let paths: Vec<_> =
            (0..60 * 60 * 60).map(|n| [n % 60, n / 60 % 60, n / 3600].map(|n| format!("s{n}"))).collect();
        let taken = paths.iter().filter(|path| tree.learn(&[&path[0], &path[1], &path[2]])).count();
        assert!(taken < paths.len());
        assert!(tree.places() <= MAX_PLACES);
        assert_eq!(template(&tree, &["s0", "s0", "s0"]), "s0/s0/s0");
    }
}

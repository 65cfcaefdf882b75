//! Reads a filter's text.
//!
//! ```text
//! filter  = unary { "AND" unary } | unary { "OR" unary }
//! unary   = "NOT" unary | "(" filter ")" | ("any" | "none") "(" filter ")"
//!         | "count" "(" filter ")" test | field test | word
//! test    = ("=" | "!=" | "<" | "<=" | ">" | ">=" | ":") value | ":*" | ["NOT"] "IN" "(" value { "," value } ")"
//! ```
//! A word or value stands in double quotes when it has blanks or signs. `\` takes the next character as it is.

use std::ops::Range;

use super::fields::{self, PARAM};
use super::pattern::{Atom, Pattern};
use super::{BadFilter, Expr, Field, Kind, MAX_DEPTH, MAX_TERMS, MAX_TEXT, MAX_VALUES, Order, Reason, Test, Value};

/// Characters of a reading, or a value, that a message shows.
const MAX_SHOWN: usize = 100;

pub(super) fn parse(text: &str) -> Result<Expr, BadFilter> {
    if text.len() > MAX_TEXT {
        return Err(BadFilter { offset: MAX_TEXT, length: text.len() - MAX_TEXT, reason: Reason::TooLong(text.len()) });
    }
    let mut parser = Parser { text, at: 0, terms: 0, depth: 0, session: None };
    let expr = parser.chain()?;
    match parser.peek() {
        None => Ok(expr),
        Some(')') => Err(bad(parser.at..parser.at + 1, Reason::Unopened)),
        Some(_) => Err(parser.here(Reason::NoOperator)),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    terms: usize,
    depth: usize,
    /// Where the last term stands that speaks of a session.
    session: Option<Range<usize>>,
}

fn bad(at: Range<usize>, reason: Reason) -> BadFilter {
    BadFilter { offset: at.start, length: at.len(), reason }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Whether a character ends a word; a value may have operators in it.
fn ends_value(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | ',' | '"')
}

fn ends_word(c: char) -> bool {
    ends_value(c) || matches!(c, '=' | '!' | '<' | '>' | ':')
}

#[derive(Clone, Copy, PartialEq)]
enum Join {
    And,
    Or,
}

impl Parser<'_> {
    fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    fn rest(&self) -> &str {
        self.slice(self.at..self.text.len())
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// The next character that is no blank.
    fn peek(&mut self) -> Option<char> {
        self.skip_blanks();
        self.rest().chars().next()
    }

    /// Takes `sign` if it is next.
    fn take(&mut self, sign: &str) -> bool {
        self.skip_blanks();
        let taken = self.rest().starts_with(sign);
        if taken {
            self.at += sign.len();
        }
        taken
    }

    /// An error about what comes next.
    fn here(&mut self, reason: Reason) -> BadFilter {
        self.skip_blanks();
        let length = self.run(ends_word).len().max(self.rest().chars().next().map_or(0, char::len_utf8));
        bad(self.at..self.at + length, reason)
    }

    /// The characters before one that ends them; a backslash keeps the next from that.
    fn run(&self, ends: fn(char) -> bool) -> Range<usize> {
        let mut escaped = false;
        let end = self.rest().find(|c| {
            let end = !escaped && ends(c);
            escaped = !escaped && c == '\\';
            end
        });
        self.at..end.map_or(self.text.len(), |end| self.at + end)
    }

    /// Takes a keyword if it is next.
    fn keyword(&mut self, keyword: &str) -> bool {
        self.skip_blanks();
        let run = self.run(ends_word);
        let taken = self.slice(run.clone()).eq_ignore_ascii_case(keyword);
        if taken {
            self.at = run.end;
        }
        taken
    }

    fn chain(&mut self) -> Result<Expr, BadFilter> {
        self.skip_blanks();
        let start = self.at;
        let mut all = vec![self.unary()?];
        let mut join = None;
        loop {
            let (end, operator) = (self.at, self.peek().map(|_| self.at));
            let next = match () {
                () if self.keyword("AND") => Join::And,
                () if self.keyword("OR") => Join::Or,
                () => break,
            };
            let operator = operator.unwrap_or(end)..self.at;
            self.skip_blanks();
            let last = self.at;
            let term = self.unary()?;
            if join.is_some_and(|join| join != next) {
                return Err(bad(operator.clone(), self.readings(start, end, operator, last)));
            }
            join = Some(next);
            all.push(term);
        }
        Ok(match join {
            None => all.remove(0),
            Some(Join::And) => Expr::And(all),
            Some(Join::Or) => Expr::Or(all),
        })
    }

    /// What a text that mixes AND and OR may mean: `start..end` is what the first operator joins.
    fn readings(&self, start: usize, end: usize, operator: Range<usize>, last: usize) -> Reason {
        let before = self.slice(start..end);
        let (operator, after) = (self.slice(operator), self.slice(last..self.at));
        // All but its last term, as it is one chain of equal operators.
        let split = Self::last_term(before);
        let (first, middle) = before.split_at_checked(split).unwrap_or((before, ""));
        Reason::Mixed(
            shown(&format!("({before}) {operator} {after}")),
            shown(&format!("{first}({middle} {operator} {after})")),
        )
    }

    /// Where the last term of a chain begins.
    fn last_term(chain: &str) -> usize {
        let mut parser = Parser { text: chain, at: 0, terms: 0, depth: 0, session: None };
        let mut last = 0;
        while parser.unary().is_ok() && (parser.keyword("AND") || parser.keyword("OR")) {
            parser.skip_blanks();
            last = parser.at;
        }
        last
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, BadFilter>) -> Result<T, BadFilter> {
        if self.depth == MAX_DEPTH {
            return Err(self.here(Reason::TooDeep));
        }
        self.depth += 1;
        let answer = inner(self);
        self.depth -= 1;
        answer
    }

    fn unary(&mut self) -> Result<Expr, BadFilter> {
        match self.peek() {
            None => return Err(bad(self.at..self.at, Reason::NoTerm)),
            Some(')') => return Err(bad(self.at..self.at + 1, Reason::NoTerm)),
            Some('(') => return self.parentheses(),
            Some('"') => return self.word(),
            Some(_) => {}
        }
        let run = self.run(ends_word);
        if run.is_empty() {
            return Err(self.here(Reason::NoField));
        }
        let word = self.slice(run.clone()).to_ascii_lowercase();
        match word.as_str() {
            "and" | "or" => return Err(bad(run, Reason::NoTerm)),
            "not" => {
                self.at = run.end;
                return self.deeper(Self::unary).map(|inner| Expr::Not(Box::new(inner)));
            }
            "any" | "none" | "count" if self.slice(run.end..self.text.len()).trim_start().starts_with('(') => {
                self.at = run.end;
                return self.call(&word, run);
            }
            _ => {}
        }
        self.term_or_word(run)
    }

    fn parentheses(&mut self) -> Result<Expr, BadFilter> {
        self.skip_blanks();
        let open = self.at..self.at + 1;
        self.at = open.end;
        let inner = self.deeper(Self::chain)?;
        match self.peek() {
            Some(')') => {
                self.at += 1;
                Ok(inner)
            }
            None => Err(bad(open, Reason::Unclosed)),
            Some(_) => Err(self.here(Reason::NoOperator)),
        }
    }

    fn call(&mut self, name: &str, at: Range<usize>) -> Result<Expr, BadFilter> {
        let outer = self.session.take();
        let inner = Box::new(self.parentheses()?);
        if let Some(place) = self.session.take() {
            return Err(bad(place, Reason::SessionInside));
        }
        let call = match name {
            "any" => Expr::Any(inner),
            "none" => Expr::Not(Box::new(Expr::Any(inner))),
            _ => {
                let count = |test| Expr::Count(inner, test);
                let test = self.test("count(...)", Kind::Number)?.ok_or(bad(at.start..self.at, Reason::NoCount))?;
                match test {
                    (_, Test::Present) => return Err(bad(at.start..self.at, Reason::NoCount)),
                    (true, test) => count(test),
                    (false, test) => Expr::Not(Box::new(count(test))),
                }
            }
        };
        self.session = outer.or(Some(at.start..self.at));
        Ok(call)
    }

    /// One more term.
    fn counted(&mut self, at: Range<usize>, term: Expr) -> Result<Expr, BadFilter> {
        self.terms += 1;
        if self.terms > MAX_TERMS { Err(bad(at, Reason::TooManyTerms)) } else { Ok(term) }
    }

    fn word(&mut self) -> Result<Expr, BadFilter> {
        let start = self.at;
        let word = self.pattern(ends_word)?;
        self.counted(start..self.at, Expr::Word(word))
    }

    /// A term, when what follows the run is an operator.
    fn term_or_word(&mut self, run: Range<usize>) -> Result<Expr, BadFilter> {
        let start = self.at;
        let mut name = self.slice(run.clone()).to_owned();
        self.at = run.end;
        if name == PARAM && self.rest().starts_with('"') {
            let quoted = self.pattern(ends_word)?;
            // A name is no pattern: its globs are characters.
            name.extend(quoted.atoms().iter().map(|atom| match atom {
                Atom::Char(c) => *c,
                Atom::One => '?',
                Atom::Many => '*',
            }));
        }
        let end = self.at;
        let field = Field::named(&name);
        let (shown_name, kind) = match &field {
            Some(field) => (field.to_string(), field.info().kind),
            // Nothing is read of what follows but whether it is an operator.
            None if self.is_operator() => {
                let nearest = fields::nearest(&name);
                return Err(bad(start..end, Reason::UnknownField { name: shown(&name), nearest }));
            }
            None => (String::new(), Kind::Text),
        };
        let (Some(field), Some((meant, test))) = (field, self.test(&shown_name, kind)?) else {
            self.at = start;
            return self.word();
        };
        if field.info().level == super::Level::Session {
            self.session = Some(start..self.at);
        }
        let term = Expr::Term(field, test);
        let term = if meant { term } else { Expr::Not(Box::new(term)) };
        self.counted(start..self.at, term)
    }

    fn is_operator(&mut self) -> bool {
        let at = self.at;
        let operator = matches!(self.peek(), Some('=' | '!' | '<' | '>' | ':'))
            || self.keyword("IN")
            || (self.keyword("NOT") && self.keyword("IN"));
        self.at = at;
        operator
    }

    /// Operator and value, and whether they are meant or their contrary; `None` when none follow.
    fn test(&mut self, field: &str, kind: Kind) -> Result<Option<(bool, Test)>, BadFilter> {
        if !self.is_operator() {
            return Ok(None);
        }
        self.skip_blanks();
        let start = self.at;
        let negated = self.keyword("NOT");
        if self.keyword("IN") {
            return self.list(kind).map(|values| Some((!negated, Test::OneOf(values))));
        }
        let signs = ["!=", "<=", ">=", "=", "<", ">", ":"];
        let Some(sign) = signs.into_iter().find(|sign| self.take(sign)) else {
            return Err(bad(start..start + 1, self.wrong_operator(field, kind)));
        };
        let operator = start..self.at;
        if sign == ":" && self.slice(self.run(ends_value)) == "*" {
            self.at += 1;
            return Ok(Some((true, Test::Present)));
        }
        if !kind.operators().contains(&sign) {
            return Err(bad(operator, self.wrong_operator(field, kind)));
        }
        if sign == "=" && self.rest().starts_with('=') {
            return Err(bad(start..self.at + 1, Reason::DoubleEquals));
        }
        let test = match sign {
            "=" | "!=" => Test::OneOf(vec![self.value(kind)?]),
            ":" => Test::Contains(self.written()?.0),
            "<" => Test::Compare(Order::Less, self.number(kind)?),
            "<=" => Test::Compare(Order::AtMost, self.number(kind)?),
            ">" => Test::Compare(Order::More, self.number(kind)?),
            _ => Test::Compare(Order::AtLeast, self.number(kind)?),
        };
        Ok(Some((sign != "!=", test)))
    }

    fn wrong_operator(&self, field: &str, kind: Kind) -> Reason {
        Reason::WrongOperator { field: shown(field), operators: kind.operators_text() }
    }

    fn list(&mut self, kind: Kind) -> Result<Vec<Value>, BadFilter> {
        if self.peek() != Some('(') {
            return Err(self.here(Reason::NoList));
        }
        let open = self.at..self.at + 1;
        self.at = open.end;
        let mut values = Vec::new();
        loop {
            self.skip_blanks();
            let start = self.at;
            values.push(self.value(kind)?);
            if values.len() > MAX_VALUES {
                return Err(bad(start..self.at, Reason::TooManyValues));
            }
            if self.take(")") {
                return Ok(values);
            }
            if !self.take(",") {
                let end = self.peek().is_none();
                return Err(if end { bad(open, Reason::Unclosed) } else { self.here(Reason::NoList) });
            }
        }
    }

    fn value(&mut self, kind: Kind) -> Result<Value, BadFilter> {
        let (written, at) = self.written()?;
        kind.value(&written).ok_or_else(|| self.wrong_value(at, kind))
    }

    fn number(&mut self, kind: Kind) -> Result<i128, BadFilter> {
        let (written, at) = self.written()?;
        written.text().and_then(|text| kind.number(&text)).ok_or_else(|| self.wrong_value(at, kind))
    }

    fn wrong_value(&self, at: Range<usize>, kind: Kind) -> BadFilter {
        let written = shown(self.slice(at.clone()));
        bad(at, Reason::WrongValue { shown: written, wanted: kind.wanted() })
    }

    /// A value, and where it stands.
    fn written(&mut self) -> Result<(Pattern, Range<usize>), BadFilter> {
        self.skip_blanks();
        let start = self.at;
        if self.rest().chars().next().is_none_or(|c| c != '"' && ends_value(c)) {
            return Err(bad(start..start, Reason::NoValue));
        }
        let pattern = self.pattern(ends_value)?;
        Ok((pattern, start..self.at))
    }

    /// A quoted text, or a run of characters.
    fn pattern(&mut self, ends: fn(char) -> bool) -> Result<Pattern, BadFilter> {
        let start = self.at;
        let quoted = self.rest().starts_with('"');
        self.at += usize::from(quoted);
        let run = self.run(if quoted { |c| c == '"' } else { ends });
        self.at = run.end;
        if quoted && !self.take_here("\"") {
            return Err(bad(start..start + 1, Reason::OpenQuote));
        }
        if self.rest().chars().next().is_some_and(|c| c == '"' || (quoted && !ends_word(c))) {
            return Err(self.here(Reason::NoOperator));
        }
        let mut atoms = Vec::new();
        let mut chars = self.slice(run.clone()).chars();
        while let Some(c) = chars.next() {
            atoms.push(match c {
                '*' => Atom::Many,
                '?' => Atom::One,
                '\\' => Atom::Char(chars.next().ok_or(bad(run.end.saturating_sub(1)..run.end, Reason::OpenEscape))?),
                c => Atom::Char(c),
            });
        }
        Ok(atoms.into_iter().collect())
    }

    /// Takes `sign` if it is the very next.
    fn take_here(&mut self, sign: &str) -> bool {
        let taken = self.rest().starts_with(sign);
        self.at += if taken { sign.len() } else { 0 };
        taken
    }
}

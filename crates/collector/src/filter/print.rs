//! Filters as text. What is printed reads as the same filter.

use std::fmt::{self, Display, Formatter};

use super::value::{DURATIONS, SIZES};
use super::{Atom, Expr, Field, Filter, Kind, Order, Pattern, Test, Value};
use crate::model::Micros;

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::And(all) => joined(f, all, " AND "),
            Self::Or(all) => joined(f, all, " OR "),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                inner.operand(f)
            }
            Self::Word(word) => word.fmt(f),
            Self::Term(field, test) => {
                field.fmt(f)?;
                tested(f, test, field.info().kind)
            }
            Self::Any(inner) => write!(f, "any({inner})"),
            Self::Count(inner, test) => {
                write!(f, "count({inner})")?;
                tested(f, test, Kind::Number)
            }
        }
    }
}

impl Expr {
    fn operand(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::And(_) | Self::Or(_) => write!(f, "({self})"),
            _ => self.fmt(f),
        }
    }
}

fn joined(f: &mut Formatter, all: &[Expr], by: &str) -> fmt::Result {
    for (n, expr) in all.iter().enumerate() {
        f.write_str(if n == 0 { "" } else { by })?;
        expr.operand(f)?;
    }
    Ok(())
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::Param(name) => write!(f, "param.{}", Pattern::literal(name)),
            field => f.write_str(field.info().name),
        }
    }
}

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str("\"")?;
        for atom in self.atoms() {
            match atom {
                Atom::Many => f.write_str("*")?,
                Atom::One => f.write_str("?")?,
                Atom::Char(c @ ('"' | '\\' | '*' | '?')) => write!(f, "\\{c}")?,
                Atom::Char(c) => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

fn tested(f: &mut Formatter, test: &Test, kind: Kind) -> fmt::Result {
    match test {
        Test::Present => f.write_str(":*"),
        Test::Contains(pattern) => write!(f, ":{pattern}"),
        Test::OneOf(values) => {
            if let [one] = values.as_slice() {
                f.write_str("=")?;
                return one.print(f, kind);
            }
            f.write_str(" IN (")?;
            for (n, value) in values.iter().enumerate() {
                f.write_str(if n == 0 { "" } else { "," })?;
                value.print(f, kind)?;
            }
            f.write_str(")")
        }
        Test::Compare(order, number) => {
            f.write_str(match order {
                Order::Less => "<",
                Order::AtMost => "<=",
                Order::More => ">",
                Order::AtLeast => ">=",
            })?;
            Value::Number(*number).print(f, kind)
        }
    }
}

impl Value {
    fn print(&self, f: &mut Formatter, kind: Kind) -> fmt::Result {
        match self {
            Self::Text(pattern) => pattern.fmt(f),
            Self::Class(class) => write!(f, "{class}xx"),
            Self::Id(id) => id.fmt(f),
            Self::Network(network) => write!(f, "\"{network}\""),
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => match kind {
                Kind::Time => i64::try_from(*number).map_or(Err(fmt::Error), |micros| Micros(micros).fmt(f)),
                Kind::Duration => in_units(f, *number, &DURATIONS),
                Kind::Size => in_units(f, *number, &SIZES),
                _ => number.fmt(f),
            },
        }
    }
}

fn in_units(f: &mut Formatter, number: i128, units: &[(&str, i128)]) -> fmt::Result {
    let whole = |(_, size): &&(&str, i128)| number != 0 && number % size == 0;
    let Some((unit, size)) = units.iter().find(whole).or(units.last()) else { return Err(fmt::Error) };
    write!(f, "{}{unit}", number / size)
}

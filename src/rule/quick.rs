//! The everyday part of the expression language, evaluated on fields as they are: presence, comparisons, sums, text tests
//! and their combinations, a search through a list. The full evaluator copies every value it meets; most expressions need no more than this.
//!
//! An expression has a [`Quick`] form only when every part of it has one (see `plain.rs`), and an evaluation that meets
//! operands it does not know gives no answer: the full evaluator then decides.

use super::condition::{Pattern, Scope};
use crate::model::{Field, State, Value};

/// Most lists that are searched at a time, one within the other.
pub(super) const MOST_BOUND: usize = 2;

/// An expression that needs no copies.
#[derive(Debug)]
pub(super) enum Quick {
    Bool(bool),
    Int(i64),
    Text(String),
    Now,
    Limit,
    Environment,
    Item,
    Field(usize),
    Has(usize),
    Not(Box<Quick>),
    Both(Box<Quick>, Box<Quick>),
    Either(Box<Quick>, Box<Quick>),
    Compare(Comparison, Box<Quick>, Box<Quick>),
    /// Of numbers.
    Plus(Box<Quick>, Box<Quick>),
    /// Of numbers.
    Minus(Box<Quick>, Box<Quick>),
    OneOf(Box<Quick>, Vec<Quick>),
    Matches(Box<Quick>, Pattern),
    Contains(Box<Quick>, String),
    StartsWith(Box<Quick>, String),
    EndsWith(Box<Quick>, String),
    Size(Box<Quick>),
    /// The element at hand of a list that is searched; 0 for the outermost.
    Element(usize),
    /// Is there an element for which the expression is as wanted? The answer is then `wanted`, else the other one.
    Any {
        list: Box<Quick>,
        of_element: Box<Quick>,
        wanted: bool,
    },
}

/// What an expression is evaluated on.
#[derive(Clone, Copy)]
struct On<'v, 's, 'd> {
    scope: &'v Scope<'s, 'd>,
    /// The number that stands for "unlimited".
    unlimited: i64,
    /// Elements at hand.
    bound: [Option<&'v Field<'v>>; MOST_BOUND],
    /// How many those are.
    depth: usize,
}

/// What is compared how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value on loan from its field.
#[derive(Clone, Copy)]
enum Loan<'v> {
    Bool(bool),
    Int(i64),
    Text(&'v str),
    List(&'v [Field<'v>]),
}

impl Quick {
    /// True or false; `None` leaves the answer to the full evaluator. `unlimited` is the number that stands for it.
    pub(super) fn judge(&self, scope: &Scope<'_, '_>, unlimited: i64) -> Option<bool> {
        self.holds(On { scope, unlimited, bound: [None; MOST_BOUND], depth: 0 })
    }

    fn holds(&self, on: On<'_, '_, '_>) -> Option<bool> {
        match self.value(on)? {
            Loan::Bool(value) => Some(value),
            Loan::Int(_) | Loan::Text(_) | Loan::List(_) => None,
        }
    }

    fn text<'v>(&'v self, on: On<'v, '_, '_>) -> Option<&'v str> {
        match self.value(on)? {
            Loan::Text(text) => Some(text),
            Loan::Bool(_) | Loan::Int(_) | Loan::List(_) => None,
        }
    }

    fn number(&self, on: On<'_, '_, '_>) -> Option<i64> {
        match self.value(on)? {
            Loan::Int(number) => Some(number),
            Loan::Bool(_) | Loan::Text(_) | Loan::List(_) => None,
        }
    }

    fn value<'v>(&'v self, on: On<'v, '_, '_>) -> Option<Loan<'v>> {
        let On { scope, unlimited, .. } = on;
        let judge = |part: &Quick| part.holds(on);
        Some(match self {
            Quick::Bool(value) => Loan::Bool(*value),
            Quick::Int(value) => Loan::Int(*value),
            Quick::Text(text) => Loan::Text(text),
            Quick::Now => Loan::Int(scope.now),
            Quick::Limit => Loan::Int(scope.limit?.value),
            Quick::Environment => Loan::Text(scope.environment),
            Quick::Item => loan(scope.item?, unlimited)?,
            Quick::Element(depth) => loan(on.bound[*depth]?, unlimited)?,
            Quick::Field(index) => loan(scope.record.field(*index), unlimited)?,
            Quick::Has(index) => Loan::Bool(!scope.record.field(*index).is_absent()),
            Quick::Not(part) => Loan::Bool(!judge(part)?),
            Quick::Both(left, right) => Loan::Bool(judge(left)? && judge(right)?),
            Quick::Either(left, right) => Loan::Bool(judge(left)? || judge(right)?),
            Quick::Compare(how, left, right) => Loan::Bool(compare(*how, left.value(on)?, right.value(on)?)?),
            Quick::Plus(left, right) => Loan::Int(left.number(on)?.checked_add(right.number(on)?)?),
            Quick::Minus(left, right) => Loan::Int(left.number(on)?.checked_sub(right.number(on)?)?),
            Quick::OneOf(part, choices) => {
                let value = part.value(on)?;
                let mut found = false;
                for choice in choices {
                    found |= compare(Comparison::Equal, value, choice.value(on)?)?;
                }
                Loan::Bool(found)
            }
            Quick::Matches(part, pattern) => Loan::Bool(pattern.is_match(part.text(on)?)?),
            Quick::Contains(part, needle) => Loan::Bool(part.text(on)?.contains(needle.as_str())),
            Quick::StartsWith(part, start) => Loan::Bool(part.text(on)?.starts_with(start.as_str())),
            Quick::EndsWith(part, end) => Loan::Bool(part.text(on)?.ends_with(end.as_str())),
            Quick::Size(part) => match part.value(on)? {
                Loan::List(items) => Loan::Int(items.iter().filter(|item| !item.is_absent()).count() as i64),
                Loan::Bool(_) | Loan::Int(_) | Loan::Text(_) => return None,
            },
            Quick::Any { list, of_element, wanted } => match list.value(on)? {
                Loan::List(items) => Loan::Bool(search(items, of_element, *wanted, on)?),
                Loan::Bool(_) | Loan::Int(_) | Loan::Text(_) => return None,
            },
        })
    }
}

/// Looks for an element for which the expression is as wanted.
fn search<'v>(items: &'v [Field<'v>], of_element: &'v Quick, wanted: bool, on: On<'v, '_, '_>) -> Option<bool> {
    let mut within = On { depth: on.depth + 1, ..on };
    for item in items.iter().filter(|item| !item.is_absent()) {
        *within.bound.get_mut(on.depth)? = Some(item);
        if of_element.holds(within)? == wanted {
            return Some(wanted);
        }
    }
    Some(!wanted)
}

fn loan<'v>(field: &'v Field<'_>, unlimited: i64) -> Option<Loan<'v>> {
    Some(match &field.state {
        State::Value(Value::Text(text)) => Loan::Text(text),
        State::Value(Value::Int(number)) => Loan::Int(*number),
        State::Value(Value::Bool(value)) => Loan::Bool(*value),
        State::Value(Value::List(items)) => Loan::List(items),
        State::Unlimited => Loan::Int(unlimited),
        State::Absent | State::Unknown(_) | State::Malformed(_) => return None,
    })
}

fn compare(how: Comparison, left: Loan<'_>, right: Loan<'_>) -> Option<bool> {
    let order = match (left, right) {
        (Loan::Int(left), Loan::Int(right)) => left.cmp(&right),
        (Loan::Text(left), Loan::Text(right)) => left.cmp(right),
        (Loan::Bool(left), Loan::Bool(right)) => left.cmp(&right),
        _ => return None,
    };
    Some(match how {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}

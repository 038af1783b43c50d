//! Conditions: the operators of a rule, compiled against the fields of one target kind.

use super::expr::Expression;
use super::shapes;
use super::{Bound, Check, GroupGrammar, Operators, RegistryShape, Scalar, ScopeShape, UrlShape, UrnShape};
use crate::model::{At, Field, FieldSpec, Record, State, Value};
use crate::near::did_you_mean;
use crate::profile::Registry;
use regex::Regex;
use std::sync::{Arc, OnceLock};

/// Why a rule could not be compiled; the text names the field or operator.
pub(crate) type Defect = String;

/// Where a condition looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A field of the target, by index.
    Field(usize),
    /// The element of the list named by `each`.
    Item,
}

/// All conditions of a `when` or `check`.
#[derive(Debug, Clone)]
pub(crate) struct Conditions {
    operators: Vec<(Subject, Vec<Op>)>,
    expression: Option<Arc<Expression>>,
}

#[derive(Debug, Clone)]
enum Op {
    Present(bool),
    Unlimited(bool),
    Malformed(bool),
    Is(bool),
    Equals(Scalar),
    NotEquals(Scalar),
    OneOf(Vec<Scalar>),
    NoneOf(Vec<Scalar>),
    Contains(String),
    ContainsAny(Vec<String>),
    ContainsNone(Vec<String>),
    Pattern(Arc<Pattern>, bool),
    AnyPattern(Arc<Pattern>),
    Max(Bound),
    Min(Bound),
    Unique,
    Url(UrlShape),
    Scope(ScopeShape),
    Group(GroupGrammar),
    Registry(RegistryShape),
    Urn(UrnShape),
    Version(semver::VersionReq),
}

/// A regular expression that is compiled when first used: most rules never meet their field.
#[derive(Debug)]
pub(crate) struct Pattern {
    text: String,
    compiled: OnceLock<Option<Matcher>>,
}

#[derive(Debug)]
enum Matcher {
    Regex(Regex),
    /// A text with `^` before it, `$` behind it, or both.
    Edge {
        text: String,
        at_start: bool,
        at_end: bool,
    },
    /// A text anywhere.
    Within(Box<memchr::memmem::Finder<'static>>),
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Pattern { text: text.to_string(), compiled: OnceLock::new() }
    }

    /// `None` when it is no valid expression.
    fn matcher(&self) -> Option<&Matcher> {
        self.compiled.get_or_init(|| Matcher::new(&self.text)).as_ref()
    }

    /// `None` when it is no valid expression.
    pub(super) fn is_match(&self, text: &str) -> Option<bool> {
        Some(self.matcher()?.is_match(text))
    }

    /// Compiles now; false when it is no valid expression.
    pub(super) fn is_valid(&self) -> bool {
        self.matcher().is_some()
    }
}

impl Matcher {
    fn new(pattern: &str) -> Option<Self> {
        let literal = || {
            let (at_start, rest) = pattern.strip_prefix('^').map_or((false, pattern), |rest| (true, rest));
            let (mut text, mut at_end) = (String::new(), false);
            let mut rest = rest.chars();
            while let Some(c) = rest.next() {
                match c {
                    '\\' => text.push(rest.next().filter(|c| c.is_ascii_punctuation() && !matches!(c, '<' | '>'))?),
                    '$' if rest.as_str().is_empty() => at_end = true,
                    '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => return None,
                    plain => text.push(plain),
                }
            }
            Some(match at_start || at_end {
                true => Matcher::Edge { text, at_start, at_end },
                false => Matcher::Within(Box::new(memchr::memmem::Finder::new(text.as_bytes()).into_owned())),
            })
        };
        literal().or_else(|| regex::RegexBuilder::new(pattern).size_limit(1 << 20).build().ok().map(Matcher::Regex))
    }

    fn is_match(&self, within: &str) -> bool {
        match self {
            Matcher::Regex(regex) => regex.is_match(within),
            Matcher::Edge { text, at_start: true, at_end: true } => within == text,
            Matcher::Edge { text, at_start: true, .. } => within.starts_with(text.as_str()),
            Matcher::Edge { text, .. } => within.ends_with(text.as_str()),
            Matcher::Within(finder) => finder.find(within.as_bytes()).is_some(),
        }
    }
}

/// A profile's bound as judging needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The bound.
    pub value: i64,
    /// True when the bound itself is out of range.
    pub exclusive: bool,
    /// Seconds of backdated `nbf` that do not count.
    pub allowance: i64,
}

/// What conditions are evaluated against.
pub(crate) struct Scope<'a, 'd> {
    pub(crate) record: &'a dyn Record<'d>,
    pub(crate) specs: &'static [FieldSpec],
    pub(crate) item: Option<&'a Field<'d>>,
    /// The target that `join` found.
    pub(crate) other: Option<&'a dyn Record<'d>>,
    /// All items of the `each` list, for operators that compare elements.
    pub(crate) siblings: &'a [Field<'d>],
    pub(crate) limit: Option<Limit>,
    /// Known issuers.
    pub(crate) registry: &'a Registry,
    /// Seconds since 1970.
    pub(crate) now: i64,
    /// What the input is for; empty when nobody said.
    pub(crate) environment: &'static str,
}

impl<'a, 'd> Scope<'a, 'd> {
    /// A record on its own.
    pub(crate) fn new(
        record: &'a dyn Record<'d>,
        specs: &'static [FieldSpec],
        registry: &'a Registry,
        now: i64,
    ) -> Self {
        Scope { record, specs, item: None, other: None, siblings: &[], limit: None, registry, now, environment: "" }
    }
}

/// One broken condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Violation {
    /// The place of the offending value; `None` for what is absent.
    pub(crate) at: Option<At>,
    /// Name of the field, `item` under `each`, empty for expressions.
    pub(crate) field: &'static str,
    /// The offending element, when a list was judged.
    pub(crate) item: Option<String>,
    /// The operator's own words; may be empty.
    pub(crate) reason: String,
}

/// Outcome of conditions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// All hold.
    Holds,
    /// At least one is broken.
    Broken(Vec<Violation>),
    /// A field they need is absent, so there is nothing to judge.
    Absent,
    /// A field they need is unknown or malformed.
    Unknown { field: String, why: String },
    /// The rule itself is defective.
    Defective(String),
}

/// Index of a field by its dotted name.
pub(crate) fn field_index(specs: &[FieldSpec], name: &str) -> Result<usize, Defect> {
    specs.iter().position(|spec| spec.name == name).ok_or_else(|| {
        let names = specs.iter().map(|spec| spec.name);
        format!("there is no field `{name}` here{}", did_you_mean(name, names))
    })
}

/// A field as one bit; none for the fields of records that have more than there are bits.
pub(crate) fn bit(index: usize) -> u128 {
    u32::try_from(index).ok().and_then(|index| 1u128.checked_shl(index)).unwrap_or(0)
}

impl Conditions {
    /// For a `when`: the fields without which it is false.
    pub(crate) fn false_without(&self) -> u128 {
        let needs = |op: &Op| !matches!(op, Op::Present(false));
        self.operators.iter().filter(|(_, ops)| ops.iter().any(needs)).fold(0, |all, (subject, _)| match subject {
            Subject::Field(index) => all | bit(*index),
            Subject::Item => all,
        })
    }

    /// For a `check`: the fields of which one has to be there, or else it has nothing to say; 0 when nobody knows.
    pub(crate) fn silent_without(&self) -> u128 {
        let bits = self.operators.iter().map(|(subject, ops)| match subject {
            Subject::Field(index) if !ops.iter().any(Op::judges_absent) => bit(*index),
            Subject::Field(_) | Subject::Item => 0,
        });
        let bits = bits.collect::<Vec<u128>>();
        let known = self.expression.is_none() && bits.iter().all(|bit| *bit != 0);
        if known { bits.into_iter().fold(0, |any, bit| any | bit) } else { 0 }
    }

    /// Compiles against the fields of a kind. `in_each` allows the subject `item`.
    pub(crate) fn compile(
        check: &Check,
        specs: &'static [FieldSpec],
        other: &'static [FieldSpec],
        in_each: bool,
    ) -> Result<Self, Defect> {
        let mut operators = Vec::with_capacity(check.fields.len());
        for (name, raw) in &check.fields {
            let subject = match name.as_str() {
                "item" if in_each => Subject::Item,
                "item" => return Err("`item` needs `each`".into()),
                name => Subject::Field(field_index(specs, name)?),
            };
            operators.push((subject, compile_operators(name, raw)?));
        }
        let expression =
            check.cel.as_deref().map(|text| Expression::compile(text, specs, other, in_each)).transpose()?;
        Ok(Conditions { operators, expression: expression.map(Arc::new) })
    }

    /// True when the conditions mention `limit`.
    pub(crate) fn uses_limit(&self) -> bool {
        self.expression.as_ref().is_some_and(|expression| expression.uses_limit())
            || self
                .operators
                .iter()
                .flat_map(|(_, ops)| ops)
                .any(|op| matches!(op, Op::Max(Bound::Limit(_)) | Op::Min(Bound::Limit(_))))
    }

    /// Indexes of the fields read from the target and from the joined one.
    pub(crate) fn reads(&self) -> (Vec<usize>, Vec<usize>) {
        let (mut own, other) = self.expression.as_ref().map_or((vec![], vec![]), |expression| expression.reads());
        own.extend(self.operators.iter().filter_map(|(subject, _)| match subject {
            Subject::Field(index) => Some(*index),
            Subject::Item => None,
        }));
        (own, other)
    }

    /// Indexes of the fields of the target whose contents matter.
    pub(crate) fn reads_contents(&self) -> Vec<usize> {
        let mut own = self.expression.as_ref().map_or(vec![], |expression| expression.reads().0);
        own.extend(self.looked_at(true));
        own
    }

    /// Indexes of the fields of which it matters whether there are any, and in what state.
    pub(crate) fn reads_states(&self) -> impl Iterator<Item = usize> {
        self.looked_at(false)
    }

    /// The fields at whose contents operators look, or those at whose state alone.
    fn looked_at(&self, inside: bool) -> impl Iterator<Item = usize> {
        let looks_inside = |op: &Op| !matches!(op, Op::Present(_) | Op::Unlimited(_));
        self.operators.iter().filter_map(move |(subject, ops)| match subject {
            Subject::Field(index) => (ops.iter().any(looks_inside) == inside).then_some(*index),
            Subject::Item => None,
        })
    }

    /// Parses the expression now, for rules that users write and in tests.
    pub(crate) fn validate(&self) -> Result<(), Defect> {
        self.expression.as_ref().map_or(Ok(()), |expression| expression.validate())
    }

    /// True when an expression is among the conditions (its violations have no place of their own).
    pub(crate) fn has_expression(&self) -> bool {
        self.expression.is_some()
    }

    /// What a `check` comes to beyond doubt and without words: `true` when all hold, `false` when there is nothing to judge.
    /// Nearly always it is one of these, and then there is nothing to say.
    pub(crate) fn plainly(&self, scope: &Scope<'_, '_>) -> Option<bool> {
        let mut held = false;
        for (subject, ops) in &self.operators {
            let field = subject.resolve(scope).1;
            for op in ops {
                match op.plainly(field, scope, *subject) {
                    Some(true) => held = true,
                    None if field.is_absent() && !op.judges_absent() => {}
                    Some(false) | None => return None,
                }
            }
        }
        match &self.expression {
            Some(expression) => (expression.plainly(scope)?).then_some(true),
            None => Some(held),
        }
    }

    /// Judges a `check`: absent fields make it not applicable unless some other condition is broken.
    pub(crate) fn judge(&self, scope: &Scope<'_, '_>) -> Verdict {
        let mut broken = Vec::new();
        let mut unknown = None;
        let mut held = false;
        for (subject, ops) in &self.operators {
            let (name, field) = subject.resolve(scope);
            for op in ops {
                match op.judge(name, field, scope, *subject) {
                    Verdict::Holds => held = true,
                    Verdict::Broken(violations) => broken.extend(violations),
                    Verdict::Absent => {}
                    Verdict::Unknown { field, why } => unknown = Some((field, why)),
                    defective @ Verdict::Defective(_) => return defective,
                }
            }
        }
        if let Some(expression) = &self.expression {
            match expression.judge(scope) {
                Verdict::Holds => held = true,
                Verdict::Broken(violations) => broken.extend(violations),
                Verdict::Absent => {}
                Verdict::Unknown { field, why } => unknown = Some((field, why)),
                defective @ Verdict::Defective(_) => return defective,
            }
        }
        match (broken.is_empty(), unknown) {
            (false, _) => Verdict::Broken(broken),
            (true, Some((field, why))) => Verdict::Unknown { field, why },
            (true, None) if held => Verdict::Holds,
            (true, None) => Verdict::Absent,
        }
    }

    /// Judges a `when`: absent fields make it false; false outranks unknown, since nothing is left to find out.
    pub(crate) fn applies(&self, scope: &Scope<'_, '_>) -> Verdict {
        let mut unknown = None;
        for (subject, ops) in &self.operators {
            let (name, field) = subject.resolve(scope);
            for op in ops {
                let verdict = match op.plainly(field, scope, *subject) {
                    Some(true) => continue,
                    Some(false) => return Verdict::Absent,
                    None if field.is_absent() => return Verdict::Absent,
                    None => op.judge(name, field, scope, *subject),
                };
                match verdict {
                    Verdict::Holds => {}
                    Verdict::Broken(_) | Verdict::Absent => return Verdict::Absent,
                    other @ Verdict::Unknown { .. } => unknown = Some(other),
                    other @ Verdict::Defective(_) => return other,
                }
            }
        }
        let Some(expression) = &self.expression else { return unknown.unwrap_or(Verdict::Holds) };
        match expression.holds(scope) {
            Ok(true) => unknown.unwrap_or(Verdict::Holds),
            Ok(false) => Verdict::Absent,
            Err(verdict) => verdict,
        }
    }
}

impl Subject {
    fn resolve<'a, 'd>(self, scope: &Scope<'a, 'd>) -> (&'static str, &'a Field<'d>) {
        match self {
            Subject::Field(index) => (scope.specs[index].name, scope.record.field(index)),
            Subject::Item => ("item", scope.item.unwrap_or(Field::absent())),
        }
    }
}

fn compile_operators(name: &str, raw: &Operators) -> Result<Vec<Op>, Defect> {
    let regex = |text: &String| -> Result<Arc<Pattern>, Defect> {
        match text.len() {
            0..=1000 => Ok(Arc::new(Pattern::new(text))),
            _ => Err(format!("the pattern of `{name}` is longer than 1000 characters")),
        }
    };
    // Most fields have one operator.
    let mut ops = Vec::with_capacity(1);
    ops.extend(raw.present.map(Op::Present));
    ops.extend(raw.unlimited.map(Op::Unlimited));
    ops.extend(raw.malformed.map(Op::Malformed));
    ops.extend(raw.is.map(Op::Is));
    ops.extend(raw.equals.clone().map(Op::Equals));
    ops.extend(raw.not_equals.clone().map(Op::NotEquals));
    ops.extend(raw.one_of.clone().map(Op::OneOf));
    ops.extend(raw.none_of.clone().map(Op::NoneOf));
    ops.extend(raw.contains.clone().map(Op::Contains));
    ops.extend(raw.contains_any.clone().map(Op::ContainsAny));
    ops.extend(raw.contains_none.clone().map(Op::ContainsNone));
    if let Some(pattern) = &raw.pattern {
        ops.push(Op::Pattern(regex(pattern)?, true));
    }
    if let Some(pattern) = &raw.not_pattern {
        ops.push(Op::Pattern(regex(pattern)?, false));
    }
    if let Some(pattern) = &raw.any_pattern {
        ops.push(Op::AnyPattern(regex(pattern)?));
    }
    ops.extend(raw.max.clone().map(Op::Max));
    ops.extend(raw.min.clone().map(Op::Min));
    if raw.unique == Some(true) {
        ops.push(Op::Unique);
    }
    ops.extend(raw.url.clone().map(Op::Url));
    ops.extend(raw.scope.clone().map(Op::Scope));
    ops.extend(raw.group.map(Op::Group));
    ops.extend(raw.registry.clone().map(Op::Registry));
    ops.extend(raw.urn.clone().map(Op::Urn));
    if let Some(text) = &raw.version {
        ops.push(Op::Version(text.parse().map_err(|error| format!("`version` of `{name}`: {error}"))?));
    }
    if ops.is_empty() {
        return Err(format!("`{name}` has no operator"));
    }
    // There are thousands of these, nearly all with one element.
    ops.shrink_to_fit();
    Ok(ops)
}

/// Checks every pattern of a rule; called for rules that users write and in tests, not at start-up.
pub(crate) fn check_patterns(check: &Check) -> Result<(), Defect> {
    for (name, operators) in &check.fields {
        for pattern in [&operators.pattern, &operators.not_pattern, &operators.any_pattern].into_iter().flatten() {
            if !Pattern::new(pattern).is_valid() {
                return Err(format!(
                    "the pattern of `{name}` is no valid regular expression (no look-around, 1 MiB at most)"
                ));
            }
        }
    }
    Ok(())
}

impl Op {
    fn judge(&self, name: &'static str, field: &Field<'_>, scope: &Scope<'_, '_>, subject: Subject) -> Verdict {
        let broken =
            |reason: String| Verdict::Broken(vec![Violation { at: field.at, field: name, item: None, reason }]);
        let unknown = |why: &str| Verdict::Unknown { field: name.to_string(), why: why.to_string() };
        // The operators that look at the state come first.
        match (self, &field.state) {
            (Op::Present(wanted), State::Absent) => {
                return if *wanted { broken(String::new()) } else { Verdict::Holds };
            }
            (Op::Present(_), State::Unknown(why)) => return unknown(why),
            (Op::Present(wanted), _) => return if *wanted { Verdict::Holds } else { broken(String::new()) },
            (Op::Malformed(wanted), state) => {
                return match (state, wanted) {
                    (State::Malformed(_), true) => Verdict::Holds,
                    (State::Malformed(why), false) => broken(why.to_string()),
                    (State::Absent, false) => Verdict::Absent,
                    // What is not shown has no form to find fault with; rules on the value itself say "not judged".
                    (State::Unknown(_), false) => Verdict::Absent,
                    (State::Unknown(why), true) => unknown(why),
                    (_, true) => broken(String::new()),
                    (State::Value(Value::List(items)), false) => malformed_items(name, items),
                    (_, false) => Verdict::Holds,
                };
            }
            (_, State::Absent) => return Verdict::Absent,
            (_, State::Unknown(why)) => return unknown(why),
            (_, State::Malformed(why)) => return unknown(&format!("malformed: {why}")),
            (Op::Unlimited(wanted), State::Unlimited) => {
                return if *wanted { Verdict::Holds } else { broken("without limit".into()) };
            }
            (Op::Unlimited(wanted), State::Value(_)) => {
                return if *wanted { broken(String::new()) } else { Verdict::Holds };
            }
            (Op::Max(_), State::Unlimited) => return broken("without limit".into()),
            (Op::Min(_), State::Unlimited) => return Verdict::Holds,
            (_, State::Unlimited) => return Verdict::Absent,
            (_, State::Value(_)) => {}
        }
        let State::Value(value) = &field.state else { return Verdict::Absent };
        match (self, value) {
            (
                Op::Contains(_) | Op::ContainsAny(_) | Op::ContainsNone(_) | Op::AnyPattern(_) | Op::Unique,
                Value::List(items),
            ) => self.judge_list(name, field, items),
            (Op::Max(bound), value) => self.judge_bound(name, field, value, bound, scope, true),
            (Op::Min(bound), value) => self.judge_bound(name, field, value, bound, scope, false),
            (_, Value::List(items)) => self.judge_items(name, items, scope),
            (_, value) => match self.accepts(value, scope, subject) {
                Ok(()) => Verdict::Holds,
                Err(reason) => broken(reason),
            },
        }
    }

    /// Does it say something of a field that is not there?
    fn judges_absent(&self) -> bool {
        matches!(self, Op::Present(_) | Op::Malformed(true))
    }

    /// What it says beyond doubt and without words: most operators hold, and of conditions nobody asks why they do not.
    /// `None` says nothing.
    fn plainly(&self, field: &Field<'_>, scope: &Scope<'_, '_>, subject: Subject) -> Option<bool> {
        let value = match (self, &field.state) {
            (Op::Present(wanted), State::Absent) => return Some(!wanted),
            (Op::Present(wanted), State::Malformed(_) | State::Unlimited | State::Value(_)) => return Some(*wanted),
            (_, State::Value(value)) => value,
            (_, State::Absent | State::Unknown(_) | State::Malformed(_) | State::Unlimited) => return None,
        };
        match (self, value) {
            (Op::Max(Bound::Number(most)), value) => Some(magnitude(value)? <= *most),
            (Op::Min(Bound::Number(least)), value) => Some(magnitude(value)? >= *least),
            (Op::Contains(_) | Op::ContainsAny(_) | Op::AnyPattern(_), Value::List(items)) => self.found_in(items),
            (Op::Pattern(pattern, wanted), Value::List(items)) => {
                let matcher = pattern.matcher()?;
                let holds = |value: &Value<'_>| matches!(value, Value::Text(text) if matcher.is_match(text) == *wanted);
                each_value(items, holds).then_some(true)
            }
            (Op::Url(_) | Op::Group(_) | Op::Registry(_) | Op::Urn(_), Value::List(items)) => {
                each_value(items, |value| self.accepts(value, scope, Subject::Item).is_ok()).then_some(true)
            }
            (Op::Url(_) | Op::Group(_) | Op::Registry(_) | Op::Urn(_), value) => {
                self.accepts(value, scope, subject).is_ok().then_some(true)
            }
            (_, Value::List(items)) => each_value(items, |value| self.allows(value) == Some(true)).then_some(true),
            (_, value) => self.allows(value),
        }
    }

    /// Text operators on a list: every element is judged, every offender is a violation of its own.
    fn judge_items(&self, name: &'static str, items: &[Field<'_>], scope: &Scope<'_, '_>) -> Verdict {
        let mut broken = Vec::new();
        let mut unknown = None;
        for (index, item) in items.iter().enumerate() {
            match &item.state {
                State::Value(value) => {
                    let verdict = match self {
                        Op::Scope(shape) => scope_of(shape, items, index),
                        _ => self.accepts(value, scope, Subject::Item),
                    };
                    if let Err(reason) = verdict {
                        broken.push(Violation { at: item.at, field: name, item: Some(text_of(value)), reason });
                    }
                }
                State::Unknown(why) | State::Malformed(why) => unknown = Some(why.to_string()),
                State::Absent | State::Unlimited => {}
            }
        }
        match unknown {
            _ if !broken.is_empty() => Verdict::Broken(broken),
            Some(why) => Verdict::Unknown { field: name.to_string(), why },
            None if items.is_empty() => Verdict::Absent,
            None => Verdict::Holds,
        }
    }

    /// For what asks for an element of a list: is it there? `None` when none of the known ones is it and others are not known.
    fn found_in(&self, items: &[Field<'_>]) -> Option<bool> {
        match self {
            Op::Contains(text) => some_value(items, |item| item == text),
            Op::ContainsAny(texts) => some_value(items, |item| texts.iter().any(|text| item == text)),
            Op::AnyPattern(pattern) => match pattern.matcher() {
                Some(matcher) => some_value(items, |item| matcher.is_match(item)),
                // What is no expression finds no fault.
                None => Some(true),
            },
            _ => None,
        }
    }

    fn judge_list(&self, name: &'static str, field: &Field<'_>, items: &[Field<'_>]) -> Verdict {
        let offend = |item: &Field<'_>| Violation {
            at: item.at,
            field: name,
            item: item.as_text().map(str::to_string),
            reason: String::new(),
        };
        let open = || {
            items.iter().find_map(|item| match &item.state {
                State::Unknown(why) | State::Malformed(why) => Some(why.to_string()),
                State::Absent | State::Unlimited | State::Value(_) => None,
            })
        };
        let broken: Vec<Violation> = match self {
            Op::Contains(_) | Op::ContainsAny(_) | Op::AnyPattern(_) => match (self.found_in(items), open()) {
                (Some(true), _) => vec![],
                (_, Some(why)) => return Verdict::Unknown { field: name.to_string(), why },
                (_, None) => vec![Violation { at: field.at, field: name, item: None, reason: String::new() }],
            },
            Op::ContainsNone(texts) => items
                .iter()
                .filter(|item| item.as_text().is_some_and(|text| texts.iter().any(|bad| bad == text)))
                .map(offend)
                .collect(),
            _ => {
                let mut seen = std::collections::HashSet::new();
                items.iter().filter(|item| item.as_text().is_some_and(|text| !seen.insert(text))).map(offend).collect()
            }
        };
        match (broken.is_empty(), self, open()) {
            (false, ..) => Verdict::Broken(broken),
            (true, Op::ContainsNone(_) | Op::Unique, Some(why)) => Verdict::Unknown { field: name.to_string(), why },
            _ => Verdict::Holds,
        }
    }

    fn judge_bound(
        &self,
        name: &'static str,
        field: &Field<'_>,
        value: &Value<'_>,
        bound: &Bound,
        scope: &Scope<'_, '_>,
        upper: bool,
    ) -> Verdict {
        let limit = match (bound, scope.limit) {
            (Bound::Number(value), _) => Limit { value: *value, exclusive: false, allowance: 0 },
            (Bound::Limit(_), Some(limit)) => limit,
            (Bound::Limit(_), None) => return Verdict::Defective("the profile has no such limit".into()),
        };
        let Some(number) = magnitude(value) else { return Verdict::Defective(format!("`{name}` is no number")) };
        // Only an upper bound profits from the allowance: it is time the token was not yet meant to be used.
        let within = match (upper, limit.exclusive) {
            (true, false) => number <= limit.value.saturating_add(limit.allowance),
            (true, true) => number < limit.value.saturating_add(limit.allowance),
            (false, false) => number >= limit.value,
            (false, true) => number > limit.value,
        };
        if within {
            Verdict::Holds
        } else {
            Verdict::Broken(vec![Violation { at: field.at, field: name, item: None, reason: String::new() }])
        }
    }

    /// Does a single value please an operator that has no more to say than yes or no?
    fn allows(&self, value: &Value<'_>) -> Option<bool> {
        Some(match (self, value) {
            (Op::Is(wanted), Value::Bool(value)) => value == wanted,
            (Op::Equals(scalar), value) => same(scalar, value),
            (Op::NotEquals(scalar), value) => !same(scalar, value),
            (Op::OneOf(scalars), value) => scalars.iter().any(|scalar| same(scalar, value)),
            (Op::NoneOf(scalars), value) => !scalars.iter().any(|scalar| same(scalar, value)),
            (Op::Contains(text), Value::Text(value)) => value == text,
            (Op::ContainsAny(texts), Value::Text(value)) => texts.iter().any(|text| text == value),
            (Op::ContainsNone(texts), Value::Text(value)) => !texts.iter().any(|text| text == value),
            (Op::AnyPattern(pattern), Value::Text(text)) => pattern.is_match(text).unwrap_or(true),
            (Op::Pattern(pattern, wanted), Value::Text(text)) => {
                pattern.is_match(text).is_none_or(|matches| matches == *wanted)
            }
            _ => return None,
        })
    }

    /// Operators on a single value.
    fn accepts(&self, value: &Value<'_>, scope: &Scope<'_, '_>, subject: Subject) -> Result<(), String> {
        let ok = |holds: bool| if holds { Ok(()) } else { Err(String::new()) };
        if let Some(holds) = self.allows(value) {
            return ok(holds);
        }
        match (self, value) {
            (Op::Url(shape), Value::Text(text)) => shapes::check_url(shape, text),
            (Op::Scope(shape), Value::Text(text)) => {
                let siblings = if subject == Subject::Item { scope.siblings } else { &[] };
                let own = scope.item.and_then(|item| siblings.iter().position(|other| std::ptr::eq(other, item)));
                match own {
                    Some(index) => scope_of(shape, siblings, index),
                    None => shapes::check_scope(shape, &[text], 0),
                }
            }
            (Op::Registry(shape), Value::Text(text)) => shapes::check_registry(shape, scope.registry, text),
            (Op::Group(grammar), Value::Text(text)) => shapes::check_group(*grammar, text),
            (Op::Urn(shape), Value::Text(text)) => shapes::check_urn(shape, text),
            (Op::Version(requirement), Value::Text(text)) => match lenient_version(text) {
                Some(version) => ok(requirement.matches(&version)),
                None => Err("no version number".into()),
            },
            _ => Ok(()),
        }
    }
}

/// Has a list elements, all of them values for which this holds?
fn each_value(items: &[Field<'_>], holds: impl Fn(&Value<'_>) -> bool) -> bool {
    !items.is_empty() && items.iter().all(|item| matches!(&item.state, State::Value(value) if holds(value)))
}

/// Is there a text in a list for which this holds? `None` when there is none among those that are known, and others are not.
fn some_value(items: &[Field<'_>], holds: impl Fn(&str) -> bool) -> Option<bool> {
    let is_open = |item: &Field<'_>| matches!(item.state, State::Unknown(_) | State::Malformed(_));
    match items.iter().any(|item| item.as_text().is_some_and(&holds)) {
        false if items.iter().any(is_open) => None,
        found => Some(found),
    }
}

/// Judges one scope of a list; the others matter only for redundancy.
fn scope_of(shape: &ScopeShape, items: &[Field<'_>], index: usize) -> Result<(), String> {
    if shape.redundant.is_none() {
        return shapes::check_scope(shape, &[items[index].as_text().unwrap_or_default()], 0);
    }
    let texts: Vec<&str> = items.iter().map(|item| item.as_text().unwrap_or_default()).collect();
    shapes::check_scope(shape, &texts, index)
}

fn malformed_items(name: &'static str, items: &[Field<'_>]) -> Verdict {
    let broken: Vec<Violation> = items
        .iter()
        .filter_map(|item| match &item.state {
            State::Malformed(why) => Some(Violation { at: item.at, field: name, item: None, reason: why.to_string() }),
            State::Absent | State::Unknown(_) | State::Unlimited | State::Value(_) => None,
        })
        .collect();
    if broken.is_empty() { Verdict::Holds } else { Verdict::Broken(broken) }
}

/// A version with one, two or three numbers: `1.0` is `1.0.0`.
pub(crate) fn lenient_version(text: &str) -> Option<semver::Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    match text.split('.').count() {
        1 => semver::Version::parse(&format!("{text}.0.0")).ok(),
        2 => semver::Version::parse(&format!("{text}.0")).ok(),
        _ => semver::Version::parse(text).ok(),
    }
}

/// What bounds are about: a number, how many elements there are, how many characters.
fn magnitude(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::List(items) => Some(items.len() as i64),
        Value::Text(text) => Some(text.chars().count() as i64),
        Value::Bool(_) => None,
    }
}

fn same(scalar: &Scalar, value: &Value<'_>) -> bool {
    match (scalar, value) {
        (Scalar::Text(a), Value::Text(b)) => a == b,
        (Scalar::Int(a), Value::Int(b)) => a == b,
        (Scalar::Bool(a), Value::Bool(b)) => a == b,
        _ => false,
    }
}

/// A value as plain text.
pub(crate) fn text_of(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::List(items) => {
            let texts = items.iter().filter_map(|item| match &item.state {
                State::Value(value) => Some(text_of(value)),
                State::Absent | State::Unknown(_) | State::Malformed(_) | State::Unlimited => None,
            });
            texts.collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_match_as_the_expressions_they_are() {
        let plain =
            ["^http://", r"\*", r"^http://v1\.", r"^storage\.modify:/$", "", "^", "$", "^$", "a$", r"\$", r"x\-y", "é"];
        let others = ["a.b", "^(a|b)$", "a+", r"\d", r"\bx", "(?i)a", "a{2}", "[ab]", "a^", "$a", r"\<a", r"\"];
        let texts =
            ["", "http://v1.x", "xhttp://", "*", "storage.modify:/", "storage.modify:/a", "a", "ba", "x-y", "$", "é"];
        for pattern in plain.iter().chain(&others) {
            let regex = Regex::new(pattern).ok();
            let is_text = matches!(Matcher::new(pattern), Some(Matcher::Edge { .. } | Matcher::Within(_)));
            assert_eq!(is_text, plain.contains(pattern), "{pattern}");
            for text in texts {
                let expected = regex.as_ref().map(|regex| regex.is_match(text));
                assert_eq!(Pattern::new(pattern).is_match(text), expected, "{pattern} on {text}");
            }
        }
    }
}

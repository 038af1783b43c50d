//! CEL expressions of rules. With `compat/formula.rs`, the only file that names the `cel` crate.
//!
//! Expressions see `self` (the fields, nested by their dots), `other` (under `join`), `item` (under `each`), `limit`,
//! `now` (seconds since 1970) and `environment` (the policy's word for what the input is for, or empty text). Numbers
//! are signed; unlimited is larger than every limit. Besides the functions of the language there are
//! `covers(wide, narrow)` on paths and `unlimited(field)`. There is no clock and no I/O; source length and nesting of
//! comprehensions are bounded, so every expression ends soon.

use super::condition::{Defect, Scope, Verdict, Violation, field_index};
use super::plain::{self, Plain};
use crate::model::{Field, FieldSpec, Record, State, Value};
use cel::common::ast::{EntryExpr, Expr};
use cel::{Context, IdedExpr, Program, Value as Cel};
use regex::Regex;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

/// Longest expression, in bytes.
const MAX_SOURCE: usize = 2000;
/// Deepest nesting of brackets, and most characters of operators that pile up (comparison, arithmetic, `!`, `?`, `in`,
/// indexes): the parser and the evaluation go down one level for each.
const MAX_BRACKETS: usize = 24;
const MAX_OPERATORS: usize = 128;
/// Deepest nesting of `all`, `exists`, `map`, `filter`.
const MAX_NESTING: usize = super::quick::MOST_BOUND;
/// Elements an expression with nested comprehensions may meet in one list.
const MAX_NESTED_ELEMENTS: usize = 200;
/// Elements any expression may meet in one list.
const MAX_ELEMENTS: usize = 20_000;
/// What `matches` is called after parsing, see [`rename_matches`].
const MATCHES: &str = "matches_kept";
/// Stands for "unlimited": larger than every limit, with room for arithmetic.
const UNLIMITED: i64 = i64::MAX / 4;

/// A CEL expression over the fields of one target kind; parsed when first used.
#[derive(Debug)]
pub(crate) struct Expression {
    source: String,
    specs: &'static [FieldSpec],
    other: &'static [FieldSpec],
    in_each: bool,
    /// The form that needs no copies, for expressions that are plain enough.
    plain: OnceLock<Option<Plain>>,
    /// What the library makes of it: where there is no such form, or where that has no answer.
    compiled: OnceLock<Result<Compiled, Defect>>,
}

struct Compiled {
    expression: IdedExpr,
    /// Fields of `self` read: index, and whether `has()` guards the name somewhere.
    fields: Vec<(usize, bool)>,
    /// The same for `other`.
    other: Vec<(usize, bool)>,
    nesting: usize,
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiled").field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl Expression {
    /// Takes the source; only its length is checked now, since most expressions never meet their target.
    pub(crate) fn compile(
        source: &str,
        specs: &'static [FieldSpec],
        other: &'static [FieldSpec],
        in_each: bool,
    ) -> Result<Self, Defect> {
        if source.len() > MAX_SOURCE {
            return Err(format!("the expression is longer than {MAX_SOURCE} bytes"));
        }
        Ok(Expression {
            source: source.to_string(),
            specs,
            other,
            in_each,
            plain: OnceLock::new(),
            compiled: OnceLock::new(),
        })
    }

    /// True when the source mentions `limit`.
    pub(crate) fn uses_limit(&self) -> bool {
        let of_word = |c: char| c.is_alphanumeric() || c == '_';
        self.source.match_indices("limit").any(|(at, word)| {
            let before = self.source[..at].chars().next_back();
            let after = self.source[at + word.len()..].chars().next();
            !before.is_some_and(|c| c == '.' || of_word(c)) && !after.is_some_and(of_word)
        })
    }

    /// Parses now and says what is wrong, for rules under test.
    pub(crate) fn validate(&self) -> Result<(), Defect> {
        self.get().map(|_| ())
    }

    fn get(&self) -> Result<&Compiled, Defect> {
        self.compiled.get_or_init(|| self.parse()).as_ref().map_err(Clone::clone)
    }

    fn plain(&self) -> Option<&Plain> {
        let read = || is_bounded(&self.source).then(|| plain::read(&self.source, self.specs, self.in_each)).flatten();
        self.plain.get_or_init(read).as_ref()
    }

    fn parse(&self) -> Result<Compiled, Defect> {
        if !is_bounded(&self.source) {
            return Err(format!(
                "`cel`: more than {MAX_BRACKETS} nested brackets or {MAX_OPERATORS} operators; write several rules"
            ));
        }
        let program =
            Program::compile(&self.source).map_err(|error| format!("`cel`: {}", one_line(&error.to_string())))?;
        let mut walk = Walk::default();
        walk.expression(program.expression(), 0);
        if walk.nesting > MAX_NESTING {
            return Err(format!("`cel`: more than {MAX_NESTING} nested comprehensions"));
        }
        let references = program.references();
        for name in references.variables() {
            let known = matches!(name, "self" | "limit" | "now" | "environment")
                || (name == "item" && self.in_each)
                || (name == "other" && !self.other.is_empty());
            if !known && !walk.bound.iter().any(|bound| bound == name) {
                return Err(format!(
                    "`cel`: `{name}` is not known here; use self, item (under `each`), other (under `join`), limit, now and \
                     environment"
                ));
            }
        }
        let fields = resolve(&walk.paths, "self", self.specs)?;
        let other = resolve(&walk.paths, "other", self.other)?;
        let mut expression = program.expression().clone();
        rename_matches(&mut expression);
        Ok(Compiled { expression, fields, other, nesting: walk.nesting })
    }

    /// Indexes of the fields read from `self` and from `other`. Where an expression is not plain they are found in the
    /// source: parsing is dear and most runs join nothing. A name inside a quoted text counts as well, which does no harm.
    pub(crate) fn reads(&self) -> (Vec<usize>, Vec<usize>) {
        if let Some(plain) = self.plain() {
            return (plain.fields.iter().map(|(index, _)| *index).collect(), vec![]);
        }
        // White space may stand around the dots, and quotes around names.
        let source: String = self.source.chars().filter(|c| !c.is_whitespace() && *c != '`').collect();
        (named_after(&source, "self.", self.specs), named_after(&source, "other.", self.other))
    }

    /// What it comes to, where that is told without the full evaluator; `None` says nothing.
    pub(crate) fn plainly(&self, scope: &Scope<'_, '_>) -> Option<bool> {
        self.plain()?;
        self.holds(scope).ok()
    }

    /// Evaluates to holds / broken / absent / unknown.
    pub(crate) fn judge(&self, scope: &Scope<'_, '_>) -> Verdict {
        match self.holds(scope) {
            Ok(true) => Verdict::Holds,
            Ok(false) => Verdict::Broken(vec![Violation {
                at: scope.item.and_then(|item| item.at),
                field: "",
                item: None,
                reason: String::new(),
            }]),
            Err(verdict) => verdict,
        }
    }

    /// The same without words for what is broken. An error is the verdict of an expression that cannot be judged.
    pub(crate) fn holds(&self, scope: &Scope<'_, '_>) -> Result<bool, Verdict> {
        self.is_judged(scope)?;
        let quick = self.plain().and_then(|plain| plain.quick.judge(scope, UNLIMITED));
        quick.map_or_else(|| self.evaluate(scope), Ok).map_err(Verdict::Defective)
    }

    /// Is everything known that it reads? An error is the verdict of an expression that cannot be judged.
    fn is_judged(&self, scope: &Scope<'_, '_>) -> Result<(), Verdict> {
        let (fields, others, nesting) = match self.plain() {
            Some(plain) => (&plain.fields, &vec![], plain.nesting),
            None => {
                let compiled = self.get().map_err(Verdict::Defective)?;
                (&compiled.fields, &compiled.other, compiled.nesting)
            }
        };
        let bound = if nesting > 1 { MAX_NESTED_ELEMENTS } else { MAX_ELEMENTS };
        are_known(scope.record, self.specs, fields, bound)?;
        if let Some(other) = scope.other {
            are_known(other, self.other, others, bound)?;
        }
        match scope.item.map(is_known) {
            None | Some(Ok(true)) => Ok(()),
            Some(Ok(false)) => Err(Verdict::Absent),
            Some(Err(why)) => Err(Verdict::Unknown { field: "item".into(), why }),
        }
    }

    /// Evaluates on copies of the values, all of which are known.
    fn evaluate(&self, scope: &Scope<'_, '_>) -> Result<bool, Defect> {
        let compiled = self.get()?;
        let base = base_context();
        let mut context = base.new_inner_scope();
        context.add_variable_from_value("self", values(scope.record, self.specs, &compiled.fields));
        if let Some(other) = scope.other {
            context.add_variable_from_value("other", values(other, self.other, &compiled.other));
        }
        context.add_variable_from_value("now", scope.now);
        context.add_variable_from_value("environment", scope.environment);
        if let Some(limit) = scope.limit {
            context.add_variable_from_value("limit", limit.value);
        }
        if let Some(item) = scope.item.and_then(convert) {
            context.add_variable_from_value("item", item);
        }
        match context.resolve(&compiled.expression) {
            Ok(Cel::Bool(value)) => Ok(value),
            Ok(_) => Err("`cel`: the result is neither true nor false".into()),
            // The library's error texts quote values, which may be secrets.
            Err(error) => Err(format!("`cel`: evaluation failed ({})", kind_of(&error))),
        }
    }
}

/// The fields whose names stand behind `root`.
fn named_after(source: &str, root: &str, specs: &[FieldSpec]) -> Vec<usize> {
    let behind = |(at, _): (usize, &str)| {
        let rest = &source[at + root.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')));
        field_of(&rest[..end.unwrap_or(rest.len())], specs)
    };
    let mut indexes: Vec<usize> = source.match_indices(root).filter_map(behind).collect();
    indexes.sort_unstable();
    indexes.dedup();
    indexes
}

/// The longest prefix of a path that is a field: `aud.size` reads `aud`.
fn field_of(path: &str, specs: &[FieldSpec]) -> Option<usize> {
    let mut name = path;
    loop {
        match (specs.iter().position(|spec| spec.name == name), name.rsplit_once('.')) {
            (Some(index), _) => return Some(index),
            (None, Some((shorter, _))) => name = shorter,
            (None, None) => return None,
        }
    }
}

/// The fields that paths below `root` read.
fn resolve(paths: &[(String, bool)], root: &str, specs: &[FieldSpec]) -> Result<Vec<(usize, bool)>, Defect> {
    let mut fields: Vec<(usize, bool)> = Vec::new();
    for (path, tested) in paths {
        let Some(path) = path.strip_prefix(root).and_then(|rest| rest.strip_prefix('.')) else { continue };
        let index = field_of(path, specs);
        let opens_fields = || specs.iter().any(|spec| spec.name.starts_with(&format!("{path}.")));
        match index {
            Some(index) => match fields.iter_mut().find(|(known, _)| *known == index) {
                Some((_, guarded)) => *guarded |= *tested,
                None => fields.push((index, *tested)),
            },
            None if opens_fields() => {}
            None => return Err(format!("`cel`: {}", field_index(specs, path).err().unwrap_or_default())),
        }
    }
    Ok(fields)
}

/// Says why an expression cannot be judged on these fields.
fn are_known(
    record: &dyn Record<'_>,
    specs: &'static [FieldSpec],
    fields: &[(usize, bool)],
    bound: usize,
) -> Result<(), Verdict> {
    for (index, guarded) in fields {
        let field = record.field(*index);
        let name = specs[*index].name;
        if field.items().len() > bound {
            let why = format!("it has more than {bound} elements");
            return Err(Verdict::Unknown { field: name.into(), why });
        }
        match is_known(field) {
            Ok(false) if !*guarded => return Err(Verdict::Absent),
            Ok(_) => {}
            Err(why) => return Err(Verdict::Unknown { field: name.into(), why }),
        }
    }
    Ok(())
}

/// The value of `self` or `other`.
fn values(record: &dyn Record<'_>, specs: &'static [FieldSpec], fields: &[(usize, bool)]) -> Cel {
    let mut tree = Tree::default();
    for (index, _) in fields {
        let name = specs[*index].name;
        match convert(record.field(*index)) {
            Some(value) => tree.insert(name, value),
            None => tree.touch(name),
        }
    }
    tree.into_value()
}

/// The functions every expression sees; built once per thread, since building is dearer than most expressions.
fn base_context() -> &'static Context<'static, 'static> {
    thread_local! {
        static BASE: &'static Context<'static, 'static> = Box::leak(Box::new({
            let mut context = Context::default();
            let ours = "the standard library has no such name";
            context.add_function(MATCHES, matches).expect(ours);
            context.add_function("covers", covers).expect(ours);
            context.add_function("unlimited", unlimited).expect(ours);
            context
        }));
    }
    BASE.with(|base| *base)
}

/// `text.matches(pattern)` with compiled patterns kept: the library compiles at every call.
fn matches(cel::extractors::This(text): cel::extractors::This<Arc<String>>, pattern: Arc<String>) -> bool {
    static CACHE: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let mut cache = CACHE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if cache.len() > 1000 {
        cache.clear();
    }
    cache
        .entry(pattern.to_string())
        .or_insert_with(|| regex::RegexBuilder::new(&pattern).size_limit(1 << 20).build().ok())
        .as_ref()
        .is_some_and(|regex| regex.is_match(&text))
}

/// `unlimited(field)`: has it no limit (any issuer, any subject)?
fn unlimited(value: Cel) -> bool {
    matches!(value, Cel::Int(UNLIMITED))
}

/// `covers(wide, narrow)`: does everything at or below the second path lie at or below the first?
fn covers(wide: Arc<String>, narrow: Arc<String>) -> bool {
    crate::model::scope::path_covers(&wide, &narrow)
}

/// Is it within the bounds of brackets and operators?
fn is_bounded(source: &str) -> bool {
    let (brackets, operators) = shape(source);
    brackets <= MAX_BRACKETS && operators <= MAX_OPERATORS
}

/// Deepest nesting of brackets and number of stacking operators of an expression, string literals left out.
fn shape(source: &str) -> (usize, usize) {
    let (mut depth, mut deepest, mut operators, mut quote) = (0usize, 0, 0, None);
    // In a text behind `r` nothing is escaped.
    let (mut raw, mut before) = (false, b' ');
    let mut bytes = source.bytes();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(_), b'\\') if !raw => drop(bytes.next()),
            (Some(mark), _) if mark == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => {
                quote = Some(byte);
                raw = matches!(before, b'r' | b'R');
            }
            (None, b'(' | b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
                operators += usize::from(byte == b'[');
            }
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            (None, b'!' | b'-' | b'+' | b'*' | b'/' | b'%' | b'?' | b'=' | b'<' | b'>') => operators += 1,
            (None, _) => {}
        }
        before = byte;
    }
    (deepest, operators + source.split_whitespace().filter(|word| *word == "in").count())
}

/// Calls our `matches` instead of the library's, which may not be replaced under its own name.
fn rename_matches(expression: &mut IdedExpr) {
    match &mut expression.expr {
        Expr::Call(call) => {
            if call.func_name == "matches" {
                call.func_name = MATCHES.into();
            }
            call.target.iter_mut().for_each(|target| rename_matches(target));
            call.args.iter_mut().for_each(rename_matches);
        }
        Expr::Comprehension(inner) => {
            let inner = inner.as_mut();
            let parts = [&mut inner.iter_range, &mut inner.accu_init, &mut inner.loop_cond];
            parts.into_iter().chain([&mut inner.loop_step, &mut inner.result]).for_each(rename_matches);
        }
        Expr::Select(select) => rename_matches(&mut select.operand),
        Expr::List(list) => list.elements.iter_mut().for_each(rename_matches),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    rename_matches(&mut entry.key);
                    rename_matches(&mut entry.value);
                }
            }
        }
        Expr::Struct(_) | Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
    }
}

fn kind_of(error: &cel::ExecutionError) -> Cow<'static, str> {
    use cel::ExecutionError as E;
    let kind = match error {
        E::UnsupportedBinaryOperator(_, a, b) | E::ValuesNotComparable(a, b) | E::UnsupportedIndex(a, b) => {
            return format!("an operator does not fit the types {}, {}", a.type_of(), b.type_of()).into();
        }
        E::UnsupportedTargetType { target } | E::NotSupportedAsMethod { target, .. } => {
            return format!("a function does not fit the type {}", target.type_of()).into();
        }
        E::NoSuchKey(_) => "a member is missing; guard it with has()",
        E::NoSuchOverload(error) => {
            return format!("`{}` does not fit the types {}", error.function(), error.argument_types().join(", "))
                .into();
        }
        E::UndeclaredReference(_) => "an unknown name",
        E::Overflow(..) => "a number grew too large",
        E::IndexOutOfBounds(_) => "an index out of bounds",
        E::DivisionByZero(_) | E::RemainderByZero(_) => "division by zero",
        _ => "a type error",
    };
    kind.into()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `Ok(false)` when absent, `Err` with the reason when it cannot be judged.
fn is_known(field: &Field<'_>) -> Result<bool, String> {
    match &field.state {
        State::Absent => Ok(false),
        State::Unknown(why) => Err(why.to_string()),
        State::Malformed(why) => Err(format!("malformed: {why}")),
        State::Unlimited | State::Value(Value::Text(_) | Value::Int(_) | Value::Bool(_)) => Ok(true),
        State::Value(Value::List(items)) => items.iter().try_for_each(|item| is_known(item).map(|_| ())).map(|()| true),
    }
}

/// A copy of a value for the evaluator; `None` for what has none.
fn convert(field: &Field<'_>) -> Option<Cel> {
    Some(match &field.state {
        State::Absent | State::Unknown(_) | State::Malformed(_) => return None,
        State::Unlimited => Cel::Int(UNLIMITED),
        State::Value(Value::Text(text)) => Cel::String(Arc::new(text.to_string())),
        State::Value(Value::Int(number)) => Cel::Int(*number),
        State::Value(Value::Bool(value)) => Cel::Bool(*value),
        State::Value(Value::List(items)) => Cel::List(Arc::new(items.iter().filter_map(convert).collect())),
    })
}

/// `self`: values nested by the dots of their names.
#[derive(Default)]
struct Tree {
    values: Vec<(&'static str, Option<Cel>)>,
}

impl Tree {
    fn insert(&mut self, name: &'static str, value: Cel) {
        self.values.push((name, Some(value)));
    }

    /// Makes the mappings around an absent field, so that `has(self.wlcg.ver)` is false instead of an error.
    fn touch(&mut self, name: &'static str) {
        self.values.push((name, None));
    }

    fn into_value(self) -> Cel {
        fn level(values: Vec<(&'static str, Option<Cel>)>) -> Cel {
            let mut map: HashMap<String, Cel> = HashMap::new();
            let mut nested: HashMap<&'static str, Vec<(&'static str, Option<Cel>)>> = HashMap::new();
            for (name, value) in values {
                match (name.split_once('.'), value) {
                    (Some((first, rest)), value) => nested.entry(first).or_default().push((rest, value)),
                    (None, Some(value)) => {
                        map.insert(name.to_string(), value);
                    }
                    (None, None) => {}
                }
            }
            for (name, values) in nested {
                map.insert(name.to_string(), level(values));
            }
            Cel::from(map)
        }
        level(self.values)
    }
}

/// Collects the paths an expression reads below `self` and `other`.
#[derive(Default)]
struct Walk {
    paths: Vec<(String, bool)>,
    bound: Vec<String>,
    nesting: usize,
}

impl Walk {
    fn expression(&mut self, expression: &IdedExpr, depth: usize) {
        match &expression.expr {
            Expr::Select(_) => {
                if let Some((path, tested)) = path(expression) {
                    self.paths.push((path, tested));
                } else if let Expr::Select(select) = &expression.expr {
                    self.expression(&select.operand, depth);
                }
            }
            Expr::Call(call) => {
                if let Some(target) = &call.target {
                    self.expression(target, depth);
                }
                call.args.iter().for_each(|argument| self.expression(argument, depth));
            }
            Expr::Comprehension(inner) => {
                self.nesting = self.nesting.max(depth + 1);
                self.bound.push(inner.iter_var.clone());
                self.bound.extend(inner.iter_var2.clone());
                self.bound.push(inner.accu_var.clone());
                self.expression(&inner.iter_range, depth);
                for part in [&inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result] {
                    self.expression(part, depth + 1);
                }
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.expression(element, depth)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    match &entry.expr {
                        EntryExpr::MapEntry(entry) => {
                            self.expression(&entry.key, depth);
                            self.expression(&entry.value, depth);
                        }
                        EntryExpr::StructField(field) => self.expression(&field.value, depth),
                    }
                }
            }
            Expr::Struct(inner) => {
                for entry in &inner.entries {
                    if let EntryExpr::StructField(field) = &entry.expr {
                        self.expression(&field.value, depth);
                    }
                }
            }
            Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        }
    }
}

/// `self.a.b` or `other.a.b` as written, and whether `has()` tests it.
fn path(expression: &IdedExpr) -> Option<(String, bool)> {
    let Expr::Select(select) = &expression.expr else { return None };
    match &select.operand.expr {
        Expr::Ident(name) if name == "self" || name == "other" => {
            Some((format!("{name}.{}", select.field), select.test))
        }
        Expr::Select(_) => {
            let (outer, tested) = path(&select.operand)?;
            Some((format!("{outer}.{}", select.field), tested || select.test))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;

//! What is read without the library means what the library says it means.

use super::*;
use crate::model::{FieldType, TargetKind};
use crate::profile::Registry;
use crate::rule::condition::Pattern;
use crate::rule::quick::{Comparison, Quick};
use cel::common::ast::{CallExpr, ComprehensionExpr, LiteralValue};

const fn spec(name: &'static str, ty: FieldType) -> FieldSpec {
    FieldSpec { name, ty, doc: "" }
}

static SPECS: [FieldSpec; 6] = [
    spec("texts", FieldType::Texts),
    spec("others", FieldType::Texts),
    spec("name", FieldType::Text),
    spec("wlcg.groups", FieldType::Texts),
    spec("count", FieldType::Int),
    spec("flag", FieldType::Bool),
];

struct Fields([Field<'static>; 5]);

impl Record<'static> for Fields {
    fn field(&self, index: usize) -> &Field<'static> {
        self.0.get(index).unwrap_or(Field::absent())
    }
}

fn texts(texts: &[&'static str]) -> Field<'static> {
    Field::list(texts.iter().map(|text| Field::text(*text, None)).collect(), None)
}

#[test]
fn searches_without_copies_find_what_the_evaluator_finds() {
    let mut with_gap = texts(&["a:/x"]);
    if let State::Value(Value::List(items)) = &mut with_gap.state {
        items.push(Field::default());
    }
    let lists = [texts(&[]), texts(&["a"]), texts(&["b", "a:/x"]), texts(&["b", "c"]), with_gap];
    for (source, is_quick) in [
        ("self.texts.exists(s, s.startsWith('a'))", true),
        ("self.texts.all(s, s.startsWith('a'))", true),
        ("!self.texts.exists(s, s == self.name)", true),
        ("self.texts.exists(s, self.others.all(t, t != s))", true),
        ("self.texts.exists(s, self.others.exists(s, s == 'b') && s == 'a')", true),
        ("self.texts.exists(item, item.matches('^b$')) || self.name == 'a'", true),
        ("self.count + 1 - -2 > 3 - self.count", true),
        ("9223372036854775807 + self.count > 1 || true", false),
        ("self.name + 'b' == 'ab'", false),
        ("self.texts.exists_one(s, s == 'a')", false),
        ("self.texts.filter(s, s == 'a').size() == 1", false),
        ("self.texts.exists(self, self == 'a')", false),
        ("self.texts.exists(s, s > 1) || true", false),
    ] {
        let expression = Expression::compile(source, &SPECS, &[], false).expect("short enough");
        expression.validate().expect(source);
        let registry = Registry::default();
        for (one, other) in lists.iter().flat_map(|one| lists.iter().map(move |other| (one, other))) {
            let (name, count) = (Field::text("a", None), Field::int(1, None));
            let fields = Fields([one.clone(), other.clone(), name, Field::default(), count]);
            let scope = Scope::new(&fields, &SPECS, &registry, 0);
            let quick = expression.plain().and_then(|plain| plain.quick.judge(&scope, UNLIMITED));
            // What is not plain, or meets operands it does not know, is left to the evaluator.
            assert!(!is_quick || quick.is_some(), "{source}");
            if let Some(quick) = quick {
                assert_eq!(Ok(quick), expression.evaluate(&scope), "{source} on {one:?} and {other:?}");
            }
        }
    }
}

/// What is read from the text, and what the library's tree comes to: form, fields, nesting.
type Read = (String, Vec<(usize, bool)>, usize);

fn from_text(expression: &Expression) -> Option<Read> {
    expression.plain().map(|plain| (format!("{:?}", plain.quick), plain.fields.clone(), plain.nesting))
}

fn from_tree(expression: &Expression) -> Option<Read> {
    let compiled = expression.get().ok()?;
    let program = Program::compile(&expression.source).expect("compiled before");
    let quick = quick(program.expression(), expression.specs, &[])?;
    assert!(compiled.other.is_empty());
    Some((format!("{quick:?}"), compiled.fields.clone(), compiled.nesting))
}

#[test]
fn what_stands_in_built_in_rules_is_read_without_the_library_where_it_is_plain() {
    let book = crate::rule::RuleBook::builtin().expect("built in");
    let checks = |kind: TargetKind| {
        let of_kind = book.rules.iter().filter(move |rule| rule.targets().any(|target| target == kind));
        of_kind.flat_map(|rule| rule.body().when.iter().chain(&rule.body().check).map(move |check| (check, rule)))
    };
    let mut read = 0;
    for kind in TargetKind::ALL {
        for (check, rule) in checks(kind) {
            let Some(source) = &check.cel else { continue };
            let kinds = rule.logic.join.as_ref().and_then(|join| join.with.as_ref());
            let other = kinds.and_then(|kinds| kinds.as_slice().first()).map_or(&[][..], |kind| kind.fields());
            let expression =
                Expression::compile(source, kind.fields(), other, rule.body().each.is_some()).expect("short");
            assert_eq!(from_text(&expression), from_tree(&expression), "{source}");
            read += usize::from(expression.plain().is_some());
        }
    }
    assert!(read > 90, "{read}");
}

#[test]
fn what_is_in_doubt_is_left_to_the_library() {
    for (source, remark) in [
        ("", "nothing"),
        ("self.name == 'a' ? self.flag : true", "a choice"),
        ("self.count * 2 > 2", "arithmetic"),
        ("self.count + 4 % 2 > 2", "arithmetic that goes first"),
        ("- 1 < self.count", "a space in a number"),
        ("--1 < self.count", "twice negative"),
        ("!!self.flag", "twice not"),
        ("0x10 == self.count", "another base"),
        ("1u == self.count", "without sign"),
        ("1.5 < self.count", "with a fraction"),
        ("9223372036854775808 > self.count", "too large"),
        ("self.name == 'a\\'b'", "an escape"),
        ("self.name == '''a'''", "three quotes"),
        ("self.name == b'a'", "bytes"),
        ("self.name == r'a\nb'", "a line break in a raw text"),
        ("self.flag // && false", "a comment"),
        ("self.name in self.texts", "a list that is a field"),
        ("self.name in ['a', self.name]", "a list of more than texts"),
        ("self.name in ['a',]", "a comma too many"),
        ("self.texts[0] == 'a'", "an index"),
        ("self . name == 'a'", "spaces around a dot"),
        ("self.`name` == 'a'", "a quoted name"),
        ("self.wlcg == 'a'", "a name that opens fields"),
        ("self.nothing == 'a'", "no field"),
        ("other.name == 'a'", "the joined target"),
        ("has(self.texts.size)", "no field"),
        ("has((self.name))", "brackets within has"),
        ("self.name.matches(self.name)", "a pattern that is no text"),
        ("self.texts.exists(for, for == 'a')", "a word that is reserved"),
        ("self.texts.exists(self, self == 'a')", "a variable that hides the target"),
        ("self.texts.exists((s), s == 'a')", "a variable in brackets"),
        ("self.texts.map(s, s + 'a').size() == 1", "another macro"),
        ("self.texts.exists(s, self.others.all(t, self.wlcg.groups.exists(u, u == t)))", "three lists"),
        ("item == 'a'", "no element at hand"),
        ("s == 'a'", "an unknown name"),
        ("self.flag && .now > 1", "a leading dot"),
        ("self.flag self.flag", "no operator"),
        ("self.flag &&", "no operand"),
        ("(self.flag", "no end"),
        ("self.flag & self.flag", "no operator of the language"),
    ] {
        let expression = Expression::compile(source, &SPECS, &[], false).expect("short enough");
        assert_eq!(from_text(&expression), None, "{source} {remark}");
    }
    // What the parser of the library refuses by its limits is refused here.
    let nested = format!("{}true{}", "(".repeat(1000), ")".repeat(1000 - 24));
    for source in [&nested, &format!("r'\\'.size() > 1 && {nested}"), &format!("now{}", " == now".repeat(200))] {
        let expression = Expression::compile(source, &SPECS, &[], false).expect("short enough");
        assert!(from_text(&expression).is_none() && expression.validate().is_err());
    }
}

/// Makes expressions out of chance: mostly of the everyday part, with everything around it now and then.
struct Dice<'a> {
    throws: std::slice::Iter<'a, u8>,
}

impl Dice<'_> {
    fn of<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len())]
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(self.throws.next().copied().unwrap_or(0)) % end
    }

    fn space(&mut self) -> &'static str {
        self.of(&[" ", " ", " ", " ", " ", "", "\n", "\t ", "\u{c}", "\r\n", " // 'c\n", "\u{a0}"])
    }

    fn text(&mut self) -> &'static str {
        self.of(&[
            "'a'",
            "\"b\"",
            "'a:/x'",
            "''",
            "'ü€'",
            "r'^a\\.b$'",
            "R\"\\d\"",
            "'^[a-z]+$'",
            "'(\"'",
            "'// no'",
            "'a\\'b'",
            "'\\u00fc'",
            "'\\x41'",
            "'''a'b'''",
            "\"\"",
            "r'''a'''",
            "b'a'",
            "'a\nb'",
            "r'\\'",
            "'a",
            "'\u{2028}'",
            "'a''b'",
        ])
    }

    fn atom(&mut self) -> String {
        match self.below(8) {
            0 | 1 => self.of(&["self.name", "self.texts", "self.wlcg.groups", "self.count", "self.flag"]).into(),
            2 => self.of(&["has(self.name)", "has( self.wlcg.groups )", "has(self.flag)"]).into(),
            3 => self.of(&["now", "limit", "environment", "item", "s", "t", "true", "false"]).into(),
            4 => self.of(&["0", "1", "-1", "007", "42", "9223372036854775807"]).into(),
            5 => self.text().into(),
            6 => self.of(&["s", "t", "size", "self.others"]).into(),
            _ => self
                .of(&[
                    "- 1",
                    "-9223372036854775808",
                    "9223372036854775808",
                    "0x1F",
                    "1u",
                    "1.5",
                    ".5",
                    "1e3",
                    "null",
                    "self",
                    "other.name",
                    "unknown",
                    ".now",
                    "self . name",
                    "self.wlcg",
                    "self.nothing",
                    "self.texts.name",
                    "has(now)",
                    "self.`name`",
                    "has (self.name)",
                    "has((self.name))",
                    "has(self.nothing)",
                    "self['name']",
                    "as",
                    "in",
                    "self.texts[0]",
                    "[]",
                    "['a', 'b']",
                    "{'a': 1}",
                    "-self.count",
                    "1.size()",
                    "self.true",
                    "s.size",
                    "r",
                ])
                .into(),
        }
    }

    fn call(&mut self, depth: usize) -> String {
        let of = if self.below(4) == 0 { self.expression(depth) } else { self.atom() };
        let space = if self.below(8) == 0 { self.space() } else { "" };
        match self.below(8) {
            0 => format!("{of}{space}.matches({space}{})", self.text()),
            1 => format!(
                "{of}{space}.{}({})",
                self.of(&["contains", "startsWith", "endsWith", "lowerAscii"]),
                self.text()
            ),
            2 => format!("{of}{space}.size{space}()"),
            3 => format!("size({of})"),
            4 => format!("{of}.startsWith({})", self.atom()),
            _ => {
                let name = self.of(&["exists", "all", "exists", "all", "exists_one", "filter", "map"]);
                let of_element = self.expression(depth);
                let bound = ["s", "s", "t", "t", "item", "now", "size", "has", "self", "for", "(s)", "r", "true"];
                format!("{of}.{name}({}{space},{space}{of_element})", self.of(&bound))
            }
        }
    }

    fn expression(&mut self, depth: usize) -> String {
        let Some(depth) = depth.checked_sub(1) else { return self.atom() };
        let (before, behind) = (self.space(), self.space());
        match self.below(12) {
            0 | 1 => self.atom(),
            2 | 3 => self.call(depth),
            4 => format!("{}{}", self.of(&["!", "!", "! ", "!!", "-"]), self.expression(depth)),
            5 => format!("({before}{}{behind})", self.expression(depth)),
            6 => format!("{}{before}in{behind}[{}, {}]", self.expression(depth), self.text(), self.text()),
            7 | 8 => {
                let operator = self.of(&["==", "!=", "<", "<=", ">", ">=", "==", "=", "in"]);
                format!("{}{before}{operator}{behind}{}", self.expression(depth), self.expression(depth))
            }
            9 | 10 => {
                let operator = self.of(&["&&", "||"]);
                format!("{}{before}{operator}{behind}{}", self.expression(depth), self.expression(depth))
            }
            _ => {
                let (left, right) = (self.expression(depth), self.expression(depth));
                match self.of(&["+", "-", "*", "?", ".", ","]) {
                    "?" => format!("{left}{before}?{behind}{right} : {}", self.atom()),
                    operator => format!("{left}{before}{operator}{behind}{right}"),
                }
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn what_is_read_without_the_library_is_what_its_tree_says(
        throws in proptest::collection::vec(proptest::num::u8::ANY, 4..60),
        in_each: bool,
    ) {
        let source = Dice { throws: throws.iter() }.expression(4);
        if source.len() <= MAX_SOURCE {
            let expression = Expression::compile(&source, &SPECS, &[], in_each).expect("short enough");
            if let Some(read) = from_text(&expression) {
                proptest::prop_assert_eq!(Some(read), from_tree(&expression), "{:?}", source);
            }
        }
    }
}

/// The form without copies by the library's tree. `bound` are the names that stand for the element at hand of a list,
/// outermost first.
fn quick(expression: &IdedExpr, specs: &'static [FieldSpec], bound: &[&str]) -> Option<Quick> {
    Some(match &expression.expr {
        Expr::Literal(LiteralValue::Boolean(value)) => Quick::Bool(*value.inner()),
        Expr::Literal(LiteralValue::Int(value)) => Quick::Int(*value.inner()),
        Expr::Literal(LiteralValue::String(text)) => Quick::Text(text.inner().to_string()),
        Expr::Ident(name) => match (bound.iter().rposition(|known| known == name), name.as_str()) {
            (Some(depth), _) => Quick::Element(depth),
            (None, "now") => Quick::Now,
            (None, "limit") => Quick::Limit,
            (None, "item") => Quick::Item,
            (None, "environment") => Quick::Environment,
            (None, _) => return None,
        },
        Expr::Select(_) => {
            let (path, tested) = path(expression)?;
            let name = path.strip_prefix("self.")?;
            let index = specs.iter().position(|spec| spec.name == name)?;
            if tested { Quick::Has(index) } else { Quick::Field(index) }
        }
        Expr::Call(call) => quick_call(call, specs, bound)?,
        Expr::Comprehension(inner) => quick_search(inner, specs, bound)?,
        Expr::Literal(_) | Expr::List(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => return None,
    })
}

/// `list.exists(x, …)` and `list.all(x, …)` as the parser writes them out: a loop that puts "or" or "and" between the
/// elements.
fn quick_search(inner: &ComprehensionExpr, specs: &'static [FieldSpec], bound: &[&str]) -> Option<Quick> {
    use cel::common::ast::operators as op;
    let is_result = |expression: &IdedExpr| matches!(&expression.expr, Expr::Ident(name) if *name == inner.accu_var);
    let (Expr::Literal(LiteralValue::Boolean(start)), Expr::Call(step)) =
        (&inner.accu_init.expr, &inner.loop_step.expr)
    else {
        return None;
    };
    let [so_far, of_element] = step.args.as_slice() else { return None };
    let wanted = match (*start.inner(), step.func_name.as_str()) {
        (false, op::LOGICAL_OR) => true,
        (true, op::LOGICAL_AND) => false,
        _ => return None,
    };
    let hides_root = matches!(inner.iter_var.as_str(), "self" | "other");
    let plain = is_result(so_far) && is_result(&inner.result) && inner.iter_var2.is_none() && !hides_root;
    if !plain || bound.len() >= MAX_NESTING {
        return None;
    }
    let list = quick(&inner.iter_range, specs, bound)?;
    let names = [bound, &[inner.iter_var.as_str()]].concat();
    Some(Quick::Any { list: Box::new(list), of_element: Box::new(quick(of_element, specs, &names)?), wanted })
}

fn quick_call(call: &CallExpr, specs: &'static [FieldSpec], bound: &[&str]) -> Option<Quick> {
    use cel::common::ast::operators as op;
    let part = |expression: &IdedExpr| quick(expression, specs, bound).map(Box::new);
    let compare = |how, left, right| Some(Quick::Compare(how, part(left)?, part(right)?));
    let text = |expression: &IdedExpr| match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_string()),
        _ => None,
    };
    match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
        (op::LOGICAL_NOT, None, [one]) => Some(Quick::Not(part(one)?)),
        (op::LOGICAL_AND, None, [left, right]) => Some(Quick::Both(part(left)?, part(right)?)),
        (op::LOGICAL_OR, None, [left, right]) => Some(Quick::Either(part(left)?, part(right)?)),
        (op::EQUALS, None, [left, right]) => compare(Comparison::Equal, left, right),
        (op::NOT_EQUALS, None, [left, right]) => compare(Comparison::NotEqual, left, right),
        (op::LESS, None, [left, right]) => compare(Comparison::Less, left, right),
        (op::LESS_EQUALS, None, [left, right]) => compare(Comparison::LessOrEqual, left, right),
        (op::GREATER, None, [left, right]) => compare(Comparison::Greater, left, right),
        (op::GREATER_EQUALS, None, [left, right]) => compare(Comparison::GreaterOrEqual, left, right),
        (op::ADD, None, [left, right]) => Some(Quick::Plus(part(left)?, part(right)?)),
        (op::SUBSTRACT, None, [left, right]) => Some(Quick::Minus(part(left)?, part(right)?)),
        (op::IN, None, [one, choices]) => {
            let Expr::List(list) = &choices.expr else { return None };
            let choices = list.elements.iter().map(|choice| Some(Quick::Text(text(choice)?))).collect::<Option<_>>()?;
            Some(Quick::OneOf(part(one)?, choices))
        }
        ("matches", Some(one), [pattern]) => Some(Quick::Matches(part(one)?, Pattern::new(&text(pattern)?))),
        ("contains", Some(one), [needle]) => Some(Quick::Contains(part(one)?, text(needle)?)),
        ("startsWith", Some(one), [start]) => Some(Quick::StartsWith(part(one)?, text(start)?)),
        ("endsWith", Some(one), [end]) => Some(Quick::EndsWith(part(one)?, text(end)?)),
        ("size", Some(one), []) | ("size", None, [one]) => Some(Quick::Size(part(one)?)),
        _ => None,
    }
}

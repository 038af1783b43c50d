//! Do the rules look at what they say? Every example is changed by one edit until its rule's verdict flips: a `fail`
//! must be curable, a `pass` must be breakable. An example that no edit flips either shows a rule that looks
//! elsewhere, or examples that show too little. Where an example has documents beside it, the edit may be in one of those.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokenvet::model::TargetKind;
use tokenvet::rule::{RawExample, Rule, RuleBook};
use tokenvet::trial::{self, Expected, Trial};

/// Examples that no single edit can flip, and why; every other one must flip, and these must not.
const NEEDS_MORE: [(&str, &str, &str); 2] = [
    (
        "document-secrets-open-to-all",
        "only the service can",
        "the file's mode decides, which is no part of the document",
    ),
    (
        "issuer-product-constants",
        "INDIGO IAM",
        "it announces four weak options at once, as the product does, and is known by more than one member",
    ),
];

#[test]
fn one_edit_flips_the_verdict_of_an_example() {
    let book = Arc::new(RuleBook::builtin().expect("the built-in rules load"));
    let (mut tried, mut survivors) = (0, Vec::new());
    for rule in &book.rules {
        for example in rule.examples() {
            let Ok((expected @ (Expected::Pass | Expected::Fail), document)) = trial::expectation(example) else {
                continue;
            };
            // A trap is there or not: what a rule on one trap passes is another trap, and no edit makes one of the other.
            if expected == Expected::Pass && rule.targets().any(|kind| kind == TargetKind::Trap) {
                continue;
            }
            tried += 1;
            if !flips(&book, rule, example, expected, document) {
                survivors.push(format!("{}: {}", rule.id, example.name));
            }
        }
    }
    let expected: Vec<String> = NEEDS_MORE.iter().map(|(rule, name, _)| format!("{rule}: {name}")).collect();
    assert_eq!(
        survivors, expected,
        "of {tried} examples, these do not flip: make each differ by one edit from one with the other outcome"
    );
}

fn flips(book: &Arc<RuleBook>, rule: &Rule, example: &RawExample, expected: Expected, document: &Value) -> bool {
    let Ok(Some(trial)) = Trial::new(book, rule, example) else { return false };
    let wanted: &[Expected] = match expected {
        Expected::Fail => &[Expected::Pass, Expected::Skip],
        Expected::Pass | Expected::Skip | Expected::Unknown => &[Expected::Fail],
    };
    let others: Vec<&Value> =
        rule.examples().iter().filter_map(|other| trial::expectation(other).ok()).map(|(_, value)| value).collect();
    mutants(document, &others).iter().any(|mutant| trial.outcome(mutant).is_ok_and(|got| wanted.contains(&got)))
        || flips_beside(book, rule, example, wanted, document)
}

/// The same with the edit in a document beside the example's own.
fn flips_beside(
    book: &Arc<RuleBook>,
    rule: &Rule,
    example: &RawExample,
    wanted: &[Expected],
    document: &Value,
) -> bool {
    let all = rule.examples().iter().flat_map(|example| &example.beside);
    let others: Vec<&Value> = all.map(|beside| &beside.document).collect();
    example.beside.iter().enumerate().any(|(index, beside)| {
        mutants(&beside.document, &others).into_iter().any(|mutant| {
            let mut edited = example.clone();
            edited.beside[index].document = mutant;
            let trial = Trial::new(book, rule, &edited);
            trial.is_ok_and(|trial| {
                trial.is_some_and(|trial| trial.outcome(document).is_ok_and(|got| wanted.contains(&got)))
            })
        })
    })
}

/// Documents one edit away, those that borrow from the rule's other examples first.
fn mutants(document: &Value, others: &[&Value]) -> Vec<Value> {
    if let Value::String(text) = document {
        return text_mutants(text, others);
    }
    let mut pool = Pool::default();
    others.iter().for_each(|other| pool.collect(other));
    let mut found = Vec::new();
    for path in paths(document) {
        found.extend(edits(document, &path, &pool));
    }
    found
}

/// Lines of raw files are left out, replaced or put in.
fn text_mutants(text: &str, others: &[&Value]) -> Vec<Value> {
    let lines: Vec<&str> = text.lines().collect();
    let known: BTreeSet<&str> = others.iter().filter_map(|other| other.as_str()).flat_map(str::lines).collect();
    let join = |lines: Vec<&str>| Value::String(lines.join("\n") + "\n");
    let mut found = Vec::new();
    for index in 0..lines.len() {
        let around = |middle: &[&'_ str]| join([&lines[..index], middle, &lines[index + 1..]].concat());
        found.push(around(&[]));
        found.push(around(&[lines[index], lines[index]]));
        for line in &known {
            found.push(around(&[line]));
            found.push(around(&[lines[index], line]));
        }
        // A value changed in place: true and false, and numbers.
        for (from, to) in [("true", "false"), ("false", "true"), ("https:", "http:"), ("http:", "https:")] {
            found.push(around(&[&lines[index].replace(from, to)]));
        }
        // A member left out or written twice in JSON on one line.
        for part in lines[index].split_inclusive([',', '{']) {
            found.push(around(&[&lines[index].replacen(part, "", 1)]));
            found.push(around(&[&lines[index].replacen(part, &format!("{part}{part}"), 1)]));
        }
        if let Some((key, value)) = lines[index].split_once([':', '=']) {
            let sign = &lines[index][key.len()..key.len() + 1];
            let space = if value.starts_with(' ') { " " } else { "" };
            for new in ["0", "-1", "1", "60", "3600", "34560001", "100000000", "720h", "9000h", "\"\"", "x", "\"a b\""]
            {
                found.push(around(&[&format!("{key}{sign}{space}{new}")]));
            }
        }
    }
    found
}

#[derive(Default)]
struct Pool {
    members: Vec<(String, Value)>,
    elements: Vec<Value>,
}

impl Pool {
    fn collect(&mut self, value: &Value) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, member)| {
                if !self.members.iter().any(|(known, other)| known == key && other == member) {
                    self.members.push((key.clone(), member.clone()));
                }
                self.collect(member);
            }),
            Value::Array(items) => items.iter().for_each(|item| {
                if !self.elements.contains(item) {
                    self.elements.push(item.clone());
                }
                self.collect(item);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// Every place of a document, as object keys and list positions.
fn paths(value: &Value) -> Vec<Vec<String>> {
    let mut found = vec![vec![]];
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, member)| (key.clone(), member)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    };
    for (step, child) in children {
        found.extend(paths(child).into_iter().map(|rest| [vec![step.clone()], rest].concat()));
    }
    found
}

fn at<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Object(map) => map.get_mut(step),
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// Everything one edit can do at one place.
fn edits(document: &Value, path: &[String], pool: &Pool) -> Vec<Value> {
    let mut found = Vec::new();
    let mut edit = |change: &dyn Fn(&mut Value)| {
        let mut mutant = document.clone();
        if let Some(place) = at(&mut mutant, path) {
            change(place);
            if mutant != *document {
                found.push(mutant);
            }
        }
    };
    let mut original = document.clone();
    let Some(place) = at(&mut original, path) else { return found };
    match &*place {
        Value::Object(map) => object_edits(map, pool, &mut edit),
        Value::Array(items) => {
            for index in 0..items.len() {
                edit(&|value| drop(value.as_array_mut().map(|items| items.remove(index))));
            }
            for element in &pool.elements {
                edit(&|value| value.as_array_mut().into_iter().for_each(|items| items.push(element.clone())));
            }
            if let Some(first) = items.first() {
                edit(&|value| value.as_array_mut().into_iter().for_each(|items| items.push(first.clone())));
            }
        }
        Value::Number(number) => {
            let number = number.as_i64().unwrap_or_default();
            let near = [number + 1, number - 1, number.saturating_mul(1000), number / 1000, number / 10, number * 10];
            for new in near.into_iter().chain([0, 1, -1, 60, 600, 3600, 86_400, 34_560_001, 100_000_000_000]) {
                edit(&|value| *value = json!(new));
            }
            edit(&|value| *value = json!(number.to_string()));
        }
        Value::Bool(flag) => edit(&|value| *value = json!(!flag)),
        Value::String(text) => string_edits(text, pool, &mut edit),
        Value::Null => edit(&|value| *value = json!(3600)),
    }
    found
}

fn object_edits(map: &Map<String, Value>, pool: &Pool, edit: &mut impl FnMut(&dyn Fn(&mut Value))) {
    for (key, member) in &pool.members {
        if map.get(key) != Some(member) {
            edit(&|value| drop(value.as_object_mut().map(|map| map.insert(key.clone(), member.clone()))));
        }
    }
    for key in map.keys() {
        edit(&|value| drop(value.as_object_mut().map(|map| map.remove(key))));
        for new in [json!(null), json!(""), json!([]), json!(7), json!({}), json!("x")] {
            edit(&|value| drop(value.as_object_mut().map(|map| map.insert(key.clone(), new.clone()))));
        }
    }
}

fn string_edits(text: &str, pool: &Pool, edit: &mut impl FnMut(&dyn Fn(&mut Value))) {
    for element in pool.elements.iter().filter(|element| element.is_string()) {
        edit(&|value| *value = element.clone());
    }
    let words: BTreeSet<&str> = pool
        .members
        .iter()
        .map(|(_, member)| member)
        .chain(&pool.elements)
        .filter_map(Value::as_str)
        .flat_map(str::split_whitespace)
        .collect();
    for word in words {
        edit(&|value| *value = json!(format!("{text} {word}").trim()));
    }
    let own: Vec<&str> = text.split_whitespace().collect();
    for index in 0..own.len() {
        let fewer = [&own[..index], &own[index + 1..]].concat().join(" ");
        edit(&|value| *value = json!(fewer));
    }
    let swaps = [("https://", "http://"), ("http://", "https://"), ("S256", "plain"), ("plain", "S256"), ("A", "")];
    for (from, to) in swaps.into_iter().chain([(":/", ":"), ("/", "//"), ("1.0", "2.0"), ("-", "_"), ("=", "")]) {
        edit(&|value| *value = json!(text.replacen(from, to, 1)));
    }
    let ends = ["/", "/x", "#f", "?q=1", "*", " ", "=", "/..", ":443/", "x", "/*"];
    for end in ends {
        edit(&|value| *value = json!(format!("{text}{end}")));
        edit(&|value| *value = json!(text.strip_suffix(end).unwrap_or(text)));
    }
    for new in
        ["", "none", "HS256", "RS256", "http://x.example.org/", "https://x.example.org/", "x", "*", "ANY", "0", "1.0"]
    {
        edit(&|value| *value = json!(new));
    }
    if text.parse::<i64>().is_ok() {
        for new in [1_i64, 60, 86_400, 34_560_001, 100_000_000_000] {
            edit(&|value| *value = json!(new.to_string()));
        }
    }
    edit(&|value| *value = json!([text]));
    edit(&|value| *value = json!("x".repeat(300)));
}

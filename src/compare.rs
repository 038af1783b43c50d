//! `tokenvet compare`: which of two tokens is more powerful, dimension by dimension.
//!
//! The order is partial. A token that reads everything and one that deletes a single folder do not compare, and neither
//! do scope and lifetime, so there is no score: the answer names what each token has that the other lacks.

use crate::inspect::{Bound, Facts, TokenView, span};
use crate::model::power::{Grant, Operation, Power, Relation, ServiceLevel};
use crate::model::scope::Capability;
use crate::report::{Options, Tool, text};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Version of the json output; grows when a member changes its meaning or goes away, not when one is added.
pub const SCHEMA_VERSION: &str = "1";

/// Items shown of what one token has more than the other, unless all are asked for.
const MAX_ITEMS: usize = 24;

/// What `tokenvet compare --format json` writes. In every relation A comes first: `more` says that A has more.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "tokenvet comparison")]
pub struct Comparison {
    /// Version of this format, `1`.
    pub schema_version: &'static str,
    /// The program that wrote it.
    pub tool: Tool<'static>,
    /// The clock that the remaining lifetimes went by (RFC 3339, UTC).
    pub now: String,
    /// The first token.
    pub a: Side,
    /// The second token.
    pub b: Side,
    /// What the capability scopes allow, by the release that a service implements, the newest first; releases with
    /// the same outcome stand together. Empty when neither token has a capability scope.
    pub scope: Vec<ScopeComparison>,
    /// Scopes that are no capabilities (`openid`, `offline_access`, `iam:admin.write`), as they are written.
    pub other_scopes: Extras,
    /// From the beginning of validity to the end.
    pub lifetime: Spans,
    /// From now to the end; 0 for expired tokens.
    pub remaining: Spans,
    /// Which services may accept the token.
    pub audience: Extras,
    /// Groups; a group does not imply its parent.
    pub groups: Extras,
    /// What makes the tokens hard to compare: another issuer, another kind.
    pub caveats: Vec<String>,
    /// The outcome in sentences.
    pub verdict: String,
}

/// One of the two tokens.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Side {
    /// Where it came from.
    pub source: String,
    /// `access-token`, `id-token`, `refresh-token`, …
    pub kind: String,
    /// Its issuer; null when it names none.
    pub issuer: Option<String>,
    /// The first four hexadecimal digits of the SHA-256 of the compact form; null for decoded tokens.
    pub sha256_prefix: Option<String>,
}

/// Scope power at services of some releases.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ScopeComparison {
    /// The releases, as profiles, oldest first.
    pub levels: Vec<&'static str>,
    /// What each has that the other lacks: operations and the paths they reach.
    #[serde(flatten)]
    pub extras: Extras,
}

/// What each token has that the other lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Extras {
    /// How A stands to B.
    pub relation: Relation,
    /// What only A has.
    pub only_a: Vec<String>,
    /// What only B has.
    pub only_b: Vec<String>,
}

/// Two spans of time.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Spans {
    /// How A stands to B.
    pub relation: Relation,
    /// Seconds; null when unlimited or unknown.
    pub a: Option<i64>,
    /// Seconds; null when unlimited or unknown.
    pub b: Option<i64>,
    /// `1 h`, `unlimited` or `unknown`.
    pub a_words: String,
    /// `1 h`, `unlimited` or `unknown`.
    pub b_words: String,
}

impl Extras {
    fn of(only_a: Vec<String>, only_b: Vec<String>) -> Self {
        Extras { relation: Relation::of_extras(!only_a.is_empty(), !only_b.is_empty()), only_a, only_b }
    }

    fn of_sets<'t>(a: impl Iterator<Item = &'t String>, b: impl Iterator<Item = &'t String>) -> Self {
        let (a, b): (BTreeSet<&String>, BTreeSet<&String>) = (a.collect(), b.collect());
        let less = |one: &BTreeSet<&String>, two| one.difference(two).map(ToString::to_string).collect();
        Extras::of(less(&a, &b), less(&b, &a))
    }
}

/// Compares two readable tokens with their sources, at a time in seconds since 1970.
pub fn compare(a: (&str, &TokenView), b: (&str, &TokenView), now: i64, date: String) -> Comparison {
    let side = |(source, view): (&str, &TokenView)| Side {
        source: source.to_string(),
        kind: view.kind.clone(),
        issuer: view.facts.issuer.clone(),
        sha256_prefix: view.sha256_prefix.clone(),
    };
    let (one, two) = (&a.1.facts, &b.1.facts);
    let plain = |facts: &Facts| -> Vec<String> {
        facts.scopes.iter().filter(|text| Capability::parse(text).is_none()).cloned().collect()
    };
    let left = |end: Bound| match end {
        Bound::Known(end) => Bound::Known(end.saturating_sub(now).max(0)),
        Bound::Never | Bound::Unknown => end,
    };
    let mut comparison = Comparison {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        now: date,
        scope: scopes(one, two),
        other_scopes: Extras::of_sets(plain(one).iter(), plain(two).iter()),
        lifetime: spans(one.lifetime, two.lifetime),
        remaining: spans(left(one.end), left(two.end)),
        audience: audiences(one, two),
        groups: Extras::of_sets(one.groups.iter(), two.groups.iter()),
        caveats: vec![],
        verdict: String::new(),
        a: side(a),
        b: side(b),
    };
    comparison.caveats = caveats(&comparison);
    comparison.verdict = verdict(&comparison);
    comparison
}

fn scopes(a: &Facts, b: &Facts) -> Vec<ScopeComparison> {
    let capabilities = || a.scopes.iter().chain(&b.scopes).filter_map(|text| Capability::parse(text));
    let mut found: Vec<(ScopeComparison, ServiceLevel)> = Vec::new();
    for level in ServiceLevel::ALL.into_iter().rev() {
        if !capabilities().any(|scope| scope.family == level.family()) {
            continue;
        }
        let power = |facts: &Facts| Power::of(facts.scopes.iter().map(String::as_str), level);
        let (one, two) = (power(a), power(b));
        let beyond = |one: &Power, two: &Power| one.beyond(two).cloned().collect();
        let extras = Extras::of(by_path(beyond(&one, &two)), by_path(beyond(&two, &one)));
        match found.last_mut() {
            Some((last, of)) if of.family() == level.family() && last.extras == extras => {
                last.levels.insert(0, level.profile());
            }
            _ => found.push((ScopeComparison { levels: vec![level.profile()], extras }, level)),
        }
    }
    found.sort_by_key(|(_, level)| level.family());
    found.into_iter().map(|(comparison, _)| comparison).collect()
}

/// `/store: read, stat`: one text per path. Making the parents of a path goes without saying.
fn by_path(grants: BTreeSet<Grant>) -> Vec<String> {
    let mut verbs: BTreeMap<(bool, String), Vec<&str>> = BTreeMap::new();
    for grant in grants.iter().filter(|grant| grant.operation != Operation::MakeParents) {
        let jobs = grant.operation.is_on_jobs();
        verbs.entry((jobs, grant.path())).or_default().push(grant.operation.verb());
    }
    let line = |((jobs, path), verbs): ((bool, String), Vec<&str>)| match jobs {
        true => verbs.join(", "),
        false => format!("{path}: {}", verbs.join(", ")),
    };
    verbs.into_iter().map(line).collect()
}

/// The wildcard of one profile is a plain name in the other (SCITOK-007). Without an audience services differ: some
/// refuse the token, others do not look.
fn audiences(a: &Facts, b: &Facts) -> Extras {
    let any = |facts: &Facts| {
        facts.audiences.iter().any(|name| match name.as_str() {
            "https://wlcg.cern.ch/jwt/v1/any" => facts.scitoken != Some(true),
            "ANY" => facts.scitoken != Some(false),
            _ => false,
        })
    };
    let everything = || vec!["every service".to_string()];
    match (any(a), any(b)) {
        (true, true) => Extras::of(vec![], vec![]),
        _ if a.audiences.is_empty() != b.audiences.is_empty() => {
            Extras { relation: Relation::Unknown, only_a: a.audiences.clone(), only_b: b.audiences.clone() }
        }
        (true, false) => Extras::of(everything(), vec![]),
        (false, true) => Extras::of(vec![], everything()),
        (false, false) => Extras::of_sets(a.audiences.iter(), b.audiences.iter()),
    }
}

fn spans(a: Bound, b: Bound) -> Spans {
    use std::cmp::Ordering;
    let seconds = |bound: Bound| match bound {
        Bound::Known(seconds) => (Some(seconds), span(seconds.max(0))),
        Bound::Never => (None, "unlimited".to_string()),
        Bound::Unknown => (None, "unknown".to_string()),
    };
    let order = match (a, b) {
        (Bound::Unknown, _) | (_, Bound::Unknown) => None,
        (Bound::Known(a), Bound::Known(b)) => Some(a.cmp(&b)),
        (Bound::Never, Bound::Never) => Some(Ordering::Equal),
        (Bound::Never, Bound::Known(_)) => Some(Ordering::Greater),
        (Bound::Known(_), Bound::Never) => Some(Ordering::Less),
    };
    let relation = match order {
        None => Relation::Unknown,
        Some(Ordering::Equal) => Relation::Equal,
        Some(Ordering::Greater) => Relation::More,
        Some(Ordering::Less) => Relation::Less,
    };
    let ((a, a_words), (b, b_words)) = (seconds(a), seconds(b));
    Spans { relation, a, b, a_words, b_words }
}

fn caveats(comparison: &Comparison) -> Vec<String> {
    let (a, b) = (&comparison.a, &comparison.b);
    let mut caveats = Vec::new();
    if a.kind != b.kind {
        let mut caveat = format!("A is of kind {}, B of kind {}", a.kind, b.kind);
        for (name, side) in [("A", a), ("B", b)] {
            match side.kind.as_str() {
                "refresh-token" => {
                    let _ =
                        write!(caveat, "; {name} obtains new access tokens, whatever its own lifetime says of them");
                }
                "id-token" => {
                    let _ = write!(caveat, "; {name} tells a client who logged in and is no key to a service");
                }
                _ => {}
            }
        }
        caveats.push(caveat);
    }
    if a.issuer != b.issuer {
        caveats.push("the issuers differ, so the same path means another place".into());
    }
    if comparison.audience.relation == Relation::Unknown {
        let name = if comparison.audience.only_a.is_empty() { "A" } else { "B" };
        caveats.push(format!("{name} names no audience; services differ in whether they accept it"));
    }
    caveats
}

fn verdict(comparison: &Comparison) -> String {
    let mut parts: Vec<String> = Vec::new();
    let relations: BTreeSet<&str> = comparison.scope.iter().map(|scope| words(scope.extras.relation)).collect();
    for scope in &comparison.scope {
        // Levels are worth naming where they disagree only.
        let at = if relations.len() > 1 { format!(" at {}", scope.levels.join(", ")) } else { String::new() };
        let clause = match scope.extras.relation {
            Relation::More => format!("A is more powerful in scope{at}"),
            Relation::Less => format!("B is more powerful in scope{at}"),
            Relation::Incomparable => {
                format!("neither is more powerful in scope{at}, each allows what the other does not")
            }
            Relation::Equal | Relation::Unknown if at.is_empty() => continue,
            Relation::Equal | Relation::Unknown => format!("both are equal in scope{at}"),
        };
        if !parts.contains(&clause) {
            parts.push(clause);
        }
    }
    let mut say = |relation, more: &str, neither: &str| match relation {
        Relation::More => parts.push(format!("A {more}")),
        Relation::Less => parts.push(format!("B {more}")),
        Relation::Incomparable => parts.push(neither.to_string()),
        Relation::Equal | Relation::Unknown => {}
    };
    say(comparison.other_scopes.relation, "has further scopes", "each has other scopes besides");
    let same = comparison.lifetime.relation == comparison.remaining.relation;
    say(comparison.lifetime.relation, "lives longer", "");
    if !same {
        say(comparison.remaining.relation, "ends later", "");
    }
    say(comparison.audience.relation, "is accepted by more services", "each is accepted where the other is not");
    say(comparison.groups.relation, "has more groups", "each has groups that the other lacks");
    let unknown = [(comparison.lifetime.relation, "the lifetimes"), (comparison.audience.relation, "the audiences")];
    let unknown: Vec<&str> =
        unknown.iter().filter(|(relation, _)| *relation == Relation::Unknown).map(|(_, name)| *name).collect();
    if !unknown.is_empty() {
        parts.push(format!("{} do not compare", unknown.join(" and ")));
    }
    match parts.is_empty() {
        true => "A and B are equal in scope, lifetime, audience and groups".to_string(),
        false => parts.join("; "),
    }
}

/// The comparison as JSON, with a final newline. Characters a terminal would obey are escaped.
pub fn json(comparison: &Comparison) -> String {
    crate::report::json_text(comparison)
}

/// The comparison for a person at a terminal.
pub fn human(comparison: &Comparison, options: Options) -> String {
    let mut out = String::new();
    let width = options.width.clamp(60, 100);
    let bold = |text: &str| if options.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_string() };
    for (name, side) in [("A", &comparison.a), ("B", &comparison.b)] {
        let issuer = side.issuer.as_ref().map(|issuer| format!(", issued by {}", text::shown(issuer)));
        let prefix = side.sha256_prefix.as_ref().map(|prefix| format!(", SHA-256 begins {prefix}"));
        let kind = side.kind.replace('-', " ");
        let rest = [issuer, prefix].into_iter().flatten().collect::<String>();
        let _ = writeln!(out, "{}  {kind} from {}{rest}", bold(name), text::shown(&side.source));
    }
    out.push('\n');
    for scope in &comparison.scope {
        entry(&mut out, width, &bold("scope    "), &at_levels(&scope.levels, &scope.extras));
        extras(&mut out, width, &scope.extras, options.all);
    }
    let dimensions = [
        ("further  ", &comparison.other_scopes, "scopes besides"),
        ("audience ", &comparison.audience, "services"),
        ("groups   ", &comparison.groups, "groups"),
    ];
    for (label, sides, what) in dimensions {
        entry(&mut out, width, &bold(label), &format!("{what}: {}", words(sides.relation)));
        extras(&mut out, width, sides, options.all);
    }
    for (label, spans) in [("lifetime ", &comparison.lifetime), ("left     ", &comparison.remaining)] {
        let line = format!("A {}, B {}: {}", spans.a_words, spans.b_words, words(spans.relation));
        entry(&mut out, width, &bold(label), &line);
    }
    for caveat in &comparison.caveats {
        entry(&mut out, width, &bold("but      "), &text::shown(caveat));
    }
    out.push('\n');
    for line in text::wrapped(&comparison.verdict, width) {
        let _ = writeln!(out, "{}", bold(&line));
    }
    text::without_commands(&out).into_owned()
}

fn at_levels(levels: &[&str], extras: &Extras) -> String {
    format!("at services of level {}: {}", levels.join(", "), words(extras.relation))
}

fn words(relation: Relation) -> &'static str {
    match relation {
        Relation::Equal => "equal",
        Relation::More => "A has more",
        Relation::Less => "B has more",
        Relation::Incomparable => "neither contains the other",
        Relation::Unknown => "not known",
    }
}

fn entry(out: &mut String, width: usize, label: &str, value: &str) {
    for (at, line) in text::wrapped(value, width - 11).iter().enumerate() {
        let label = if at == 0 { label } else { "         " };
        let _ = writeln!(out, "{label}  {line}");
    }
}

fn extras(out: &mut String, width: usize, extras: &Extras, all: bool) {
    for (name, items) in [("A", &extras.only_a), ("B", &extras.only_b)] {
        if items.is_empty() {
            continue;
        }
        let limit = if all { items.len() } else { MAX_ITEMS };
        let mut list = items.iter().take(limit).map(|item| text::shown(item)).collect::<Vec<_>>().join("; ");
        if items.len() > limit {
            let _ = write!(list, "; … {} more (--all)", items.len() - limit);
        }
        entry(out, width, "         ", &format!("only {name}: {list}"));
    }
}

//! `tokenvet inspect`: one token, decoded and explained claim by claim, with the verdict of every profile version.
//!
//! Verdicts come from [`crate::check::check`], run once per profile; there is no second way of judging. Each token is
//! judged as if it stood alone, so a token of a list gets the verdicts it would get in a file of its own.
//!
//! What is shown never holds the signature: views carry its length, and the first four hexadecimal digits of the
//! token's SHA-256, enough to tell two tokens apart in a log and of no use to anybody else.

mod broken;
mod claims;
mod human;
mod power;
mod view;
mod words;

pub use human::human;
pub use power::{GrantView, PowerView};
pub(crate) use view::{Bound, Facts};
pub(crate) use words::{scope as scope_in_words, span};

use crate::adapt::{self, Sink};
use crate::check::{Outcome, check};
use crate::discover;
use crate::evaluate::{Adjustments, Plan, Selection};
use crate::model::{Target, TargetKind};
use crate::parse::{Document, NodeId, Syntax, jwt};
use crate::profile::ProfileClass;
use crate::report::{FileError, Finding, NotJudged, ProfileRef, Tool};
use crate::rule::{RuleBook, Severity};
use crate::scan::find::{Finder as TokenFinder, Found as TokenFound};
use crate::source::Source;
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use smol_str::SmolStr;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Version of the json output; grows when a member changes its meaning or goes away, not when one is added.
pub const SCHEMA_VERSION: &str = "1";

/// What `tokenvet inspect --format json` writes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "tokenvet inspection")]
pub struct Inspection {
    /// Version of this format, `1`.
    pub schema_version: &'static str,
    /// The program that wrote it.
    pub tool: Tool<'static>,
    /// The clock that "expires in" and the rules went by (RFC 3339, UTC).
    pub now: String,
    /// Where the tokens came from: a path, `<argument>`, `<stdin>`, or the environment variable.
    pub source: String,
    /// The tokens, in the order of the source.
    pub tokens: Vec<TokenView>,
    /// What could not be read, other than a single token (see `problems` of a token).
    pub errors: Vec<FileError>,
}

/// One token.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct TokenView {
    /// Position in the source, from 1.
    pub nth: usize,
    /// What it is (`access-token`, `id-token`, …); `unreadable` when it is broken, encrypted or opaque.
    pub kind: String,
    /// What the classification rests on.
    pub evidence: String,
    /// What is wrong with an unreadable token, and what was set right to read the rest.
    pub problems: Vec<Problem>,
    /// The first four hexadecimal digits of the SHA-256 of the compact form; null for decoded tokens.
    pub sha256_prefix: Option<String>,
    /// Length of the compact form in bytes; null for decoded tokens.
    pub size: Option<usize>,
    /// The signature part; null when this form of the token does not show it. It is not verified.
    pub signature: Option<Signature>,
    /// Whether the token can be used at this time, by its own word; null for unreadable tokens.
    pub validity: Option<Validity>,
    /// Header members in the order they stand; empty when the header is not shown or not readable.
    pub header: Vec<Claim>,
    /// Claims in the order they stand.
    pub payload: Vec<Claim>,
    /// What the capability scopes allow, by the release that a service implements, the newest of each family first;
    /// releases that give them the same power stand together. Empty without capability scopes.
    pub powers: Vec<PowerView>,
    /// Profile families the token shows, at their newest version, and why.
    pub families: Vec<ProfileRef>,
    /// One row per profile version that judges such tokens.
    pub verdicts: Vec<ProfileVerdict>,
    /// What was found, once per rule, the worst first.
    pub findings: Vec<RuleFindings>,
    /// Rules that could not judge the token, under any of the profiles.
    pub not_judged: Vec<NotJudged>,
    /// The worst severity under the profiles that count for the exit code; null without findings.
    pub worst: Option<Severity>,
    /// Rules that are defective: `rule: why`.
    pub defects: Vec<String>,
    /// What tokens are compared by.
    #[serde(skip)]
    pub(crate) facts: Facts,
}

/// Something wrong with a token's form.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// `token`, `header`, `payload` or `signature`.
    pub part: &'static str,
    /// What is wrong.
    pub message: String,
}

/// What may be known of a signature.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Signature {
    /// False for an empty or missing part, and for one that was taken away.
    pub present: bool,
    /// Length of the encoded part in characters, or of what stands in its place.
    pub length: usize,
    /// It was taken away, and a word stands in its place.
    pub taken_away: bool,
}

/// Whether a token can be used now, by its own word.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Validity {
    /// Which of the cases it is.
    pub state: ValidityState,
    /// The same for people: `expires in 3 h 12 min`.
    pub words: String,
    /// `exp` minus `nbf` (or `iat`) in seconds; null when one of them is missing or malformed.
    pub lifetime: Option<i64>,
}

/// The cases of [`Validity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValidityState {
    /// Between nbf and exp.
    Valid,
    /// After exp.
    Expired,
    /// Before nbf.
    NotYetValid,
    /// There is no exp.
    NeverExpires,
    /// exp or nbf cannot be read.
    Unknown,
}

/// A header member or claim.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// Its value, with whatever is secret in it replaced by asterisks.
    pub value: serde_json::Value,
    /// For times: the date (RFC 3339, UTC).
    pub date: Option<String>,
    /// For times: relative to `now`, or why it is no date.
    pub words: Option<String>,
    /// For scopes and audiences: each item in words.
    pub items: Vec<Item>,
    /// What the claim means; null when no known profile defines it.
    pub meaning: Option<&'static str>,
    /// Requirements that speak of it.
    pub requirements: &'static [&'static str],
    /// True when the name stands more than once; services differ in which one they read.
    pub repeated: bool,
}

/// One scope or audience.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Item {
    /// As written.
    pub text: String,
    /// What it allows or means; null when no known profile defines it.
    pub words: Option<String>,
}

/// What one profile version says of the token.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProfileVerdict {
    /// `family@version`.
    pub profile: String,
    /// The verdict in one word.
    pub verdict: Verdict,
    /// Findings of severity error.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
    /// Rules that found nothing wrong.
    pub passed: u64,
    /// Rules that could not judge the token.
    pub not_judged: usize,
    /// Why the profile applies to this token without being asked for, or `--profile`; null for the others, which do
    /// not count for the exit code.
    pub why: Option<SmolStr>,
}

/// A verdict in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// At least one rule judged and none found anything.
    Ok,
    /// At least one finding.
    Findings,
    /// No finding, and no rule could judge.
    NotJudged,
}

/// What one rule found, whatever the profile.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RuleFindings {
    /// The rule.
    pub rule: String,
    /// The worst severity among the profiles.
    pub severity: Severity,
    /// What was found, where, and by which profiles.
    pub places: Vec<Place>,
    /// The profiles that hold the rule and found it broken.
    pub profiles: Vec<Held>,
    /// What to do.
    pub help: String,
}

/// One thing a rule found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Place {
    /// What was found.
    pub message: String,
    /// JSON Pointer in the header or payload, or in the decoded document; empty for the token as a whole.
    pub pointer: SmolStr,
    /// The profiles that say so.
    pub profiles: Vec<SmolStr>,
}

/// A profile that holds a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Held {
    /// `family@version`.
    pub profile: SmolStr,
    /// Its severity.
    pub severity: Severity,
    /// Its requirements.
    pub requirements: Vec<SmolStr>,
}

/// The kinds of target that are tokens.
const TOKENS: [TargetKind; 5] = [
    TargetKind::AccessToken,
    TargetKind::IdToken,
    TargetKind::RefreshToken,
    TargetKind::RegistrationToken,
    TargetKind::Token,
];

/// A token on its own, cut out of the source.
pub enum Piece {
    /// A source that yields exactly this token.
    Whole(Arc<Source>),
    /// What looks like a token and cannot be read as one. It may be a live one.
    Broken(SecretString),
}

impl std::fmt::Debug for Piece {
    // Either form holds a live token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Piece::Whole(_) => "Whole(<redacted>)",
            Piece::Broken(_) => "Broken(<redacted>)",
        })
    }
}

/// The tokens of a source.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order they stand.
    pub pieces: Vec<Piece>,
    /// True when spaces or line breaks inside a token were taken out to read it.
    pub joined: bool,
    /// What the source is, when it was recognised.
    pub kind: Option<&'static str>,
    /// What kept parts of it from being read.
    pub errors: Vec<FileError>,
}

/// Finds the tokens of a source. `is_token` says that the text is meant to be one (an argument, a bearer token file),
/// so that anything in it is taken for a token, however broken; else only what has the outline of one is.
pub fn find(source: &Arc<Source>, is_token: bool) -> Found {
    let recognised = discover::recognise(source);
    let mut found = Found::default();
    let broken_lines = recognised.syntax == Some(Syntax::Jwt) && !recognised.errors.is_empty();
    if !recognised.is_known() || broken_lines {
        (found.pieces, found.joined) = unrecognised(source, is_token);
        if found.pieces.is_empty() {
            let name = source.name().to_string();
            if holds_tokens(source) {
                found.errors.push(FileError { path: name, message: TEXT_WITH_TOKENS.into(), region: None });
                return found;
            }
            let broken = recognised.trouble().take(3);
            found.errors.extend(broken.map(|(message, _)| FileError { path: name.clone(), message, region: None }));
        }
        return found;
    }
    for (document, known) in &recognised.documents {
        let Some((adapter, kind)) = known else { continue };
        found.kind = found.kind.or(Some(kind));
        let yields_tokens = adapt::kinds().any(|it| it.name == *kind && it.targets.iter().any(|t| TOKENS.contains(t)));
        if yields_tokens {
            adapter.adapt(document, kind, &mut Finder { found: &mut found, broken: HashSet::new() });
        }
    }
    found
}

const TEXT_WITH_TOKENS: &str =
    "no token by itself, but a text that tokens stand in: `tokenvet scan` finds them and says where";

/// Do tokens stand in a text that is something else, as in a log?
fn holds_tokens(source: &Source) -> bool {
    TokenFinder::new()
        .is_ok_and(|finder| matches!(finder.next(source.text().as_bytes(), 0, true), TokenFound::Token(_)))
}

/// Collects the tokens an adapter yields.
struct Finder<'f> {
    found: &'f mut Found,
    /// Nodes that are in `found` as broken tokens already.
    broken: HashSet<NodeId>,
}

impl Finder<'_> {
    fn broken(&mut self, document: &Document, node: NodeId) -> bool {
        let Some(text) = document.cursor(node).as_str() else { return false };
        if self.broken.insert(node) {
            self.found.pieces.push(Piece::Broken(text.into()));
        }
        true
    }
}

impl Sink for Finder<'_> {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        if TOKENS.contains(&target.kind)
            && let Some(document) = documents.first()
        {
            self.found.pieces.push(Piece::Whole(Arc::new(alone(document, target.at.node))));
        }
    }

    fn secret(&mut self, document: &Document, node: NodeId) {
        // Of a token response, opaque and encrypted tokens are passed over with no more than this.
        const MEMBERS: [&str; 3] = ["access_token", "id_token", "refresh_token"];
        let cursor = document.cursor(node);
        let member = cursor.key().is_some_and(|key| MEMBERS.contains(&key));
        if member && cursor.as_str().is_none_or(|text| jwt::Compact::split(text).is_err()) {
            self.broken(document, node);
        }
    }

    fn error(&mut self, document: &Document, node: NodeId, message: String) {
        if !self.broken(document, node) {
            self.found.errors.push(FileError { path: document.source.name().to_string(), message, region: None });
        }
    }

    fn paging(&mut self, _shown: NodeId, _count: i64, _total: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}

/// A source that holds the token at a node and nothing else, in the form it has here.
fn alone(document: &Document, node: NodeId) -> Source {
    let cursor = document.cursor(node);
    let name = document.source.name();
    let text = match (cursor.as_str(), cursor.key()) {
        (Some(text), Some(key)) => serde_json::json!({ key: text }).to_string(),
        (Some(text), None) => text.to_string(),
        // Not by value: repeated names have to stay.
        (None, _) if document.syntax == Syntax::Json => document.source.slice(cursor.span()).to_string(),
        (None, _) if node == NodeId::ROOT => document.source.text().to_string(),
        (None, _) => cursor.to_json().to_string(),
    };
    Source::from_text(name.clone(), text)
}

/// Tokens in a text that nothing recognised as a whole: broken ones, or good ones beside broken ones; and whether
/// white space inside a token was taken out.
fn unrecognised(source: &Source, is_token: bool) -> (Vec<Piece>, bool) {
    let text = source.text().strip_prefix('\u{feff}').unwrap_or(source.text());
    // Quotes may stand around all of the lines.
    let text = &text[jwt::bare(text).range()];
    let document = text.trim_start().starts_with(['{', '[', '<']);
    let outline = |token: &str| {
        token.starts_with("ey")
            || (token.len() > 15 && !token.contains(|c: char| c.is_whitespace() || matches!(c, ':' | '=')))
    };
    let lines: Vec<&str> = jwt::tokens(text).map(|(_, token)| token).collect();
    match lines.first() {
        None => return (vec![], false),
        Some(first) if !is_token && (document || !(first.starts_with("ey") || lines.len() == 1 && outline(first))) => {
            return (vec![], false);
        }
        Some(_) => {}
    }
    let good = lines.iter().any(|line| jwt::Compact::split(line).is_ok());
    if !good && (lines.len() > 1 || lines.iter().any(|line| line.contains(char::is_whitespace))) {
        // A token that a terminal or a mail program broke into lines.
        let joined: String = lines.iter().flat_map(|line| line.split_whitespace()).collect();
        if let Some(piece) = readable(source.name(), &joined) {
            return (vec![piece], true);
        }
        if is_token || lines.iter().filter(|line| line.starts_with("ey")).count() < 2 {
            return (vec![Piece::Broken(lines.join("\n").into())], false);
        }
    }
    let piece = |line: &str| readable(source.name(), line).unwrap_or_else(|| Piece::Broken(line.into()));
    (lines.into_iter().map(piece).collect(), false)
}

/// The piece of a line whose outline is right, if its parts can be decoded as well.
fn readable(name: &str, line: &str) -> Option<Piece> {
    let source = Arc::new(Source::from_text(name, line));
    let mut found = find_in_jwt(&source);
    (found.len() == 1).then(|| found.remove(0))
}

fn find_in_jwt(source: &Arc<Source>) -> Vec<Piece> {
    let recognised = discover::recognise(source);
    let mut found = Found::default();
    for (document, known) in &recognised.documents {
        if let Some((adapter, kind)) = known {
            adapter.adapt(document, kind, &mut Finder { found: &mut found, broken: HashSet::new() });
        }
    }
    found.pieces
}

/// Everything needed to look at tokens, prepared once.
#[derive(Debug)]
pub struct Inspector {
    book: Arc<RuleBook>,
    /// Seconds since 1970.
    now: i64,
    /// What the token shows. Counts for the exit code unless profiles were chosen.
    shown: Plan,
    /// What was chosen.
    chosen: Option<Plan>,
    /// What holds whatever the profile.
    general: Plan,
    /// Each profile of the table on its own.
    alone: Vec<(usize, Plan)>,
}

/// One readable token as it is shown, without the verdict of any rule; `None` when the source holds none.
pub(crate) fn unjudged(source: &Arc<Source>, now: i64) -> Option<TokenView> {
    view::of_source(source, now).map(|(_, view)| view)
}

impl Inspector {
    /// Prepares the plans. `chosen` restricts the table to these profiles (indexes into the book); empty takes every
    /// one that judges tokens.
    pub fn new(book: Arc<RuleBook>, chosen: &[usize], now: i64) -> Self {
        let plan = |selection| Plan::new(Arc::clone(&book), selection, &Adjustments::default());
        let wanted = |index: &usize| match chosen {
            [] => TOKENS.iter().any(|kind| judges(&book, *index, *kind)),
            chosen => chosen.contains(index),
        };
        let family = |index: &usize| book.profiles[*index].raw.class != ProfileClass::General;
        let table = (0..book.profiles.len()).filter(family).filter(wanted);
        let alone = table.map(|index| (index, plan(Selection::Chosen(vec![index])))).collect();
        let general = plan(Selection::Chosen(vec![]));
        let shown = plan(Selection::Auto);
        let chosen = (!chosen.is_empty()).then(|| plan(Selection::Chosen(chosen.to_vec())));
        Inspector { general, shown, chosen, alone, now, book }
    }

    /// Looks at one token; `nth` is its position in the source, from 1.
    pub fn inspect(&self, piece: &Piece, nth: usize) -> TokenView {
        let mut view = match piece {
            Piece::Broken(text) => broken::dissect(text.expose_secret(), self.now),
            Piece::Whole(source) => match view::of_source(source, self.now) {
                Some((kind, mut view)) => {
                    self.judge(source, kind, &mut view);
                    view
                }
                // A piece was cut out because it yields a token.
                None => TokenView { kind: "unreadable".into(), ..TokenView::default() },
            },
        };
        view.nth = nth;
        view
    }

    fn judge(&self, source: &Arc<Source>, kind: TargetKind, view: &mut TokenView) {
        let shown = check(&self.shown, source, self.now);
        view.families = shown.profiles.iter().cloned().collect();
        let counted = self.chosen.as_ref().map_or(shown, |plan| check(plan, source, self.now));
        view.worst = counted.findings.iter().map(|finding| finding.severity).max();
        view.defects = counted.defects;
        let general = check(&self.general, source, self.now);
        let mut findings = Vec::new();
        for (index, plan) in &self.alone {
            if judges(&self.book, *index, kind) {
                let outcome = check(plan, source, self.now);
                view.defects.extend(outcome.defects.iter().cloned());
                self.row(*index, outcome, general.passed, view, &mut findings);
            }
        }
        for index in (0..self.book.profiles.len()).filter(|&i| self.book.profiles[i].raw.class == ProfileClass::General)
        {
            let outcome = Outcome {
                findings: general.findings.clone(),
                not_judged: general.not_judged.clone(),
                passed: general.passed,
                ..Outcome::default()
            };
            self.row(index, outcome, 0, view, &mut findings);
        }
        view.findings = grouped(findings, view.size.is_some());
        view.not_judged.sort_by(|a, b| (&a.rule, &a.field).cmp(&(&b.rule, &b.field)));
        view.not_judged.dedup();
        view.defects.sort();
        view.defects.dedup();
    }

    /// Takes the outcome of one profile; `others` are the passes that are not its own.
    fn row(&self, index: usize, outcome: Outcome, others: u64, view: &mut TokenView, all: &mut Vec<Finding>) {
        let profile = &self.book.profiles[index];
        let own = |rule: &str| {
            let rule = self.book.rule(rule);
            rule.is_some_and(|rule| rule.applications.iter().any(|application| application.profile == index))
        };
        let found: Vec<Finding> =
            outcome.findings.into_iter().filter(|finding| finding.profile == profile.id).collect();
        let open: Vec<NotJudged> = outcome.not_judged.into_iter().filter(|gap| own(&gap.rule)).collect();
        let count = |severity| found.iter().filter(|finding| finding.severity == severity).count();
        let passed = outcome.passed.saturating_sub(others);
        let verdict = match (found.is_empty(), passed) {
            (false, _) => Verdict::Findings,
            (true, 1..) => Verdict::Ok,
            (true, 0) => Verdict::NotJudged,
        };
        let shown = view.families.iter().find(|family| family.id == profile.id).map(|family| family.why.clone());
        let why = match (&self.chosen, profile.raw.class) {
            (_, ProfileClass::General) => Some("always applied".into()),
            (Some(_), ProfileClass::Generic | ProfileClass::Family) => Some("--profile".into()),
            (None, ProfileClass::Generic) => Some("applies to every such token".into()),
            (None, ProfileClass::Family) => shown,
        };
        let mut rules: Vec<&str> = open.iter().map(|gap| gap.rule.as_str()).collect();
        rules.sort_unstable();
        rules.dedup();
        view.verdicts.push(ProfileVerdict {
            profile: profile.id.to_string(),
            verdict,
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            passed,
            not_judged: rules.len(),
            why,
        });
        all.extend(found);
        view.not_judged.extend(open);
    }
}

/// True when the profile has a rule for this kind of target.
fn judges(book: &RuleBook, profile: usize, kind: TargetKind) -> bool {
    book.rules.iter().any(|rule| {
        rule.targets().any(|target| target == kind) && rule.applications.iter().any(|it| it.profile == profile)
    })
}

/// Findings once per rule, the worst rule first. In a compact token only decoded places are worth naming.
fn grouped(findings: Vec<Finding>, compact: bool) -> Vec<RuleFindings> {
    let mut rules: BTreeMap<String, RuleFindings> = BTreeMap::new();
    for finding in findings {
        let group = rules.entry(finding.rule.to_string()).or_insert_with(|| RuleFindings {
            rule: finding.rule.to_string(),
            severity: finding.severity,
            places: vec![],
            profiles: vec![],
            help: finding.help.to_string(),
        });
        group.severity = group.severity.max(finding.severity);
        let outer = if compact { SmolStr::default() } else { finding.pointer };
        let pointer = finding.inner_pointer.unwrap_or(outer);
        match group.places.iter_mut().find(|place| place.message == finding.message && place.pointer == pointer) {
            Some(place) => place.profiles.push(finding.profile.clone()),
            None => {
                let profiles = vec![finding.profile.clone()];
                group.places.push(Place { message: finding.message, pointer, profiles });
            }
        }
        let held = Held { profile: finding.profile, severity: finding.severity, requirements: finding.requirements };
        if !group.profiles.contains(&held) {
            group.profiles.push(held);
        }
    }
    let mut groups: Vec<RuleFindings> = rules.into_values().collect();
    groups.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.rule.cmp(&b.rule)));
    groups
}

/// The inspection as JSON, with a final newline. Characters a terminal would obey are escaped.
pub fn json(inspection: &Inspection) -> String {
    crate::report::json_text(inspection)
}

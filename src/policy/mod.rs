//! Policies: `tokenvet.yaml` as typed values, checked against the rule book, and what it says for one file.
//!
//! Nothing here touches the file system; finding and reading the files is the command line's work.

pub mod glob;
mod raw;
mod workflow;

pub use raw::{
    Amount, Environment, FailOn, Level, Mitigation, RawAgreement, RawApi, RawAudit, RawCover, RawIssuer, RawOverride,
    RawPinned, RawPolicy, RawSelection, RawService, RawWaiver, RawWaiverFile, RawWaivers, RawWorkflow,
    RawWorkflowMatch, Role, UserClass, WorkflowClass,
};
pub use workflow::{Workflow, Workflows, has_workflow};

use crate::evaluate::{Adjustments, Selection};
use crate::model::PRODUCTS;
use crate::model::duration;
use crate::near::did_you_mean;
use crate::parse::{Cursor, Document, ParseError, typed};
use crate::rule::RuleBook;
use crate::rule::condition::lenient_version;
use crate::source::{Source, Span};
use globset::GlobSet;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The name under which a policy is found.
pub const FILE_NAME: &str = "tokenvet.yaml";
/// Largest policy file, in bytes.
pub const MAX_FILE: u64 = 1 << 20;
/// Most overrides in a policy: each combination that fits some file costs a plan.
const MAX_OVERRIDES: usize = 100;

/// A policy file with the place of everything in it.
#[derive(Debug)]
pub struct PolicyFile {
    /// As written.
    pub raw: RawPolicy,
    document: Document,
}

/// A policy whose names are all known.
#[derive(Debug)]
pub struct Policy {
    ignored: GlobSet,
    base: Layer,
    overrides: Vec<(GlobSet, Layer)>,
    services: Vec<(GlobSet, Arc<Software>)>,
    /// Who runs tokenvet.
    pub role: Option<Role>,
    /// The declared workflows.
    pub workflows: Arc<Workflows>,
}

/// Software that the policy declares for some files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    /// The product, as targets name it; empty for whatever the target's is.
    pub product: String,
    /// Its version; `None` when the policy does not say.
    pub version: Option<semver::Version>,
    /// The policy's entry, from 0; `None` for software that no policy declares.
    pub entry: Option<usize>,
}

/// What of a policy fits a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fitting {
    /// The overrides, in order.
    pub overrides: Vec<usize>,
    /// The declared service.
    pub service: Option<usize>,
}

/// Settings, of the policy as a whole or of an override.
#[derive(Clone, Debug, Default)]
struct Layer {
    profiles: Vec<usize>,
    environment: Option<Environment>,
    only: Vec<String>,
    severities: BTreeMap<String, Option<crate::rule::Severity>>,
    limits: BTreeMap<String, i64>,
}

/// The members a policy and an override share.
struct Members<'r> {
    profiles: &'r [String],
    environment: Option<Environment>,
    rules: &'r RawSelection,
    severity: &'r BTreeMap<String, Level>,
    limits: &'r BTreeMap<String, Amount>,
}

impl PolicyFile {
    /// Reads a policy.
    pub fn read(source: &Arc<Source>) -> Result<Self, ParseError> {
        let (raw, document): (RawPolicy, _) = typed::read(source)?;
        Ok(PolicyFile { raw, document })
    }

    /// Points an error at a member (`rule-files`) and, in a list, at one of its elements.
    pub fn error(&self, member: &str, index: Option<usize>, message: String) -> ParseError {
        let list = self.document.root().get(member);
        let place = index.and_then(|index| list.and_then(|list| list.items().nth(index))).or(list);
        ParseError { message, span: place.map_or(Span::default(), Cursor::span) }
    }

    /// The file and the place of each workflow, in their order.
    pub fn workflow_places(&self) -> (&Document, Vec<Cursor<'_>>) {
        let list = self.document.root().get("workflows");
        (&self.document, list.into_iter().flat_map(Cursor::items).collect())
    }

    /// Checks every name against the rule book and every glob.
    pub fn compile(&self, book: &RuleBook) -> Result<Policy, ParseError> {
        let raw = &self.raw;
        let members = Members {
            profiles: &raw.profiles,
            environment: raw.environment,
            rules: &raw.rules,
            severity: &raw.severity,
            limits: &raw.limits,
        };
        let root = self.document.root();
        let base = Layer::new(&members, root, book)?;
        if raw.overrides.len() > MAX_OVERRIDES {
            return Err(self.error("overrides", None, format!("more than {MAX_OVERRIDES} overrides; merge some")));
        }
        let mut overrides = Vec::new();
        let places = root.get("overrides").into_iter().flat_map(Cursor::items);
        for (entry, place) in raw.overrides.iter().zip(places) {
            let members = Members {
                profiles: &entry.profiles,
                environment: entry.environment,
                rules: &entry.rules,
                severity: &entry.severity,
                limits: &entry.limits,
            };
            overrides.push((globs(&entry.files, place.get("files"))?, Layer::new(&members, place, book)?));
        }
        let mut services = Vec::new();
        let places = root.get("services").into_iter().flat_map(Cursor::items);
        for ((index, entry), place) in raw.services.iter().enumerate().zip(places) {
            let known = Software { entry: Some(index), ..software(entry, place)? };
            services.push((globs(&entry.files, place.get("files"))?, Arc::new(known)));
        }
        let ignored = globs(&raw.ignore, root.get("ignore"))?;
        let workflows = Arc::new(self.workflows()?);
        Ok(Policy { ignored, base, overrides, services, role: raw.role, workflows })
    }

    /// Checks the workflows and compiles their globs.
    pub fn workflows(&self) -> Result<Workflows, ParseError> {
        let places: Vec<Cursor<'_>> =
            self.document.root().get("workflows").into_iter().flat_map(Cursor::items).collect();
        Workflows::new(&self.raw.workflows).map_err(|(index, member, message)| {
            let entry = places.get(index).copied();
            at(entry.and_then(|entry| entry.path(&member)).or(entry), message)
        })
    }
}

fn globs(texts: &[String], place: Option<Cursor<'_>>) -> Result<GlobSet, ParseError> {
    glob::paths(texts).map_err(|(index, message)| {
        let item = place.and_then(|list| list.items().nth(index)).or(place);
        ParseError { message, span: item.map_or(Span::default(), Cursor::span) }
    })
}

fn software(entry: &RawService, place: Cursor<'_>) -> Result<Software, ParseError> {
    if !PRODUCTS.contains(&entry.product.as_str()) {
        let meant = did_you_mean(&entry.product, PRODUCTS.iter().copied());
        return Err(at(
            place.get("type"),
            format!("no software of this name is known{meant}; known are {}", PRODUCTS.join(", ")),
        ));
    }
    let version = entry.version.as_deref().map(|text| {
        lenient_version(text).ok_or_else(|| at(place.get("version"), "a version such as 9.2.24 is expected".into()))
    });
    Ok(Software { product: entry.product.clone(), version: version.transpose()?, entry: None })
}

impl Layer {
    fn new(members: &Members<'_>, place: Cursor<'_>, book: &RuleBook) -> Result<Self, ParseError> {
        let mut layer = Layer { environment: members.environment, ..Layer::default() };
        let element = |names: &[&str], index: usize| place.path(names).and_then(|list| list.items().nth(index));
        for (index, text) in members.profiles.iter().enumerate() {
            let profile = book.resolve_profile(text);
            layer.profiles.push(profile.map_err(|message| at(element(&["profiles"], index), message))?);
        }
        for (list, name) in [(&members.rules.only, "only"), (&members.rules.ignore, "ignore")] {
            for (index, id) in list.iter().enumerate() {
                known_rule(book, id).map_err(|message| at(element(&["rules", name], index), message))?;
            }
        }
        for (id, level) in members.severity {
            let key = place.path(&["severity", id]);
            known_rule(book, id).map_err(|message| at_key(key, message))?;
            layer.severities.insert(id.clone(), level.severity());
        }
        layer.only = members.rules.only.clone();
        layer.severities.extend(members.rules.ignore.iter().map(|id| (id.clone(), None)));
        for (name, amount) in members.limits {
            let entry = place.path(&["limits", name]);
            known_limit(book, name).map_err(|message| at_key(entry, message))?;
            layer.limits.insert(name.clone(), bound(name, amount).map_err(|message| at(entry, message))?);
        }
        Ok(layer)
    }
}

fn at(place: Option<Cursor<'_>>, message: String) -> ParseError {
    ParseError { message, span: place.map_or(Span::default(), Cursor::span) }
}

fn at_key(place: Option<Cursor<'_>>, message: String) -> ParseError {
    ParseError { message, span: place.and_then(Cursor::key_span).unwrap_or_default() }
}

/// Says that no rule has this id, and which one may be meant.
pub(crate) fn known_rule(book: &RuleBook, id: &str) -> Result<(), String> {
    book.require(id).map(|_| ())
}

fn known_limit(book: &RuleBook, name: &str) -> Result<(), String> {
    let limits: BTreeSet<&str> =
        book.profiles.iter().flat_map(|profile| profile.limits.keys()).map(String::as_str).collect();
    if limits.contains(name) {
        return Ok(());
    }
    Err(format!("no profile has such a limit{}", did_you_mean(name, limits.into_iter())))
}

/// A bound for a limit of some profile, in seconds or bits.
#[cfg(feature = "cli")]
pub(crate) fn limit(book: &RuleBook, name: &str, amount: &Amount) -> Result<i64, String> {
    known_limit(book, name)?;
    bound(name, amount)
}

/// A duration in seconds.
pub(crate) fn lifetime(amount: &Amount) -> Result<i64, String> {
    bound("lifetime", amount)
}

/// A bound in seconds or bits.
fn bound(name: &str, amount: &Amount) -> Result<i64, String> {
    let number = match amount {
        Amount::Number(number) => *number,
        Amount::Text(_) if name.contains("bits") => return Err("a number of bits is expected".into()),
        Amount::Text(text) => duration::typed(text).ok_or(duration::TYPED)?,
    };
    if number < 0 { Err("a limit is never negative".into()) } else { Ok(number) }
}

impl Policy {
    /// Is a file (by its path relative to the policy's folder) left out of walked folders?
    pub fn ignores(&self, path: &str) -> bool {
        self.ignored.is_match(path)
    }

    /// What of the policy holds for a file.
    pub fn fitting(&self, path: &str) -> Fitting {
        let fitting = self.overrides.iter().enumerate().filter(|(_, (files, _))| files.is_match(path));
        Fitting {
            overrides: fitting.map(|(index, _)| index).collect(),
            service: self.services.iter().position(|(files, _)| files.is_match(path)),
        }
    }

    /// What the policy asks for where this part of it fits.
    pub fn adjustments(&self, fitting: &Fitting) -> (Selection, Adjustments) {
        let mut merged = self.base.clone();
        for layer in fitting.overrides.iter().filter_map(|&index| self.overrides.get(index).map(|(_, layer)| layer)) {
            let Layer { profiles, environment, only, severities, limits } = layer.clone();
            merged.profiles = if profiles.is_empty() { merged.profiles } else { profiles };
            merged.only = if only.is_empty() { merged.only } else { only };
            merged.environment = environment.or(merged.environment);
            merged.severities.extend(severities);
            merged.limits.extend(limits);
        }
        let selection = match merged.profiles.is_empty() {
            true => Selection::Auto,
            false => Selection::Chosen(merged.profiles),
        };
        let environment = merged.environment.map_or("", Environment::name);
        let Layer { severities, limits, only, .. } = merged;
        let workflows = Arc::clone(&self.workflows);
        let asks_vo = self.role == Some(Role::Site);
        let software = fitting.service.and_then(|index| self.services.get(index)).map(|(_, known)| Arc::clone(known));
        (selection, Adjustments { severities, limits, only, environment, software, workflows, audited: None, asks_vo })
    }
}

/// A path that a policy names, relative to its folder: no way to leave it can be written. Links are the reader's to
/// check.
pub fn inside(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if text.contains("://") {
        return Err("addresses are not fetched; copy the file below the policy's folder and name its path".into());
    }
    if text.contains(['*', '?', '[']) {
        return Err("globs are not expanded here; name each file or its folder".into());
    }
    let windows = text.contains('\\') || text.as_bytes().get(1) == Some(&b':');
    let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if text.is_empty() || text.contains('\0') || windows || !plain {
        return Err(
            "the path must lie below the policy's folder: relative, without `..`, with `/` between names".into()
        );
    }
    Ok(path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Policy, (String, String)> {
        let source = Arc::new(Source::from_text("tokenvet.yaml", text));
        let book = RuleBook::builtin().unwrap();
        let read = PolicyFile::read(&source).and_then(|file| file.compile(&book));
        read.map_err(|error| (error.message, source.slice(error.span).to_string()))
    }

    #[test]
    fn every_mistake_is_told_at_its_place() {
        for (text, place, message, remark) in [
            ("profile: [wlcg]\n", "profile", "unknown field", "a misspelt member"),
            ("profiles: [wlgc]\n", "wlgc", "there is no profile", "a misspelt profile"),
            ("profiles: [wlcg@9.9]\n", "wlcg@9.9", "has no version", "a version that does not exist"),
            ("profiles: wlcg\n", "wlcg", "a list is expected", "a text for a list"),
            ("rules: {ignore: [kid-among-claim]}\n", "kid-among-claim", "`kid-among-claims`", "a misspelt rule"),
            ("severity: {kid-among-claim: off}\n", "kid-among-claim", "`kid-among-claims`", "the same as a key"),
            ("severity: {kid-among-claims: fatal}\n", "fatal", "unknown variant", "a severity that does not exist"),
            ("limits: {access_token.lifetime.mx: 1}\n", "access_token.lifetime.mx", "lifetime.max`", "a limit"),
            ("limits: {access_token.lifetime.max: soon}\n", "soon", "a duration is expected", "no duration"),
            ("limits: {access_token.lifetime.max: 1.5}\n", "1.5", "a whole number", "a fraction"),
            ("limits: {access_token.lifetime.max: -1}\n", "-1", "never negative", "a negative bound"),
            ("ignore: [a, '[']\n", "'['", "no valid glob", "a broken glob"),
            ("overrides: [{files: [a], rules: {only: [x]}}]\n", "x", "there is no rule", "inside an override"),
            ("overrides: [{profiles: [wlcg]}]\n", "", "missing field `files`", "an override for nothing"),
            ("environment: prod\n", "prod", "unknown variant", "an environment that does not exist"),
            ("fail-on: all\n", "all", "unknown variant", "a severity to fail on"),
            ("ignore: []\nignore: []\n", "ignore", "twice", "a member twice"),
            ("- [wlcg]\n", "", "a mapping is expected", "a list"),
        ] {
            let (got, at) = read(text).err().unwrap_or_default();
            assert!(got.contains(message), "{remark}: {got}");
            assert_eq!(at, place, "{remark}: {got}");
        }
    }

    #[test]
    fn later_overrides_win() {
        let policy = read(
            "limits: {access_token.lifetime.max: 2 d}\nseverity: {kid-among-claims: off}\nenvironment: test\n\
             overrides:\n- {files: ['a/**'], severity: {kid-among-claims: note}, limits: {access_token.lifetime.max: 1 h}}\n\
             - {files: ['*.json'], environment: production, rules: {ignore: [kid-among-claims]}}\n",
        )
        .unwrap();
        let max = "access_token.lifetime.max";
        let of = |path: &str| policy.adjustments(&policy.fitting(path)).1;
        for (path, limit, severity, environment) in [
            ("x.yaml", 172_800, None, "test"),
            ("a/x.yaml", 3_600, Some(crate::rule::Severity::Note), "test"),
            ("a/x.json", 3_600, None, "production"),
        ] {
            let got = of(path);
            assert_eq!(got.limits[max], limit, "{path}");
            assert_eq!(got.severities["kid-among-claims"], severity, "{path}");
            assert_eq!(got.environment, environment, "{path}");
        }
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for text in [
            "",
            "/etc/passwd",
            "../x.yaml",
            "a/../../x.yaml",
            "a/..",
            "..",
            "file:///etc/passwd",
            "https://example.org/x",
            "C:\\x.yaml",
            "C:x.yaml",
            "a\\..\\x",
            "\\\\host\\x",
            "a\0b",
            "rules/*.yaml",
            "~/../x",
        ] {
            assert!(inside(text).is_err(), "{text:?}");
        }
        for text in ["x.yaml", "./x.yaml", "a/b.yaml", "a..b/c.yaml", "…/x"] {
            assert!(inside(text).is_ok(), "{text:?}");
        }
    }
}

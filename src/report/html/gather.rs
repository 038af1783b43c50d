//! What the page keeps of a run while files go by. Everything here is bounded: a run may find more than a page can show,
//! and then counts what it leaves out.

use crate::audit::inventory::{Entry, UNLIMITED};
use crate::model::Quantity;
use crate::report::excerpt::Excerpt;
use crate::report::place::{Counts, places};
use crate::report::{Checked, FileError, Finding, Run, SuppressionKind, TargetRef, View};
use crate::rule::Severity;
use serde_json::Value as Json;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// Places shown: notes, warnings, errors. Each severity has room of its own, so that many notes hide no error.
const PLACES: [usize; 3] = [300, 700, 1500];
/// Places of one rule that are shown.
const PER_RULE: usize = 60;
/// Of those, the ones shown with the lines of their file.
const SNIPPETS: usize = 20;
/// Characters of a line that are shown.
const WIDTH: usize = 74;
/// Different things of one kind that are kept for charts and tables.
const KEPT: usize = 2000;
/// Names kept for each.
const NAMES: usize = 3;

/// The types of token whose lifetimes are drawn: the fields of registrations and settings, and the type.
pub(super) const LIFETIMES: [(&str, &str, &str); 4] = [
    ("lifetimes.access_token", "access_token", "access token"),
    ("lifetimes.refresh_token", "refresh_token", "refresh token"),
    ("lifetimes.id_token", "id_token", "ID token"),
    ("lifetimes.device_code", "device_code", "device code"),
];

/// A place that is shown.
pub(super) struct Shown {
    /// What the profiles say of it, the worst first; one at least.
    pub(super) findings: Vec<Finding>,
    /// Lines of the file.
    pub(super) excerpt: Option<Excerpt>,
}

/// What was found of a rule.
#[derive(Default)]
pub(super) struct RuleCount {
    pub(super) severity: Option<Severity>,
    pub(super) places: u64,
    /// Targets that these are in.
    pub(super) targets: u64,
    /// The last of them: a target's places follow each other.
    pub(super) last: Option<TargetRef>,
    /// They are not all of the same kind.
    pub(super) mixed: bool,
    /// Index of the first place that is shown.
    pub(super) first: Option<usize>,
    shown: usize,
    snippets: usize,
}

/// Whose lifetimes these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    /// A server's default.
    Settings,
    /// A registered client's.
    Client,
    /// A token that was found.
    Token,
}

/// Lifetimes in seconds, in the order of [`LIFETIMES`]; `None` for what is not known.
pub(super) type Lifetimes = [Option<Quantity>; LIFETIMES.len()];

/// That a finding is about a lifetime.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Missed {
    pub(super) rule: SmolStr,
    pub(super) profile: SmolStr,
    /// The lifetime, in seconds.
    pub(super) value: Quantity,
    /// It is too long, and not too short.
    pub(super) over: bool,
    pub(super) suppressed: bool,
}

impl Missed {
    fn of(finding: &Finding) -> Option<Self> {
        let measure = finding.measure?;
        let (rule, profile, value) = (finding.rule.clone(), finding.profile.clone(), measure.value);
        let suppressed = finding.suppressed.is_some();
        Some(Missed { rule, profile, value, over: measure.value > measure.bound.into(), suppressed })
    }
}

/// The bounds that targets miss, by kind and name of the target.
type Misses = BTreeMap<(SmolStr, SmolStr), BTreeSet<Missed>>;

/// A row of the chart: whose lifetimes, which, and which bounds they miss.
pub(super) type LifeRow = (Whose, Lifetimes, BTreeSet<Missed>);

/// Those that have the same.
#[derive(Default)]
pub(super) struct Holders {
    /// Names of the first.
    pub(super) names: Vec<String>,
    pub(super) number: u64,
}

/// What a service says of an issuer.
#[derive(Clone, Debug, Default)]
pub(super) struct TrustEntry {
    pub(super) path: String,
    pub(super) product: String,
    /// `None` where any issuer is taken.
    pub(super) issuer: Option<String>,
    pub(super) audience_unchecked: bool,
    pub(super) inactive: bool,
    pub(super) base_paths: Vec<String>,
}

/// A public key or certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyEntry {
    pub(super) issuer: String,
    pub(super) path: String,
    pub(super) name: String,
    /// Kind and size.
    pub(super) what: String,
    /// Seconds since 1970; `None` where nothing says it.
    pub(super) not_before: Option<i64>,
    pub(super) not_after: Option<i64>,
}

/// What hides findings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hiding {
    pub(super) rule: String,
    pub(super) kind: &'static str,
    pub(super) reason: String,
    pub(super) owner: Option<String>,
    pub(super) expires: Option<String>,
    pub(super) mitigations: Vec<String>,
}

/// What was not judged for one reason.
#[derive(Default)]
pub(super) struct Gap {
    pub(super) targets: u64,
    pub(super) fields: BTreeSet<String>,
}

/// All that the page is made of.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) all: bool,
    pub(super) shown: Vec<Shown>,
    /// Live findings.
    pub(super) counts: Counts,
    /// Places by severity: note, warning, error.
    pub(super) places: [u64; 3],
    pub(super) left_out: [u64; 3],
    pub(super) rules: BTreeMap<String, RuleCount>,
    pub(super) hidden: BTreeMap<Hiding, u64>,
    pub(super) gaps: BTreeMap<(String, String), Gap>,
    pub(super) errors: Vec<FileError>,
    pub(super) errors_left_out: u64,
    pub(super) files: u64,
    /// Documents by native kind.
    pub(super) documents: BTreeMap<String, u64>,
    /// Targets by kind.
    pub(super) targets: BTreeMap<String, u64>,
    pub(super) lifetimes: BTreeMap<LifeRow, Holders>,
    /// Bounds that were told to be missed after everything else (what a waiver may cover), by name of the target.
    pub(super) late: BTreeSet<(SmolStr, Missed)>,
    /// Registrations and tokens whose lifetimes are not among those.
    pub(super) lifetimes_left_out: u64,
    pub(super) trusts: Vec<TrustEntry>,
    pub(super) trusts_left_out: u64,
    /// Issuers whose metadata the run holds.
    pub(super) issuers: BTreeSet<String>,
    pub(super) keys: BTreeSet<KeyEntry>,
    pub(super) keys_left_out: u64,
    /// Client secrets by their end.
    pub(super) secrets: BTreeSet<(i64, KeyEntry)>,
    /// Product of the service that a file configures.
    pub(super) products: BTreeMap<String, String>,
    /// Service of a file, as the policy calls it.
    pub(super) declared: BTreeMap<String, String>,
    pub(super) run: Option<Closing>,
}

/// The end of a run, without what was taken in already.
#[derive(Default)]
pub(super) struct Closing {
    pub(super) now: String,
    pub(super) policy_digest: Option<String>,
    pub(super) remarks: Vec<String>,
    pub(super) profiles: Vec<crate::report::ProfileRef>,
    pub(super) workflows: Vec<crate::report::WorkflowRef>,
    pub(super) skipped: u64,
    pub(super) summary: crate::report::Summary,
    pub(super) bands: Vec<crate::report::Band>,
    pub(super) waivers: Vec<crate::audit::WaiverRef>,
    pub(super) services: BTreeMap<String, usize>,
}

impl Gathered {
    pub(super) fn add(&mut self, checked: &Checked<'_>) {
        self.files += u64::from(!checked.documents.is_empty());
        for document in &checked.documents {
            *self.documents.entry(document.kind.clone()).or_default() += 1;
            if let (Some(service), true) = (&checked.service, self.declared.len() < KEPT) {
                self.declared.insert(document.path.clone(), service.clone());
            }
        }
        for (kind, number) in &checked.targets {
            *self.targets.entry(kind.clone()).or_default() += number;
        }
        let mut seen = BTreeSet::new();
        for gap in &checked.not_judged {
            let known = self.gaps.entry((gap.target.kind.to_string(), gap.why.clone())).or_default();
            if known.fields.len() < 8 {
                known.fields.insert(gap.field.to_string());
            }
            known.targets += u64::from(seen.insert((&gap.target.kind, &gap.target.name, &gap.why)));
        }
        self.errors(&checked.errors);
        self.findings(checked.view.as_ref(), &checked.findings);
        let mut misses = Misses::new();
        if !checked.inventory.is_empty() {
            for finding in &checked.findings {
                if let Some(missed) = Missed::of(finding) {
                    let target = (finding.target.kind.clone(), finding.target.name.clone());
                    misses.entry(target).or_default().insert(missed);
                }
            }
        }
        checked.inventory.iter().for_each(|entry| self.entry(entry, &misses));
    }

    pub(super) fn close(&mut self, run: &Run) {
        for of_file in run.findings.chunk_by(|one, next| one.path == next.path) {
            let path = of_file.first().map_or("", |finding| finding.path.as_str());
            let view = run.view(path);
            self.findings(view.as_ref(), of_file);
        }
        let late = run.findings.iter().filter_map(|finding| Some((finding.target.name.clone(), Missed::of(finding)?)));
        self.late.extend(late.take(KEPT));
        self.errors(&run.errors);
        self.run = Some(Closing {
            now: run.now.clone(),
            policy_digest: run.policy_digest.clone(),
            remarks: run.remarks(),
            profiles: run.profiles.clone(),
            workflows: run.workflows.clone(),
            skipped: run.skipped,
            summary: run.summary.clone(),
            bands: run.bands.clone(),
            waivers: run.waivers.clone(),
            services: run.services.clone(),
        });
    }

    fn errors(&mut self, errors: &[FileError]) {
        let room = if self.all { errors.len() } else { 200usize.saturating_sub(self.errors.len()).min(errors.len()) };
        self.errors.extend_from_slice(&errors[..room]);
        self.errors_left_out += (errors.len() - room) as u64;
    }

    fn findings(&mut self, view: Option<&View<'_>>, findings: &[Finding]) {
        for place in places(findings) {
            self.counts.add(&place);
            self.place(view, &place.findings);
        }
        for finding in findings {
            if let Some(by) = &finding.suppressed
                && (self.all || self.hidden.len() < KEPT)
            {
                let kind = match by.kind {
                    SuppressionKind::Inline => "comment",
                    SuppressionKind::Waiver => "waiver",
                    SuppressionKind::Baseline => "baseline",
                };
                let (reason, owner, expires) = (by.reason.clone(), by.owner.clone(), by.expires.clone());
                let (rule, mitigations) = (finding.rule.clone(), by.mitigations.clone());
                *self
                    .hidden
                    .entry(Hiding { rule: rule.to_string(), kind, reason, owner, expires, mitigations })
                    .or_default() += 1;
            }
        }
    }

    fn place(&mut self, view: Option<&View<'_>>, findings: &[&Finding]) {
        let Some(worst) = findings.first() else { return };
        let severity = worst.severity as usize;
        let room = self.all || self.places[severity] - self.left_out[severity] < PLACES[severity] as u64;
        self.places[severity] += 1;
        let number = self.shown.len();
        let count = self.rules.entry(worst.rule.to_string()).or_default();
        count.severity = count.severity.max(Some(worst.severity));
        count.places += 1;
        if count.last.as_ref() != Some(&worst.target) {
            count.targets += 1;
            count.mixed |= count.last.as_ref().is_some_and(|last| last.kind != worst.target.kind);
            count.last = Some(worst.target.clone());
        }
        if !room || !self.all && count.shown >= PER_RULE {
            self.left_out[severity] += 1;
            return;
        }
        count.shown += 1;
        count.first.get_or_insert(number);
        let mut excerpt = None;
        if self.all || count.snippets < SNIPPETS {
            excerpt = view.and_then(|view| Excerpt::new(view, &worst.region, 1, WIDTH));
            count.snippets += usize::from(excerpt.is_some());
        }
        let findings = findings.iter().map(|finding| (*finding).clone()).collect();
        self.shown.push(Shown { findings, excerpt });
    }

    fn entry(&mut self, entry: &Entry, misses: &Misses) {
        match entry.kind.as_str() {
            "client" => {
                self.live(Whose::Client, entry, misses);
                self.secret(entry);
            }
            "settings" => {
                self.product(entry);
                self.live(Whose::Settings, entry, misses);
            }
            "trust" => {
                self.product(entry);
                self.trust(entry);
            }
            "service" => {
                self.product(entry);
                if entry.record.get("any_issuer") == Some(&Json::Bool(true)) {
                    self.trust(entry);
                }
            }
            "issuer" => {
                if let Some(issuer) = entry.text("issuer").filter(|_| self.issuers.len() < KEPT) {
                    self.issuers.insert(issuer.to_string());
                }
            }
            "key" | "certificate" => self.key(entry),
            _ if entry.kind.ends_with("token") => self.live(Whose::Token, entry, misses),
            _ => {}
        }
    }

    fn product(&mut self, entry: &Entry) {
        if let Some(product) = entry.text("product").filter(|_| self.products.len() < KEPT) {
            self.products.entry(entry.path.clone()).or_insert_with(|| product.to_string());
        }
    }

    fn live(&mut self, whose: Whose, entry: &Entry, misses: &Misses) {
        let kind = entry.kind.replace('-', "_");
        let lifetimes = LIFETIMES.map(|(field, token, _)| match whose {
            Whose::Token if kind == token => entry.quantity("lifetime"),
            Whose::Token => None,
            Whose::Settings | Whose::Client => entry.quantity(field),
        });
        if lifetimes.iter().all(Option::is_none) {
            return;
        }
        let missed = misses.get(&(entry.kind.as_str().into(), entry.name.as_str().into())).cloned().unwrap_or_default();
        let key = (whose, lifetimes, missed);
        if !self.lifetimes.contains_key(&key) && self.lifetimes.len() >= KEPT {
            self.lifetimes_left_out += 1;
            return;
        }
        let holders = self.lifetimes.entry(key).or_default();
        holders.number += 1;
        if holders.names.len() < NAMES && !holders.names.contains(&entry.name) {
            holders.names.push(entry.name.clone());
        }
    }

    fn trust(&mut self, entry: &Entry) {
        if self.trusts.len() >= KEPT {
            self.trusts_left_out += 1;
            return;
        }
        let is = |field: &str, value: bool| entry.record.get(field) == Some(&Json::Bool(value));
        let any = entry.kind == "service" || entry.text("issuer") == Some(UNLIMITED);
        let issuer = match (any, entry.text("issuer")) {
            (true, _) => None,
            (false, Some(issuer)) => Some(issuer.to_string()),
            // An entry that names no issuer trusts nobody.
            (false, None) => return,
        };
        self.trusts.push(TrustEntry {
            path: entry.path.clone(),
            product: entry.text("product").unwrap_or_default().to_string(),
            issuer,
            audience_unchecked: is("audience_checked", false),
            inactive: is("active", false),
            base_paths: entry.texts("base_paths").map(str::to_string).collect(),
        });
    }

    /// When a client's secret ends, the first to end.
    fn secret(&mut self, entry: &Entry) {
        for (what, end) in entry.ends() {
            let (name, path) = (entry.name.clone(), entry.path.clone());
            let issuer = entry.text("issuer").unwrap_or_default().to_string();
            let secret = KeyEntry { not_after: Some(end), issuer, path, name, what: what.into(), not_before: None };
            self.secrets.insert((end, secret));
            if self.secrets.len() > KEPT {
                self.secrets.pop_last();
            }
        }
    }

    fn key(&mut self, entry: &Entry) {
        if self.keys.len() >= KEPT {
            self.keys_left_out += 1;
            return;
        }
        let bits = entry.quantity("bits").and_then(Quantity::number).map(|bits| format!("{bits} bit"));
        let words = [entry.text("kty"), bits.as_deref(), entry.text("alg"), entry.text("use")];
        let mut words = words.into_iter().flatten().collect::<Vec<_>>().join(", ");
        if entry.kind == "certificate" {
            words = entry.kind.clone();
        }
        let key = KeyEntry {
            issuer: entry.text("issuer").or(entry.text("server")).unwrap_or_default().to_string(),
            path: entry.path.clone(),
            name: entry.text("kid").or(entry.text("subject")).unwrap_or(&entry.name).to_string(),
            what: words,
            not_before: entry.begins(),
            not_after: None,
        };
        let ends = entry.ends();
        for (what, end) in &ends {
            // A key's own certificate may end at another time than the key.
            let words = if *what == entry.kind { key.what.clone() } else { format!("{}, {what}", key.what) };
            self.keys.insert(KeyEntry { not_after: Some(*end), what: words, ..key.clone() });
        }
        if ends.is_empty() {
            self.keys.insert(key);
        }
    }
}

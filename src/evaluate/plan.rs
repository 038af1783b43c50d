//! Plans: the rule book after the user's choice of profiles and the policy's changes, indexed by target kind.

use crate::audit::ratchet::Accepted;
use crate::model::TargetKind;
use crate::policy::{Software, Workflows, has_workflow};
use crate::profile::ProfileClass;
use crate::rule::condition::{Conditions, bit};
use crate::rule::{Application, Compiled, Joined, Limit, Rule, RuleBook, Severity};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Which profiles apply.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Selection {
    /// Each target gets the generic profiles and the newest version of the families it shows.
    #[default]
    Auto,
    /// Exactly these profiles (indexes into the book), besides `general`.
    Chosen(Vec<usize>),
}

/// What a policy changes.
#[derive(Clone, Debug, Default)]
pub struct Adjustments {
    /// Severity by rule id; `None` switches the rule off.
    pub severities: BTreeMap<String, Option<Severity>>,
    /// Bound by limit name, for every profile that has the limit.
    pub limits: BTreeMap<String, i64>,
    /// When not empty, only these rules run.
    pub only: Vec<String>,
    /// What the input is for, as expressions read it (`environment`): `production`, `development` or `test`; empty
    /// when nobody said.
    pub environment: &'static str,
    /// The software whose configuration it is, where somebody declared it.
    pub software: Option<Arc<Software>>,
    /// The workflows to which clients and tokens are matched.
    pub workflows: Arc<Workflows>,
    /// The lifetimes that the last audit accepted. With it every run also takes an inventory.
    pub audited: Option<Arc<Accepted>>,
    /// Maxima that a waiver may lift are warnings that tell to ask the VO, since who runs this cannot change them.
    pub asks_vo: bool,
}

/// A rule under one profile, after the policy.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Index of the profile in the book.
    pub profile: usize,
    /// Severity after the policy.
    pub severity: Severity,
    /// Severity the profile gives.
    pub default_severity: Severity,
    /// Index into the rule's applications, for the requirements.
    pub application: usize,
    /// The bound.
    pub limit: Option<Limit>,
    /// True when the policy put another bound in the profile's place; messages say so.
    pub limit_changed: bool,
    /// True for a maximum of tokens or clients that an agreed waiver may lift.
    pub waivable: bool,
    /// True when findings tell to ask the VO for its agreement.
    pub asks_vo: bool,
}

/// A rule that has at least one application in the plan.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) rule: usize,
    /// Index into the rule's compiled forms; 0 for native rules.
    pub(crate) form: usize,
    pub(crate) planned: Vec<Planned>,
    /// Bit set of the profiles in `planned`.
    pub(crate) profiles: u64,
    /// What makes it worth a look.
    pub(crate) needs: Needs,
    /// Its messages quote no field but those from which the verdict follows.
    pub(crate) quotes_reads: bool,
}

impl Entry {
    /// An entry that is always worth a look.
    fn new(rule: usize, form: usize, planned: &[Planned], profiles: u64) -> Self {
        Entry { rule, form, planned: planned.to_vec(), profiles, needs: Needs::default(), quotes_reads: false }
    }
}

/// The fields, as bits by their index, without which a rule has nothing to say of a target: it would be judged not to apply.
/// Most rules meet targets that do not have their field, and this costs less than to find that out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// All of these have to be there.
    pub(crate) all: u128,
    /// One of these has to be there, unless there are none.
    pub(crate) any: u128,
}

impl Needs {
    /// Of a rule that reads its fields alone.
    fn of(form: &Compiled) -> Self {
        let Some(when) = &form.when else {
            return match form.each {
                Some(list) => Needs { all: bit(list), any: 0 },
                None => Needs { all: 0, any: form.check.silent_without() },
            };
        };
        Needs { all: when.false_without(), any: 0 }
    }

    /// Is what is there enough?
    pub(crate) fn met_by(self, present: u128) -> bool {
        self.all & !present == 0 && (self.any == 0 || self.any & present != 0)
    }
}

/// What of a target's fields, as bits by their index, a rule reads to come to its verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reads {
    /// What they hold.
    pub(crate) contents: u128,
    /// Whether they are there, and in what state.
    pub(crate) states: u128,
    /// Where they stand.
    pub(crate) places: u128,
}

/// Rules for one target kind that read the same fields, and so come to the same verdicts on the same contents.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// `None` when a kind has more fields than there are bits.
    pub(crate) reads: Option<Reads>,
    pub(crate) entries: Vec<Entry>,
    /// The profiles of all.
    profiles: u64,
    /// One of these fields has to be there for any of the rules to say something; 0 when nobody knows.
    any: u128,
}

impl Group {
    fn new(reads: Option<Reads>, entries: Vec<Entry>) -> Self {
        let profiles = entries.iter().fold(0, |all, entry| all | entry.profiles);
        let mut needed = entries.iter().map(|entry| entry.needs.all | entry.needs.any);
        let any = needed.try_fold(0, |any, bits| (bits != 0).then_some(any | bits));
        Group { reads, entries, profiles, any: any.unwrap_or(0) }
    }

    /// May any of its rules have something to say?
    pub(crate) fn may_speak(&self, profiles: u64, present: u128) -> bool {
        self.profiles & profiles != 0 && (self.any == 0 || self.any & present != 0)
    }
}

/// What shows that a target is of some family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shows {
    /// Index of the profile that holds the evidence.
    pub(crate) profile: usize,
    /// Index of the evidence in it.
    pub(crate) evidence: usize,
    /// Index of the profile that it shows.
    pub(crate) shown: usize,
    /// The fields without which it shows nothing, as bits by their index.
    pub(crate) needs: u128,
}

/// How much a fact keeps of where a field stands. Places take time and memory, so only those are kept that a finding
/// may show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Keep {
    /// Nothing.
    #[default]
    Value,
    /// The place of the field.
    Place,
    /// The places of the elements, too.
    Items,
}

/// The effective rule book for some part of the input.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The book it was made from.
    pub book: Arc<RuleBook>,
    /// The choice it was made with.
    pub selection: Selection,
    /// See [`Adjustments::environment`].
    pub environment: &'static str,
    /// See [`Adjustments::software`].
    pub software: Option<Arc<Software>>,
    /// The workflows to which clients and tokens are matched.
    pub workflows: Arc<Workflows>,
    /// See [`Adjustments::audited`].
    pub audited: Option<Arc<Accepted>>,
    /// Path components that a storage scope needs to count as narrow.
    pub narrow_depth: i64,
    /// Tells plans apart in one process.
    pub(crate) number: u64,
    /// Rules for targets of one kind.
    by_kind: Vec<Vec<Entry>>,
    /// The same in groups, once a target of the kind is met: this takes a look into every rule, and few runs meet all kinds.
    groups: Vec<OnceLock<Vec<Group>>>,
    pub(crate) native: Vec<Entry>,
    /// Rules that join targets of several documents, with the kind they judge.
    pub(crate) fleet: Vec<(TargetKind, Entry)>,
    /// Fields that those rules read, by kind: what a fact has to keep, and how much of its place.
    fact_fields: Vec<BTreeMap<usize, Keep>>,
    /// No rule judges documents by what the run holds: that a file is there is all that is asked of them.
    pub(crate) only_names_documents: bool,
    /// Joining rules judge a client only by others of the same issuer: nothing is to be found out about one whose issuer
    /// nobody knows.
    pub(crate) joins_clients_by_issuer: bool,
    /// The profiles that apply to every target before any evidence, as bits.
    pub(crate) fixed: u64,
    /// By target kind: what shows a family.
    evidence: Vec<Vec<Shows>>,
}

impl Planned {
    /// The profile as messages name it.
    pub(crate) fn profile_name<'b>(&self, book: &'b RuleBook) -> std::borrow::Cow<'b, str> {
        let id = book.profiles[self.profile].id.as_str();
        if self.limit_changed { format!("{id}, changed by the policy,").into() } else { id.into() }
    }
}

impl Plan {
    /// Combines book, choice and policy.
    pub fn new(book: Arc<RuleBook>, selection: Selection, adjustments: &Adjustments) -> Self {
        let wanted: Vec<bool> = (0..book.profiles.len()).map(|index| wants(&book, &selection, index)).collect();
        let by_kind = vec![vec![]; TargetKind::ALL.len()];
        let groups = vec![OnceLock::new(); TargetKind::ALL.len()];
        let fact_fields = vec![BTreeMap::new(); TargetKind::ALL.len()];
        let environment = adjustments.environment;
        let software = adjustments.software.clone();
        let fixed = fixed(&book, &selection);
        let evidence = if selection == Selection::Auto { evidence(&book) } else { vec![] };
        let workflows = Arc::clone(&adjustments.workflows);
        let audited = adjustments.audited.clone();
        let narrow_depth = narrow_depth(&book, adjustments);
        let (native, fleet, book) = (vec![], vec![], Arc::clone(&book));
        let mut plan = Plan {
            number: number(),
            by_kind,
            groups,
            native,
            fleet,
            fact_fields,
            only_names_documents: false,
            joins_clients_by_issuer: false,
            fixed,
            evidence,
            selection,
            environment,
            software,
            workflows,
            audited,
            narrow_depth,
            book,
        };
        let book = Arc::clone(&plan.book);
        for (index, rule) in book.rules.iter().enumerate() {
            let severity = adjustments.severities.get(rule.id.as_str());
            let deselected = !adjustments.only.is_empty() && !adjustments.only.iter().any(|only| *only == rule.id);
            if severity == Some(&None) || deselected {
                continue;
            }
            let applications = rule.applications.iter().enumerate();
            let planned: Vec<Planned> = applications
                .filter(|(_, application)| wanted[application.profile])
                .map(|(at, application)| planned(rule, application, at, severity, adjustments))
                .collect();
            if planned.is_empty() {
                continue;
            }
            let profiles = planned.iter().fold(0, |set, planned| set | 1 << planned.profile);
            for (form, kind) in rule.targets().enumerate() {
                let entry = Entry::new(index, form, &planned, profiles);
                if rule.logic.join.is_some() {
                    plan.keep_facts(kind, rule.form(form));
                    plan.fleet.push((kind, entry));
                } else {
                    plan.by_kind[kind as usize].push(entry);
                }
            }
            if rule.native.is_some() {
                plan.native.push(Entry::new(index, 0, &planned, profiles));
            }
        }
        plan.keep_links();
        plan.only_names_documents = plan.names_documents_only();
        plan.joins_clients_by_issuer = plan.compares_clients_within_issuers();
        plan
    }

    /// Does this rule run on anything under the plan?
    pub fn runs(&self, id: &str) -> bool {
        self.all().any(|entry| self.book.rules[entry.rule].id == id)
    }

    /// Does this rule run under some version of a profile's family?
    pub fn judges(&self, id: &str, family: &str) -> bool {
        let entries = self.all().filter(|entry| self.book.rules[entry.rule].id == id);
        let mut planned = entries.flat_map(|entry| &entry.planned);
        planned.any(|planned| self.book.profiles[planned.profile].raw.family == family)
    }

    /// Is it a rule that spans documents, and does it run?
    pub fn joins(&self, id: &str) -> bool {
        self.fleet.iter().any(|(_, entry)| self.book.rules[entry.rule].id == id)
    }

    /// The severity of a rule under a profile (`wlcg@1.3`); `None` where it does not run.
    pub fn severity(&self, id: &str, profile: &str) -> Option<Severity> {
        let entries = self.all().filter(|entry| self.book.rules[entry.rule].id == id);
        let mut planned = entries.flat_map(|entry| &entry.planned);
        planned.find(|planned| self.book.profiles[planned.profile].id == profile).map(|planned| planned.severity)
    }

    fn all(&self) -> impl Iterator<Item = &Entry> {
        let fleet = self.fleet.iter().map(|(_, entry)| entry);
        self.on_targets().chain(&self.native).chain(fleet)
    }

    /// The rules that judge targets on their own.
    pub(crate) fn on_targets(&self) -> impl Iterator<Item = &Entry> {
        self.by_kind.iter().flatten()
    }

    /// Lets facts keep what the joining rules of another plan read, which judges them in the end.
    pub fn keep_facts_of(&mut self, other: &Plan) {
        self.only_names_documents &= other.only_names_documents;
        for (kept, wanted) in self.fact_fields.iter_mut().zip(&other.fact_fields) {
            for (index, keep) in wanted {
                let known = kept.entry(*index).or_default();
                *known = (*known).max(*keep);
            }
        }
    }

    /// Notes the fields from which linking tells what only the whole run can tell.
    fn keep_links(&mut self) {
        const LINKED: [TargetKind; 4] =
            [TargetKind::Key, TargetKind::KeySet, TargetKind::Client, TargetKind::ScopePolicy];
        if LINKED.iter().any(|kind| !self.fact_fields(*kind).is_empty()) {
            for kind in [TargetKind::Issuer, TargetKind::Client] {
                ["issuer", "jwks_uri", "product"].into_iter().for_each(|name| self.keep_named(kind, name, Keep::Value));
            }
        }
        let trust = TargetKind::Trust;
        if !self.fact_fields(trust).is_empty() {
            let told = ["issuer", "base_paths", "restricted_paths"];
            told.into_iter().for_each(|name| self.keep_named(trust, name, Keep::Value));
        }
        let service = TargetKind::Service;
        if self.fact_fields(service).keys().any(|index| service.fields()[*index].name == "audience_checked") {
            let kinds =
                [(service, "tokens"), (service, "audiences"), (trust, "audience_checked"), (trust, "audiences")];
            kinds
                .into_iter()
                .chain([(trust, "active")])
                .for_each(|(kind, name)| self.keep_named(kind, name, Keep::Value));
        }
        if self.fact_fields(service).keys().any(|index| service.fields()[*index].name == "missing_files") {
            self.keep_named(service, "files", Keep::Value);
            self.keep_named(TargetKind::Document, "kind", Keep::Value);
        }
    }

    fn keep_named(&mut self, kind: TargetKind, name: &str, keep: Keep) {
        if let Some(index) = kind.fields().iter().position(|spec| spec.name == name) {
            self.keep_field(kind, index, keep);
        }
    }

    /// True when a rule asks whether signatures are valid.
    #[cfg(feature = "verify")]
    pub(crate) fn verifies(&self) -> bool {
        let field = crate::model::Token::FIELDS.iter().position(|spec| spec.name == "signature_valid");
        let kept = &self.fact_fields[TargetKind::AccessToken as usize];
        field.is_some_and(|field| kept.contains_key(&field))
    }

    /// Notes the fields a joining rule reads on both sides.
    fn keep_facts(&mut self, kind: TargetKind, form: &Compiled) {
        let Some(join) = &form.join else { return };
        let (own, other) = form.check.reads();
        let when = form.when.iter().flat_map(|when| when.reads().0);
        let ours = own.into_iter().chain(when).chain(form.message.reads()).chain(join.on.iter().map(|(ours, _)| *ours));
        ours.for_each(|index| self.keep_field(kind, index, Keep::Value));
        form.at.iter().for_each(|index| self.keep_field(kind, *index, Keep::Place));
        form.each.iter().for_each(|index| self.keep_field(kind, *index, Keep::Items));
        for kind in &join.kinds {
            let theirs = other.iter().copied().chain(join.on.iter().map(|(_, theirs)| *theirs));
            let theirs = theirs.chain(form.message.reads_other());
            theirs.for_each(|index| self.keep_field(*kind, index, Keep::Value));
            join.show.iter().for_each(|index| self.keep_field(*kind, *index, Keep::Place));
        }
    }

    fn keep_field(&mut self, kind: TargetKind, index: usize, keep: Keep) {
        let known = self.fact_fields[kind as usize].entry(index).or_default();
        *known = (*known).max(keep);
    }

    fn names_documents_only(&self) -> bool {
        !self.looks_for(TargetKind::Document) && self.fleet.iter().all(|(kind, _)| *kind != TargetKind::Document)
    }

    fn compares_clients_within_issuers(&self) -> bool {
        let issuer = TargetKind::Client.fields().iter().position(|spec| spec.name == "issuer");
        let by_issuer = |entry: &Entry| {
            self.join_of(entry).is_some_and(|join| {
                !join.required && !join.kinds.is_empty() && join.on.iter().any(|(ours, _)| Some(*ours) == issuer)
            })
        };
        let mut of_clients = self.fleet.iter().filter(|(kind, _)| *kind == TargetKind::Client);
        !self.looks_for(TargetKind::Client) && of_clients.all(|(_, entry)| by_issuer(entry))
    }

    /// Does a rule look for targets of this kind to judge others by?
    fn looks_for(&self, kind: TargetKind) -> bool {
        self.fleet.iter().filter_map(|(_, entry)| self.join_of(entry)).any(|join| join.kinds.contains(&kind))
    }

    fn join_of(&self, entry: &Entry) -> Option<&Joined> {
        self.book.rules[entry.rule].join(entry.form)
    }

    /// The fields that facts of a kind keep; empty when no joining rule looks at the kind.
    pub(crate) fn fact_fields(&self, kind: TargetKind) -> &BTreeMap<usize, Keep> {
        &self.fact_fields[kind as usize]
    }

    pub(crate) fn groups(&self, kind: TargetKind) -> &[Group] {
        self.groups[kind as usize].get_or_init(|| {
            let mut by_reads: BTreeMap<_, Vec<Entry>> = BTreeMap::new();
            for entry in &self.by_kind[kind as usize] {
                let rule = &self.book.rules[entry.rule];
                let form = rule.form(entry.form);
                let reads = reads(rule, kind, form);
                let (needs, quotes_reads) = (Needs::of(form), quotes_reads(reads, form));
                by_reads.entry(reads).or_default().push(Entry { needs, quotes_reads, ..entry.clone() });
            }
            by_reads.into_iter().map(|(reads, all)| Group::new(reads, all)).collect()
        })
    }

    /// See the field.
    pub(crate) fn evidence(&self, kind: TargetKind) -> &[Shows] {
        self.evidence.get(kind as usize).map_or(&[], Vec::as_slice)
    }
}

/// A number that no other plan of this process has.
fn number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// What a rule reads to come to its verdict; `None` when the fields do not fit.
fn reads(rule: &Rule, kind: TargetKind, form: &Compiled) -> Option<Reads> {
    let bits = |fields: &mut dyn Iterator<Item = usize>| {
        fields.map(bit).try_fold(0, |all, bit| (bit != 0).then_some(all | bit))
    };
    let conditions = || form.when.iter().chain([&form.check]);
    let versions = ["product", "version"].iter().filter(|_| rule.versions.is_some());
    let versions = versions.filter_map(|name| kind.fields().iter().position(|spec| spec.name == *name));
    let contents = bits(&mut conditions().flat_map(Conditions::reads_contents).chain(form.each).chain(versions))?;
    let states = bits(&mut conditions().flat_map(Conditions::reads_states))?;
    let places = bits(&mut form.at.iter().copied())?;
    Some(Reads { contents, states: states & !contents, places: places & !contents })
}

/// Do a rule's messages quote nothing but what it reads anyway?
fn quotes_reads(reads: Option<Reads>, form: &Compiled) -> bool {
    let contents = reads.map_or(0, |reads| reads.contents);
    form.message.reads().into_iter().all(|index| contents & bit(index) != 0)
}

fn fixed(book: &RuleBook, selection: &Selection) -> u64 {
    let applies = |index: usize, class: ProfileClass| match (selection, class) {
        (_, ProfileClass::General) | (Selection::Auto, ProfileClass::Generic) => true,
        (Selection::Chosen(chosen), ProfileClass::Generic | ProfileClass::Family) => chosen.contains(&index),
        (Selection::Auto, ProfileClass::Family) => false,
    };
    let profiles = book.profiles.iter().enumerate();
    profiles.fold(0, |bits, (index, profile)| bits | u64::from(applies(index, profile.raw.class)) << index)
}

fn evidence(book: &RuleBook) -> Vec<Vec<Shows>> {
    let mut by_kind = vec![Vec::new(); TargetKind::ALL.len()];
    for (index, profile) in book.profiles.iter().enumerate() {
        let newest = book.newest(&profile.raw.family);
        for (at, evidence) in profile.evidence.iter().enumerate() {
            let Some(shown) = (if evidence.exact { Some(index) } else { newest }) else { continue };
            let needs = evidence.when.false_without();
            by_kind[evidence.kind as usize].push(Shows { profile: index, evidence: at, shown, needs });
        }
    }
    by_kind
}

/// Can this profile apply to anything under the selection?
fn wants(book: &RuleBook, selection: &Selection, index: usize) -> bool {
    match (selection, book.profiles[index].raw.class) {
        (_, ProfileClass::General) | (Selection::Auto, ProfileClass::Generic) => true,
        (Selection::Chosen(chosen), ProfileClass::Generic | ProfileClass::Family) => chosen.contains(&index),
        (Selection::Auto, ProfileClass::Family) => {
            let profile = &book.profiles[index];
            profile.evidence.iter().any(|evidence| evidence.exact) || book.newest(&profile.raw.family) == Some(index)
        }
    }
}

/// How deep a scope has to reach into a VO's name space to be narrow: the policy's word, else the profile's.
fn narrow_depth(book: &RuleBook, adjustments: &Adjustments) -> i64 {
    const NAME: &str = "narrow_scope.depth.min";
    let of_profile = || book.profiles.iter().find_map(|profile| profile.limits.get(NAME)).map(|limit| limit.value);
    adjustments.limits.get(NAME).copied().or_else(of_profile).unwrap_or(1)
}

fn planned(
    rule: &Rule,
    application: &Application,
    at: usize,
    severity: Option<&Option<Severity>>,
    adjustments: &Adjustments,
) -> Planned {
    let changed = rule.logic.limit.as_ref().and_then(|name| adjustments.limits.get(name));
    let waivable = application.waivable == Some(true) && rule.targets().any(has_workflow);
    let asks_vo = waivable && adjustments.asks_vo && severity.is_none();
    let given = if asks_vo { application.severity.min(Severity::Warning) } else { application.severity };
    Planned {
        profile: application.profile,
        severity: severity.copied().flatten().unwrap_or(given),
        default_severity: application.severity,
        application: at,
        limit: application.limit.map(|limit| Limit { value: changed.copied().unwrap_or(limit.value), ..limit }),
        limit_changed: changed.is_some(),
        waivable,
        asks_vo,
    }
}

//! Checking one source: recognise, adapt, judge, resolve places. The library's main entry.

use crate::adapt::jwt_token::{Opened, opened};
use crate::adapt::{self, Sink};
use crate::audit::inventory::Entry;
use crate::discover;
use crate::evaluate::{
    Fact, Home, Judgement, Keep, Kept, Plan, Planned, ProfileSet, judge, judge_fleet, judge_native, link,
};
use crate::hex::hex;
use crate::model::{At, DocumentFacts, Field, FieldType, Spot, Target, TargetKind};
use crate::parse::{Cursor, Document, NodeId, NoteKind};
use crate::report::{
    Deviation, DocumentRef, FileError, Finding, Measure, NotJudged, ProfileRef, Region, Related, TargetRef,
};
use crate::rule::{Rule, message};
use crate::scan::find::is_defused;
use crate::source::{Source, Span, mask, secret_names};
use crate::suppress::{inline, mitigation};
use sha2::{Digest, Sha256};
use smol_str::{SmolStr, format_smolstr};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, Read};
use std::sync::Arc;

/// What was found in one source.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Recognised documents.
    pub documents: Vec<DocumentRef>,
    /// Number of targets by kind.
    pub targets: BTreeMap<String, u64>,
    /// Findings, sorted by offset, length, rule, profile, pointer.
    pub findings: Vec<Finding>,
    /// Rules that could not judge a target.
    pub not_judged: Vec<NotJudged>,
    /// Errors.
    pub errors: Vec<FileError>,
    /// Spans of known secrets in files with findings; everything where [`Source::is_quoted`] is false.
    pub secrets: Vec<Span>,
    /// Family and generic profiles that were applied, with the reason.
    pub profiles: BTreeSet<ProfileRef>,
    /// Targets that every applicable rule could judge.
    pub judged: u64,
    /// Targets that some applicable rule could not judge.
    pub not_judged_targets: u64,
    /// Judgements that found nothing wrong.
    pub passed: u64,
    /// Targets by the policy's workflow (its index) they were judged as.
    pub workflows: BTreeMap<usize, u64>,
    /// What comments say about findings of rules that span documents.
    pub allowed: Vec<inline::Allow>,
    /// What the targets leave behind for rules that span documents.
    pub facts: Vec<Fact>,
    /// True when some document was recognised.
    pub recognised: bool,
    /// Set when a rule itself is defective: `rule: why`.
    pub defects: Vec<String>,
    /// True when this is a part of a large source and further parts follow.
    pub more: bool,
    /// What is in the source, when the plan asks for an inventory.
    pub inventory: Vec<Entry>,
    /// True when the source says itself that it is a part of something larger (a page of a list).
    pub partial: bool,
    /// True when a part belongs to a document whose format holds no metadata of issuers.
    pub issuerless: bool,
    /// True when errors kept earlier parts of the source from being judged as a whole.
    pub gapped: bool,
    /// Of a run: the service that each file of one belongs to, see [`crate::report::Run::services`].
    pub services: BTreeMap<String, usize>,
}

/// Sources above this many bytes (4 MiB) are handed out in parts, see [`check_in_parts`] and [`check_list`].
pub const WHOLE: usize = 4 << 20;
/// Secrets of a document that are counted; a list that is judged while it is read may hold any number.
const MAX_SECRETS: usize = 100_000;
/// Findings, gaps and secrets that make a part.
const PART: usize = 4096;

/// Checks one source under a plan at a time (`now`: seconds since 1970).
pub fn check(plan: &Plan, source: &Arc<Source>, now: i64) -> Outcome {
    run(plan, source, now, None)
}

/// The same, but a large list is handed out in parts while it is read, so that what is held in memory does not grow
/// with it. Every part is in order in itself; what concerns the document as a whole comes with the last part.
pub fn check_in_parts(plan: &Plan, source: &Arc<Source>, now: i64, sink: &mut PartSink<'_>) {
    if source.text().len() <= WHOLE {
        return sink(source, check(plan, source, now));
    }
    let last = run(plan, source, now, Some(sink));
    sink(source, last);
}

/// Receives the parts of a source, each with the text it is about.
pub type PartSink<'s> = dyn FnMut(&Arc<Source>, Outcome) + 's;

/// Judges a large JSON list while it is read, so that neither text nor values are in memory as a whole. The parts are those
/// of [`check_in_parts`]; what was found before a place where the list is broken counts. Where `input` holds something else,
/// or a list that has to be seen as a whole, it is given back to be read: the bytes that were taken from it, and the rest.
/// `frame` is a source without text that has the name of the file and what else is known of it.
pub fn check_list(
    plan: &Plan,
    frame: &Source,
    input: Box<dyn Read + Send>,
    now: i64,
    sink: &mut PartSink<'_>,
) -> io::Result<Option<crate::parse::flow::Rest>> {
    let (document, adapter, kind) = match discover::flowing(frame, input)? {
        Ok(known) => known,
        Err(other) => return Ok(Some(other)),
    };
    let source = Arc::clone(&document.source);
    let mut run = Run::new(plan, &source, now);
    run.flow = Some(Flowing { sink, window: Arc::clone(&source), reached: 0, gapped: false });
    run.outcome.recognised = true;
    run.mask(&document);
    run.document(&document, kind, |sink| adapter.adapt(&document, kind, sink));
    let mut last = run.finish();
    let beginning = document.root().span().end as usize;
    last.secrets.push(Span::new(beginning, source.text().len()));
    sink(&source, last);
    Ok(None)
}

fn run<'r>(plan: &'r Plan, source: &'r Arc<Source>, now: i64, sink: Option<&'r mut PartSink<'r>>) -> Outcome {
    let recognised = discover::recognise(source);
    let mut run = Run::new(plan, source, now);
    run.parts = sink.map(|sink| Parts { sink, source, known: vec![], held: None, reached: 0, gapped: false });
    for (message, span) in recognised.trouble() {
        let region = Some(Region::of(source, span));
        run.outcome.errors.push(FileError { path: source.name().to_string(), message, region });
    }
    run.outcome.recognised = recognised.is_known();
    let comments = recognised.documents.iter().flat_map(|(document, _)| document.tree.comments.iter().copied());
    let allowed = match run.outcome.recognised {
        true => inline::read(source, &comments.collect::<Vec<_>>()),
        false => vec![],
    };
    // A finding about a comment shows the lines around it.
    run.masks_all = !allowed.is_empty();
    for (document, known) in &recognised.documents {
        if run.masks_all {
            run.mask(document);
        }
        if let Some((adapter, kind)) = known {
            run.document(document, kind, |sink| adapter.adapt(document, kind, sink));
        }
    }
    if !run.outcome.recognised {
        run.note_unrecognised();
    }
    let mut outcome = run.finish();
    if !allowed.is_empty() {
        inline::apply(plan, source, &allowed, &mut outcome, now);
        sort(&mut outcome.findings);
        outcome.allowed = allowed.into_iter().filter(|allow| plan.joins(&allow.rule)).collect();
    }
    outcome
}

/// Spans of every known secret in a source, whether something was found in it or not.
pub fn secrets(plan: &Plan, source: &Arc<Source>) -> Vec<Span> {
    let recognised = discover::recognise(source);
    let mut run = Run::new(plan, source, 0);
    run.masks_all = true;
    for (document, known) in &recognised.documents {
        run.mask(document);
        if let Some((adapter, kind)) = known {
            run.document(document, kind, |sink| adapter.adapt(document, kind, sink));
        }
    }
    run.finish().secrets
}

/// Judges targets that no adapter read (suppressions); their fields point into `document`.
pub fn check_targets(plan: &Plan, document: &Document, targets: &[Target<'_>], now: i64) -> Outcome {
    let mut run = Run::new(plan, &document.source, now);
    for target in targets {
        run.judge(&[document], target);
    }
    run.finish()
}

/// Judges a target that stands in no text anybody is shown. Neither facts nor secrets are kept.
pub(crate) fn check_alone(plan: &Plan, document: &Document, target: &Target<'_>, now: i64) -> Vec<Finding> {
    let mut run = Run::new(plan, &document.source, now);
    run.alone = true;
    run.judge(&[document], target);
    run.findings()
}

/// The same of a token that was found somewhere, as if it stood at this place of a document: what it is for, and what is wrong
/// with it.
pub(crate) fn check_token(
    plan: &Plan,
    at: Cursor<'_>,
    token: &Opened<'_>,
    now: i64,
) -> Option<(TargetKind, Vec<Finding>)> {
    let mut alone = Alone { run: Run::new(plan, &at.document.source, now), kind: None };
    alone.run.alone = true;
    opened(at, token, &mut alone);
    Some((alone.kind?, alone.run.findings()))
}

/// A token on its own. Of the document around it nothing is asked.
struct Alone<'r> {
    run: Run<'r>,
    /// What it is for.
    kind: Option<TargetKind>,
}

impl Sink for Alone<'_> {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        self.kind = Some(target.kind);
        let (target, _) = self.run.assign(target);
        self.run.judge(documents, &target);
    }

    fn secret(&mut self, _: &Document, _: NodeId) {}

    fn error(&mut self, _: &Document, _: NodeId, _: String) {}

    fn paging(&mut self, _: NodeId, _: i64, _: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}

/// Ends the message on a lifetime that who runs this cannot change.
pub(crate) const ASK_THE_VO: &str =
    "; only the VO can change that: ask it to shorten it, or for the waiver with its agreement";

struct Run<'r> {
    plan: &'r Plan,
    source: &'r Arc<Source>,
    now: i64,
    outcome: Outcome,
    kind: &'static str,
    /// See [`Outcome::issuerless`].
    issuerless: bool,
    targets: u64,
    /// Facts of the current document.
    secrets: Vec<(Arc<str>, Option<Holder>)>,
    /// There are more than are kept.
    more_secrets: bool,
    secrets_expected: bool,
    paging: Option<(NodeId, i64, NodeId, i64)>,
    /// Documents (by their place) whose notes and secrets are taken already.
    noted: HashSet<String>,
    masked: HashSet<String>,
    /// Secrets of every document are noted, with findings or without.
    masks_all: bool,
    /// The rule at work (one rule's judgements of a target follow each other) and its findings by profile and field.
    ordinals: (SmolStr, Vec<(usize, &'static str, usize)>),
    parts: Option<Parts<'r>>,
    flow: Option<Flowing<'r>>,
    /// Name of the workflow that the current target belongs to.
    workflow: Option<SmolStr>,
    /// Nobody asks for facts or profiles, nor for the secrets of a text that is not shown.
    alone: bool,
    /// The current target as reports show it, once something is to be said of it.
    shown: Option<Shown>,
    /// Places of the current target that were looked up last.
    spots: Vec<(At, Spot)>,
}

/// What shows a secret in the document at the top of a file.
enum Holder {
    /// The secret itself.
    Value(NodeId),
    /// The text at this pointer, with another document in it that has the secret.
    Text(String),
}

impl Holder {
    fn place(&self, document: &Document) -> Option<At> {
        match self {
            Holder::Value(node) => Some(At::node(*node)),
            Holder::Text(pointer) => document.at_pointer(pointer).map(|text| At::node(text.id)),
        }
    }
}

/// What all findings of a target share.
struct Shown {
    target: TargetRef,
    identity: SmolStr,
    /// What fingerprints tell it by.
    anchor: SmolStr,
}

/// A large source on its way out.
struct Parts<'r> {
    sink: &'r mut PartSink<'r>,
    source: &'r Arc<Source>,
    /// Stretches of the text whose secrets are known: the first, and those about the part that is held.
    known: Vec<Known>,
    /// The part that waits until the secrets behind it are known, since reports show the lines around a finding.
    held: Option<Outcome>,
    /// Where the last target ends.
    reached: u32,
    /// Some part had errors.
    gapped: bool,
}

/// A list on its way through: of its text only the window is in memory.
struct Flowing<'r> {
    sink: &'r mut PartSink<'r>,
    window: Arc<Source>,
    /// Where the last target in it ends. Of what stands behind nobody knows the secrets.
    reached: u32,
    /// Some part had errors.
    gapped: bool,
}

/// A stretch of text that was searched for secrets.
struct Known {
    text: Span,
    secrets: Vec<Span>,
}

impl Parts<'_> {
    /// Takes a part; the one before it goes out.
    fn take(&mut self, mut part: Outcome, end: u32) -> Outcome {
        part.gapped = self.gapped;
        self.gapped |= !part.errors.is_empty();
        let start = self.known.last().map_or(0, |known| known.text.end);
        let secrets = std::mem::take(&mut part.secrets);
        self.known.push(Known { text: Span { start, end: end.max(start) }, secrets });
        if let Some(mut held) = self.held.take() {
            held.secrets = self.hidden();
            (self.sink)(self.source, held);
        }
        if self.known.len() > 3 {
            self.known.remove(1);
        }
        part
    }

    /// The known secrets, and everything that was not searched or is forgotten.
    fn hidden(&self) -> Vec<Span> {
        let mut hidden = Vec::new();
        let mut at = 0;
        for known in &self.known {
            hidden.push(Span { start: at, end: known.text.start });
            hidden.extend(&known.secrets);
            at = known.text.end;
        }
        hidden.push(Span { start: at, end: u32::MAX });
        hidden.retain(|span| !span.is_empty());
        hidden
    }
}

impl<'r> Run<'r> {
    fn new(plan: &'r Plan, source: &'r Arc<Source>, now: i64) -> Self {
        Run {
            plan,
            source,
            now,
            outcome: Outcome::default(),
            kind: "",
            issuerless: false,
            targets: 0,
            secrets: vec![],
            more_secrets: false,
            secrets_expected: false,
            paging: None,
            noted: HashSet::new(),
            masked: HashSet::new(),
            masks_all: false,
            ordinals: Default::default(),
            parts: None,
            flow: None,
            workflow: None,
            alone: false,
            shown: None,
            spots: vec![],
        }
    }

    fn document(&mut self, document: &Document, kind: &'static str, adapt: impl FnOnce(&mut dyn Sink)) {
        self.kind = kind;
        self.issuerless = self.parts.is_some() || self.flow.is_some();
        self.issuerless &=
            adapt::kinds().all(|known| known.name != kind || !known.targets.contains(&TargetKind::Issuer));
        self.targets = 0;
        self.secrets.clear();
        self.more_secrets = false;
        self.secrets_expected = false;
        self.paging = None;
        if self.parts.is_some() {
            self.mask(document);
        }
        adapt(self);
        if let Some((source, error)) = document.flow_error() {
            let message = format!("not readable as {}: {}", document.syntax.name(), error.message);
            let region = Some(Region::of(&source, error.span));
            self.outcome.errors.push(FileError { path: self.source.name().to_string(), message, region });
        }
        self.enter(document);
        let targets = self.targets;
        self.facts(document);
        self.native(document);
        let path = self.source.name().to_string();
        self.outcome.documents.push(DocumentRef { path, kind: kind.to_string(), targets });
    }

    /// Judges the document as a whole.
    fn facts(&mut self, document: &Document) {
        let mut facts = notes(document, 0);
        facts.kind = Field::text(self.kind, None);
        if let Some(open) = self.source.open_to_all() {
            facts.open_to_all = Field::bool(open, None);
        }
        if let Some((shown, count, total, number)) = self.paging {
            facts.paging_shown = Field::int(count, At::node(shown));
            facts.paging_total = Field::int(number, At::node(total));
            self.outcome.partial |= count < number;
        }
        if !self.secrets.is_empty() {
            let named = self.secrets.iter().map(|(name, holder)| {
                let value = if let Some(Holder::Value(node)) = holder { Some(At::node(*node)) } else { None };
                Field::text(name.to_string(), value)
            });
            let more = self.more_secrets.then(|| Field::text("others, which were not counted", None));
            let items = named.chain(more).collect();
            let first = self.secrets.iter().find_map(|(_, holder)| holder.as_ref());
            facts.secrets = Field::list(items, first.and_then(|holder| holder.place(document)));
            facts.secrets_expected = Field::bool(self.secrets_expected, None);
        }
        let target = Target::new(TargetKind::Document, document.source.name().as_str(), facts);
        self.judge(&[document], &target);
    }

    fn native(&mut self, document: &Document) {
        let target = Target::new(TargetKind::Document, document.source.name().as_str(), DocumentFacts::default());
        let before = self.outcome.findings.len();
        let (plan, kind, now) = (self.plan, self.kind, self.now);
        self.turn_to_another();
        judge_native(plan, document, kind, now, &mut |rule, planned, judgement| {
            self.take(&[document], &target, rule, planned, judgement);
        });
        self.mask_found(&[document], before);
    }

    /// Finds the workflow that a target belongs to; its index is told beside the target, which then knows it.
    fn assign<'d>(&mut self, target: Target<'d>) -> (Target<'d>, Option<usize>) {
        let workflows = &self.plan.workflows;
        let (target, index) = workflows.assign(self.source.anchor(), target);
        let workflow = index.and_then(|index| workflows.all().get(index));
        self.workflow = workflow.map(|workflow| message::quote(&workflow.raw.name).into());
        (target, index)
    }

    /// Forgets what is known of the target before.
    fn turn_to_another(&mut self) {
        self.ordinals.0 = SmolStr::default();
        self.shown = None;
        self.spots.clear();
    }

    /// Judges a target and takes the outcomes; true when every applicable rule could judge it.
    fn judge(&mut self, documents: &[&Document], target: &Target<'_>) -> bool {
        let profiles = ProfileSet::of(self.plan, target);
        let (before, findings) = (self.outcome.not_judged.len(), self.outcome.findings.len());
        let plan = self.plan;
        let now = self.now;
        self.turn_to_another();
        let passed = judge(plan, target, &profiles, now, &mut |rule, planned, judgement| {
            self.take(documents, target, rule, planned, judgement);
        });
        self.outcome.passed += passed;
        if self.alone {
            return self.outcome.not_judged.len() == before;
        }
        self.keep_fact(documents, target, &profiles);
        for (profile, why) in &profiles.shown {
            let id = plan.book.profiles[*profile].id.clone();
            self.outcome.profiles.insert(ProfileRef { id, why: why.clone() });
        }
        self.mask_found(documents, findings);
        self.outcome.not_judged.len() == before
    }

    /// Keeps what joining rules read of this target.
    fn keep_fact(&mut self, documents: &[&Document], target: &Target<'_>, profiles: &ProfileSet) {
        let kept = self.plan.fact_fields(target.kind);
        if kept.is_empty() {
            return;
        }
        if target.kind == TargetKind::Document && self.plan.only_names_documents {
            return self.note_file();
        }
        let kept = kept.iter().filter_map(|(&index, &keep)| {
            let field = target.record.field(index);
            let place = |field: &Field<'_>, least| field.at.filter(|_| keep >= least).map(|at| Spot::at(documents, at));
            let items = if keep == Keep::Items { field.items() } else { &[] };
            (!field.is_absent()).then(|| Kept {
                index,
                field: field.to_owned_field(),
                spot: place(field, Keep::Place),
                items: items.iter().map(|item| place(item, Keep::Items)).collect(),
            })
        });
        let fields = kept.collect();
        let spot = Spot::at(documents, target.at);
        let Shown { target: shown, identity, anchor } = self.shown(documents, target);
        let (name, identity, anchor) = (shown.name.clone(), identity.clone(), anchor.clone());
        self.outcome.facts.push(Fact {
            kind: target.kind,
            name,
            identity,
            path: self.source.name().clone(),
            anchor,
            document: self.kind,
            given: false,
            workflow: self.workflow.clone(),
            spot,
            profiles: profiles.without_evidence(),
            #[cfg(feature = "verify")]
            proof: match self.plan.verifies() {
                true => crate::verify::Proof::of(target.kind, documents, target.at),
                false => None,
            },
            home: self.home(target),
            service: None,
            fields,
        });
    }

    /// Leaves behind that the run holds this file, though nothing in it is known.
    fn note_unrecognised(&mut self) {
        if !self.plan.fact_fields(TargetKind::Document).is_empty() {
            self.note_file();
        }
    }

    fn note_file(&mut self) {
        self.outcome.facts.push(Fact::of_file(self.source.name()));
    }

    /// What tells the service that a target belongs to.
    fn home(&self, target: &Target<'_>) -> Option<Home> {
        let of_service = matches!(target.kind, TargetKind::Service | TargetKind::Trust | TargetKind::Mapping);
        let fields = target.kind.fields().iter();
        let product = fields.zip(0..).find(|(spec, _)| of_service && spec.name == "product");
        let product = product.and_then(|(_, index)| target.record.field(index).as_text())?;
        let declared = self.plan.software.as_ref().filter(|known| known.product == product);
        Home::new(product, declared.and_then(|known| known.entry))
    }

    /// Masks documents in which something was found since there were `before` findings.
    fn mask_found(&mut self, documents: &[&Document], before: usize) {
        if self.outcome.findings.len() > before {
            documents.iter().for_each(|document| self.mask(document));
        }
    }

    fn take(
        &mut self,
        documents: &[&Document],
        target: &Target<'_>,
        rule: &Rule,
        planned: &Planned,
        judgement: Judgement,
    ) {
        match judgement {
            Judgement::Pass => self.outcome.passed += 1,
            Judgement::NotApplicable => {}
            Judgement::Error(defect) => self.outcome.defects.push(format!("{}: {defect}", rule.id)),
            Judgement::NotJudged { field, why } => {
                let path = self.source.name().clone();
                let target = self.shown(documents, target).target.clone();
                let entry = NotJudged { rule: rule.id.clone(), path, target, field: field.into(), why };
                // The same rule under several profiles is one gap.
                if self.outcome.not_judged.last() != Some(&entry) {
                    self.outcome.not_judged.push(entry);
                }
            }
            Judgement::Fail { at, field, message } => {
                let finding = self.finding(documents, target, rule, planned, &at, field, message);
                self.outcome.findings.push(finding);
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // the parts of one finding
    fn finding(
        &mut self,
        documents: &[&Document],
        target: &Target<'_>,
        rule: &Rule,
        planned: &Planned,
        at: &[At],
        field: &'static str,
        mut message: String,
    ) -> Finding {
        if planned.asks_vo {
            message.push_str(ASK_THE_VO);
        }
        let primary = self.spot(documents, at.first().copied().unwrap_or(target.at));
        let mut related: Vec<Related> = at
            .iter()
            .skip(1)
            .map(|&at| {
                let place = Spot::at(documents, at);
                let path = self.source.name().clone();
                Related { message: "belongs to it".into(), path, region: place.region, pointer: place.pointer }
            })
            .collect();
        if rule.body().at.is_empty() && target.kind == TargetKind::Document {
            related.extend(at.first().and_then(|at| self.earlier(documents.get(at.document as usize)?, at.node)));
        }
        let profile = &self.plan.book.profiles[planned.profile];
        let ordinal = self.ordinal(&rule.id, planned.profile, field);
        let index = target.kind.fields().iter().position(|spec| spec.name == field);
        let fault = self.fault(documents, target, index, &primary);
        let path = self.source.name().clone();
        let Shown { target: shown, identity, anchor } = self.shown(documents, target);
        let ordinal = format_smolstr!("{ordinal}");
        let fingerprint = fingerprint(&[&rule.id, &profile.raw.family, &shown.kind, anchor, field, &ordinal]);
        Finding {
            rule: rule.id.clone(),
            profile: profile.id.clone(),
            severity: planned.severity,
            default_severity: planned.default_severity,
            message,
            path,
            region: primary.region,
            fault,
            pointer: primary.pointer,
            inner_pointer: primary.inner_pointer,
            target: shown.clone(),
            requirements: rule.applications[planned.application].requirements.clone(),
            related,
            help: rule.help(),
            identity: identity.clone(),
            fingerprint,
            suppressed: None,
            deviation: planned.waivable.then(|| Box::new(self.deviation(target, planned, index))),
            measure: planned.limit.and_then(|limit| measure(target, index?, limit.value)),
        }
    }

    /// What a fingerprint tells a target by: its identity, or where it stands.
    fn anchor(&self, documents: &[&Document], target: &Target<'_>) -> SmolStr {
        match &*target.identity {
            "" => format_smolstr!("{}\0{}", self.source.anchor(), Spot::at(documents, target.at).pointer),
            identity => identity.into(),
        }
    }

    fn shown(&mut self, documents: &[&Document], target: &Target<'_>) -> &Shown {
        let shown = self.shown.take().unwrap_or_else(|| {
            let (kind, name) = (SmolStr::new_static(target.kind.name()), message::quote(&target.name).into());
            let target_ref = TargetRef { kind, name, workflow: self.workflow.clone() };
            let anchor = self.anchor(documents, target);
            Shown { target: target_ref, identity: (&*target.identity).into(), anchor }
        });
        self.shown.insert(shown)
    }

    /// Many findings of a target stand at few places.
    fn spot(&mut self, documents: &[&Document], at: At) -> Spot {
        const FEW: usize = 8;
        if let Some((_, spot)) = self.spots.iter().find(|(known, _)| *known == at) {
            return spot.clone();
        }
        let spot = Spot::at(documents, at);
        self.spots.truncate(FEW - 1);
        self.spots.insert(0, (at, spot.clone()));
        spot
    }

    /// The lines of what is at fault. Rules may point elsewhere than at the field (`index`), for example at the name of the
    /// target.
    fn fault(
        &mut self,
        documents: &[&Document],
        target: &Target<'_>,
        index: Option<usize>,
        primary: &Spot,
    ) -> (u32, u32) {
        let lines = |spot: &Spot| (spot.region.start_line, spot.last_line);
        let own = lines(primary);
        // What is wrong with a document is wrong where it shows; the rest of it is not at fault.
        if target.kind == TargetKind::Document {
            return own;
        }
        let Some(index) = index else { return own };
        let at = target.record.field(index).at;
        let (first, last) = lines(&self.spot(documents, at.unwrap_or(target.at)));
        if first <= own.0 && own.0 <= last && at.is_some() { own } else { (first, last) }
    }

    /// What a waiver has to know of a lifetime over its maximum, which the field of this index holds.
    fn deviation(&self, target: &Target<'_>, planned: &Planned, index: Option<usize>) -> Deviation {
        Deviation {
            lifetime: index.and_then(|index| target.record.field(index).as_int()),
            allowance: planned.limit.map_or(0, |limit| limit.allowance),
            untrue: mitigation::untrue(target, self.plan.narrow_depth),
        }
    }

    /// Counts the findings of the rule at work under one profile on one field.
    fn ordinal(&mut self, rule: &SmolStr, profile: usize, field: &'static str) -> usize {
        let (at_work, counts) = &mut self.ordinals;
        if at_work != rule {
            counts.clear();
            at_work.clone_from(rule);
        }
        match counts.iter_mut().find(|(of, on, _)| (*of, *on) == (profile, field)) {
            Some((.., count)) => {
                *count += 1;
                *count
            }
            None => {
                counts.push((profile, field, 1));
                1
            }
        }
    }

    /// For a duplicate key, the place of its first occurrence.
    fn earlier(&self, document: &Document, node: NodeId) -> Option<Related> {
        let note = document.tree.notes.iter().find(|note| note.node == node)?;
        let place = Spot::of(document.cursor(note.other?), 0);
        let path = self.source.name().clone();
        Some(Related { message: "first stands here".into(), path, region: place.region, pointer: place.pointer })
    }

    /// Notes the spans of a document's secrets, once per document.
    fn mask(&mut self, document: &Document) {
        if self.source.is_quoted() && self.masked.insert(place_of_root(document)) {
            self.outcome.secrets.extend(secret_spans(document).into_iter().map(|span| document.outer_span(span)));
        }
    }

    /// Notes the span of a secret value.
    fn hide(&mut self, value: Cursor<'_>) {
        let document = value.document;
        self.outcome.secrets.push(document.outer_span(value.span()));
        // A repeated key: the adapter sees the value that counts, the others are as secret.
        if let (Some(key), Some(parent)) = (value.key(), document.tree.parent(value.id)) {
            let twins = document.cursor(parent).entries().filter(|(name, _)| *name == key);
            self.outcome.secrets.extend(twins.map(|(_, twin)| document.outer_span(twin.span())));
        }
    }

    /// Hands out what was found so far, when that is enough for a part.
    fn part(&mut self, end: u32) {
        let outcome = &self.outcome;
        let Some(parts) = &mut self.parts else { return };
        parts.reached = parts.reached.max(end);
        if outcome.findings.len() + outcome.not_judged.len() + outcome.secrets.len() < PART {
            return;
        }
        let mut part = std::mem::take(&mut self.outcome);
        arrange(&mut part, self.source);
        (part.recognised, part.more, part.issuerless) = (true, true, self.issuerless);
        self.masked.clear();
        let part = parts.take(part, parts.reached);
        parts.held = Some(part);
    }

    /// Hands out what was found in the stretch of text that was in memory so far, when a document lies in another one.
    fn enter(&mut self, document: &Document) {
        let Some(flow) = &mut self.flow else { return };
        let source = document.decoded.as_ref().map_or(&document.source, |decoded| &decoded.outer);
        if Arc::ptr_eq(source, &flow.window) {
            return;
        }
        let window = std::mem::replace(&mut flow.window, Arc::clone(source));
        let mut part = std::mem::take(&mut self.outcome);
        arrange(&mut part, self.source);
        part.secrets.push(Span::new(flow.reached as usize, window.text().len()));
        flow.reached = 0;
        (part.recognised, part.more, part.gapped) = (true, true, flow.gapped);
        part.issuerless = self.issuerless;
        flow.gapped |= !part.errors.is_empty();
        self.masked.clear();
        self.noted.clear();
        (flow.sink)(&window, part);
    }

    /// Hands out the findings alone.
    fn findings(&mut self) -> Vec<Finding> {
        sort(&mut self.outcome.findings);
        std::mem::take(&mut self.outcome.findings)
    }

    fn finish(mut self) -> Outcome {
        arrange(&mut self.outcome, self.source);
        if let Some(flow) = &self.flow {
            (self.outcome.recognised, self.outcome.gapped) = (true, flow.gapped);
        }
        let Some(mut parts) = self.parts else { return self.outcome };
        self.outcome.recognised |= parts.held.is_some();
        let mut last = parts.take(self.outcome, u32::MAX);
        last.secrets = parts.hidden();
        last
    }
}

/// Brings what was found in a source into the order of reports.
fn arrange(outcome: &mut Outcome, source: &Source) {
    if !source.is_quoted() {
        outcome.secrets = vec![Span { start: 0, end: u32::MAX }];
    }
    sort(&mut outcome.findings);
    // What is said of two targets at one place, such as a line that trusts an issuer and maps its tokens, is said once.
    outcome.findings.dedup_by(|later, first| {
        (&later.rule, &later.profile, &later.message) == (&first.rule, &first.profile, &first.message)
            && (later.region, &later.pointer, &later.inner_pointer)
                == (first.region, &first.pointer, &first.inner_pointer)
    });
    outcome.secrets.sort();
    outcome.secrets.dedup();
    outcome
        .not_judged
        .sort_by(|a, b| (&a.target.name, &a.rule, &a.field, &a.why).cmp(&(&b.target.name, &b.rule, &b.field, &b.why)));
    outcome.not_judged.dedup();
    outcome.defects.sort();
    outcome.defects.dedup();
}

/// Judges what spans documents, once all were checked: the findings, and what could not be judged.
pub fn check_fleet(plan: &Plan, mut facts: Vec<Fact>, now: i64) -> Outcome {
    link(&mut facts, &plan.book.registry);
    #[cfg(feature = "verify")]
    let unverified = crate::verify::settle(&mut facts);
    let said = judge_fleet(plan, &facts, now);
    let mut outcome = Outcome { passed: said.passed, ..Outcome::default() };
    outcome.services = facts.iter().filter_map(|fact| Some((fact.path.to_string(), fact.service?))).collect();
    let gaps = said.gaps.into_iter().map(|(fact, rule, field, why)| NotJudged {
        rule: rule.id.clone(),
        path: fact.path.clone(),
        target: target_of(fact),
        field: field.into(),
        why,
    });
    let mut gaps: Vec<NotJudged> = gaps.collect();
    #[cfg(feature = "verify")]
    gaps.extend(unverified.into_iter().map(|(index, why)| NotJudged {
        rule: "token-signature-invalid".into(),
        path: facts[index].path.clone(),
        target: target_of(&facts[index]),
        field: "signature_valid".into(),
        why: why.to_string(),
    }));
    let mut seen: HashMap<(&str, &str, &str, &str), usize> = HashMap::new();
    for fleet in said.findings {
        let (fact, profile) = (fleet.fact, &plan.book.profiles[fleet.planned.profile]);
        let kind = fact.kind.name();
        let ordinal = seen.entry((&fleet.rule.id, &profile.id, &fact.anchor, fleet.field)).or_default();
        *ordinal += 1;
        outcome.findings.push(Finding {
            rule: fleet.rule.id.clone(),
            profile: profile.id.clone(),
            severity: fleet.planned.severity,
            default_severity: fleet.planned.default_severity,
            message: fleet.message,
            path: fact.path.clone(),
            region: fleet.spot.region,
            fault: (fleet.spot.region.start_line, fleet.spot.last_line),
            pointer: fleet.spot.pointer.clone(),
            inner_pointer: fleet.spot.inner_pointer.clone(),
            target: target_of(fact),
            requirements: fleet.rule.applications[fleet.planned.application].requirements.clone(),
            related: fleet.related.into_iter().map(|(other, spot)| related(other, spot)).collect(),
            help: fleet.rule.help(),
            fingerprint: fingerprint(&[
                &fleet.rule.id,
                &profile.raw.family,
                kind,
                &fact.anchor,
                fleet.field,
                &ordinal.to_string(),
            ]),
            identity: fact.identity.clone(),
            suppressed: None,
            deviation: None,
            measure: None,
        });
    }
    sort(&mut outcome.findings);
    gaps.sort_by(|a, b| {
        (&a.path, &a.target.name, &a.rule, &a.field).cmp(&(&b.path, &b.target.name, &b.rule, &b.field))
    });
    gaps.dedup();
    outcome.not_judged = gaps;
    outcome
}

/// By how much a duration, count or size misses a bound.
fn measure(target: &Target<'_>, index: usize, bound: i64) -> Option<Measure> {
    let field = target.record.field(index);
    match target.kind.fields()[index].ty {
        FieldType::Seconds | FieldType::Int => Some(Measure { value: field.quantity()?, bound }),
        _ => None,
    }
}

fn target_of(fact: &Fact) -> TargetRef {
    TargetRef { kind: SmolStr::new_static(fact.kind.name()), name: fact.name.clone(), workflow: fact.workflow.clone() }
}

fn related(other: &Fact, spot: &Spot) -> Related {
    Related {
        message: format_smolstr!("{} {}", other.kind, other.name),
        path: other.path.clone(),
        region: spot.region,
        pointer: spot.pointer.clone(),
    }
}

/// Puts findings into the order of every report.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| a.order().cmp(&b.order()));
}

impl Sink for Run<'_> {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        self.enter(documents[0]);
        self.targets += 1;
        if self.masks_all {
            documents.iter().for_each(|document| self.mask(document));
        }
        *self.outcome.targets.entry(target.kind.name().to_string()).or_default() += 1;
        for (index, document) in documents.iter().enumerate() {
            // What lies encoded in a line shows up beside the findings of its neighbours as well.
            if document.decoded.is_some() {
                self.mask(document);
            }
            let nested = !document.prefix.is_empty() || document.decoded.is_some();
            if nested && !document.tree.notes.is_empty() && self.noted.insert(place_of_root(document)) {
                let mut facts = notes(document, index as u8);
                facts.kind = Field::text(self.kind, None);
                let at = At::ROOT.of_document(index as u8);
                let whole = Target { at, ..Target::new(TargetKind::Document, target.name.clone(), facts) };
                self.judge(documents, &whole);
            }
        }
        let (target, workflow) = self.assign(target);
        if let Some(index) = workflow {
            *self.outcome.workflows.entry(index).or_default() += 1;
        }
        let audited = self.plan.audited.clone().map(|accepted| (accepted, self.anchor(documents, &target)));
        let target = match &audited {
            Some((accepted, anchor)) => accepted.compare(anchor, self.source.name(), target),
            None => target,
        };
        match self.judge(documents, &target) {
            true => self.outcome.judged += 1,
            false => self.outcome.not_judged_targets += 1,
        }
        self.workflow = None;
        if let Some((_, anchor)) = audited {
            let name = message::quote(&target.name);
            self.outcome.inventory.extend(Entry::of(&target, &anchor, self.source.name(), name.into_owned()));
        }
        if self.parts.is_some() {
            let span = documents[0].cursor(target.at.node).span();
            self.part(documents[0].outer_span(span).end);
        }
        if let Some(flow) = &mut self.flow {
            let span = documents[0].cursor(target.at.node).span();
            flow.reached = flow.reached.max(documents[0].outer_span(span).end);
        }
    }

    fn secret(&mut self, document: &Document, node: NodeId) {
        self.enter(document);
        let cursor = document.cursor(node);
        if self.source.is_quoted() {
            self.hide(cursor);
        }
        // A reference to a secret kept elsewhere (`${VARIABLE}`) is masked all the same, but it leaks nothing; nor does what
        // is left of a token.
        let harmless = |text: &str| text.is_empty() || adapt::is_placeholder(text) || is_defused(text);
        if cursor.scalar_text().is_some_and(harmless) {
            return;
        }
        let holder = match &document.decoded {
            Some(decoded) => Some(Holder::Text(decoded.outer_pointer.clone())),
            None => document.prefix.is_empty().then_some(Holder::Value(node)),
        };
        if self.secrets.len() == MAX_SECRETS {
            self.more_secrets = true;
            return;
        }
        let name = cursor.key().unwrap_or("value");
        let name = match self.secrets.last() {
            Some((last, _)) if **last == *name => Arc::clone(last),
            _ => Arc::from(name),
        };
        self.secrets.push((name, holder));
    }

    fn error(&mut self, document: &Document, node: NodeId, message: String) {
        self.enter(document);
        let region = Some(Spot::of(document.cursor(node), 0).region);
        self.outcome.errors.push(FileError { path: self.source.name().to_string(), message, region });
    }

    fn paging(&mut self, shown: NodeId, shown_count: i64, total: (NodeId, i64)) {
        self.paging = Some((shown, shown_count, total.0, total.1));
    }

    fn secrets_expected(&mut self) {
        self.secrets_expected = true;
    }
}

/// What a document's reader noticed, as facts.
fn notes(document: &Document, index: u8) -> DocumentFacts<'static> {
    let of = |kind: NoteKind| -> Field<'static> {
        let noted = document.tree.notes.iter().filter(|note| note.kind == kind);
        let items: Vec<Field<'static>> = noted
            .map(|note| {
                let cursor = document.cursor(note.node);
                let text = match kind {
                    NoteKind::DuplicateKey | NoteKind::CutLine | NoteKind::Continuation => {
                        cursor.key().unwrap_or_default()
                    }
                    NoteKind::AmbiguousScalar | NoteKind::LoneSurrogate => cursor.scalar_text().unwrap_or_default(),
                };
                Field::text(text.to_string(), At::node(note.node).of_document(index))
            })
            .collect();
        if items.is_empty() { Field::default() } else { Field::list(items, None) }
    };
    DocumentFacts {
        duplicate_keys: of(NoteKind::DuplicateKey),
        ambiguous_scalars: of(NoteKind::AmbiguousScalar),
        ..DocumentFacts::default()
    }
}

fn place_of_root(document: &Document) -> String {
    let outer = document.decoded.as_ref().map(|decoded| (&decoded.outer_pointer, decoded.span));
    format!("{outer:?}{}", document.prefix)
}

/// Values that must never be shown: what stands under a secret's name at any depth, and private members of keys. Of a
/// document that lies encoded in another also whatever looks like a secret, since nothing else knows its shape there.
fn secret_spans(document: &Document) -> Vec<Span> {
    let mut found = Vec::new();
    // A container comes before what it holds.
    let mut under: Vec<Under<'_>> = Vec::with_capacity(document.tree.len());
    for id in document.tree.ids() {
        let cursor = document.cursor(id);
        let parent = document.tree.parent(id);
        let mut names = parent.map(|parent| under[parent.0 as usize]).unwrap_or_default();
        // Numbers and the like are no secrets, and hold none.
        let hides = cursor.as_str().is_some() || cursor.scalar_text().is_none();
        if let Some(key) = cursor.key() {
            names.secret = Some(key).filter(|key| hides && secret_names::is_secret_key(key)).or(names.secret);
            let of_key = || parent.is_some_and(|parent| document.cursor(parent).has("kty"));
            names.private |= mask::is_private_jwk_member(key) && of_key();
        }
        under.push(names);
        let Some(text) = cursor.scalar_text() else { continue };
        let hidden = cursor.as_str().is_some() && names.secret.is_some_and(|key| is_secret(key, text));
        if hidden || names.private || (document.decoded.is_some() && mask::redact(text) != text) {
            found.push(cursor.span());
        }
    }
    found
}

/// What the names of a value and of the containers around it say.
#[derive(Clone, Copy, Default)]
struct Under<'d> {
    /// The innermost that is the name of a secret.
    secret: Option<&'d str>,
    /// One is a private member of a JWK; `oth` holds further ones.
    private: bool,
}

/// Is a value under the name of a secret one? Of a JWT only the signature is, and the masked view knows its shape; a
/// refresh token is all secret.
fn is_secret(key: &str, text: &str) -> bool {
    let jwt = crate::parse::jwt::looks_like_jwt(text) && !key.to_ascii_lowercase().contains("refresh");
    !jwt && !mask::is_token_lifetime(key, text)
}

/// Stable identity of a finding: never message, offsets, checked value or a secret.
fn fingerprint(parts: &[&str]) -> String {
    // Hashed in one piece, since the parts are small.
    let mut text = Vec::with_capacity(256);
    text.push(b'1');
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    hex(&Sha256::digest(&text)[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Adjustments, Selection};
    use crate::report::View;
    use crate::rule::RuleBook;

    /// Clients, several on a line, each with a secret and something to find.
    fn clients(number: usize) -> String {
        let client = |n: usize| {
            let end = if n.is_multiple_of(3) { "\n" } else { " " };
            format!(
                r#"{{"client_id": "c{n}", "client_name": "client {n}", "client_secret": "TESTSECRET{n}", "active": true,
                "token_endpoint_auth_method": "none", "redirect_uris": ["http://host.example.org/{n}", "http://a.b/*"],
                "grant_types": ["implicit", "password", "refresh_token"], "response_types": ["token"], "scope": "openid",
                "access_token_validity_seconds": 9000000, "filler": "{:200}"}},{end}"#,
                ""
            )
        };
        let clients: String = (0..number).map(client).collect();
        clients.trim_end().trim_end_matches(',').to_string()
    }

    fn listing(number: usize) -> Arc<Source> {
        let list = clients(number);
        let text = format!(r#"{{"db_password": "TESTSECRET", "Resources": [{list}], "api_key": "TESTSECRET"}}"#);
        Arc::new(Source::from_text("listing", text))
    }

    #[test]
    fn parts_hold_what_the_whole_holds_and_show_no_secret() {
        let book = Arc::new(RuleBook::builtin().expect("built in"));
        let plan = Plan::new(book, Selection::Auto, &Adjustments::default());
        let source = listing(2500);
        let mut parts = Vec::new();
        let last = run(&plan, &source, 0, Some(&mut |_, part| parts.push(part)));
        assert!(parts.len() > 2 && parts.iter().all(|part| part.more) && !last.more);
        let before: usize = parts.iter().map(|part| part.findings.len()).sum();
        assert!(parts.iter().all(|part| part.findings.len() < 2 * PART) && last.findings.len() < before);
        parts.push(last);
        for part in &parts {
            let shown = View::new(&source, &part.secrets).text(0..source.text().len());
            assert!(!shown.contains("TESTSECRET"));
            // What is near a finding can still be read.
            let readable = |finding: &Finding| {
                let from = finding.region.byte_offset as usize;
                !View::new(&source, &part.secrets).text(from..from + 8).contains('*')
            };
            assert!(part.findings.iter().filter(|finding| finding.target.kind == "client").take(5).all(readable));
        }
        let mut findings: Vec<Finding> = parts.iter().flat_map(|part| part.findings.iter().cloned()).collect();
        sort(&mut findings);
        let whole = check(&plan, &source, 0);
        assert_eq!(findings.len(), whole.findings.len());
        assert_eq!(findings, whole.findings);
        assert_eq!(parts.iter().map(|part| part.judged).sum::<u64>(), whole.judged);
        assert_eq!(parts.last().map(|part| &part.documents), Some(&whole.documents));
    }

    #[test]
    fn a_list_that_is_judged_while_it_is_read_is_judged_as_a_whole() {
        let book = Arc::new(RuleBook::builtin().expect("built in"));
        let plan = Plan::new(book, Selection::Auto, &Adjustments::default());
        let list = clients(2500).replacen("\"scope\"", "\"active\": false, \"scope\"", 2000);
        for text in [format!("[{list}]"), format!("\u{feff}\n [{}]\n", list.replace('\n', " "))] {
            let source = Arc::new(Source::from_text("listing", text.as_str()).anchored("there/listing"));
            let whole = check(&plan, &source, 0);
            let (mut parts, mut largest) = (Vec::new(), 0);
            let frame = Source::from_text("listing", "").anchored("there/listing");
            let back = check_list(&plan, &frame, Box::new(io::Cursor::new(text.clone())), 0, &mut |window, part| {
                largest = largest.max(window.text().len());
                let (from, view) = (window.origin().byte as usize, View::new(window, &part.secrets));
                let shown = view.text(from..from + window.text().len());
                assert!(!shown.contains("TESTSECRET"));
                parts.push(part);
            });
            assert!(back.expect("no device fails").is_none());
            assert!(parts.len() > 3 && largest * 3 < text.len());
            assert!(parts[..parts.len() - 1].iter().all(|part| part.more) && !parts[parts.len() - 1].more);
            let mut findings: Vec<Finding> = parts.iter().flat_map(|part| part.findings.iter().cloned()).collect();
            let about = |finding: &Finding| finding.target.kind == "client";
            let offsets: Vec<u64> = findings.iter().filter(|f| about(f)).map(|f| f.region.byte_offset).collect();
            assert!(offsets.is_sorted(), "clients come in the order of the document");
            sort(&mut findings);
            assert_eq!(findings.len(), whole.findings.len());
            for (found, expected) in findings.iter().zip(&whole.findings) {
                assert_eq!(found, expected);
            }
            let sum = |of: fn(&Outcome) -> u64| parts.iter().map(of).sum::<u64>();
            assert_eq!(sum(|part| part.judged), whole.judged);
            assert_eq!(sum(|part| part.passed), whole.passed);
            assert_eq!(sum(|part| part.not_judged.len() as u64), whole.not_judged.len() as u64);
            assert_eq!(sum(|part| part.targets.get("client").copied().unwrap_or(0)), whole.targets["client"]);
            assert_eq!(parts.iter().flat_map(|part| part.documents.clone()).collect::<Vec<_>>(), whole.documents);
            assert_eq!(parts.iter().flat_map(|part| part.profiles.clone()).collect::<BTreeSet<_>>(), whole.profiles);
        }
    }

    #[test]
    fn of_a_source_that_nobody_quotes_nothing_can_be_read() {
        let book = Arc::new(RuleBook::builtin().expect("built in"));
        let plan = Plan::new(book, Selection::Auto, &Adjustments::default());
        let large = format!("[{}]", clients(2500));
        for text in [format!("[{}]", clients(2)), large.clone()] {
            let quoted = Arc::new(Source::from_text("listing", text.as_str()));
            let source = Arc::new(Source::from_text("listing", text.as_str()).unquoted());
            let mut findings = Vec::new();
            check_in_parts(&plan, &source, 0, &mut |source, part| {
                let shown = View::new(source, &part.secrets).text(0..source.text().len());
                assert!(!shown.contains(char::is_alphanumeric));
                findings.extend(part.findings);
            });
            sort(&mut findings);
            assert_eq!(findings, check(&plan, &quoted, 0).findings);
        }
        let frame = Source::from_text("listing", "").unquoted();
        let mut parts = 0;
        let back = check_list(&plan, &frame, Box::new(io::Cursor::new(large)), 0, &mut |window, part| {
            let (from, view) = (window.origin().byte as usize, View::new(window, &part.secrets));
            assert!(!view.text(from..from + window.text().len()).contains(char::is_alphanumeric));
            parts += 1;
        });
        assert!(back.expect("no device fails").is_none() && parts > 3);
    }
}

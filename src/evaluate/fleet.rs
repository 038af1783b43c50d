//! Rules that span documents: they run once per run, on the compact facts that targets left behind.

use super::plan::{Entry, Plan, Planned};
use crate::model::{At, Field, Record, State, TargetKind, Value, url};
use crate::report::Region;
use crate::rule::condition::{Scope, Verdict};
use crate::rule::{Compiled, Hold, Joined, Rule};
use std::collections::{BTreeSet, HashMap};

/// Others that one target is compared with at the most; a group beyond that is cut and counted as not judged.
const MAX_GROUP: usize = 1000;

/// Where something stands in a file, resolved while the file was in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Place in the file.
    pub region: Region,
    /// Pointer in the file's document.
    pub pointer: String,
    /// Pointer in the document decoded from there.
    pub inner_pointer: Option<String>,
}

/// What a target leaves behind for the rules that join: the fields they read, and where those stand.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Kind of the target.
    pub kind: TargetKind,
    /// What users call it.
    pub name: String,
    /// Its identity across runs; may be empty.
    pub identity: String,
    /// The file it came from.
    pub path: String,
    /// What a fingerprint tells it by: its identity, or where it stands.
    pub anchor: String,
    /// Native kind of the document (`jwks`).
    pub document: &'static str,
    /// True for keys the user gave to verify tokens with: they are nobody's target.
    pub given: bool,
    /// The policy's workflow it was judged as.
    pub workflow: Option<String>,
    /// Where the target stands.
    pub spot: Spot,
    /// Profiles that apply to it, by index into the rule book.
    pub profiles: super::ProfileSet,
    /// Kept fields by index, with the places of those that a finding may show.
    pub fields: Vec<(usize, Field<'static>, Option<Spot>)>,
    /// What verification needs of it; tokens are taken away when that is done.
    #[cfg(feature = "verify")]
    pub proof: Option<crate::verify::Proof>,
}

impl Record<'static> for Fact {
    fn field(&self, index: usize) -> &Field<'static> {
        self.fields.iter().find(|(known, ..)| *known == index).map_or(Field::absent(), |(_, field, _)| field)
    }
}

impl Fact {
    /// A kept field; absent when it was not kept.
    pub fn known(&self, index: usize) -> &Field<'static> {
        self.field(index)
    }

    fn spot_of(&self, index: usize) -> Option<&Spot> {
        self.fields.iter().find(|(known, ..)| *known == index).and_then(|(.., spot)| spot.as_ref())
    }
}

/// A finding that spans documents, before it is dressed for the report.
#[derive(Debug)]
pub struct FleetFinding<'f> {
    /// The rule.
    pub rule: &'f Rule,
    /// The profile and severity.
    pub planned: &'f Planned,
    /// The target that breaks the rule.
    pub fact: &'f Fact,
    /// Where.
    pub spot: &'f Spot,
    /// The field at fault.
    pub field: &'static str,
    /// What was found.
    pub message: String,
    /// The other target's places.
    pub related: Vec<(&'f Fact, &'f Spot)>,
}

/// What joining rules said.
#[derive(Debug, Default)]
pub struct FleetJudgements<'f> {
    /// What is wrong.
    pub findings: Vec<FleetFinding<'f>>,
    /// Targets that could not be judged: fact, rule, field, why.
    pub gaps: Vec<(&'f Fact, &'f Rule, String, String)>,
    /// Judgements that found nothing wrong.
    pub passed: u64,
}

/// Gives key sets, keys, clients and scope policies, whose files name no issuer, the issuer they belong to, where that is certain:
///
/// - the one issuer whose metadata lies in the same folder, for the one key set there, and for clients and policies of its
///   product;
/// - the one issuer of the run, for the one key set of the run when the file is called as the metadata's `jwks_uri` ends.
pub fn link(facts: &mut [Fact]) {
    let folders = Folders::new(facts);
    for fact in facts.iter_mut() {
        let Some(index) = field_of(fact.kind, "issuer").filter(|index| fact.field(*index).is_absent()) else {
            continue;
        };
        let metadata = match fact.kind {
            _ if fact.given => None,
            TargetKind::Key | TargetKind::KeySet if fact.document == "jwks" => folders.of_keys(&fact.path),
            TargetKind::Client => folders.of_client(fact),
            TargetKind::ScopePolicy => folders.of_policy(fact),
            _ => None,
        };
        if let Some(metadata) = metadata {
            fact.fields.push((index, Field { at: None, ..metadata.issuer.clone() }, None));
        }
    }
}

fn field_of(kind: TargetKind, name: &str) -> Option<usize> {
    kind.fields().iter().position(|spec| spec.name == name)
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The metadata of one issuer.
#[derive(Clone)]
struct Metadata {
    issuer: Field<'static>,
    jwks_uri: String,
    product: Option<String>,
}

/// Where metadata and key sets lie.
struct Folders {
    /// By folder; `None` where several issuers lie.
    issuers: HashMap<String, Option<Metadata>>,
    /// The only issuer of the run.
    alone: Option<Metadata>,
    /// Paths of key sets by folder.
    key_sets: HashMap<String, BTreeSet<String>>,
}

impl Folders {
    fn new(facts: &[Fact]) -> Self {
        let mut folders = Folders { issuers: HashMap::new(), alone: None, key_sets: HashMap::new() };
        let mut all: Option<Option<Metadata>> = None;
        for fact in facts {
            let place = folder(&fact.path);
            match fact.kind {
                TargetKind::Issuer => {
                    let text = |name| field_of(fact.kind, name).and_then(|index| fact.field(index).as_text());
                    let Some(issuer) = field_of(fact.kind, "issuer").map(|index| fact.field(index).clone()) else {
                        continue;
                    };
                    let metadata = Metadata {
                        issuer,
                        jwks_uri: text("jwks_uri").unwrap_or_default().to_string(),
                        product: text("product").map(str::to_string),
                    };
                    merge(
                        folders.issuers.entry(place.to_string()).or_insert_with(|| Some(metadata.clone())),
                        &metadata,
                    );
                    merge(all.get_or_insert_with(|| Some(metadata.clone())), &metadata);
                }
                TargetKind::Key | TargetKind::KeySet if fact.document == "jwks" && !fact.given => {
                    let known = folders.key_sets.entry(place.to_string()).or_default();
                    if !known.contains(&fact.path) {
                        known.insert(fact.path.clone());
                    }
                }
                _ => {}
            }
        }
        folders.alone = all.flatten();
        folders
    }

    fn of_keys(&self, path: &str) -> Option<&Metadata> {
        let beside = self.key_sets.get(folder(path)).map_or(0, BTreeSet::len);
        match (self.issuers.get(folder(path)), &self.alone) {
            (Some(Some(metadata)), _) if beside == 1 => Some(metadata),
            (None, Some(alone)) if beside == 1 && self.key_sets.len() == 1 && named_after(path, &alone.jwks_uri) => {
                Some(alone)
            }
            _ => None,
        }
    }

    /// Scope policies are INDIGO IAM's.
    fn of_policy(&self, policy: &Fact) -> Option<&Metadata> {
        let metadata = self.issuers.get(folder(&policy.path))?.as_ref()?;
        metadata.product.as_deref().is_none_or(|product| product == "indigo-iam").then_some(metadata)
    }

    fn of_client(&self, client: &Fact) -> Option<&Metadata> {
        let metadata = self.issuers.get(folder(&client.path))?.as_ref()?;
        let product = field_of(client.kind, "product").and_then(|index| client.field(index).as_text());
        // A client in another product's form was registered elsewhere.
        let other = metadata.product.as_deref().zip(product).is_some_and(|(theirs, ours)| theirs != ours);
        (!other).then_some(metadata)
    }
}

/// Two issuers in one place leave none.
fn merge(known: &mut Option<Metadata>, metadata: &Metadata) {
    match known {
        Some(same) if same.issuer.state == metadata.issuer.state => {
            same.product = same.product.take().or(metadata.product.clone());
        }
        Some(_) => *known = None,
        None => {}
    }
}

/// Is a file, its extension apart, called like the last segment of a URL (`jwks.json` for `…/oauth2/jwks`)?
fn named_after(path: &str, url: &str) -> bool {
    let stem = |text: &str| {
        let name = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default().to_ascii_lowercase()
    };
    let wanted = stem(url.split(['?', '#']).next().unwrap_or_default());
    !wanted.is_empty() && wanted == stem(path)
}

/// Runs every joining rule over linked facts.
pub fn judge_fleet<'f>(plan: &'f Plan, facts: &'f [Fact], now: i64) -> FleetJudgements<'f> {
    let mut said = FleetJudgements::default();
    for (kind, entry) in &plan.fleet {
        let rule = &plan.book.rules[entry.rule];
        let form = &rule.compiled[entry.form].1;
        let Some(join) = &form.join else { continue };
        let groups = Groups::new(facts, form, join);
        for fact in facts.iter().filter(|fact| fact.kind == *kind && !fact.given) {
            let apart = |other: &&Fact| !join.apart || other.path != fact.path;
            let others = groups.of(fact, join).filter(|other| !std::ptr::eq(*other, fact)).filter(apart);
            let judge = Judge { plan, entry, rule, form, join, fact, now };
            judge.against(&others.collect::<Vec<_>>(), &mut said);
        }
    }
    said
}

/// Others by the values they are joined on.
struct Groups<'f> {
    by_key: HashMap<Vec<String>, Vec<&'f Fact>>,
}

impl<'f> Groups<'f> {
    /// Of others that look the same to the check (and, where it matters, lie in the same file) two are kept: one for
    /// all, and one for the first itself. So the tokens of an issuer need not be compared each with each.
    fn new(facts: &'f [Fact], form: &Compiled, join: &Joined) -> Self {
        let mut by_key: HashMap<Vec<String>, Vec<&'f Fact>> = HashMap::new();
        let mut alike: HashMap<(Vec<String>, String), u8> = HashMap::new();
        let (_, read) = form.check.reads();
        for fact in facts.iter().filter(|fact| join.kinds.contains(&fact.kind)) {
            let Some(key) = key(fact, join.on.iter().map(|(_, theirs)| *theirs)) else { continue };
            let states: Vec<_> = read.iter().map(|index| fact.field(*index)).map(|field| &field.state).collect();
            let look = match join.apart {
                true => format!("{states:?}{}", fact.path),
                false => format!("{states:?}"),
            };
            let seen = alike.entry((key.clone(), look)).or_default();
            if *seen < 2 {
                *seen += 1;
                by_key.entry(key).or_default().push(fact);
            }
        }
        Groups { by_key }
    }

    fn of(&self, fact: &Fact, join: &Joined) -> impl Iterator<Item = &'f Fact> + '_ {
        let key = key(fact, join.on.iter().map(|(ours, _)| *ours));
        key.and_then(|key| self.by_key.get(&key)).into_iter().flatten().copied()
    }
}

/// The texts of the joined fields; `None` when one of them holds none.
fn key(fact: &Fact, fields: impl Iterator<Item = usize>) -> Option<Vec<String>> {
    fields
        .map(|index| match &fact.field(index).state {
            State::Value(Value::Text(text)) => Some(url::comparable(text)),
            State::Value(Value::Int(_) | Value::Bool(_) | Value::List(_)) => None,
            State::Absent | State::Unknown(_) | State::Malformed(_) | State::Unlimited => None,
        })
        .collect()
}

struct Judge<'f> {
    plan: &'f Plan,
    entry: &'f Entry,
    rule: &'f Rule,
    form: &'f Compiled,
    join: &'f Joined,
    fact: &'f Fact,
    now: i64,
}

impl<'f> Judge<'f> {
    fn scope<'s>(&self, other: Option<&'s Fact>, planned: &Planned) -> Scope<'s, 'static>
    where
        'f: 's,
    {
        let own = Scope::new(self.fact, self.fact.kind.fields(), &self.plan.book.registry, self.now);
        let own = Scope { environment: self.plan.environment, ..own };
        let other = other.map(|other| other as &dyn Record<'static>);
        Scope { other, limit: planned.limit, ..own }
    }

    fn gap(&self, said: &mut FleetJudgements<'f>, field: impl Into<String>, why: impl Into<String>) {
        said.gaps.push((self.fact, self.rule, field.into(), why.into()));
    }

    fn against(&self, others: &[&'f Fact], said: &mut FleetJudgements<'f>) {
        if others.is_empty() {
            return;
        }
        if others.len() > MAX_GROUP {
            self.gap(said, "join", format!("more than {MAX_GROUP} others belong to it; the rest was not compared"));
        }
        let others = &others[..others.len().min(MAX_GROUP)];
        for planned in self.entry.planned.iter().filter(|planned| self.fact.profiles.contains(planned.profile)) {
            let scope = self.scope(None, planned);
            match self.form.when.as_ref().map_or(Verdict::Holds, |when| when.applies(&scope)) {
                Verdict::Holds => self.under(planned, others, said),
                Verdict::Unknown { field, why } => self.gap(said, field, why),
                Verdict::Broken(_) | Verdict::Absent => {}
                Verdict::Defective(why) => self.gap(said, "rule", why),
            }
        }
    }

    fn under(&self, planned: &'f Planned, others: &[&'f Fact], said: &mut FleetJudgements<'f>) {
        let mut broken: Vec<&'f Fact> = Vec::new();
        let (mut held, mut open) = (false, None);
        for other in others {
            match self.form.check.judge(&self.scope(Some(other), planned)) {
                Verdict::Holds => held = true,
                Verdict::Broken(_) => broken.push(other),
                Verdict::Absent => {}
                Verdict::Unknown { field, why } => open = Some((field, why)),
                Verdict::Defective(why) => open = Some(("rule".to_string(), why)),
            }
        }
        let fails = match self.join.hold {
            Hold::All => !broken.is_empty(),
            // One whose answer is open might be the one that satisfies it.
            Hold::Any => !held && !broken.is_empty() && open.is_none(),
        };
        if fails {
            said.findings.push(self.finding(planned, &broken));
        } else if let Some((field, why)) = open.filter(|_| !(held && self.join.hold == Hold::Any)) {
            self.gap(said, field, why);
        } else {
            said.passed += u64::from(held);
        }
    }

    fn finding(&self, planned: &'f Planned, broken: &[&'f Fact]) -> FleetFinding<'f> {
        const SHOWN: usize = 3;
        let scope = self.scope(broken.first().copied(), planned);
        let violation = crate::rule::condition::Violation {
            at: None::<At>,
            field: "",
            item: broken.first().map(|other| other.name.clone()),
            reason: String::new(),
        };
        let profile = planned.profile_name(&self.plan.book);
        let first = self.form.at.first().copied();
        let related = broken.iter().take(SHOWN).map(|other| {
            let shown = self.join.show.iter().find_map(|index| other.spot_of(*index));
            (*other, shown.unwrap_or(&other.spot))
        });
        FleetFinding {
            rule: self.rule,
            planned,
            fact: self.fact,
            spot: first.and_then(|index| self.fact.spot_of(index)).unwrap_or(&self.fact.spot),
            field: first.map_or("", |index| scope.specs[index].name),
            message: self.form.message.render(&scope, &violation, &profile),
            related: related.collect(),
        }
    }
}

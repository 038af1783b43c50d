//! The rule book: rules, profiles and the requirement ledger, compiled and joined.
//!
//! A rule says what is wrong; the requirements it cites say under which profiles and how badly. So a rule's
//! severity and profiles are computed here, never written twice.

use super::condition::{self, Conditions, Defect, Limit};
use super::message::Template;
use super::{Hold, Join, OneOrMany, Prose, RawBody, RawExample, RawLogic, RawRule, Severity, Where};
use crate::model::{FieldSpec, TargetKind};
use crate::near::{did_you_mean, nearest};
use crate::profile::{
    LEDGER, ProfileClass, RawBound, RawLifetime, RawLifetimes, RawLimit, RawLimits, RawProfile, Registry, Requirement,
};
use serde_json_path::JsonPath;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// One version of a profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// `family@version`.
    pub id: SmolStr,
    /// As written.
    pub raw: RawProfile,
    /// The version for ranges and "newest".
    pub version: semver::Version,
    /// Its limits by name, wherever they are written.
    pub limits: BTreeMap<String, RawLimit>,
    /// The table the limits are from, when they are.
    pub table: Option<RawLifetimes>,
    /// What shows the family, compiled.
    pub(crate) evidence: Vec<Evidence>,
}

/// What shows that a target belongs to a profile.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) kind: TargetKind,
    pub(crate) when: Conditions,
    /// See [`crate::profile::RawEvidence::exact`].
    pub(crate) exact: bool,
    pub(crate) why: SmolStr,
}

/// A rule under one profile.
#[derive(Clone, Debug)]
pub struct Application {
    /// Index of the profile in the book.
    pub profile: usize,
    /// Severity the requirements (or the limit, or the rule itself) give.
    pub severity: Severity,
    /// Requirements of this profile that the rule rests on; empty for `general` rules.
    pub requirements: Vec<SmolStr>,
    /// The profile's bound, for rules with `limit:`.
    pub limit: Option<Limit>,
    /// Whether waivers may lift that bound, see [`crate::profile::RawLimit::waivable`].
    pub waivable: Option<bool>,
}

/// Prose, examples and path of a rule.
type Own = (Prose, Vec<RawExample>, String);

/// A rule. A built-in one is compiled for a target kind once a target of the kind is met.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Identity.
    pub id: SmolStr,
    /// As written: what tells where it applies.
    pub logic: RawLogic,
    /// The software versions it speaks of.
    pub versions: Option<semver::VersionReq>,
    /// Where it applies, by profile index.
    pub applications: Vec<Application>,
    /// Per target kind.
    forms: Vec<(TargetKind, OnceLock<Box<Compiled>>)>,
    /// For rules on native documents.
    pub(crate) native: Option<Box<Native>>,
    /// Prose and examples of rules that are not built in.
    own: Option<Box<Own>>,
    /// What a target is judged by; for a built-in rule like the rest once somebody asked. Most rules have nothing of it,
    /// and take the less room.
    body: OnceLock<Box<RawBody>>,
    prose: OnceLock<Box<Prose>>,
    help: OnceLock<SmolStr>,
    examples: OnceLock<Vec<RawExample>>,
}

/// Conditions against one table of fields.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) when: Option<Conditions>,
    pub(crate) join: Option<Joined>,
    pub(crate) each: Option<usize>,
    pub(crate) check: Conditions,
    pub(crate) at: Vec<usize>,
    pub(crate) message: Template,
}

/// Where a rule finds the targets it compares with.
#[derive(Debug, Clone)]
pub(crate) struct Joined {
    pub(crate) kinds: Vec<TargetKind>,
    pub(crate) specs: &'static [FieldSpec],
    /// Our field and theirs.
    pub(crate) on: Vec<(usize, usize)>,
    pub(crate) hold: Hold,
    pub(crate) place: Where,
    pub(crate) required: bool,
    pub(crate) show: Vec<usize>,
}

/// A rule on native documents of some kinds.
#[derive(Debug, Clone)]
pub(crate) struct Native {
    pub(crate) kinds: Vec<String>,
    pub(crate) select: JsonPath,
    pub(crate) check: Option<Conditions>,
    pub(crate) message: Template,
}

/// Everything that judging needs.
#[derive(Debug, Clone)]
pub struct RuleBook {
    /// Profiles, sorted by family and version.
    pub profiles: Vec<Profile>,
    /// Rules, sorted by id.
    pub rules: Vec<Rule>,
    /// Known issuers.
    pub registry: Registry,
}

/// Sets of profiles are kept as the bits of one number.
const MAX_PROFILES: usize = 64;

static RULES: &str = include_str!(concat!(env!("OUT_DIR"), "/rules.jsonl"));
static PROFILES: &str = include_str!(concat!(env!("OUT_DIR"), "/profiles.json"));
static TABLES: &str = include_str!(concat!(env!("OUT_DIR"), "/tables.json"));
/// Id, body, prose, examples (in JSON) and path of the built-in rules, sorted by id.
static TEXTS: &[(&str, &str, &str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/texts.rs"));

/// What is read of a built-in rule when somebody asks.
struct Texts {
    body: &'static str,
    prose: &'static str,
    examples: &'static str,
    path: &'static str,
}

fn texts(id: &str) -> Option<Texts> {
    let at = TEXTS.binary_search_by(|(known, ..)| (*known).cmp(id)).ok()?;
    let (_, body, prose, examples, path) = TEXTS[at];
    Some(Texts { body, prose, examples, path })
}

/// `rules/tables/`, by file name.
#[derive(serde::Deserialize)]
struct Tables {
    issuers: Registry,
    #[serde(flatten)]
    lifetimes: BTreeMap<String, RawLifetimes>,
}

impl RuleBook {
    /// The built-in rule book.
    pub fn builtin() -> Result<Self, Defect> {
        let profiles: Vec<RawProfile> = serde_json::from_str(PROFILES).map_err(|error| format!("profiles: {error}"))?;
        let tables: Tables = serde_json::from_str(TABLES).map_err(|error| format!("tables: {error}"))?;
        let Tables { issuers: registry, lifetimes } = tables;
        let mut book = RuleBook { profiles: vec![], rules: Vec::with_capacity(TEXTS.len()), registry };
        for profile in profiles {
            book.add_profile(profile, &lifetimes)?;
        }
        for rule in serde_json::Deserializer::from_str(RULES).into_iter() {
            let rule: RawLogic = rule.map_err(|error| format!("rules: {error}"))?;
            let id = rule.id.clone();
            book.add(rule, None).map_err(|defect| format!("{id}: {defect}"))?;
        }
        Ok(book)
    }

    fn add_profile(&mut self, raw: RawProfile, tables: &BTreeMap<String, RawLifetimes>) -> Result<(), Defect> {
        let id = format!("{}@{}", raw.family, raw.version);
        let version = condition::lenient_version(&raw.version).ok_or_else(|| format!("{id}: no version number"))?;
        let mut evidence = Vec::new();
        for shown in &raw.shown_by {
            for &kind in shown.target.as_slice() {
                let conditions = Conditions::compile(&shown.when, kind.fields(), &[], false)
                    .map_err(|defect| format!("{id}: shown_by: {defect}"))?;
                evidence.push(Evidence { kind, when: conditions, exact: shown.exact, why: shown.why.as_str().into() });
            }
        }
        let (limits, table) = match &raw.limits {
            RawLimits::Here(limits) => (limits.clone(), None),
            RawLimits::Table(name) => {
                let table = tables.get(name).ok_or_else(|| format!("{id}: there is no table {name}"))?;
                (self.table_limits(table).map_err(|defect| format!("table {name}: {defect}"))?, Some(table.clone()))
            }
        };
        for (name, limit) in &limits {
            if let Some(missing) = limit.requirements.iter().find(|id| Requirement::find(id).is_none()) {
                return Err(format!("{id}: limit {name}: requirement {missing} is not in the ledger"));
            }
        }
        if self.profiles.len() == MAX_PROFILES {
            return Err(format!("{id}: more than {MAX_PROFILES} profiles"));
        }
        self.profiles.push(Profile { id: id.into(), raw, version, limits, table, evidence });
        self.profiles.sort_by(|a, b| (&a.raw.family, &a.version).cmp(&(&b.raw.family, &b.version)));
        Ok(())
    }

    /// The limits a table gives; the requirements of each say how bad it is to break it.
    fn table_limits(&self, table: &RawLifetimes) -> Result<BTreeMap<String, RawLimit>, Defect> {
        for bound in table.rows.iter().flat_map(RawLifetime::bounds) {
            if let Some(missing) = bound.requirements.iter().find(|id| Requirement::find(id).is_none()) {
                return Err(format!("requirement {missing} is not in the ledger"));
            }
            if bound.requirements.is_empty() {
                return Err(format!("the figure {} rests on no requirement", bound.seconds));
            }
        }
        let limit = |bound: &RawBound| {
            let cited = bound.requirements.iter().filter_map(|id| Requirement::find(id));
            RawLimit {
                value: bound.seconds,
                exclusive: false,
                allowance: bound.allowance,
                severity: cited.map(Requirement::severity).max().unwrap_or(Severity::Note),
                waivable: bound.waivable,
                requirements: bound.requirements.clone(),
            }
        };
        Ok(table.limits()?.into_iter().map(|(name, bound)| (name, limit(bound))).collect())
    }

    /// Takes a rule out, so that its file can be loaded as the user's own and be tested.
    pub fn remove_builtin(&mut self, id: &str) {
        self.rules.retain(|rule| rule.id != id);
    }

    /// Adds a rule that a user wrote. Everything wrong with it is said, prose and examples included.
    pub fn add_custom(&mut self, raw: &RawRule, path: &str) -> Result<(), Defect> {
        for (name, text) in [("title", &raw.title), ("message", &raw.message), ("help", &raw.help)] {
            if text.trim().is_empty() {
                return Err(format!("`{name}` is empty"));
            }
        }
        self.add(raw.logic(), Some((raw.body(), (raw.prose(), raw.examples.clone(), path.to_string()))))?;
        let valid = self.rule(&raw.id).map_or(Ok(()), Rule::validate);
        if valid.is_err() {
            self.rules.retain(|rule| rule.id != raw.id);
        }
        valid
    }

    /// Adds a rule; `own` is what a rule that is not built in says besides. Such a rule is compiled at once.
    fn add(&mut self, logic: RawLogic, own: Option<(RawBody, Own)>) -> Result<(), Defect> {
        let kebab = logic.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if logic.id.is_empty() || !kebab {
            return Err("`id` must be kebab-case: lower-case letters, digits and hyphens".into());
        }
        let Err(at) = self.place(&logic.id) else { return Err(format!("another rule has the id `{}`", logic.id)) };
        let applications = self.applications(&logic)?;
        let versions = logic.versions.as_deref().map(str::parse).transpose();
        let versions = versions.map_err(|error| format!("`versions`: {error}"))?;
        if versions.is_some() && (logic.join.is_some() || logic.kind.is_some()) {
            return Err("`versions` goes with `target`, and not with `join`".into());
        }
        let kinds = match (&logic.target, &logic.kind) {
            (Some(kinds), None) => kinds.as_slice(),
            (None, Some(_)) => &[],
            _ => return Err("give exactly one of `target` and `kind`".into()),
        };
        let (body, own) = own.map_or((None, None), |(body, own)| (Some(body), Some(Box::new(own))));
        let mut rule = Rule {
            id: logic.id.clone().into(),
            versions,
            applications,
            forms: kinds.iter().map(|kind| (*kind, OnceLock::new())).collect(),
            native: None,
            own,
            logic,
            body: body.map_or_else(OnceLock::new, |body| Box::new(body).into()),
            prose: OnceLock::new(),
            help: OnceLock::new(),
            examples: OnceLock::new(),
        };
        if rule.own.is_some() {
            for index in 0..rule.forms.len() {
                rule.forms[index].1 = Box::new(rule.compile(rule.forms[index].0)?).into();
            }
        }
        if let Some(kinds) = &rule.logic.kind {
            rule.native = Some(Box::new(compile_native(&rule, kinds.as_slice())?));
        }
        self.rules.insert(at, rule);
        Ok(())
    }

    /// Where a rule applies: through its limit, through the requirements it cites, else always (`general`).
    fn applications(&self, logic: &RawLogic) -> Result<Vec<Application>, Defect> {
        let known = |id: &String| {
            let known = Requirement::find(id);
            let near = || did_you_mean(id, LEDGER.iter().map(|requirement| requirement.id));
            known.ok_or_else(|| format!("requirements: `{id}` is not in the ledger{}", near()))
        };
        let all = logic.requirements.iter().map(known).collect::<Result<Vec<&Requirement>, Defect>>()?;
        let mut applications = Vec::new();
        for (index, profile) in self.profiles.iter().enumerate() {
            // Every rule asks this of every profile, at each start.
            let (mut cited, mut severity) = (Vec::new(), None);
            for requirement in all.iter().filter(|requirement| profile.holds(requirement)) {
                cited.push(SmolStr::new_static(requirement.id));
                severity = severity.max(Some(requirement.severity()));
            }
            let capped = |severity: Severity| logic.severity.map_or(severity, |cap| cap.min(severity));
            match (&logic.limit, severity) {
                (Some(name), _) => {
                    let Some(limit) = profile.limits.get(name) else { continue };
                    let own = limit.requirements.iter().map(SmolStr::from);
                    let further = cited.into_iter().filter(|id| !limit.requirements.iter().any(|own| own == id));
                    applications.push(Application {
                        profile: index,
                        severity: capped(limit.severity),
                        requirements: own.chain(further).collect(),
                        limit: Some(Limit {
                            value: limit.value,
                            exclusive: limit.exclusive,
                            allowance: limit.allowance,
                        }),
                        waivable: limit.waivable,
                    });
                }
                (None, Some(severity)) => applications.push(Application {
                    profile: index,
                    severity: capped(severity),
                    requirements: cited,
                    limit: None,
                    waivable: None,
                }),
                (None, None) => {}
            }
        }
        if let Some(name) = &logic.limit
            && applications.is_empty()
        {
            let names = self.profiles.iter().flat_map(|profile| profile.limits.keys());
            return Err(format!(
                "limit: no profile has one called `{name}`{}",
                did_you_mean(name, names.map(String::as_str))
            ));
        }
        if logic.requirements.is_empty() && logic.limit.is_none() {
            let severity = logic.severity.ok_or("a rule without requirements needs `severity`")?;
            let general = self.profiles.iter().enumerate().filter(|(_, p)| p.raw.class == ProfileClass::General);
            applications.extend(general.map(|(profile, _)| Application {
                profile,
                severity,
                requirements: vec![],
                limit: None,
                waivable: None,
            }));
        }
        Ok(applications)
    }

    /// The rule with this id.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.place(id).ok().map(|index| &self.rules[index])
    }

    /// Where the rule with this id stands, or else would stand.
    fn place(&self, id: &str) -> Result<usize, usize> {
        self.rules.binary_search_by(|rule| rule.id.as_str().cmp(id))
    }

    /// The rule with this id, or a sentence that says which one may be meant.
    pub fn require(&self, id: &str) -> Result<&Rule, String> {
        self.rule(id).ok_or_else(|| format!("there is no rule `{id}`{}", did_you_mean(id, self.ids())))
    }

    /// The rule whose id is nearly this one.
    pub(crate) fn nearest(&self, id: &str) -> Option<&str> {
        nearest(id, self.ids())
    }

    /// The ids of all rules, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.id.as_str())
    }

    /// The profile with this exact id (`wlcg@1.3`).
    pub fn profile(&self, id: &str) -> Option<usize> {
        self.profiles.iter().position(|profile| profile.id == id)
    }

    /// What a user wrote after `--profile`: an exact `family@version`, a family alone (its newest version), or a
    /// range with an operator (`wlcg@^1`, `wlcg@>=1.1`), which takes the highest match.
    pub fn resolve_profile(&self, text: &str) -> Result<usize, Defect> {
        let (family, version) = text.split_once('@').unwrap_or((text, ">=0"));
        let of_family = || self.profiles.iter().enumerate().filter(|(_, profile)| profile.raw.family == family);
        if of_family().next().is_none() {
            let mut families: Vec<&str> = self.profiles.iter().map(|profile| profile.raw.family.as_str()).collect();
            families.dedup();
            return Err(format!("there is no profile `{family}`; known are {}", families.join(", ")));
        }
        let ranged = version.starts_with(['^', '~', '>', '<', '=', '*']);
        let found = if ranged {
            let requirement: semver::VersionReq =
                version.parse().map_err(|error| format!("profile `{text}`: {error}"))?;
            of_family().rfind(|(_, profile)| requirement.matches(&profile.version))
        } else {
            of_family().find(|(_, profile)| profile.raw.version == version)
        };
        found.map(|(index, _)| index).ok_or_else(|| {
            let versions: Vec<&str> = of_family().map(|(_, profile)| profile.raw.version.as_str()).collect();
            format!("profile `{family}` has no version `{version}`; known are {}", versions.join(", "))
        })
    }

    /// The newest version of a family.
    pub fn newest(&self, family: &str) -> Option<usize> {
        self.profiles.iter().rposition(|profile| profile.raw.family == family)
    }
}

impl Profile {
    /// True when the requirement belongs to this profile: its document is one of the profile's, and it holds in the
    /// version the profile stands for.
    pub fn holds(&self, requirement: &Requirement) -> bool {
        self.raw.documents.iter().any(|document| document == requirement.document)
            && match &self.raw.document_version {
                Some(version) if !requirement.versions.is_empty() => requirement.versions.contains(&version.as_str()),
                _ => true,
            }
    }
}

impl Rule {
    /// The part for people.
    pub fn prose(&self) -> &Prose {
        let read = |texts: Texts| serde_json::from_str(texts.prose).ok();
        match &self.own {
            Some(own) => &own.0,
            None => self.prose.get_or_init(|| texts(&self.id).and_then(read).unwrap_or_default()),
        }
    }

    /// What a target is judged by, as written.
    pub fn body(&self) -> &RawBody {
        let read = |texts: Texts| serde_json::from_str(texts.body).ok();
        self.body.get_or_init(|| texts(&self.id).and_then(read).unwrap_or_default())
    }

    /// What it compares with, when it compares.
    pub(crate) fn join(&self, form: usize) -> Option<&Joined> {
        if self.logic.join.is_some() { self.form(form).join.as_ref() } else { None }
    }

    /// Its form for one of its target kinds.
    pub(crate) fn form(&self, index: usize) -> &Compiled {
        let (kind, form) = &self.forms[index];
        form.get_or_init(|| {
            let compiled = self.compile(*kind);
            Box::new(compiled.expect("others are compiled when they are added, built-in ones by tests"))
        })
    }

    fn compile(&self, kind: TargetKind) -> Result<Compiled, Defect> {
        let has_limit = self.applications.iter().all(|application| application.limit.is_some());
        compile(&self.logic, self.body(), kind.fields(), has_limit)
    }

    /// What to do, as findings say it.
    pub fn help(&self) -> SmolStr {
        self.help.get_or_init(|| self.prose().help.trim().into()).clone()
    }

    /// The examples.
    pub fn examples(&self) -> &[RawExample] {
        let read = |texts: Texts| serde_json::from_str(texts.examples).ok();
        match &self.own {
            Some(own) => &own.1,
            None => self.examples.get_or_init(|| texts(&self.id).and_then(read).unwrap_or_default()),
        }
    }

    /// The file it was read from; for built-in rules relative to the project's root.
    pub fn path(&self) -> &str {
        match &self.own {
            Some(own) => &own.2,
            None => texts(&self.id).map_or("", |texts| texts.path),
        }
    }

    /// Checks what is otherwise checked on first use: patterns and expressions.
    pub fn validate(&self) -> Result<(), Defect> {
        let body = self.body();
        let parts = [("when", &body.when), ("check", &body.check)];
        for (part, check) in parts.iter().filter_map(|(part, check)| Some((part, check.as_ref()?))) {
            condition::check_patterns(check).map_err(|defect| format!("{part}: {defect}"))?;
        }
        let valid =
            |part: &str, conditions: &Conditions| conditions.validate().map_err(|defect| format!("{part}: {defect}"));
        for (kind, _) in &self.forms {
            let form = self.compile(*kind)?;
            form.when.iter().try_for_each(|when| valid("when", when))?;
            valid("check", &form.check)?;
        }
        self.native.iter().filter_map(|native| native.check.as_ref()).try_for_each(|check| valid("check", check))
    }

    /// The target kinds it judges; empty for rules on native documents.
    pub fn targets(&self) -> impl Iterator<Item = TargetKind> + '_ {
        self.forms.iter().map(|(kind, _)| *kind)
    }

    /// What it judges: names of target kinds, or of native document kinds.
    pub fn subjects(&self) -> Vec<&str> {
        let mut subjects: Vec<&str> = self.targets().map(TargetKind::name).collect();
        subjects.extend(self.logic.kind.iter().flat_map(|kinds| kinds.as_slice()).map(String::as_str));
        subjects
    }

    /// The worst severity that any profile gives it; `None` when no profile holds it.
    pub fn worst(&self) -> Option<Severity> {
        self.applications.iter().map(|application| application.severity).max()
    }
}

fn compile(logic: &RawLogic, body: &RawBody, specs: &'static [FieldSpec], has_limit: bool) -> Result<Compiled, Defect> {
    if body.select.is_some() {
        return Err("`select` needs `kind`, not `target`".into());
    }
    let join = logic.join.as_ref().map(|join| compile_join(join, specs)).transpose()?;
    let other = join.as_ref().map_or(&[][..], |join| join.specs);
    let index =
        |part: &str, name: &str| condition::field_index(specs, name).map_err(|defect| format!("{part}: {defect}"));
    let each = body.each.as_deref().map(|name| index("each", name)).transpose()?;
    let check = body.check.as_ref().ok_or("`check` is missing")?;
    let check =
        Conditions::compile(check, specs, other, each.is_some()).map_err(|defect| format!("check: {defect}"))?;
    if check.uses_limit() && !(has_limit && logic.limit.is_some()) {
        return Err("check: `limit` is used but the rule names none".into());
    }
    let at: Vec<usize> = body.at.iter().map(|name| index("at", name)).collect::<Result<_, _>>()?;
    if check.has_expression() && at.is_empty() && each.is_none() {
        return Err("`at` is mandatory with `cel`: name the fields to point at".into());
    }
    let when = body.when.as_ref().map(|when| Conditions::compile(when, specs, &[], false)).transpose();
    Ok(Compiled {
        when: when.map_err(|defect| format!("when: {defect}"))?,
        join,
        each,
        check,
        at,
        message: Template::compile(&body.message, specs, other)?,
    })
}

fn compile_join(join: &Join, own: &'static [FieldSpec]) -> Result<Joined, Defect> {
    let kinds = join.with.as_ref().map_or(&[][..], OneOrMany::as_slice);
    let specs = kinds.first().map_or(&[][..], |kind| kind.fields());
    if kinds.iter().any(|kind| !std::ptr::eq(kind.fields(), specs)) {
        return Err("join: the kinds in `with` have different fields".into());
    }
    let index = |specs, name: &str| condition::field_index(specs, name).map_err(|defect| format!("join: {defect}"));
    let on = join.on.iter().map(|(ours, theirs)| Ok((index(own, ours)?, index(specs, theirs)?)));
    let show = join.show.iter().map(|name| index(specs, name));
    Ok(Joined {
        kinds: kinds.to_vec(),
        specs,
        on: on.collect::<Result<_, Defect>>()?,
        hold: join.hold,
        place: join.place,
        required: join.required,
        show: show.collect::<Result<_, Defect>>()?,
    })
}

fn compile_native(rule: &Rule, kinds: &[String]) -> Result<Native, Defect> {
    let body = rule.body();
    let known: Vec<&str> = crate::adapt::kinds().map(|kind| kind.name).collect();
    if let Some(unknown) = kinds.iter().find(|kind| !known.contains(&kind.as_str())) {
        return Err(format!("there is no document kind `{unknown}`; see `tokenvet rules kinds`"));
    }
    let select = body.select.as_deref().ok_or("`kind` needs `select`")?;
    let select = JsonPath::parse(select).map_err(|error| format!("select: {error}"))?;
    if body.each.is_some() || body.when.is_some() || !body.at.is_empty() || rule.logic.join.is_some() {
        return Err("`each`, `when`, `join` and `at` do not go with `select`; write the condition into the path".into());
    }
    let check = body.check.as_ref().map(|check| Conditions::compile(check, &[], &[], true)).transpose();
    Ok(Native {
        kinds: kinds.to_vec(),
        select,
        check: check.map_err(|defect| format!("check: {defect}"))?,
        message: Template::compile(&body.message, &[], &[])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_come_from_the_table_a_profile_names() {
        let tables: Tables = serde_json::from_str(TABLES).expect("tables");
        let builtin = RuleBook::builtin().expect("built in");
        let raw = builtin.profiles[builtin.profile("aarc-g081@1").expect("shipped")].raw.clone();
        let adds = |edit: &dyn Fn(&mut RawProfile, &mut BTreeMap<String, RawLifetimes>)| {
            let (mut raw, mut tables) = (raw.clone(), tables.lifetimes.clone());
            edit(&mut raw, &mut tables);
            let mut book = RuleBook { profiles: vec![], rules: vec![], ..builtin.clone() };
            book.add_profile(raw, &tables).map(|()| book.profiles.remove(0))
        };
        // A new edition is another table: the figure changes, and how bad it is follows from the statement it rests on.
        let edition = adds(&|raw, tables| {
            let text = r#"{"title": "T", "edition": "second", "rows": [{"token": "access_token", "validation": "any",
                "maximum": {"seconds": 60, "requirements": ["RFC7518-001"]}, "basis": "test"}]}"#;
            tables.insert("second".into(), serde_json::from_str(text).expect("a table"));
            raw.limits = RawLimits::Table("second".into());
        });
        let limits = edition.expect("accepted").limits;
        let maximum = &limits["access_token.lifetime.max"];
        assert_eq!((limits.len(), maximum.value, maximum.severity), (1, 60, Severity::Error));

        let refused = |edit: &dyn Fn(&mut RawProfile, &mut BTreeMap<String, RawLifetimes>)| adds(edit).map(|p| p.id);
        let missing = refused(&|raw, _| raw.limits = RawLimits::Table("none".into()));
        assert_eq!(missing, Err("aarc-g081@1: there is no table none".into()));
        let without = refused(&|_, tables| {
            let row = tables.get_mut("aarc-g081").map(|table| &mut table.rows[0]).expect("a row");
            let Some(crate::profile::RawCell::Known(bound)) = &mut row.recommended else { panic!("a figure") };
            bound.requirements.clear();
        });
        assert_eq!(without, Err("table aarc-g081: the figure 3600 rests on no requirement".into()));
    }

    #[test]
    fn every_part_of_every_built_in_rule_is_read() {
        let book = RuleBook::builtin().expect("built in");
        assert_eq!(book.rules.len(), TEXTS.len());
        for (id, body, prose, examples, path) in TEXTS {
            let rule = book.rule(id).expect("listed");
            let parsed: RawBody = serde_json::from_str(body).expect("body");
            assert_eq!((&rule.body().message, parsed.message.is_empty()), (&parsed.message, false));
            assert_eq!(rule.validate(), Ok(()), "{id}");
            let parsed: Prose = serde_json::from_str(prose).expect("prose");
            assert_eq!((&rule.prose().help, rule.path()), (&parsed.help, *path));
            let parsed: Vec<RawExample> = serde_json::from_str(examples).expect("examples");
            assert_eq!(rule.examples().len(), parsed.len(), "{id}");
        }
    }
}

//! The model, loaded: every software with its steps ready to run.

use super::formula::Formula;
use super::raw::{
    EvidenceKind, RawDisagreement, RawDisagreements, RawEverywhere, RawEvidence, RawIgnored, RawReader, RawRequest,
    RawSoftware, RawStep,
};
use semver::{Version, VersionReq};
use serde::Deserialize;
use std::sync::{Arc, LazyLock};

/// Every software that is known.
#[derive(Debug)]
pub struct Model {
    /// By name.
    pub softwares: Vec<Software>,
    readers: Vec<RawReader>,
    /// What no software checks.
    pub(super) everywhere: Vec<Ignored>,
    /// Recorded verdicts that the model does not give, and why.
    pub disagreements: Vec<RawDisagreement>,
}

/// One software.
#[derive(Debug)]
pub struct Software {
    /// As written.
    pub raw: RawSoftware,
    pub(super) steps: Vec<Step>,
    pub(super) ignores: Vec<Ignored>,
    /// When scopes are translated.
    pub(super) translate_when: Option<Formula>,
}

/// A step with its expressions.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) raw: RawStep,
    pub(super) formula: Option<Formula>,
}

/// A property that is not looked at.
#[derive(Debug)]
pub(super) struct Ignored {
    pub(super) raw: RawIgnored,
    pub(super) when: Formula,
}

#[derive(Deserialize)]
struct Embedded {
    softwares: Vec<RawSoftware>,
    readers: Vec<RawReader>,
    others: Others,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Others {
    everywhere: RawEverywhere,
    known_disagreements: RawDisagreements,
}

impl Model {
    /// The built-in model. The error is a defect of our data.
    pub fn builtin() -> Result<Arc<Model>, String> {
        static MODEL: LazyLock<Result<Arc<Model>, String>> = LazyLock::new(|| {
            let json = include_str!(concat!(env!("OUT_DIR"), "/compat.json"));
            let embedded: Embedded =
                serde_json::from_str(json).map_err(|error| format!("compatibility model: {error}"))?;
            Model::new(embedded).map(Arc::new)
        });
        MODEL.clone()
    }

    fn new(embedded: Embedded) -> Result<Model, String> {
        let everywhere = embedded.others.everywhere.ignores.into_iter().map(Ignored::new).collect::<Result<_, _>>()?;
        let softwares = embedded.softwares.into_iter().map(Software::new).collect::<Result<Vec<_>, _>>()?;
        let disagreements = embedded.others.known_disagreements.disagreements;
        let model = Model { softwares, readers: embedded.readers, everywhere, disagreements };
        for software in &model.softwares {
            let readers = software.raw.reader.iter().map(|reader| &reader.reader);
            for reader in readers {
                model.reader(reader).ok_or_else(|| format!("{}: no reader {reader}", software.raw.software))?;
            }
            for part in &software.raw.parts {
                model.named(&part.software).ok_or_else(|| format!("no software {}", part.software))?;
            }
        }
        Ok(model)
    }

    /// A software by one of its names.
    pub fn find(&self, name: &str) -> Option<&Software> {
        let same = |known: &String| known.eq_ignore_ascii_case(name);
        self.softwares.iter().find(|software| same(&software.raw.software) || software.raw.aliases.iter().any(same))
    }

    pub(super) fn named(&self, name: &str) -> Option<&Software> {
        self.softwares.iter().find(|software| software.raw.software == name)
    }

    /// What can be asked for: the operations of every software, each once.
    pub fn operations(&self) -> impl Iterator<Item = &RawRequest> {
        let all =
            || self.softwares.iter().filter_map(|software| software.raw.grants.as_ref()).flat_map(|one| &one.requests);
        all()
            .enumerate()
            .filter(move |(at, one)| !all().take(*at).any(|before| before.request == one.request))
            .map(|(_, one)| one)
    }

    /// The end of a sentence on an operation that is not among them.
    pub(super) fn known_operations(&self) -> String {
        let names: Vec<&str> = self.operations().map(|known| known.request.as_str()).collect();
        format!("known: {}", names.join(", "))
    }

    pub(super) fn reader(&self, name: &str) -> Option<&RawReader> {
        self.readers.iter().find(|reader| reader.reader == name)
    }
}

impl Software {
    fn new(raw: RawSoftware) -> Result<Software, String> {
        let name = raw.software.clone();
        let named = |error: String| format!("{name}: {error}");
        let steps = raw.steps.iter().cloned().map(Step::new).collect::<Result<_, _>>().map_err(named)?;
        let ignores = raw.ignores.iter().cloned().map(Ignored::new).collect::<Result<_, _>>().map_err(named)?;
        let translate = raw.scopes.as_ref().map(|scopes| Formula::new(&scopes.translate_when));
        let ranges = raw.steps.iter().filter_map(|step| step.versions.as_deref());
        for range in ranges {
            ranges_of(range).ok_or_else(|| format!("{name}: {range} is no range of versions"))?;
        }
        Ok(Software { steps, ignores, translate_when: translate.transpose().map_err(named)?, raw })
    }

    /// The newest version that is known.
    pub fn newest(&self) -> &str {
        self.raw.versions.last().map_or("0", String::as_str)
    }

    /// True when exactly this version was run.
    pub fn was_run(&self, version: &str) -> bool {
        self.raw.known_by == EvidenceKind::Oracle && self.raw.versions.iter().any(|seen| seen == version)
    }
}

impl Step {
    fn new(raw: RawStep) -> Result<Step, String> {
        let source = raw.refuse.as_ref().or(raw.unsure.as_ref()).or(raw.be.as_ref());
        let formula = source.map(|source| Formula::new(source)).transpose()?;
        let kinds = usize::from(formula.is_some()) + usize::from(raw.part.is_some()) + usize::from(raw.key.is_some());
        if kinds != 1 {
            return Err(format!("step {}: exactly one of refuse, unsure, let, use and key", raw.id));
        }
        Ok(Step { raw, formula })
    }
}

impl Ignored {
    fn new(raw: RawIgnored) -> Result<Ignored, String> {
        Ok(Ignored { when: Formula::new(&raw.when)?, raw })
    }
}

/// Reads a version leniently: missing numbers are zero, a fourth one is left out (`2.4.12.3`).
pub(super) fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split(['-', '+']).next().unwrap_or_default().split('.').map(str::parse::<u64>);
    let mut next = || numbers.next().unwrap_or(Ok(0)).ok();
    Some(Version::new(next()?, next()?, next()?))
}

/// Ranges, any of which may fit: `<1.0` or `>=5.7.0, <6 or =6.2.1`.
fn ranges_of(text: &str) -> Option<Vec<VersionReq>> {
    text.split(" or ").map(|range| VersionReq::parse(range.trim()).ok()).collect()
}

/// True when a range (or its absence) takes the version.
pub(super) fn fits(range: Option<&String>, version: &Version) -> bool {
    range.is_none_or(|range| ranges_of(range).is_some_and(|ranges| ranges.iter().any(|range| range.matches(version))))
}

/// What supports a statement about this version: evidence about it, else evidence about others, told apart.
pub(super) fn evidence_for(evidence: &[RawEvidence], software: &Software, asked: &str) -> Vec<RawEvidence> {
    let Some(number) = version(asked) else { return evidence.to_vec() };
    let mut found: Vec<RawEvidence> = evidence
        .iter()
        .filter_map(|one| {
            let seen = one.kind != EvidenceKind::Oracle || one.versions.is_some() || software.was_run(asked);
            match fits(one.versions.as_ref(), &number) && seen {
                true => Some(RawEvidence { versions: None, ..one.clone() }),
                false => None,
            }
        })
        .collect();
    if found.is_empty() {
        let seen = software.raw.versions.join(", ");
        found.extend(evidence.first().map(|one| RawEvidence {
            kind: EvidenceKind::Inference,
            what: format!("from {} {} ({}: {})", software.raw.title, seen, one.kind.name(), one.what),
            versions: None,
        }));
    }
    found.sort_by_key(|one| one.kind);
    found
}

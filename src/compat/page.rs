//! The page on compatibility: how to read a cell, software by property, and the model itself, all from the data.

use super::engine::{Ask, Verdict, judge};
use super::model::{Model, Software};
use super::raw::{EvidenceKind, RawEvidence};
use super::service::{Placed, Service, TrustedIssuer};
use crate::docs::{Block, Cell, Page, Section};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const ISSUER: &str = "https://issuer.example.org";
const AUDIENCE: &str = "https://service.example.org:1094";
const ANY: &str = "https://wlcg.cern.ch/jwt/v1/any";
/// The clock of the examples.
const NOW: i64 = 1_800_000_000;

const VERDICTS: [Verdict; 4] = [Verdict::Accepted, Verdict::Unchecked, Verdict::Refused, Verdict::Unsaid];

/// A token with one property, and how it is called.
struct Probe {
    name: &'static str,
    header: Value,
    claims: Value,
}

/// The page.
pub fn page(model: &Model) -> Page {
    let mut sections =
        vec![reading(), evidence(), asking(model), properties(model), never(model), disagreements(model), adding()];
    sections.extend(model.softwares.iter().map(section));
    Page {
        title: "Which service accepts which token".into(),
        lead: "`tokenvet compat` says what services make of tokens before anybody tries: a table of tokens and services, \
               each cell with its verdict, the reason, how that is known, and the line of the configuration that decided."
            .into(),
        sections,
    }
}

fn reading() -> Section {
    let rows = [
        (
            Verdict::Accepted,
            "The service takes the token, and everything that is wrong with it would have been noticed.",
        ),
        (
            Verdict::Unchecked,
            "The service takes the token although something is wrong with it that this service does not look at. The reason \
             says what. A lifetime above WLCG's maximum always is such a thing.",
        ),
        (Verdict::Refused, "The token gives no rights: it is not valid there, or does not permit the request."),
        (Verdict::Unsaid, "It depends on something that was not given (an audience, keys), or that nobody knows."),
    ];
    let rows = rows.map(|(verdict, text)| vec![Cell::Code(verdict.words().into()), Cell::Text(text.into())]);
    Section {
        title: "Reading a cell".into(),
        blocks: vec![
            Block::Table(vec!["verdict", "meaning"], rows.to_vec()),
            Block::Text(
                "Without `--keys` signatures are taken to be right, and the table says so. Without `--request` a service \
                 with a name space accepts a token that permits anything there. Nothing is fetched: whether an issuer can \
                 be reached is not looked at. With `--no-token` the answer is what the configuration gives to requests \
                 without a token (of several doors the widest), and `cannot be said` where the file leaves that to others."
                    .into(),
            ),
        ],
    }
}

fn evidence() -> Section {
    let kinds = [
        EvidenceKind::Oracle,
        EvidenceKind::Source,
        EvidenceKind::Documentation,
        EvidenceKind::Issue,
        EvidenceKind::Inference,
    ];
    let rows = kinds.map(|kind| vec![Cell::Code(kind.name().into()), Cell::Text(kind.meaning().into())]);
    Section {
        title: "How a reason is known".into(),
        blocks: vec![
            Block::Table(vec!["evidence", "meaning"], rows.to_vec()),
            Block::Text(
                "A run belongs to a version. Asked about another version, the table says `concluded, not seen` instead, and \
                 from which versions."
                    .into(),
            ),
        ],
    }
}

fn asking(model: &Model) -> Section {
    let operations = model
        .operations()
        .map(|known| vec![Cell::Code(known.request.clone()), Cell::Text(known.doc.clone())])
        .collect();
    let code = "\
tokenvet compat token.jwt                                    # every software at its newest known version
tokenvet compat token.jwt --service xrootd@5.5.3 --service dcache/oidc --audience https://se.example.org:1094
tokenvet compat token.jwt --service xrootd@6.2.1=scitokens.cfg --request read:/data/file --request write:/data/file
tokenvet compat token.jwt --service xrootd@5.9.4+scitokens-cpp@1.2.0       # which library it carries
tokenvet compat tokens.txt claims.json --format markdown --expect expectations.yaml
tokenvet compat --no-token --service scitokens.cfg --request read:/data --expect refuse";
    let expectations = "\
expect:                                 # the first that fits a cell counts
  - { token: \"*/transfer.jwt\", service: \"xrootd*\", request: \"write:*\", verdict: accept }
  - { service: \"rucio*\", verdict: refuse }";
    Section {
        title: "Asking".into(),
        blocks: vec![
            Block::File(code.into()),
            Block::Text(
                "Tokens come as compact JWTs, in token responses, or as decoded claims, which are taken to be signed with \
                 RS256. A client registration is answered for a token with the scopes that it may ask for. With \
                 `--expect accept`, `--expect refuse` or a file the exit code is 1 when a verdict is another, and 2 when an \
                 expectation of the file fits nothing that was asked:"
                    .into(),
            ),
            Block::File(expectations.into()),
            Block::Text(
                "A request is one of these operations, a colon and an absolute path; another operation is an error, in a file of \
                 expectations too. Of software for which it is not known what a request needs, the answer is `cannot be said`, \
                 unless the token is refused whatever is asked for."
                    .into(),
            ),
            Block::Table(vec!["operation", "meaning"], operations),
        ],
    }
}

/// Software by property: the model run on small tokens.
fn properties(model: &Model) -> Section {
    let mut rows = Vec::new();
    for probe in probes() {
        let token = compact(&probe);
        let mut cells: Vec<Vec<String>> = vec![Vec::new(); VERDICTS.len()];
        for software in &model.softwares {
            let verdicts: Vec<(&String, Verdict)> = software
                .raw
                .versions
                .iter()
                .filter_map(|version| {
                    let service = service(software, version, model)?;
                    let ask =
                        Ask { token: Some(&token), now: NOW as f64, keys: None, service: &service, request: None };
                    Some((version, judge(model, ask).verdict))
                })
                .collect();
            for (column, verdict) in VERDICTS.iter().enumerate() {
                let versions: Vec<&str> =
                    verdicts.iter().filter(|(_, one)| one == verdict).map(|(version, _)| version.as_str()).collect();
                let name = &software.raw.software;
                match versions.as_slice() {
                    [] => {}
                    all if all.len() == verdicts.len() => cells[column].push(name.clone()),
                    some => cells[column].push(format!("{name} {}", some.join(" and "))),
                }
            }
        }
        let mut row = vec![Cell::Text(probe.name.into())];
        row.extend(cells.into_iter().map(|names| Cell::Text(names.join(", "))));
        rows.push(row);
    }
    let lead = "A token that is right in everything but the property; the service's audience and its issuer are known. A \
                version is named where versions differ; the way of asking is the first of each software.";
    Section {
        title: "Software by property".into(),
        blocks: vec![
            Block::Text(lead.into()),
            Block::Table(vec!["property", "accepted", "accepted unchecked", "refused", "cannot be said"], rows),
        ],
    }
}

fn service(software: &Software, version: &str, model: &Model) -> Option<Service> {
    let mut service = Service::parse(&format!("{}@{version}", software.raw.software), model).ok()?;
    service.audiences = Some(Placed::nowhere(vec![AUDIENCE.into()]));
    service.issuers = Some(vec![TrustedIssuer::everywhere(ISSUER)]);
    Some(service)
}

fn probes() -> Vec<Probe> {
    let claims = json!({
        "wlcg.ver": "1.0", "iss": ISSUER, "sub": "e1eb758b", "aud": AUDIENCE, "jti": "1", "iat": NOW - 60, "nbf": NOW - 60,
        "exp": NOW + 1200, "scope": "storage.read:/data compute.read",
    });
    let header = json!({ "alg": "RS256", "kid": "key", "typ": "JWT" });
    let with = |name, changes: Value, header_changes: Value| {
        let (mut claims, mut header) = (claims.clone(), header.clone());
        for (target, changes) in [(&mut claims, changes), (&mut header, header_changes)] {
            for (key, value) in changes.as_object().into_iter().flatten() {
                match (target.as_object_mut(), value) {
                    // No claim is null here: null takes one away.
                    (Some(members), Value::Null) => drop(members.remove(key)),
                    (Some(members), value) => drop(members.insert(key.clone(), value.clone())),
                    (None, _) => {}
                }
            }
        }
        Probe { name, header, claims }
    };
    let claim = |name, changes| with(name, changes, Value::Null);
    vec![
        claim("nothing unusual", json!({})),
        claim("`wlcg.ver` is \"1.2\"", json!({ "wlcg.ver": "1.2" })),
        claim("`wlcg.ver` is absent", json!({ "wlcg.ver": null })),
        claim("`ver` beside `wlcg.ver`", json!({ "ver": "1.0" })),
        claim("`aud` is the any-URL", json!({ "aud": ANY })),
        claim("`aud` is another service", json!({ "aud": "https://other.example.org" })),
        claim("`aud` differs by a slash", json!({ "aud": format!("{AUDIENCE}/") })),
        claim("`aud` is absent", json!({ "aud": null })),
        claim("`exp` is absent", json!({ "exp": null })),
        claim("`exp` has a fraction", json!({ "exp": (NOW + 1200) as f64 + 0.5 })),
        claim("`exp` is a text", json!({ "exp": (NOW + 1200).to_string() })),
        claim("`exp` passed 30 seconds ago", json!({ "exp": NOW - 30 })),
        claim("lives a year", json!({ "exp": NOW + 31_536_000 })),
        claim("`nbf` is absent", json!({ "nbf": null })),
        claim("`nbf` is 30 seconds ahead", json!({ "nbf": NOW + 30 })),
        claim("`iat` is absent", json!({ "iat": null })),
        claim("`sub` is absent", json!({ "sub": null })),
        claim("`iss` ends in a slash", json!({ "iss": format!("{ISSUER}/") })),
        claim("no `scope`, but `wlcg.groups`", json!({ "scope": null, "wlcg.groups": ["/vo"] })),
        claim("`storage.read` without a path", json!({ "scope": "storage.read" })),
        claim("a scope path with `..`", json!({ "scope": "storage.read:/data/../etc" })),
        claim("a scope path above the root", json!({ "scope": "storage.read:/.." })),
        with("`alg` is ES256", Value::Null, json!({ "alg": "ES256" })),
        with("`alg` is RS512", Value::Null, json!({ "alg": "RS512" })),
        with("unsigned (`alg` is none)", Value::Null, json!({ "alg": "none" })),
        with("`kid` is absent", Value::Null, json!({ "kid": null })),
        with("unknown `crit`", Value::Null, json!({ "crit": ["x"], "x": 1 })),
    ]
}

fn compact(probe: &Probe) -> String {
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let unsigned = probe.header.get("alg").and_then(Value::as_str) == Some("none");
    let signature = if unsigned { String::new() } else { encode("-".repeat(256)) };
    format!("{}.{}.{signature}", encode(probe.header.to_string()), encode(probe.claims.to_string()))
}

fn never(model: &Model) -> Section {
    let items = model.everywhere.iter().map(|one| format!("{} ({})", one.raw.reason, known(&one.raw.evidence)));
    Section { title: "What no software checks".into(), blocks: vec![Block::List(items.collect())] }
}

fn disagreements(model: &Model) -> Section {
    let rows = model.disagreements.iter().map(|one| {
        vec![Cell::Code(one.columns.join(", ")), Cell::Code(one.cases.join(", ")), Cell::Text(one.why.clone())]
    });
    Section {
        title: "Where the model and a run differ".into(),
        blocks: vec![
            Block::Text(
                "Tests compare every recorded verdict of scitokens-cpp, HTCondor, XRootD and ARC, and the behaviour of live \
                 XRootD servers under variants of scitokens.cfg, with what the model says. These differ, and no others:"
                    .into(),
            ),
            Block::Table(vec!["columns", "cases", "why"], rows.collect()),
        ],
    }
}

fn adding() -> Section {
    Section {
        title: "Adding a software or a version".into(),
        blocks: vec![
            Block::Text(
                "One file under `rules/compat/`, named like the software; `tokenvet schema compat-model` describes it. Its \
                 steps are CEL conditions in the software's own order, each with its reason and its evidence; a version that \
                 behaves otherwise gets `versions:` at the step. How its JSON library reads tokens is a file under \
                 `rules/compat/readers/`, shared by all that use the library. A step that was neither run nor read is no \
                 step: leave it out, or say `inference`."
                    .into(),
            ),
            Block::Table(
                vec!["name in expressions", "meaning"],
                [
                    ("`claims`, `header`", "the members as this software reads them"),
                    ("`types`, `header_types`", "their types: null, bool, int, float, text, list, map"),
                    ("`claim_names`", "the names of the claims"),
                    ("`aud`, `aud_all_texts`", "the texts of `aud`, and whether there is nothing else in it"),
                    ("`scopes`", "the words of `scope`"),
                    ("`at`", "`exp`, `nbf` and `iat` in seconds, where the software takes them for times"),
                    ("`now`", "the clock in seconds"),
                    ("`service`", "`audiences`, `scopes` that every token needs, `issuers`, and whether they are known: `knows_audiences`, `knows_scopes`, `knows_issuers`"),
                    ("`iss_address`, `service.issuer_addresses`", "issuers without what makes no difference when fetched"),
                    ("`rule_audience`", "whether a rule that lets the token in compares its audience; null where there are no rules"),
                    ("`token`", "`size` in bytes, number of `dots`, whether it is `plain` and `fits_header`"),
                    ("`mode`, `key_origin`", "how it is asked; where the key came from: issuer, token, none"),
                ]
                .map(|(name, meaning)| vec![Cell::Text(name.into()), Cell::Text(meaning.into())])
                .to_vec(),
            ),
        ],
    }
}

fn known(evidence: &[RawEvidence]) -> String {
    let one = |one: &RawEvidence| format!("{}: {}", one.kind.name(), one.what);
    evidence.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The model of one software.
fn section(software: &Software) -> Section {
    let raw = &software.raw;
    let how = match raw.known_by {
        EvidenceKind::Oracle => "Run in",
        _ => "Read in",
    };
    let mut facts = vec![format!("{how} version {}", raw.versions.join(", "))];
    facts.extend(raw.modes.iter().map(|mode| format!("`{}/{}`: {}", raw.software, mode.mode, mode.doc)));
    facts.extend(raw.parts.iter().map(|part| {
        let versions = part.versions.as_ref().map(|range| format!(" in {range}")).unwrap_or_default();
        format!(
            "carries {} {}{versions} ({}: {})",
            part.software,
            part.version,
            part.evidence.kind.name(),
            part.evidence.what
        )
    }));
    if !raw.settings.is_empty() {
        facts.push(format!("settings that count: {}", raw.settings.join(", ")));
    }
    if !raw.closed_by.is_empty() {
        let traps: Vec<String> = raw.closed_by.iter().map(|one| format!("`{}`", one.trap)).collect();
        facts.push(format!("takes no token at all where `check` finds {}", traps.join(" or ")));
    }
    if !raw.opened_by.is_empty() {
        let traps: Vec<String> = raw.opened_by.iter().map(|one| format!("`{one}`")).collect();
        facts
            .push(format!("which further issuers it trusts cannot be said where `check` finds {}", traps.join(" or ")));
    }
    let mut rows = Vec::new();
    for step in &raw.steps {
        let what = match (&step.part, &step.key, step.reason.is_empty()) {
            (Some(part), _, _) => format!("what {part} checks ({})", step.mode.as_deref().unwrap_or_default()),
            (None, Some(key), _) => format!("key and signature: {}", key.algorithms.join(", ")),
            (None, None, false) => step.reason.clone(),
            // A name for later steps decides nothing.
            (None, None, true) => continue,
        };
        let verdict = if step.unsure.is_some() { "cannot be said" } else { "refused" };
        let verdict = if step.part.is_some() { "" } else { verdict };
        rows.push(vec![
            Cell::Code(step.id.clone()),
            Cell::Text(step.versions.clone().unwrap_or_default()),
            Cell::Text(step.modes.join(", ")),
            Cell::Text(verdict.into()),
            Cell::Text(what),
            Cell::Text(known(&step.evidence)),
        ]);
    }
    for ignored in &raw.ignores {
        rows.push(vec![
            Cell::Code(ignored.id.clone()),
            Cell::Text(ignored.versions.clone().unwrap_or_default()),
            Cell::Text(ignored.modes.join(", ")),
            Cell::Text("accepted unchecked".into()),
            Cell::Text(ignored.reason.clone()),
            Cell::Text(known(&ignored.evidence)),
        ]);
    }
    Section {
        title: format!("{} (`{}`)", raw.title, raw.software),
        blocks: vec![
            Block::Text(raw.doc.clone()),
            Block::List(facts),
            Block::Table(vec!["step", "versions", "ways", "verdict", "why", "evidence"], rows),
        ],
    }
}

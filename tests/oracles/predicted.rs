//! What `tokenvet compat` predicts for the questions that the verifiers were asked.

use crate::Tokens;
use crate::mint::{AUDIENCE, NOW, issuer};
use crate::verifiers::Answer;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tokenvet::compat::{Ask, KeySet, Model, Placed, Request, Service, TrustedIssuer, judge};
use tokenvet::source::Source;

/// The software's clock stands this long after the tokens were made, in seconds.
const LATER: i64 = 5;

/// A column of the answers, and the service, whether it has an audience, and the request that `compat` is asked about.
const COLUMNS: &[(&str, &str, bool, Option<&str>)] = &[
    ("scitokens-cpp-0.7.3/verify-compat", "scitokens-cpp@0.7.3/verify", true, None),
    ("scitokens-cpp-0.7.3/enforce-aud", "scitokens-cpp@0.7.3/enforce", true, None),
    ("scitokens-cpp-0.7.3/enforce-noaud", "scitokens-cpp@0.7.3/enforce", false, None),
    ("scitokens-cpp-0.7.3/verify-wlcg", "scitokens-cpp@0.7.3/verify-wlcg", true, None),
    ("scitokens-cpp-in-htcondor-wheel-25.14.1/verify-compat", "scitokens-cpp@1.1.3/verify", true, None),
    ("scitokens-cpp-in-htcondor-wheel-25.14.1/enforce-aud", "scitokens-cpp@1.1.3/enforce", true, None),
    ("scitokens-cpp-in-htcondor-wheel-25.14.1/enforce-noaud", "scitokens-cpp@1.1.3/enforce", false, None),
    ("scitokens-cpp-in-htcondor-wheel-25.14.1/verify-wlcg", "scitokens-cpp@1.1.3/verify-wlcg", true, None),
    ("HTCondor-25.14.1", "htcondor@25.14.1", true, None),
    ("XRootD-5.5.3/GET", "xrootd@5.5.3", true, Some("read:/data/f.txt")),
    ("XRootD-5.5.3/GET-other", "xrootd@5.5.3", true, Some("read:/other/f.txt")),
    ("XRootD-5.5.3/PUT", "xrootd@5.5.3", true, Some("write:/data/up.txt")),
    ("ARC-6.17.0-JWSE", "arc@6.17.0/jwse", true, None),
    ("ARC-6.17.0-JWSE+https-key", "arc@6.17.0/https-key", true, None),
];

/// Answers that are predicted otherwise, one a line: case, column, verdict, prediction, both reasons, header and payload. Columns
/// that `compat` knows nothing of have none.
pub(crate) fn differing(answers: &[Answer], tokens: &Tokens, keys: &Path) -> Vec<String> {
    let model = Model::builtin().expect("the model loads");
    let keys = KeySet::read(&std::fs::read_to_string(keys).expect("read")).expect("the issuer's keys are a key set");
    let cases: BTreeMap<&str, _> = tokens.cases.iter().map(|case| (case.name.as_str(), case)).collect();
    let mut differing = Vec::new();
    for (column, service, audience, request) in COLUMNS {
        let service = asked(service, *audience, &model);
        let request = request.map(|request| Request::parse(request, &model).expect("a request"));
        let (mut same, mut other, mut unsaid) = (0, 0, 0);
        for answer in answers.iter().filter(|answer| answer.column == *column) {
            let Some(taken) = taken(&answer.verdict) else { continue };
            let case = cases[answer.case.as_str()];
            let token = String::from_utf8_lossy(&case.token);
            let cell = judge(
                &model,
                Ask {
                    token: Some(&token),
                    now: (NOW + LATER) as f64,
                    keys: Some(&keys),
                    service: &service,
                    request: request.as_ref(),
                },
            );
            match cell.verdict.takes() {
                Some(predicted) if predicted == taken => same += 1,
                None => unsaid += 1,
                Some(_) => other += 1,
            }
            // That it cannot be said is no wrong prediction.
            if cell.verdict.takes().is_none_or(|predicted| predicted == taken) {
                continue;
            }
            let Answer { case: name, verdict, reason, .. } = answer;
            let shown = |bytes: &[u8]| {
                String::from_utf8_lossy(bytes).chars().take(600).collect::<String>().replace('\t', "\\t")
            };
            let (header, payload) = (shown(&case.header), shown(&case.payload));
            differing.push(format!(
                "{name}\t{column}\t{verdict}\tpredicted {:?}: {}\t{reason}\t{header}\t{payload}",
                cell.verdict, cell.reason
            ));
        }
        if same + other + unsaid > 0 {
            eprintln!("{column}: as predicted {same} of {}, not said {unsaid}", same + other + unsaid);
        }
    }
    differing
}

fn asked(name: &str, audience: bool, model: &Model) -> Service {
    let mut service = Service::parse(name, model).expect("a service of the model");
    service.audiences = Some(Placed::nowhere(if audience { vec![AUDIENCE.to_string()] } else { Vec::new() }));
    service.issuers = Some(vec![TrustedIssuer::everywhere(&issuer())]);
    service
}

/// Whether the software took the token; `None` when it was not sent. Where the software ended, nobody got in.
fn taken(verdict: &str) -> Option<bool> {
    match verdict {
        "accept" => Some(true),
        "reject" | "crash" | "timeout" => Some(false),
        _ => None,
    }
}

/// What a probe of the configurations sends, and where to.
const PROBES: &[(&str, Option<&str>, &str)] = &[
    ("any-token", Some("base-rs256"), "read:/data/f.txt"),
    ("aud-right", Some("aud-right"), "read:/data/f.txt"),
    ("aud-wrong", Some("aud-wrong"), "read:/data/f.txt"),
    ("aud-absent", Some("aud-absent"), "read:/data/f.txt"),
    ("scope-other", Some("scope-read-other"), "read:/data/f.txt"),
    ("any-token GET /other", Some("base-rs256"), "read:/other/f.txt"),
    ("no-token", None, "read:/data/f.txt"),
];

/// Answers of a live XRootD to variants of its configuration that are predicted otherwise.
pub(crate) fn differing_configurations(answers: &[Answer], tokens: &Tokens, variants: &Path) -> Vec<String> {
    let model = Model::builtin().expect("the model loads");
    let cases: BTreeMap<&str, _> = tokens.cases.iter().map(|case| (case.name.as_str(), &case.token)).collect();
    let mut services: BTreeMap<&str, Configured> = BTreeMap::new();
    let (mut differing, mut unread) = (Vec::new(), 0);
    for answer in answers {
        let name = answer.case.as_str();
        let service = services.entry(name).or_insert_with(|| configured(&variants.join(format!("{name}.cfg")), &model));
        let column = answer.column.trim_start_matches("XRootD-5.5.3/");
        let running = match service {
            Configured::Unread => {
                unread += 1;
                continue;
            }
            Configured::Missing => None,
            Configured::Read(service) => service.refuses_to_start.is_none().then_some(service),
        };
        let (predicted, why) = match (running, PROBES.iter().find(|probe| probe.0 == column)) {
            (Some(_), None) => ("starts", String::new()),
            (None, None) => ("refuses", String::new()),
            (None, Some(_)) => ("-", String::new()),
            (Some(service), Some((_, token, request))) => {
                let token = token.map(|token| String::from_utf8_lossy(cases[token]));
                let request = Request::parse(request, &model).expect("a request");
                let now = (NOW + LATER) as f64;
                let cell =
                    judge(&model, Ask { token: token.as_deref(), now, keys: None, service, request: Some(&request) });
                let predicted = match cell.verdict.takes() {
                    Some(true) => "200",
                    Some(false) => "403",
                    None => "?",
                };
                (predicted, cell.reason.to_string())
            }
        };
        if predicted != answer.verdict {
            differing
                .push(format!("{name}\t{column}\t{}\tpredicted {predicted}: {why}\t{}", answer.verdict, answer.reason));
        }
    }
    let total = answers.len();
    let same = total - unread - differing.len();
    eprintln!("XRootD-5.5.3, configurations: as predicted {same} of {total}, not read {unread}");
    differing
}

/// What a configuration is for `compat`.
enum Configured {
    /// There is none.
    Missing,
    /// It is no text, and is refused with a message: nothing is predicted.
    Unread,
    Read(Box<Service>),
}

fn configured(path: &Path, model: &Model) -> Configured {
    let bytes = std::fs::read(path).expect("read");
    if bytes.trim_ascii() == b"(no file)" {
        return Configured::Missing;
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let service = Service::parse("xrootd@5.5.3", model).expect("a service of the model");
    match Source::from_bytes(name, bytes)
        .map(|source| service.configured(&Arc::new(source), Some(&|path| fs::read(path))))
    {
        Ok(Ok(service)) => Configured::Read(Box::new(service)),
        Ok(Err(_)) | Err(_) => Configured::Unread,
    }
}

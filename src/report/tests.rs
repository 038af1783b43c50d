//! What users can rely on in every format.

use super::*;
use crate::rule::Severity;
use crate::source::{Source, Span};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

const CLIENTS: &str = r#"{
  "totalResults": 2,
  "Resources": [
    {
      "client_id": "c0ffee",
      "client_name": "fts-prod",
      "client_secret": "NOT-A-REAL-SECRET",
      "redirect_uris": ["http://fts.example.org/cb"],
      "access_token_validity_seconds": 2592000
    }
  ]
}
"#;

fn finding(source: &Source, marked: &str, rule: &str, profile: &str, severity: Severity) -> Finding {
    let at = source.text().find(marked).expect("the test marks text of its own source");
    finding_at(source, at..at + marked.len(), rule, profile, severity)
}

fn finding_at(source: &Source, span: std::ops::Range<usize>, rule: &str, profile: &str, severity: Severity) -> Finding {
    let (start, end) = (source.position(span.start), source.position(span.end));
    Finding {
        rule: rule.into(),
        profile: profile.into(),
        severity,
        default_severity: severity,
        message: format!("access tokens live 30 d, {profile} allows 6 h"),
        path: source.name().clone(),
        region: Region::new(start, end, span.start, span.len()),
        fault: (start.line, end.line),
        pointer: "/Resources/0/access_token_validity_seconds".into(),
        inner_pointer: None,
        target: TargetRef { kind: "client".into(), name: "fts-prod".into(), workflow: None },
        requirements: vec!["WLCG-LIF-005".into()],
        related: Vec::new(),
        help: "The IAM operator lowers \"Access token timeout\" of the client in the dashboard.".into(),
        identity: Default::default(),
        fingerprint: "0123456789abcdef0123456789abcdef".into(),
        suppressed: None,
        deviation: None,
        measure: None,
    }
}

fn rules() -> BTreeMap<String, RuleInfo> {
    let help = "The IAM operator lowers \"Access token timeout\" of the client in the dashboard.";
    let info = RuleInfo {
        id: "token-outlives-maximum".into(),
        title: "Access token lives longer than the profile allows".into(),
        help: help.into(),
        rationale: "A stolen token works until it expires.".into(),
        references: vec!["https://example.org/profile".into()],
        contact: RuleInfo::contact_named_in(help),
        limit: "access_token.lifetime.max".into(),
    };
    BTreeMap::from([(info.id.clone(), info)])
}

fn run() -> Run {
    Run {
        now: "2026-11-22T00:00:00Z".into(),
        profiles: vec![ProfileRef { id: "wlcg@1.3".into(), why: "--profile".into() }],
        summary: Summary { judged: 1, suppressed: 1, ..Summary::default() },
        ..Run::default()
    }
}

fn document(path: &str) -> DocumentRef {
    DocumentRef { path: path.into(), kind: "indigo-iam-clients".into(), targets: 1 }
}

fn render(format: Format, options: Options, files: &[Checked<'_>], run: &Run) -> String {
    let mut out = Vec::new();
    let rules = rules();
    let mut reporter = reporter(format, &mut out, options, &rules);
    for checked in files {
        reporter.file(checked).expect("memory takes every write");
    }
    reporter.finish(run).expect("memory takes every write");
    drop(reporter);
    String::from_utf8(out).expect("reports are UTF-8")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The demonstration run: one finding under two profiles, one of another rule, a suppressed one, an error.
fn demo<'a>(source: &'a Source, secrets: &'a [Span]) -> Checked<'a> {
    let long = |profile: &str, severity| finding(source, "2592000", "token-outlives-maximum", profile, severity);
    let redirect = Finding {
        message: "the redirect URI is not https".into(),
        pointer: "/Resources/0/redirect_uris/0".into(),
        requirements: vec!["RFC9700-CL-003".into(), "RFC8252-002".into()],
        help: "Ask the client owner for an https address and replace it.".into(),
        ..finding(
            source,
            "\"http://fts.example.org/cb\"",
            "redirect-without-tls",
            "rfc9700-client@1",
            Severity::Warning,
        )
    };
    let suppressed = Suppressed {
        kind: SuppressionKind::Waiver,
        reason: "being replaced".into(),
        owner: Some("iam-team".into()),
        expires: Some("2027-01-31".into()),
        mitigations: vec![],
        line: 0,
    };
    Checked {
        more: false,
        partial: false,
        inventory: vec![],
        service: None,
        view: Some(View::new(source, secrets)),
        documents: vec![document(source.name())],
        targets: BTreeMap::from([("client".to_owned(), 226)]),
        findings: vec![
            Finding { suppressed: Some(suppressed), ..redirect.clone() },
            redirect,
            long("aarc-g081@1.0", Severity::Warning),
            long("wlcg@1.3", Severity::Error),
        ],
        not_judged: (0..14)
            .map(|client| NotJudged {
                rule: "token-outlives-maximum".into(),
                path: source.name().clone(),
                target: TargetRef { kind: "client".into(), name: format!("c{client}").into(), workflow: None },
                field: "lifetimes.access_token".into(),
                why: "absent from the \"my clients\" view".into(),
            })
            .collect(),
        errors: vec![FileError {
            path: "broken.json".into(),
            message: "the text ends inside an object; copy the file again".into(),
            region: Some(Region {
                start_line: 3,
                start_column: 1,
                end_line: 3,
                end_column: 1,
                byte_offset: 9,
                byte_length: 0,
            }),
        }],
    }
}

fn masked_client_secret() -> [Span; 1] {
    let at = CLIENTS.find("NOT-A").expect("written above");
    [Span::new(at, at + "NOT-A-REAL-SECRET".len())]
}

#[cfg(feature = "cli")]
#[test]
fn nothing_shares_its_name_where_readers_keep_the_first_of_equals() {
    let source = Source::from_text("clients.json", CLIENTS);
    let one = || finding(&source, "2592000", "token-outlives-maximum", "wlcg@1.3", Severity::Error);
    let second = Finding { target: TargetRef { name: "fts-prod #2".into(), ..one().target }, ..one() };
    let error = || FileError { path: "clients.json".into(), message: "broken".into(), region: None };
    let checked = || Checked {
        documents: vec![document("clients.json")],
        findings: vec![one(), second.clone(), one(), one()],
        errors: vec![error(), error()],
        ..Checked::default()
    };
    let all = |format| render(format, Options::default(), &[checked()], &run());
    let issues = json(&all(Format::Gitlab));
    let marks: Vec<&str> =
        issues.as_array().unwrap().iter().map(|issue| issue["fingerprint"].as_str().unwrap()).collect();
    assert_eq!(marks.len(), 6);
    assert_eq!(marks.iter().collect::<std::collections::BTreeSet<_>>().len(), 6, "{marks:?}");
    assert_eq!(marks.iter().filter(|mark| ***mark == *one().fingerprint).count(), 1, "one keeps its own");
    let suites = all(Format::Junit);
    let names: Vec<&str> = suites.lines().filter_map(|line| line.split(" name=\"").nth(1)?.split('"').next()).collect();
    assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len(), "{names:?}");
    assert!(names.contains(&"token-outlives-maximum (wlcg@1.3) fts-prod #3"), "{names:?}");
    assert_eq!(all(Format::Junit), suites);
}

#[test]
fn human_reads_well_at_80_columns() {
    let source = Source::from_text("iam/clients.json", CLIENTS);
    let text = render(Format::Human, Options::default(), &[demo(&source, &masked_client_secret())], &run());
    let expected = r#"  warning: the redirect URI is not https
   ╭─[iam/clients.json:8:25]
 7 │       "client_secret": "*****************",
 8 │       "redirect_uris": ["http://fts.example.org/cb"],
   ·                         ───────────────────────────
 9 │       "access_token_validity_seconds": 2592000
   ╰────
   client fts-prod (/Resources/0/redirect_uris/0)
     help Ask the client owner for an https address and replace it.
    basis rfc9700-client@1: RFC9700-CL-003, RFC8252-002
     more tokenvet explain redirect-without-tls

  error: access tokens live 30 d, wlcg@1.3 allows 6 h
    ╭─[iam/clients.json:9:40]
  8 │       "redirect_uris": ["http://fts.example.org/cb"],
  9 │       "access_token_validity_seconds": 2592000
    ·                                        ───────
 10 │     }
    ╰────
   client fts-prod (/Resources/0/access_token_validity_seconds)
     help The IAM operator lowers "Access token timeout" of the client in the
          dashboard.
    basis wlcg@1.3: WLCG-LIF-005
    basis aarc-g081@1.0: WLCG-LIF-005 (warning) – access tokens live 30 d,
          aarc-g081@1.0 allows 6 h
     more tokenvet explain token-outlives-maximum

not checked: broken.json:3:1
    the text ends inside an object; copy the file again

14 of 226 clients not judged: absent from the "my clients" view
    (lifetimes.access_token)

severity count  rule                    who can change it
error        1  token-outlives-maximum  IAM operator
warning      1  redirect-without-tls

profiles: wlcg@1.3 (--profile)
1 error, 2 warnings in 1 file; 1 shown with what another profile says of the
same place; 1 target judged; 1 suppressed; 1 file not checked
"#;
    assert_eq!(text, expected, "\n{text}");
}

#[cfg(feature = "cli")]
#[test]
fn human_stays_short_when_thousands_have_the_same_fault() {
    let source = Source::from_text("c.json", "0123456789\n".repeat(200));
    let at = |n: usize| {
        let one = finding_at(&source, n..n + 1, "token-outlives-maximum", "wlcg@1.3", Severity::Error);
        Finding { target: TargetRef { kind: "client".into(), name: format!("c{n}").into(), workflow: None }, ..one }
    };
    let findings: Vec<_> = (0..1985).map(at).collect();
    let files = || [Checked { view: Some(View::new(&source, &[])), findings: findings.clone(), ..Checked::default() }];
    let text = render(Format::Human, Options::default(), &files(), &run());
    assert_eq!(text.matches("╭─[").count(), 3);
    assert!(text.contains("token-outlives-maximum: … 1,982 more clients (--all shows them)"), "{text}");
    assert!(text.contains("error    1,985  token-outlives-maximum  IAM operator"), "{text}");
    let all = render(Format::Human, Options { all: true, ..Options::default() }, &files(), &run());
    assert_eq!(all.matches("╭─[").count(), 1985);
}

#[cfg(feature = "cli")]
#[test]
fn human_stays_short_when_thousands_of_files_have_the_same_fault() {
    let sources: Vec<_> = (0..2000).map(|n| Source::from_text(format!("{n:04}.json"), "01\n")).collect();
    let files = sources.iter().map(|source| {
        let at = |n: usize| finding_at(source, n..n + 1, "token-outlives-maximum", "wlcg@1.3", Severity::Error);
        Checked { view: Some(View::new(source, &[])), findings: vec![at(0), at(1)], ..Checked::default() }
    });
    let text = render(Format::Human, Options::default(), &files.collect::<Vec<_>>(), &run());
    assert_eq!(text.matches("╭─[").count(), 12);
    assert!(text.contains("… 3,988 more places in 1,994 clients of 1,994 other files (--all shows them)"), "{text}");
}

#[cfg(feature = "cli")]
#[test]
fn human_draws_in_ascii_where_the_terminal_knows_no_more() {
    let source = Source::from_text("iam/clients.json", CLIENTS);
    let options = Options { unicode: false, ..Options::default() };
    let text = render(Format::Human, options, &[demo(&source, &[])], &run());
    assert!(text.is_ascii(), "{text}");
}

#[cfg(feature = "cli")]
#[test]
fn human_cuts_long_lines_and_fills_long_messages() {
    let line = format!("{{{}\"exp\": 99999{}}}", "\"a\": 1, ".repeat(5000), ", \"b\": 2".repeat(5000));
    let source = Source::from_text("min.json", line);
    let message = "many words and then one_that_is_longer_than_the_line_".to_owned() + &"x".repeat(100);
    let one = Finding { message, ..finding(&source, "99999", "a-rule", "wlcg@1.3", Severity::Note) };
    let long = Region { end_line: 1, byte_offset: 10, byte_length: source.text().len() as u64 - 20, ..one.region };
    let second = Finding { region: long, ..one.clone() };
    for width in [50, 80, 120] {
        let files = [Checked {
            view: Some(View::new(&source, &[])),
            findings: vec![second.clone(), one.clone()],
            ..Checked::default()
        }];
        let text = render(Format::Human, Options { width, ..Options::default() }, &files, &run());
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(width), "{longest:?} > {width}: {text}");
        assert!(text.contains("\"exp\": 99999"), "{text}");
    }
}

#[test]
fn json_is_what_its_schema_says() {
    let kept = crate::schema::text(crate::schema::Kind::Report);
    let source = Source::from_text("iam/clients.json", CLIENTS);
    let text = render(Format::Json, Options::default(), &[demo(&source, &[])], &run());
    let validator = jsonschema::validator_for(&json(&kept)).expect("our schema is valid");
    if let Err(error) = validator.validate(&json(&text)) {
        panic!("{error} at {}", error.instance_path());
    }
    let mut rest = text.as_str();
    for member in [
        "schema_version",
        "tool",
        "now",
        "policy_digest",
        "profiles",
        "documents",
        "findings",
        "not_judged",
        "errors",
        "skipped",
        "summary",
    ] {
        let at = rest.find(&format!("\n\"{member}\":")).unwrap_or_else(|| panic!("{member} in the agreed order"));
        rest = &rest[at + 1..];
    }
}

#[test]
fn json_findings_are_sorted_whatever_the_order_of_files() {
    let sources = ["b.json", "a.json"].map(|name| Source::from_text(name, CLIENTS));
    let files = sources.each_ref().map(|source| demo(source, &[]));
    let of_run = Finding { path: "a.json".into(), ..finding(&sources[0], "c0ffee", "z", "general@1", Severity::Note) };
    let report = json(&render(Format::Json, Options::default(), &files, &Run { findings: vec![of_run], ..run() }));
    let order: Vec<_> = report["findings"]
        .as_array()
        .expect("findings is a list")
        .iter()
        .map(|f| {
            (
                f["path"].to_string(),
                f["region"]["byte_offset"].as_u64(),
                f["rule"].to_string(),
                f["profile"].to_string(),
            )
        })
        .collect();
    assert_eq!(order.len(), 9);
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn jsonl_is_written_as_files_finish_and_keeps_document_order() {
    let source = Source::from_text("iam/clients.json", CLIENTS);
    let mut out = Vec::new();
    Jsonl::new(&mut out).file(&demo(&source, &[])).expect("memory takes every write");
    let types: Vec<_> =
        String::from_utf8(out).expect("UTF-8").lines().map(|line| json(line)["type"].to_string()).collect();
    assert_eq!(
        types[..6],
        ["\"document\"", "\"finding\"", "\"finding\"", "\"finding\"", "\"finding\"", "\"not_judged\""]
    );
    let whole = render(Format::Jsonl, Options::default(), &[demo(&source, &[])], &run());
    let last = json(whole.lines().last().expect("a run line"));
    assert_eq!((&last["type"], &last["tool"]["name"]), (&Value::from("run"), &Value::from("tokenvet")));
}

fn sarif_validator() -> jsonschema::Validator {
    let text = std::fs::read_to_string(root().join("schemas/vendor/sarif-2.1.0.json")).expect("kept in the repository");
    jsonschema::validator_for(&json(&text)).expect("the OASIS schema is valid")
}

fn assert_valid(validator: &jsonschema::Validator, instance: &Value) {
    if let Err(error) = validator.validate(instance) {
        panic!("{error} at {}", error.instance_path());
    }
}

/// The text between two places given as line and column in code points, both from 1.
fn by_columns(text: &str, start: (u64, u64), end: (u64, u64)) -> String {
    let mut place = (1, 1);
    let mut found = String::new();
    for c in text.chars() {
        if place >= start && place < end {
            found.push(c);
        }
        place = if c == '\n' { (place.0 + 1, 1) } else { (place.0, place.1 + 1) };
    }
    found
}

#[test]
fn sarif_regions_cut_the_marked_text_out_of_the_file() {
    let text = "\u{feff}# ümläut 😀\r\nname: \"日本語 😀\" # x\r\nlist:\n  - a\n  - b\n";
    let source = Source::from_text("conf/x y.yaml", text);
    let validator = sarif_validator();
    for marked in ["ümläut", "😀", "\"日本語 😀\"", "list:\n  - a\n  - b", "b\n", "\u{feff}#"] {
        let one = finding(&source, marked, "token-outlives-maximum", "wlcg@1.3", Severity::Error);
        let related =
            Related { message: "here".into(), path: one.path.clone(), region: one.region, pointer: Default::default() };
        let checked = Checked { findings: vec![Finding { related: vec![related], ..one }], ..Checked::default() };
        let report = json(&render(Format::Sarif, Options::default(), &[checked], &run()));
        assert_valid(&validator, &report);
        let result = &report["runs"][0]["results"][0];
        for place in [&result["locations"][0], &result["relatedLocations"][0]] {
            let region = &place["physicalLocation"]["region"];
            let number = |name: &str| region[name].as_u64().expect("a number");
            let from = number("byteOffset") as usize;
            assert_eq!(&text[from..from + number("byteLength") as usize], marked);
            let (start, end) = ((number("startLine"), number("startColumn")), (number("endLine"), number("endColumn")));
            assert_eq!(by_columns(text, start, end), marked);
        }
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "conf/x%20y.yaml");
    }
}

#[test]
fn sarif_carries_rules_suppressions_and_errors() {
    let source = Source::from_text("iam/clients.json", CLIENTS);
    let report = json(&render(Format::Sarif, Options::default(), &[demo(&source, &[])], &run()));
    assert_valid(&sarif_validator(), &report);
    let run = &report["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("a list");
    for result in run["results"].as_array().expect("a list") {
        assert_eq!(rules[result["ruleIndex"].as_u64().expect("a number") as usize]["id"], result["ruleId"]);
    }
    assert_eq!(rules[1]["fullDescription"]["text"], "A stolen token works until it expires.");
    assert_eq!(run["results"][0]["suppressions"][0]["justification"], "being replaced");
    assert_eq!(run["results"][1]["suppressions"], Value::Array(Vec::new()));
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let notification = &run["invocations"][0]["toolExecutionNotifications"][0];
    assert_eq!(notification["locations"][0]["physicalLocation"]["region"]["startLine"], 3);
}

/// The commands a GitHub runner finds in a log: lines that begin with `::` once trimmed, and `##[` anywhere.
fn commands(log: &str) -> Vec<(String, BTreeMap<String, String>, String)> {
    let decode = |text: &str| {
        text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
    };
    // The runner ends a line at a carriage return, too.
    let lines = log.split(['\n', '\r']);
    lines
        .filter_map(|line| match line.trim_start().strip_prefix("::") {
            Some(rest) => {
                let (head, data) = rest.split_once("::")?;
                let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
                let properties = properties
                    .split(',')
                    .filter_map(|property| property.split_once('='))
                    .map(|(name, value)| (name.to_owned(), decode(value)))
                    .collect();
                Some((name.to_owned(), properties, decode(data)))
            }
            None if line.contains("##[") => Some(("##[".to_owned(), BTreeMap::new(), line.to_owned())),
            None => None,
        })
        .collect()
}

/// Our own strings that writers are known to get wrong.
const NASTY: &[&str] = &[
    "",
    "\u{1b}[31mred\u{1b}]8;;http://evil\u{7}link\u{1b}]8;;\u{7}",
    "\u{0}\u{1}\u{8}\u{b}\u{c}\u{e}\u{1f}\u{7f}\u{80}\u{85}\u{9b}\u{9f}",
    "\u{200b}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}\u{2028}\u{2029}",
    "\u{fffe}\u{ffff}\u{fffd}\u{e0041}\u{10ffff}",
    "x\n::error file=a::forged\r::stop-commands::x\r\n##[add-mask]y",
    "::error::forged",
    "  ::add-mask::x %0A::error::forged %3A%3A , file=b",
    "##[error]forged ###[x] # # [",
    "<script>alert(1)</script><img src=x onerror=y>]]>&amp;<!--",
    "[a](javascript:x) ![b](http://evil/p.png) <http://evil> http://evil www.evil.org me@evil.org @user #1 org/repo#2",
    "```\n~~~\n````` | x | y |\n| --- |\n\\| \\` \\\\| `code` `` ` ``",
    "# heading\n\n- item\n1. one\n\n> quote\n\n---\n\n    code\n\n<details>\n\n[x]: http://evil",
    "- item",
    "1. one",
    "+ item",
    "---",
    "===",
    "{0} {1} {{ }} ${HOME} $(id) %s %n \\u{1b} \\u001b",
    "=cmd|' /C calc'!A0",
    "\"'\\/\u{2603}\u{1f600}\u{0301}\u{0489}",
];

/// The given text in every field of a finding, an error, a document and so on; with its file.
fn hostile(text: &str) -> (Source, Run) {
    let source = Source::from_text(text, format!("a: 1\n{} b\n", text.replace('\u{0}', "")));
    let run = Run {
        workflows: vec![],
        now: run().now,
        policy_digest: Some(text.into()),
        policy_from: Some(PolicyFrom { reference: text.into(), commit: text.into() }),
        only_changed: Some(OnlyChanged {
            since: Some(text.into()),
            off: None,
            files: 1,
            left_out: LeftOut { error: 1, warning: 0, note: 2 },
        }),
        notes: vec![format!("left out: {text}")],
        profiles: vec![ProfileRef { id: text.into(), why: text.into() }],
        findings: Vec::new(),
        sources: Vec::new(),
        excerpts: Vec::new(),
        errors: vec![FileError { path: text.into(), message: text.into(), region: None }],
        skipped: 1,
        summary: Summary { error: 2, ..Summary::default() },
        ..Run::default()
    };
    (source, run)
}

fn hostile_checked<'a>(source: &'a Source, text: &str) -> Checked<'a> {
    let target = TargetRef { kind: text.into(), name: text.into(), workflow: None };
    let one = finding_at(source, 5..source.text().len() - 1, text, text, Severity::Error);
    let related = Related { message: text.into(), path: text.into(), region: one.region, pointer: text.into() };
    let one = Finding {
        message: text.into(),
        pointer: text.into(),
        inner_pointer: Some(text.into()),
        target: target.clone(),
        requirements: vec![text.into(), text.into()],
        related: vec![related],
        help: text.into(),
        identity: Default::default(),
        fingerprint: text.into(),
        ..one
    };
    let suppressed = Suppressed {
        kind: SuppressionKind::Inline,
        reason: text.into(),
        owner: Some(text.into()),
        expires: Some(text.into()),
        mitigations: vec![],
        line: 0,
    };
    Checked {
        more: false,
        partial: false,
        inventory: vec![],
        service: None,
        view: Some(View::new(source, &[])),
        documents: vec![DocumentRef { path: text.into(), kind: text.into(), targets: 1 }],
        targets: BTreeMap::from([(text.to_owned(), 1)]),
        findings: vec![
            one.clone(),
            Finding { pointer: "/2".into(), ..one.clone() },
            Finding { suppressed: Some(suppressed), ..one },
        ],
        not_judged: vec![NotJudged {
            rule: text.into(),
            path: text.into(),
            target,
            field: text.into(),
            why: text.into(),
        }],
        errors: vec![FileError { path: text.into(), message: text.into(), region: None }],
    }
}

/// Nothing a terminal or a CI log would obey, in any format.
fn assert_inert(format: Format, output: &str) {
    let obeyed = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}' | '\u{e0001}'..='\u{e007f}')
    };
    if let Some(c) = output.chars().find(|&c| obeyed(c)) {
        panic!("{format} writes {c:?} as it is: {output:?}");
    }
    if !matches!(format, Format::Github) {
        assert_eq!(commands(output), [], "{format}");
    }
}

/// Counts of what a Markdown reader makes of a page; links, images and HTML that is not ours are refused.
fn markdown_shape(page: &str) -> BTreeMap<String, usize> {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    let mut shape: BTreeMap<String, usize> = BTreeMap::new();
    for event in Parser::new_ext(page, Options::all()) {
        let name = match event {
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::FootnoteDefinition(_)) => panic!("a link: {page}"),
            Event::Html(html) | Event::InlineHtml(html) => {
                assert!(["<code>", "</code>", "<!-- -->"].contains(&html.as_ref()), "{html}: {page}");
                continue;
            }
            Event::Text(_) | Event::SoftBreak => continue,
            Event::Start(tag) => format!("{:?}", tag.to_end()),
            Event::End(_) => continue,
            other => format!("{other:?}"),
        };
        *shape.entry(name).or_default() += 1;
    }
    shape
}

#[expect(clippy::print_stdout, reason = "a test says what it left out")]
fn naughty_strings() -> Vec<String> {
    let shared = std::env::var_os("TOKENVET_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    match std::fs::read_to_string(shared.join("vectors/blns/blns.json")) {
        Ok(text) => serde_json::from_str(&text).expect("a list of strings"),
        Err(_) => {
            println!("note: the list of naughty strings is not there; only our own are tried");
            Vec::new()
        }
    }
}

#[test]
fn hostile_text_in_every_field_keeps_every_format_well_formed() {
    let schema = std::fs::read_to_string(root().join("schemas/report.schema.json")).expect("kept in the repository");
    let report_validator = jsonschema::validator_for(&json(&schema)).expect("our schema is valid");
    let sarif_validator = sarif_validator();
    let ours = regex::Regex::new("\x1b\\[[0-9;]*m").expect("a constant pattern");
    let quiet_shape = markdown_page_shape("quiet");
    for (number, text) in NASTY.iter().map(|&text| text.to_owned()).chain(naughty_strings()).enumerate() {
        // A schema looks at the shape, which text cannot change one by one; every eighth is enough of the long list.
        let by_schema = number < NASTY.len() || number.is_multiple_of(8);
        let (source, run) = hostile(&text);
        for &format in Format::ALL {
            let output = render(format, Options::default(), &[hostile_checked(&source, &text)], &run);
            assert_inert(format, &output);
            match format {
                #[cfg(feature = "cli")]
                Format::Human => {
                    let color = Options { color: true, ..Options::default() };
                    let output = render(format, color, &[hostile_checked(&source, &text)], &run);
                    assert_inert(format, &ours.replace_all(&output, ""));
                }
                Format::Json => {
                    let report = json(&output);
                    if by_schema {
                        assert_valid(&report_validator, &report);
                    }
                    assert_eq!(report["findings"][0]["message"], text.as_str(), "nothing is lost");
                    assert_eq!(report["errors"][1]["path"], text.as_str(), "nothing is lost");
                }
                Format::Jsonl => {
                    let lines: Vec<_> = output.lines().map(json).collect();
                    assert_eq!(lines.len(), 8, "one thing, one line: {output}");
                    assert_eq!(lines[1]["target"]["name"], text.as_str());
                }
                Format::Sarif => {
                    let report = json(&output);
                    if by_schema {
                        assert_valid(&sarif_validator, &report);
                    }
                }
                Format::Gitlab => assert_eq!(json(&output).as_array().map(Vec::len), Some(7)),
                Format::Github => {
                    let found = commands(&output);
                    assert_eq!(output.lines().count(), 7, "one finding, one line; three remarks: {output}");
                    assert_eq!(found.len(), 4, "two findings, two errors: {output}");
                    let known = ["file", "line", "col", "endColumn", "endLine", "title"];
                    for (name, properties, _) in &found {
                        assert_eq!(name, "error");
                        assert!(properties.keys().all(|key| known.contains(&key.as_str())), "{properties:?}");
                    }
                }
                Format::Junit => {
                    let document =
                        roxmltree::Document::parse(&output).unwrap_or_else(|error| panic!("{error}: {output}"));
                    let cases = document.descendants().filter(|node| node.has_tag_name("testcase")).count();
                    assert_eq!(cases, 9, "three findings, two errors, three remarks, one for what was not judged");
                }
                Format::Markdown => {
                    let mut expected = quiet_shape.clone();
                    if text.trim().is_empty() {
                        // Nothing to say is no paragraph.
                        *expected.entry("Paragraph".into()).or_default() -= 1;
                    }
                    assert_eq!(markdown_shape(&output), expected, "{text:?}: {output}");
                }
                Format::Html => html::tests::assert_safe(&output),
            }
        }
    }
}

fn markdown_page_shape(text: &str) -> BTreeMap<String, usize> {
    let (source, run) = hostile(text);
    markdown_shape(&render(Format::Markdown, Options::default(), &[hostile_checked(&source, text)], &run))
}

#[test]
fn secrets_on_the_marked_lines_reach_no_format() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLW9mLXRlc3Q";
    let text = format!("{{\"client_secret\": \"hunter2hunter2\", \"log\": \"{token}\", \"exp\": 1}}\n");
    let source = Source::from_text("c.json", text);
    let at = source.text().find("hunter2").expect("written above");
    let secrets = [Span::new(at, at + 14)];
    for &format in Format::ALL {
        for marked in ["\"hunter2hunter2\"", token, "\"exp\": 1"] {
            let findings = vec![finding(&source, marked, "token-outlives-maximum", "wlcg@1.3", Severity::Error)];
            let checked = Checked { view: Some(View::new(&source, &secrets)), findings, ..Checked::default() };
            let output = render(format, Options::default(), &[checked], &run());
            for secret in ["hunter2", "c2lnbmF0", "LXRlc3Q"] {
                assert!(!output.contains(secret), "{format}: {output}");
            }
        }
    }
}

#[test]
fn formats_that_say_that_they_quote_nothing_quote_nothing() {
    let source = Source::from_text("clients.json", CLIENTS);
    let whole = [Span::new(0, CLIENTS.len())];
    let text = |format, secrets| render(format, Options::default(), &[demo(&source, secrets)], &run());
    let mut quoting = 0;
    for &format in Format::ALL {
        let rules = rules();
        let quotes = reporter(format, Vec::new(), Options::default(), &rules).quotes();
        assert_eq!(text(format, &[]) != text(format, &whole), quotes, "{format}");
        quoting += usize::from(quotes);
    }
    assert!(quoting > 1);
}

#[test]
fn what_cannot_be_written_is_an_error_of_the_run() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let source = Source::from_text("iam/clients.json", CLIENTS);
    let rules = rules();
    for &format in Format::ALL {
        let mut reporter = reporter(format, Full, Options::default(), &rules);
        let outcome = reporter.file(&demo(&source, &[])).and_then(|()| reporter.finish(&run()));
        assert_eq!(outcome.map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull), "{format}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]

    /// Regions come from far away; none may stop a report.
    #[test]
    fn any_region_of_any_text_is_drawn(
        text in "(\\PC|\r|\n|\t|\u{1b}|\u{301}|漢|😀){0,60}",
        lines in (0u32..6, 0u32..6),
        bytes in (0u64..80, 0u64..80),
        width in 0usize..90,
    ) {
        let source = Source::from_text("t", format!("a{text}"));
        let one = finding(&source, "a", "rule", "general@1", Severity::Note);
        let region = Region {
            start_line: lines.0, start_column: lines.1, end_line: lines.1, end_column: 0, byte_offset: bytes.0, byte_length: bytes.1,
        };
        let true_start = source.position(bytes.0 as usize);
        let on_its_line = Region { start_line: true_start.line, ..region };
        for region in [region, on_its_line] {
            let checked = || Checked {
                view: Some(View::new(&source, &[])),
                findings: vec![Finding { region, ..one.clone() }],
                ..Checked::default()
            };
            for &format in Format::ALL {
                let output = render(format, Options { width, ..Options::default() }, &[checked()], &run());
                assert_inert(format, &output);
            }
        }
    }
}

//! A stranger's words in every place that holds text, through the program and into every format: what readers of a format
//! take for structure must stay ours.

use super::repository::{NOW, Repository};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Output;

/// Words that some reader obeys.
const HOSTILE: [&str; 16] = [
    "x\n::error file=a::forged\r::stop-commands::x\r\n##[add-mask]y",
    "::error::forged",
    "  ::add-mask::x %0A::error::forged %3A%3A , file=b",
    "##[error]forged ###[x]",
    "a%0Ab%0D%25c:d,e",
    "\u{1b}[31mred\u{1b}]8;;http://evil\u{7}link\u{1b}]8;;\u{7}\u{9b}2J",
    "\u{202e}rtl\u{2066}\u{200b}\u{feff}\u{2028}\u{85}",
    "<script>alert(1)</script><img src=x onerror=y>]]>&amp;<!--",
    "\"/><testcase name=\"forged\"/><a b='",
    "[a](javascript:x) ![b](http://evil/p.png) <http://evil> www.evil.org me@evil.org @user #1 org/repo#2",
    "```\n~~~\n| x | y |\n| --- |\n\\| `code` `` ` ``",
    "# heading\n\n- item\n\n---\n\n    code\n\n<details>\n\n[x]: http://evil",
    "a | b || c \\| d",
    "{0} {1} ${HOME} $(id) %s %n \\u{1b}",
    "=cmd|' /C calc'!A0",
    "\"'\\\t",
];

/// Every format with the file it is written to.
const FORMATS: [(&str, &str); 8] = [
    ("human", "out.txt"),
    ("json", "out.json"),
    ("jsonl", "out.jsonl"),
    ("sarif", "out.sarif"),
    ("github", "out.log"),
    ("gitlab", "out.gitlab"),
    ("junit", "out.xml"),
    ("markdown", "out.md"),
];

/// A repository in which this text stands wherever text may stand.
fn repository(text: &str) -> Repository {
    let repository = Repository::new();
    // What a file system takes; the longest name is 255 bytes.
    let name: String = text.replace(['/', '\0'], "_").chars().take(60).collect();
    repository.write("first", "a commit\n");
    repository.commit("base");
    let rule = json!({
        "id": "own-rule", "title": text, "target": "client", "severity": "warning", "when": {"active": {"is": true}},
        "each": "redirect_uris", "check": {"item": {"pattern": "^https://portal[.]example[.]org/"}},
        "message": format!("{} {{item}}", text.replace(['{', '}'], "_")), "help": text, "rationale": text,
        "examples": [
            {"name": text, "kind": "rfc7591-client", "pass": {"client_id": "a", "redirect_uris": ["https://portal.example.org/cb"]}},
            {"name": "b", "kind": "rfc7591-client", "fail": {"client_id": "a", "redirect_uris": ["https://b.example.org/cb"]}, "at": ["/redirect_uris/0"]},
            {"name": "c", "kind": "rfc7591-client", "skip": {"client_id": "a", "redirect_uris": [], "grant_types": ["client_credentials"]}}
        ]
    });
    let policy = json!({
        "rule-files": ["own.yaml"], "waivers": ["waivers.yaml"],
        "workflows": [{"name": text.replace(char::is_control, " "), "class": "test", "user-class": "ordinary", "match": {"client-id": ["*"]}, "contact": text}]
    });
    let waivers = json!([
        {"rule": "client-wide-delete-scope", "match": {"path": "**"}, "reason": text, "owner": text, "expires": "2020-01-01"},
        {"rule": "client-without-contacts", "match": {"path": "**"}, "reason": text, "owner": text, "expires": "2099-01-01"}
    ]);
    let client = json!({
        "client_id": text, "client_name": text, "client_description": text, "redirect_uris": [text, "http://h.example.org/*"],
        "contacts": [text], "grant_types": [text, "implicit", "password"], "response_types": ["token", text],
        "token_endpoint_auth_method": text, "scope": format!("openid storage.modify:/ {text}"),
        "access_token_validity_seconds": 99_999_999, "refresh_token_validity_seconds": text,
        "id_token_validity_seconds": 600, "device_code_validity_seconds": 600, "active": true, text: text
    });
    let listing = json!({"totalResults": 1, "itemsPerPage": 1, "startIndex": 1, "Resources": [client]});
    let token = json!({
        "header": {"alg": text, "kid": text, "typ": text},
        "payload": {"wlcg.ver": "1.0", "iss": text, "sub": text, "aud": [text, "https://se.example.org"], "iat": 1_763_784_000,
            "nbf": 1_763_783_940, "exp": 1_964_784_000, "scope": format!("storage.read:/ {text}"), "jti": text, "client_id": text,
            "wlcg.groups": [text], text: text}
    });
    let issuer = json!({
        "issuer": format!("https://iam.example.org/{text}"), "authorization_endpoint": text, "token_endpoint": text,
        "jwks_uri": "http://iam.example.org/jwk", "response_types_supported": [text], "scopes_supported": [text, "wlcg"],
        "grant_types_supported": ["implicit", text], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["none", text]
    });
    repository.write("own.yaml", rule.to_string());
    repository.write("tokenvet.yaml", policy.to_string());
    repository.write("waivers.yaml", waivers.to_string());
    repository.write(&format!("iam/{name}/{name}.json"), serde_json::to_string_pretty(&listing).unwrap());
    repository.write(&format!("iam/{name}/token {name}.json"), serde_json::to_string_pretty(&token).unwrap());
    repository.write("iam/openid-configuration.json", serde_json::to_string_pretty(&issuer).unwrap());
    repository.write(&format!("broken {name}.json"), format!("{{\"client_id\": \"{text}"));
    repository.write(
        &format!("{name}.cfg"),
        format!("[Global]\naudience = {text}\n[Issuer {text}]\nissuer = {text}\nbase_path = {text}\n"),
    );
    repository
}

/// Every report of one run, by format.
fn reports(repository: &Repository, more: &[&str]) -> (BTreeMap<&'static str, String>, Output) {
    let files: Vec<String> = FORMATS.iter().map(|(format, file)| format!("{format}={file}")).collect();
    let outputs: Vec<&str> = files.iter().flat_map(|file| ["--output", file]).collect();
    let output = repository.run(&[&["--all", "-f", "github"], more, &outputs].concat());
    assert!(repository.path("out.json").exists(), "{}", String::from_utf8_lossy(&output.stderr));
    (FORMATS.iter().map(|(format, file)| (*format, repository.read(file))).collect(), output)
}

/// A character that a terminal, an editor or a log obeys.
fn obeyed(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The commands that GitHub's runner takes from a log, as it decodes them.
fn commands(log: &str) -> Vec<(String, BTreeMap<String, String>, String)> {
    let data = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    let property = |text: &str| data(&text.replace("%3A", ":").replace("%2C", ","));
    let lines = log.split(['\n', '\r']).filter_map(|line| line.trim_start().strip_prefix("::")?.split_once("::"));
    lines
        .map(|(head, text)| {
            let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
            let pairs = properties.split(',').map(|pair| pair.split_once('=').expect("a property has a value"));
            (name.to_string(), pairs.map(|(name, value)| (name.to_string(), property(value))).collect(), data(text))
        })
        .collect()
}

/// What a Markdown reader makes of a page: its table rows and headings. Links, images and HTML that is not ours are refused.
fn markdown(page: &str) -> (usize, usize) {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    let (mut rows, mut headings) = (0, 0);
    for event in Parser::new_ext(page, Options::all()) {
        match event {
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::FootnoteDefinition(_) | Tag::BlockQuote(_)) => {
                panic!("markup from data: {page}")
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                assert!(["<code>", "</code>", "<!-- -->"].contains(&html.as_ref()), "{html}: {page}");
            }
            Event::Start(Tag::TableRow) => rows += 1,
            Event::Start(Tag::Heading { .. }) => headings += 1,
            _ => {}
        }
    }
    (rows, headings)
}

fn list<'v>(report: &'v Value, name: &str) -> &'v Vec<Value> {
    report[name].as_array().expect("a list")
}

/// Holds every format against the json report of the same run.
fn agree(text: &str, reports: &BTreeMap<&'static str, String>) {
    let report: Value = serde_json::from_str(&reports["json"]).expect("JSON");
    let live: Vec<&Value> =
        list(&report, "findings").iter().filter(|finding| finding["suppressed"].is_null()).collect();
    let errors = list(&report, "errors").len();
    assert!(live.len() > 5 && errors > 0, "{text:?}: there is something to get wrong: {}", reports["json"]);
    let rules: std::collections::BTreeSet<&str> = live.iter().filter_map(|finding| finding["rule"].as_str()).collect();
    let remarks = ["only_changed", "policy_from", "notes"].iter().filter(|name| report.get(**name).is_some()).count();

    let found = commands(&reports["github"]);
    assert_eq!(found.len(), live.len() + errors, "{text:?}: {}", reports["github"]);
    for (name, properties, _) in &found {
        assert!(["error", "warning", "notice"].contains(&name.as_str()), "{text:?}: {name}");
        let known = ["file", "line", "col", "endColumn", "endLine", "title"];
        assert!(properties.keys().all(|key| known.contains(&key.as_str())), "{text:?}: {properties:?}");
    }
    let lines: Vec<Value> = reports["jsonl"].lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let parts = ["documents", "findings", "not_judged", "errors"].map(|name| list(&report, name).len());
    assert_eq!(lines.len(), parts.iter().sum::<usize>() + 1, "{text:?}");
    let sarif: Value = serde_json::from_str(&reports["sarif"]).expect("JSON");
    assert_eq!(list(&sarif["runs"][0], "results").len(), list(&report, "findings").len(), "{text:?}");
    let gitlab: Value = serde_json::from_str(&reports["gitlab"]).expect("JSON");
    assert_eq!(gitlab.as_array().map(Vec::len), Some(live.len() + errors + remarks), "{text:?}");

    let xml = roxmltree::Document::parse(&reports["junit"]).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let named = |name: &'static str| xml.descendants().filter(move |node| node.has_tag_name(name));
    let total: usize = xml.root_element().attribute("tests").and_then(|tests| tests.parse().ok()).expect("a number");
    assert_eq!(named("testcase").count(), total, "{text:?}");
    assert_eq!(named("error").count(), errors, "{text:?}");
    let failing = live.iter().filter(|finding| finding["severity"] != "note").count();
    assert_eq!(named("failure").count(), failing, "{text:?}");
    let ours = ["testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out"];
    let strange = xml.descendants().find(|node| node.is_element() && !ours.contains(&node.tag_name().name()));
    assert_eq!(strange.map(|node| node.tag_name().name()), None, "{text:?}");

    let (rows, headings) = markdown(&reports["markdown"]);
    assert_eq!(rows, rules.len() + live.len(), "{text:?}: {}", reports["markdown"]);
    assert!(headings >= rules.len() + 2 && headings <= rules.len() + 4, "{text:?}: {headings} headings");
}

/// No reader of any output is given an order.
fn inert(text: &str, reports: &BTreeMap<&'static str, String>, output: &Output) {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let others = [("standard error", &stderr), ("standard output", &stdout)];
    for (format, report) in reports.iter().map(|(format, report)| (*format, report)).chain(others) {
        let c = report.chars().find(|c| obeyed(*c));
        assert_eq!(c, None, "{format} writes {c:?} for {text:?}");
        assert!(!report.contains("##["), "{format} for {text:?}: {report}");
        if !matches!(format, "github" | "standard output") {
            assert_eq!(commands(report), [], "{format} for {text:?}");
        }
    }
    assert_eq!(&stdout, &reports["github"]);
}

#[test]
fn no_text_of_any_file_becomes_structure_in_any_format() {
    for text in HOSTILE {
        let repository = repository(text);
        let (reports, output) = reports(&repository, &[]);
        inert(text, &reports, &output);
        agree(text, &reports);
    }
}

#[test]
fn nor_what_a_change_and_its_branch_are_called() {
    // What git takes for the name of a branch.
    for branch in ["a%0Ab%3A%3A", "x|<!--", "a&<b>`c`", "$(id);'\"", "a|b,c", "\u{202e}ü##"] {
        let repository = repository("quiet");
        repository.git(&["update-ref", &format!("refs/heads/{branch}"), "HEAD"]);
        let (reports, output) = reports(&repository, &["--changed-since", branch, "--policy-from", branch]);
        inert(branch, &reports, &output);
        agree(branch, &reports);
        let report: Value = serde_json::from_str(&reports["json"]).unwrap();
        assert_eq!(report["policy_from"]["reference"], branch, "nothing is lost");
    }
}

#[test]
fn errors_about_arguments_and_our_own_files_are_inert_too() {
    for text in HOSTILE {
        let repository = Repository::new();
        let name: String = text.replace(['/', '\0'], "_").chars().take(60).collect();
        repository.write(&format!("{name}.yaml"), format!("no: [policy {text}"));
        for args in [
            vec!["check", text],
            vec!["check", ".", "--config", &format!("{name}.yaml")],
            vec!["check", ".", "--profile", text],
            vec!["check", ".", "--only", text],
            vec!["check", ".", "--fail-on", text],
            vec!["check", ".", "--output", text],
            vec!["check", ".", "--changed-since", text],
            vec!["check", ".", "--policy-from", text],
            vec!["check", ".", "--diff", text],
            vec!["explain", text],
            vec!["man", text],
        ] {
            let output =
                repository.command(&args).args(["--now", NOW][..usize::from(args[0] == "check") * 2].iter()).output();
            let output = output.unwrap();
            assert_ne!(output.status.code(), Some(0), "{args:?}");
            let words = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            let c = words.chars().find(|c| obeyed(*c));
            assert_eq!(c, None, "{args:?} prints {c:?}: {words}");
            assert_eq!(commands(&words), [], "{args:?}");
            assert!(!words.contains("##["), "{args:?}: {words}");
        }
    }
}

#[test]
fn what_github_does_not_show_is_said() {
    let repository = Repository::new();
    let client = |number: usize| {
        json!({"client_id": format!("c{number}"), "redirect_uris": ["https://a.example.org/cb"], "contacts": ["a@example.org"],
            "grant_types": ["authorization_code"], "response_types": ["code"], "token_endpoint_auth_method": "client_secret_basic",
            "scope": "openid", "access_token_validity_seconds": 9_000_000, "active": true})
    };
    let clients: Vec<Value> = (0..12).map(client).collect();
    let listing = json!({"totalResults": 12, "itemsPerPage": 12, "startIndex": 1, "Resources": clients});
    repository.write("clients.json", serde_json::to_string_pretty(&listing).unwrap());
    let output = repository.run(&["-f", "github", "--profile", "wlcg@1.3"]);
    let log = String::from_utf8(output.stdout).unwrap();
    let errors = commands(&log).iter().filter(|(name, ..)| name == "error").count();
    assert!(errors > 10, "{log}");
    assert!(log.contains(&format!("GitHub shows 10 of {errors} errors as annotations")), "{log}");
}

//! Rows 6 to 11: what files say never commands a terminal, a CI runner, a browser or a parser.

use crate::common::{BAD_CLIENT, FORMATS, NOW, Reports, access_token, folder, list, run, shared, tokenvet, write};
use serde_json::{Value, json};
use std::path::Path;

/// Hostile texts of our own; the public list of naughty strings joins them when it is at hand.
const HOSTILE: &[&str] = &[
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]8;;https://evil.example\u{7}click\u{1b}]8;;\u{7}",
    "\u{1b}]0;title\u{7}",
    "\u{9b}31mc1",
    "\u{202e}reversed\u{2066}\u{2069}",
    "zero\u{200b}width\u{feff}",
    "a\r\n::error::forged",
    "::add-mask::x",
    "x%0A::set-output name=a::b",
    "::stop-commands::token",
    "##[error]forged",
    "##vso[task.setvariable]x",
    "{0} {1} {{2}} ${x} %s %n $& \\1",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "](javascript:alert(1))",
    "[a](http://evil.example)",
    "![a](http://evil.example/x.png)",
    "@user #1 GH-2 owner/repo#3 https://evil.example",
    "```\n# heading\n~~~",
    "`` ` ``` ```` |pipe| a|b",
    "| a | b |\n|---|---|",
    "]]>&amp;&lt;\"'<!-- --> --> <!--",
    "=1+1",
    "-1+1|cmd",
    "@SUM(1)",
    "http://[::1]:x/%zz?%00#%0a",
    "\u{fffe}\u{ffff}\u{fdd0}\u{10ffff}",
    "\\u0000 \\ud800 \\n",
    "../../etc/passwd",
];

fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = HOSTILE.iter().map(|text| text.to_string()).collect();
    // Every control character, and the bidirectional ones.
    for range in [0x01..0x20, 0x7f..0xa0, 0x200b..0x2010, 0x2028..0x202f, 0x2060..0x2070] {
        texts.extend(range.filter_map(char::from_u32).map(|c| format!("a{c}::error::b{c}{c}")));
    }
    if let Some(path) = shared("vectors/blns/blns.json") {
        let list: Vec<String> = serde_json::from_slice(&std::fs::read(path).expect("reads")).expect("a list");
        assert!(list.len() > 500);
        texts.extend(list);
    }
    texts
}

/// One client list, one file of tokens and one key set with every text in every field, and small files named by them.
fn hostile_folder(texts: &[String]) -> tempfile::TempDir {
    let client = |text: &String| {
        json!({"client_id": text, "client_name": text, "scope": text, "redirect_uris": [text, format!("http://h/{text}")],
            "grant_types": ["implicit", text], "contacts": [text], "token_endpoint_auth_method": text,
            "code_challenge_method": text, "client_description": text, "access_token_validity_seconds": 0})
    };
    let clients: Vec<Value> = texts.iter().map(client).collect();
    let count = clients.len();
    let page = json!({"totalResults": count, "itemsPerPage": count, "startIndex": 1, "Resources": clients});
    let tokens = texts.iter().map(|text| {
        access_token(&json!({"iss": text, "sub": text, "aud": [text], "scope": text, "wlcg.ver": text, "exp": text,
            "wlcg.groups": [text], "jti": text, "client_id": text, "nbf": text, text: text}))
            + "\n"
    });
    let keys: Vec<Value> = texts
        .iter()
        .map(|text| json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": text, "alg": text, "use": text}))
        .collect();
    let folder = folder(&[
        ("clients.json", page.to_string()),
        ("tokens", tokens.collect()),
        ("keys.json", json!({"keys": keys}).to_string()),
    ]);
    for text in texts {
        if !text.contains(['/', '\0']) && text.len() < 240 && !matches!(text.as_str(), "" | "." | "..") {
            write(&folder.path().join("n").join(text), BAD_CLIENT.as_bytes());
        }
    }
    folder
}

/// Colours are ours: the only escape sequences a report may hold.
fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(after.len());
        assert!(
            after[end..].starts_with('m'),
            "an escape sequence that is no colour: {:?}",
            &after[..after.len().min(20)]
        );
        rest = &after[end + 1..];
    }
    plain + rest
}

fn assert_printable(name: &str, text: &str) {
    let bad = text.char_indices().find(|(_, c)| {
        let c = u32::from(*c);
        (c < 0x20 && c != 0x0a)
            || (0x7f..0xa0).contains(&c)
            || (0x200b..=0x200f).contains(&c)
            || (0x2028..=0x202e).contains(&c)
            || (0x2060..=0x206f).contains(&c)
            || c == 0xfeff
            || c & 0xfffe == 0xfffe
    });
    if let Some((at, c)) = bad {
        let around: String = text[..at].chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect();
        panic!("{name}: U+{:04X} behind {around:?}", u32::from(c));
    }
}

/// Commands as the runner of GitHub Actions finds them: a line that begins with `::` after blanks, or `##[` anywhere.
fn runner_commands(output: &str) -> Vec<&str> {
    output.split(['\n', '\r']).filter(|line| line.trim_start().starts_with("::") || line.contains("##[")).collect()
}

#[test]
fn rows_06_to_11_naughty_strings_in_every_field_and_name_keep_every_format_well_formed() {
    let texts = hostile();
    let folder = hostile_folder(&texts);
    let reports = Reports::of(folder.path(), &["clients.json", "tokens", "keys.json", "n"]);
    reports.ran.exits(1, "findings only");
    for (name, output) in reports.outputs() {
        let text = std::str::from_utf8(output).unwrap_or_else(|error| panic!("{name} is UTF-8: {error}"));
        assert_printable(name, text);
    }
    let report = reports.json();
    let findings = list(&report, "findings");
    assert!(findings.len() > texts.len() * 4, "every text led to findings: {}", findings.len());
    let names = list(&report, "documents")
        .iter()
        .filter(|document| document["path"].as_str().is_some_and(|path| path.starts_with("n/")));
    assert!(names.count() > texts.len() / 2, "files with such names are checked");

    // Row 7: as many commands as findings, and none in any other format.
    for format in FORMATS {
        let commands = runner_commands(reports.get(format));
        let expected = if format == "github" { findings.len() } else { 0 };
        assert_eq!(commands.len(), expected, "{format}: {:?}", commands.first());
    }
    // The tool's own closing lines are no commands and quote nothing.
    let (own, commanded): (Vec<&str>, Vec<&str>) =
        reports.get("github").lines().partition(|line| line.starts_with("tokenvet: "));
    assert!(own.len() <= 4 && own.iter().all(|line| !line.contains("::")), "{own:?}");
    for line in &commanded {
        let (head, _) = line.strip_prefix("::").and_then(|line| line.split_once("::")).expect("a command");
        let (level, properties) = head.split_once(' ').expect("properties");
        assert!(matches!(level, "error" | "warning" | "notice"), "{line}");
        for property in properties.split(',') {
            let name = property.split_once('=').map_or("", |(name, _)| name);
            assert!(matches!(name, "file" | "line" | "col" | "endLine" | "endColumn" | "title"), "{line}");
        }
    }
    // Row 11: one finding, one line.
    assert_eq!(commanded.len(), findings.len());
    let lines: Vec<Value> =
        reports.get("jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.iter().filter(|line| line["type"] == "finding").count(), findings.len());

    // Rows 8 and 10: machine formats read back.
    let sarif: Value = serde_json::from_str(reports.get("sarif")).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), findings.len());
    for (result, finding) in results.iter().zip(findings) {
        assert!(result["message"].get("markdown").is_none(), "{result}");
        let text = result["message"]["text"].as_str().expect("text");
        assert!(!has_placeholder(text), "a viewer would replace it: {text}");
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().expect("a URI");
        assert!(uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)), "{uri}");
        let path = finding["path"].as_str().expect("a path");
        assert_eq!(percent_decoded(uri).replace('\\', "/"), path, "the URI reads back");
    }
    let gitlab: Value = serde_json::from_str(reports.get("gitlab")).expect("JSON");
    assert_eq!(gitlab.as_array().map_or(0, Vec::len), findings.len());
    let junit = roxmltree::Document::parse(reports.get("junit")).expect("XML");
    assert!(junit.descendants().filter(|node| node.has_tag_name("failure")).count() > 0);
}

/// `{0}` that is not escaped by doubling.
fn has_placeholder(text: &str) -> bool {
    let text = text.replace("{{", "").replace("}}", "");
    (0..10).any(|number| text.contains(&format!("{{{number}}}")))
}

fn percent_decoded(uri: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = uri.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = std::str::from_utf8(&[*high, *low]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
                bytes.push(digits.expect("two hexadecimal digits"));
                rest = tail;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn row_06_colours_are_ours_alone_and_errors_are_escaped() {
    let texts: Vec<String> = HOSTILE.iter().map(|text| text.to_string()).collect();
    let folder = hostile_folder(&texts);
    let ran = run(tokenvet().current_dir(folder.path()).args(["--now", NOW, "--color", "always", "--all", "."]));
    assert!(ran.out().contains("\u{1b}["), "colours were asked for");
    assert_printable("coloured", &without_colours(&ran.out()));
    // Arguments and missing files are data as well.
    for argument in
        ["no\u{1b}[31m.json", "no\u{202e}\n::error::x", "--no\u{1b}]0;x\u{7}", "--only=a\u{9b}b\n::error::x"]
    {
        for format in FORMATS {
            let ran = run(tokenvet().args(["check", "--format", format, argument, "x"]));
            ran.exits(2, argument);
            assert_printable(format, &ran.all());
            let commands = runner_commands(&ran.err()).len()
                + if format == "github" { 0 } else { runner_commands(&ran.out()).len() };
            assert_eq!(commands, 0, "{}", ran.all());
        }
    }
}

#[test]
fn row_08_sarif_of_hostile_input_satisfies_its_schema() {
    let texts: Vec<String> = HOSTILE.iter().map(|text| text.to_string()).collect();
    let folder = hostile_folder(&texts);
    let reports = Reports::of(folder.path(), &["."]);
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/vendor/sarif-2.1.0.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(schema).expect("the schema")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let sarif: Value = serde_json::from_str(reports.get("sarif")).expect("JSON");
    let errors: Vec<String> =
        validator.iter_errors(&sarif).take(3).map(|error| error.to_string().chars().take(300).collect()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/report.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(schema).expect("the schema")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(validator.is_valid(&reports.json()));
}

#[test]
fn row_09_markdown_of_hostile_input_is_text_only() {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    // Every string of the public list is in the test above; here some of each sort do.
    let texts: Vec<String> =
        HOSTILE.iter().map(|text| text.to_string()).chain(hostile().into_iter().step_by(9)).collect();
    let folder = hostile_folder(&texts);
    let ran = run(tokenvet().current_dir(folder.path()).args(["--now", NOW, "-f", "markdown", "--all", "."]));
    let markdown = &ran.out();
    assert!(markdown.contains("script"), "the hostile texts are in it");
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                // Links of ours lead to what rules cite.
                assert!(!dest_url.contains("evil") && !dest_url.starts_with("javascript"), "{dest_url}");
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                let tag = html.trim_start_matches(['<', '/']).split(|c: char| !c.is_ascii_alphanumeric()).next();
                let ours = matches!(tag, Some("code" | "details" | "summary" | "br" | "sub" | "b"))
                    || html.trim() == "<!-- -->";
                assert!(ours, "{html}");
                assert!(!html.contains("on") || !html.contains('='), "no attributes of data: {html}");
            }
            Event::Text(_) | Event::Code(_) => {}
            _ => {}
        }
    }
    for line in markdown.lines().filter(|line| !line.starts_with("    ") && !line.contains(" | ")) {
        assert!(!line.contains("@user"), "nobody is mentioned: {line}");
    }
}

/// One folder with hostile texts in all that the commands quote which do not check: names of services, of clients and of
/// files, claims in logs and in tokens.
#[test]
fn rows_06_to_08_json_of_every_command_holds_no_commands() {
    let hostile = "a\u{9b}31m\u{202e}b\u{feff}##[error]forged";
    let client = json!({"client_id": hostile, "client_name": hostile, "scope": "openid", "grant_types": ["implicit"],
        "redirect_uris": [format!("http://h/{hostile}")]});
    let claims =
        json!({"iss": "https://vo.example.org/", "sub": hostile, "jti": "0b1c-1", "aud": hostile, "scope": hostile});
    let log = "11/03/25 10:14:16 (cid:28) Command=QMGMT_WRITE_CMD, peer=<192.0.2.2:9360>\n\
               11/03/25 10:14:16 (cid:28) Examining SciToken with payload ";
    let site = json!({"services": [{"name": hostile, "type": "htcondor-ce", "files": ["ce.conf"], "logs": ["log"]}],
        "audit": {"paths": [hostile]}});
    let claims_named = format!("{hostile}.json");
    let folder = folder(&[
        ("site.yaml", site.to_string()),
        ("ce.conf", "SCHEDD_DEBUG = D_SECURITY\n".into()),
        ("log", format!("{log}{claims}.\n")),
        ("token", access_token(&claims)),
        (&claims_named, claims.to_string()),
        (&format!("{hostile}/clients.json"), client.to_string()),
    ]);
    let mut commands = vec![
        vec!["trace", "--config", "site.yaml", "--jti", "0b1c-1"],
        vec!["trace", "--config", "site.yaml", "--can-answer"],
        vec!["incident", &claims_named, "log", "--config", "site.yaml"],
        vec!["inspect", "token"],
        vec!["scan", "."],
        vec!["compat", &claims_named, "--service", "xrootd", "--request", "read:/f"],
        vec!["whatif", ".", "--client", hostile, "--add-scope", "storage.modify:/"],
    ];
    if cfg!(feature = "state") {
        commands.push(vec!["audit", "site.yaml", "--state", "state"]);
    }
    for arguments in commands {
        let ran = run(tokenvet().current_dir(folder.path()).args(&arguments).args(["--now", NOW, "--format", "json"]));
        let name = arguments.join(" ");
        let report: Value = serde_json::from_str(&ran.out()).unwrap_or_else(|_| panic!("{name}: {}", ran.all()));
        assert!(report.to_string().contains("##[error]"), "{name} quotes it: {report:#}");
        assert_printable(&name, &ran.all());
        assert_eq!(runner_commands(&ran.all()), [""; 0], "{name}");
    }
}

//! Bad input: each bad file gets a clear error that names the file and the place, good files beside it keep their
//! findings, and nothing panics, hangs or eats memory. All on the built command.

mod common;

use common::{
    BAD_CLIENT, BAD_CLIENT_RULE, NOW, Reports, access_token, base64url, check, check_json, errors_of, folder, has, jwt,
    list, note, program, rules_of, run, run_with_input, shell, tokenvet, unprivileged, write,
};
use serde_json::json;
use std::time::Duration;

/// A client list that ends early.
const CUT: &str = "{\"Resources\":[{\"client_id\":\"a\",\n\"redirect_uris\":[\"http://x";

fn utf16(text: &str, mark: &[u8]) -> Vec<u8> {
    mark.iter().copied().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[test]
fn every_bad_file_is_named_with_its_place_and_the_good_one_keeps_its_findings() {
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty.json", vec![], "empty"),
        ("blank.yaml", b" \n\t\n".to_vec(), "empty"),
        ("latin1.json", b"{\"client_id\":\"a\",\n\"client_name\":\"\xe9\"}".to_vec(), "line 2, column 16"),
        ("utf16.json", utf16(BAD_CLIENT, &[0xff, 0xfe]), "UTF-16"),
        ("utf16-bare.json", utf16(BAD_CLIENT, &[]), "UTF-16"),
        ("nul.json", b"{\"client_id\":\"a\0\"}".to_vec(), "NUL"),
        ("nuls.bin", vec![0; 4096], "NUL"),
        ("cut.json", CUT.into(), "JSON"),
        ("cut-key.json", b"{\"client_id".to_vec(), "JSON"),
        ("two.json", b"{}{}".to_vec(), "JSON"),
        ("nan.json", b"{\"client_id\":\"a\",\"exp\":NaN}".to_vec(), "JSON"),
        ("zero.json", b"{\"client_id\":\"a\",\"exp\":01}".to_vec(), "JSON"),
        ("tab.yaml", b"issuer: a\n\tb: c\n".to_vec(), "YAML"),
        ("open.yaml", b"issuer: \"a\n".to_vec(), "YAML"),
        ("open.xml", b"<properties><entry key=\"client_id\">a".to_vec(), "XML"),
        ("two-parts", jwt("{\"alg\":\"RS256\"}", "{}", "").trim_end_matches('.').into(), ""),
        ("bad-base64", b"eyJhbGciOiJSUzI1NiJ9.e!yJ.AAAA".to_vec(), ""),
        ("other.txt", b"nothing of interest".to_vec(), "not recognised"),
    ];
    let folder = folder(&[("good.json", BAD_CLIENT)]);
    for (name, content, _) in &table {
        write(&folder.path().join(name), content);
    }
    let alone = check_json(folder.path(), &["good.json"]);
    let names: Vec<&str> = table.iter().map(|row| row.0).chain(["good.json"]).collect();
    let reports = Reports::of(folder.path(), &names);
    reports.ran.exits(2, "named files could not be checked");
    let report = reports.json();
    for (name, _, word) in &table {
        let errors = errors_of(&report, name);
        assert!(!errors.is_empty(), "{name} is named");
        assert!(errors.iter().any(|error| error.contains(word)), "{name}: {errors:?}");
        assert!(reports.get("human").contains(name), "{name} in the human report");
    }
    let of_good = |report: &serde_json::Value| {
        list(report, "findings").iter().filter(|finding| finding["path"] == "good.json").cloned().collect::<Vec<_>>()
    };
    assert!(rules_of(&report).contains(&BAD_CLIENT_RULE));
    assert_eq!(of_good(&report), of_good(&alone), "bad files change nothing for good ones");
}

#[test]
fn a_broken_text_is_located() {
    let folder = folder(&[("cut.json", CUT)]);
    let report = check_json(folder.path(), &["cut.json"]);
    let region = &list(&report, "errors")[0]["region"];
    assert_eq!(region["start_line"], 2, "{region}");
    assert!(region["start_column"].as_u64() >= Some(18), "{region}");
}

#[test]
fn deep_nesting_of_every_syntax_is_an_error_in_little_time_and_memory() {
    let repeat = |text: &str, count: usize| text.repeat(count);
    let folder = tempfile::tempdir().expect("a folder");
    for depth in [100, 10_000, 1_000_000] {
        let claims = format!("{{\"a\":{}1{}}}", repeat("[", depth), repeat("]", depth));
        let files = [
            ("array.json", repeat("[", depth) + &repeat("]", depth)),
            ("object.json", repeat("{\"a\":", depth) + "1" + &repeat("}", depth)),
            ("open.json", repeat("[", depth)),
            (
                "client.json",
                BAD_CLIENT.replacen('{', &format!("{{\"x\":{}{},", repeat("[", depth), repeat("]", depth)), 1),
            ),
            ("flow.yaml", format!("a: {}{}", repeat("[", depth), repeat("]", depth))),
            ("dashes.yaml", repeat("- ", depth) + "a"),
            ("tags.xml", repeat("<a>", depth) + &repeat("</a>", depth)),
            ("claims.jwt", jwt("{\"alg\":\"RS256\"}", &claims, "AAAA")),
        ];
        for (name, content) in &files {
            write(&folder.path().join(name), content.as_bytes());
        }
        for (name, _) in &files {
            let ran = shell(
                folder.path(),
                &format!(
                    "ulimit -v 524288; ulimit -s 1024; exec \"$TOKENVET\" check --now {NOW} -f json {name} good.json"
                ),
            );
            assert_eq!(ran.code, Some(2), "{name} at {depth}: {:?} {}", ran.signal, ran.err());
            assert!(ran.took < Duration::from_secs(8), "{name} at {depth} took {:?}", ran.took);
            let report = ran.json();
            assert!(depth == 100 || !errors_of(&report, name).is_empty() || name.ends_with("jwt"), "{name} at {depth}");
        }
    }
}

#[test]
fn alias_bombs_are_refused_in_little_time_and_memory() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_string();
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    let merge = "base: &b {client_id: a}\n".to_string() + &"x: {<<: *b}\n".repeat(2000);
    let folder = folder(&[("bomb.yaml", bomb), ("merge.yaml", merge), ("self.yaml", "a: &a [*a]\n".into())]);
    for name in ["bomb.yaml", "merge.yaml", "self.yaml"] {
        let ran =
            shell(folder.path(), &format!("ulimit -v 524288; exec \"$TOKENVET\" check --now {NOW} -f json {name}"));
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.all());
        assert!(ran.took < Duration::from_secs(5), "{name} took {:?}", ran.took);
        assert!(!errors_of(&ran.json(), name).is_empty());
    }
}

/// A larger run by hand: `head -c 1G /dev/zero | tr '\0' a > line.json; tokenvet check line.json`.
#[test]
fn one_endless_line_is_an_error_or_is_read_within_a_few_times_its_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = "a".repeat(64 << 20);
    write(&folder.path().join("line.txt"), name.as_bytes());
    write(&folder.path().join("token"), format!("eyJhbGciOiJSUzI1NiJ9.{name}.AAAA").as_bytes());
    write(&folder.path().join("list.json"), BAD_CLIENT.replace("\"transfers\"", &format!("\"{name}\"")).as_bytes());
    drop(name);
    let limited = |file: &str| {
        shell(folder.path(), &format!("ulimit -v 1500000; exec \"$TOKENVET\" check --now {NOW} -f github {file}"))
    };
    for file in ["line.txt", "token"] {
        limited(file).exits(2, file);
    }
    let ran = limited("list.json");
    ran.exits(1, "a client with an endless name is judged");
    assert!(ran.out().len() < 20_000, "and its name is not repeated whole");
}

#[test]
fn numbers_and_dates_beyond_every_range_are_judged_or_refused_without_overflow() {
    let numbers = [
        "-1",
        "0",
        "-0",
        "1.5",
        "1e3",
        "1e400",
        "-1e400",
        "2147483648",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "253402300800",
        "1e-400",
        "\"1600000000\"",
        "null",
        "[]",
        "{}",
        "\"+292278994-08-17T07:12:55Z\"",
        "123456789012345678901234567890123456789012345678901234567890",
    ];
    let files = numbers.iter().enumerate().flat_map(|(index, number)| {
        let claims = format!("{{\"iss\":\"https://h.example.org/\",\"iat\":{number},\"nbf\":{number},\"exp\":{number},\"scope\":\"storage.read:/\"}}");
        let client = BAD_CLIENT.replacen('{', &format!("{{\"access_token_validity_seconds\":{number},\"refresh_token_validity_seconds\":{number},\"created_at\":{number},"), 1);
        [(format!("{index}.jwt"), jwt("{\"alg\":\"RS256\"}", &claims, "AAAA")), (format!("{index}.json"), client)]
    });
    let files: Vec<(String, String)> = files.collect();
    let folder = folder(&files);
    let reports = Reports::of(folder.path(), &["."]);
    let report = reports.json();
    for (name, _) in &files {
        let seen = list(&report, "documents").iter().any(|document| document["path"] == *name);
        assert!(seen || !errors_of(&report, name).is_empty(), "{name} is judged or refused");
    }
    assert!(!reports.ran.err().contains("internal error"), "{}", reports.ran.err());
    let malformed = list(&report, "findings")
        .iter()
        .filter(|finding| finding["path"].as_str().is_some_and(|path| path.ends_with(".jwt")));
    assert!(malformed.count() > numbers.len(), "they are findings");
}

#[test]
fn tokens_with_two_or_five_parts_and_bad_base64_are_told_apart() {
    let header = base64url("{\"alg\":\"RS256\"}");
    let good = access_token(&json!({"iss": "http://h.example.org/", "scope": "storage.modify:/"}));
    for (text, word) in [
        (format!("{header}.e30"), "part"),
        (format!("{header}.e30.e30.e30"), "part"),
        (format!("{header}.e30.e30.e30.e30.e30"), "part"),
        (format!("{header}.e3!0.AAAA"), "not recognised"),
        (format!("{header}.e30=.AAAA"), "base64url"),
        (format!("{header}.{}.AAAA", base64url("{\"a\":")), "JSON"),
        (format!("{header}.{}.AAAA", base64url("[]")), ""),
        (format!("{header}.{}.AAAA", base64url(b"\xff\xfe")), "UTF-8"),
    ] {
        let ran = run_with_input(
            tokenvet().args(["check", "--now", NOW, "-f", "json", "-"]),
            format!("{text}\n{good}\n").as_bytes(),
        );
        let report = ran.json();
        let errors: Vec<&str> = list(&report, "errors").iter().filter_map(|error| error["message"].as_str()).collect();
        assert!(ran.code == Some(2) && errors.iter().any(|error| error.contains(word)), "{text}: {errors:?}");
    }
}

#[test]
fn duplicate_claims_are_findings_also_when_written_with_escapes() {
    for claims in [r#"{"exp":1,"exp":9999999999}"#, r#"{"exp":1,"\u0065xp":2}"#, r#"{"sub":"a","sub":"a"}"#] {
        let token = jwt("{\"alg\":\"RS256\"}", claims, "AAAA");
        let ran = run_with_input(tokenvet().args(["check", "--now", NOW, "-f", "json", "-"]), token.as_bytes());
        assert!(rules_of(&ran.json()).contains(&"document-duplicate-key"), "{claims}: {}", ran.out());
    }
}

#[test]
fn what_a_repository_holds_beside_configuration_neither_fails_nor_is_judged() {
    const SAMPLE: &str = "[Global]\naudience = https://x\n[Issuer X]\nissuer = http://x.example/\nbase_path = /\n";
    let fenced = format!("Ask the storage team.\n\n```ini\n{SAMPLE}```\n");
    let script = format!("#!/bin/bash\nset -e\ncat > /etc/xrootd/scitokens.cfg <<EOF\n{SAMPLE}EOF\n");
    let folder = folder(&[
        ("good.json", BAD_CLIENT),
        ("README.md", "[![CI](https://x/badge.svg)](https://x)\n\nClients, each with a `\"client_id\"`.\n"),
        ("docs/SETUP.MD", &fenced),
        ("docs/page.html", "<p>\"client_id\"<br>"),
        ("tests/test_auth.py", "TOKEN = {\"iss\": \"https://x/\", \"client_id\": \"y\"}\n"),
        ("install.sh", &script),
        ("install", &script),
        ("chart/templates/iam.yaml", "{{- if .Values.on }}\ntoken_endpoint: {{ .Values.url }}\n{{- end }}\n"),
        ("roles/app.yml.j2", "{% for i in all %}\n  - token_endpoint: {{ i }}\n{% endfor %}\n"),
        ("Jenkinsfile", "pipeline {\n  environment { BODY = '{\"client_id\": 1}' }\n}\n"),
    ]);
    let tree = check_json(folder.path(), &["."]);
    assert_eq!(tree["errors"], json!([]));
    assert_eq!(tree["skipped"], 9);
    let judged: Vec<_> = list(&tree, "findings").iter().map(|finding| &finding["path"]).collect();
    assert!(!judged.is_empty() && judged.iter().all(|path| **path == "good.json"), "{judged:?}");

    // A broken file of configuration is no pass, and what somebody names is read.
    write(&folder.path().join("clients"), CUT.as_bytes());
    let tree = check_json(folder.path(), &["."]);
    assert_eq!(errors_of(&tree, "clients").len(), 1);
    write(&folder.path().join("claims.log"), SAMPLE.as_bytes());
    assert!(rules_of(&check_json(folder.path(), &["claims.log"])).contains(&"trust-issuer-not-https"));
    for (name, word) in [("install.sh", "not recognised"), ("chart/templates/iam.yaml", "unrendered template")] {
        let errors = check_json(folder.path(), &[name]);
        assert!(errors_of(&errors, name).iter().any(|error| error.contains(word)), "{name}: {errors}");
    }
}

#[test]
fn of_a_repeated_key_the_last_value_is_judged() {
    let client = |first: &str, last: &str| {
        format!(
            r#"{{"client_id":"x","client_name":"n","contacts":["a@b.org"],"grant_types":["client_credentials"],"scope":"wlcg",
               "token_endpoint_auth_method":"client_secret_basic","access_token_validity_seconds":{first},
               "access_token_validity_seconds":{last},"active":true}}"#
        )
    };
    let dex = |first: &str, last: &str| {
        format!(
            "issuer: https://dex.example.org\nstorage: {{type: sqlite3}}\nweb: {{http: 127.0.0.1:1}}\nstaticClients:\n- {{id: a, name: A, \
             secret: \"${{X}}\", redirectURIs: [\"{first}\"], redirectURIs: [\"{last}\"]}}\n"
        )
    };
    const OVER: &str = "client-access-token-over-maximum";
    const PLAIN: &str = "client-redirect-not-https";
    let (http, https) = ("http://y.example.org/cb", "https://y.example.org/cb");
    for (text, rule, pointer, remark) in [
        (client("3600", "345600"), OVER, Some("/access_token_validity_seconds#2"), "the last is too long"),
        (client("345600", "3600"), OVER, None, "only the first is too long"),
        (dex(https, http), PLAIN, Some("/staticClients/0/redirectURIs#2/0"), "YAML"),
        (dex(http, https), PLAIN, None, "YAML, the first alone"),
    ] {
        let ran = run_with_input(tokenvet().args(["check", "--now", NOW, "-f", "json", "-"]), text.as_bytes());
        let report = ran.json();
        let found = list(&report, "findings").iter().find(|finding| finding["rule"] == rule);
        assert_eq!(found.and_then(|finding| finding["pointer"].as_str()), pointer, "{remark}: {}", ran.out());
        assert!(rules_of(&report).contains(&"document-duplicate-key"), "{remark}");
    }
}

#[test]
fn links_pipes_and_devices_are_named_and_never_waited_for() {
    let folder = folder(&[("tree/good.json", BAD_CLIENT)]);
    let at = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink("loop", at("loop")).expect("a link");
    std::os::unix::fs::symlink("..", at("tree/up")).expect("a link");
    std::os::unix::fs::symlink("nowhere", at("dangling")).expect("a link");
    assert!(run(program("mkfifo").args([at("pipe"), at("tree/pipe")])).code == Some(0));
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("a socket");
    for (name, word) in [
        ("loop", "loop of links"),
        ("dangling", "leads nowhere"),
        ("pipe", "not a regular file"),
        ("socket", ""),
        ("/dev/zero", "not a regular file"),
        ("/dev/tty", ""),
        ("missing.json", "no such file"),
    ] {
        let report =
            run(tokenvet().current_dir(folder.path()).args(["check", "--now", NOW, "-f", "json", name, "tree"]));
        report.exits(2, name);
        assert!(report.took < Duration::from_secs(5), "{name} took {:?}", report.took);
        let json = report.json();
        assert!(errors_of(&json, name).iter().any(|error| error.contains(word)), "{name}: {:?}", json["errors"]);
        assert!(rules_of(&json).contains(&BAD_CLIENT_RULE), "the tree beside {name} is checked");
    }
    let tree = check_json(folder.path(), &["tree"]);
    assert_eq!(list(&tree, "documents").len(), 1, "links inside a tree are not followed");
    assert_eq!(tree["skipped"], 2, "and the pipe and the link are counted");
}

#[test]
fn unreadable_files_and_folders_are_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder(&[("good.json", BAD_CLIENT), ("closed.json", BAD_CLIENT), ("shut/a.json", BAD_CLIENT)]);
    let Some(mut command) = unprivileged(folder.path()) else { return };
    for name in ["closed.json", "shut"] {
        std::fs::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(0o000)).expect("closes it");
    }
    command.arg(common::BINARY).current_dir(folder.path());
    let ran = run(command.args(["check", "--now", NOW, "-f", "json", "good.json", "closed.json", "shut", "."]));
    for name in ["closed.json", "shut"] {
        std::fs::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(0o755)).expect("opens it");
    }
    ran.exits(2, "not everything could be read");
    let report = ran.json();
    assert!(
        errors_of(&report, "closed.json").iter().any(|error| error.contains("permission")),
        "{:?}",
        report["errors"]
    );
    assert!(!errors_of(&report, "shut").is_empty(), "{:?}", report["errors"]);
    assert!(rules_of(&report).contains(&BAD_CLIENT_RULE));
}

#[test]
fn outputs_that_cannot_be_written_end_the_run_with_a_reason_and_keep_the_old_file() {
    let folder = folder(&[("good.json", BAD_CLIENT), ("old/report", "old")]);
    for (path, word) in [("nowhere/x.json", "folder"), ("old", "folder"), ("/dev/full", "space"), ("/proc/x.json", "")]
    {
        let ran = check(folder.path(), &["good.json", "--output", &format!("json={path}")]);
        ran.exits(2, path);
        assert!(ran.err().contains(path) || ran.err().contains("cannot write"), "{path}: {}", ran.err());
        assert!(ran.err().contains(word), "{path}: {}", ran.err());
    }
    let ran = shell(folder.path(), "\"$TOKENVET\" good.json --output json=old/report >/dev/full");
    ran.exits(2, "standard output is full");
    assert_eq!(std::fs::read(folder.path().join("old/report")).expect("reads"), b"old", "the old report stays");
    check(folder.path(), &["good.json", "--output", "json=old/report"]).exits(1, "a good path");
    assert_ne!(std::fs::read(folder.path().join("old/report")).expect("reads"), b"old");
    assert_eq!(std::fs::read_dir(folder.path().join("old")).expect("lists").count(), 1, "no temporary file stays");
}

#[test]
fn closed_and_broken_streams_change_neither_the_exit_code_nor_other_reports() {
    let many: Vec<(String, &str)> = (0..300).map(|index| (format!("c/{index}.json"), BAD_CLIENT)).collect();
    let folder = folder(&many);
    for script in [
        "\"$TOKENVET\" c >&-",
        "\"$TOKENVET\" c 2>&- >/dev/null",
        "\"$TOKENVET\" c >&- 2>&-",
        "\"$TOKENVET\" c <&- >/dev/null",
        "set -o pipefail; \"$TOKENVET\" c | head -c 10 >/dev/null",
        "set -o pipefail; \"$TOKENVET\" c --all -f json | head -c 10 >/dev/null",
        "set -o pipefail; \"$TOKENVET\" c -f jsonl | true",
    ] {
        let ran = shell(folder.path(), script);
        ran.exits(1, script);
        assert!(ran.err().is_empty(), "{script}: {}", ran.err());
    }
    let ran = shell(
        folder.path(),
        "set -o pipefail; \"$TOKENVET\" c -f jsonl --output json=../r.$$ | head -c 10 >/dev/null; cat ../r.$$; rm ../r.$$",
    );
    assert_eq!(list(&ran.json(), "documents").len(), many.len(), "the report in a file is whole");
    for command in ["rules list", "explain client-implicit-grant", "schema report", "completions bash", "--help"] {
        let ran = shell(folder.path(), &format!("set -o pipefail; \"$TOKENVET\" {command} | true"));
        assert!(ran.err().is_empty() && ran.code == Some(0), "{command}: {:?} {}", ran.code, ran.err());
    }
}

#[test]
fn a_terminated_run_leaves_no_file_behind() {
    let folder = folder(&[("good.json", BAD_CLIENT)]);
    let ran = shell(
        folder.path(),
        "mkdir out; (sleep 20 & echo $! >sleeper; wait) | \"$TOKENVET\" check - --output json=out/r & sleep 1; \
         kill -TERM $!; wait $!; echo \"code $?\"; kill $(cat sleeper); ls -A out",
    );
    assert_eq!(ran.out(), "code 143\n", "{}", ran.err());
}

#[test]
fn limits_of_the_system_give_a_result_or_a_clean_end() {
    let many: Vec<(String, &str)> = (0..40).map(|index| (format!("c/{index}.json"), BAD_CLIENT)).collect();
    let folder = folder(&many);
    for limit in ["-n 16", "-n 8", "-s 1024", "-v 524288"] {
        shell(folder.path(), &format!("ulimit {limit}; exec \"$TOKENVET\" c")).exits(1, limit);
    }
    // Too little memory may end the run, but never with a code that says the check is done or with half a report.
    for kilobytes in [30_000, 60_000, 90_000, 120_000] {
        let ran = shell(
            folder.path(),
            &format!(
                "rm -f r; ulimit -v {kilobytes}; \"$TOKENVET\" c --output json=r >/dev/null; code=$?; [ -e r ] && cat r; exit $code"
            ),
        );
        if ran.code == Some(1) {
            assert_eq!(list(&ran.json(), "documents").len(), many.len());
        } else {
            assert!(ran.stdout.is_empty(), "no report from a run that ended with {:?}", ran.code);
        }
    }
    let Some(mut command) = unprivileged(folder.path()) else { return };
    command.args(["bash", "-c", "ulimit -u 1; exec \"$TOKENVET\" c"]).current_dir(folder.path());
    run(&mut command).exits(1, "no threads are granted");
}

#[test]
fn time_zone_language_folder_order_and_threads_change_nothing() {
    let mut files: Vec<(String, String)> = (0..60)
        .map(|index| (format!("c/{index}.json"), BAD_CLIENT.replace("transfers", &format!("t{index}"))))
        .collect();
    files.push((
        "c/tokens".into(),
        access_token(&json!({"iss": "http://h.example.org/", "exp": 1, "scope": "storage.modify:/"})),
    ));
    let folder = folder(&files);
    for format in ["human", "json", "sarif"] {
        let plain = check(folder.path(), &["-f", format, "c"]);
        plain.exits(1, format);
        for (name, value) in [
            ("TZ", "Pacific/Apia"),
            ("TZ", "America/St_Johns"),
            ("LANG", "tr_TR.UTF-8"),
            ("LC_ALL", "C"),
            ("HOME", "/nonexistent"),
        ] {
            let mut command = tokenvet();
            let ran = run(command
                .current_dir(folder.path())
                .env(name, value)
                .args(["check", "--now", NOW, "-f", format, "c"]));
            assert!(ran.stdout == plain.stdout, "{format} with {name}={value}");
        }
        for threads in 1..=8 {
            let ran = check(folder.path(), &["-f", format, "--threads", &threads.to_string(), "c"]);
            assert!(ran.stdout == plain.stdout, "{format} with {threads} threads");
        }
        let order = check(folder.path(), &["-f", format, "c/tokens", "./c", "c"]);
        assert!(order.stdout == plain.stdout, "{format}: order and repetition of paths");
    }
}

#[test]
fn files_that_shrink_or_vanish_while_they_are_read_are_reported_and_never_crash_the_run() {
    let folder = folder(&[("c/stable.json", BAD_CLIENT)]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let path = folder.path().join("c/moving.json");
    let big = format!("{{\"Resources\":[{}{{}}]}}", format!("{BAD_CLIENT},").repeat(2000));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0.. {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                let _ = match round % 3 {
                    0 => std::fs::write(&path, &big),
                    1 => std::fs::OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(5000)),
                    _ => std::fs::remove_file(&path),
                };
            }
        });
        let rounds = std::panic::catch_unwind(|| {
            for _ in 0..12 {
                let ran = check(folder.path(), &["-f", "json", "c"]);
                assert!(matches!(ran.code, Some(1 | 2)), "{:?} {:?} {}", ran.code, ran.signal, ran.err());
                assert!(rules_of(&ran.json()).contains(&BAD_CLIENT_RULE), "the other file keeps its findings");
            }
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        if let Err(panic) = rounds {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn each_file_is_opened_once() {
    let folder = folder(&[("good.json", BAD_CLIENT)]);
    if !has("strace") {
        return;
    }
    let ran = shell(
        folder.path(),
        "strace -f -qq -e trace=open,openat,openat2,mmap -o ../t.$$ \"$TOKENVET\" good.json >/dev/null; echo \"code $?\"; grep -c good.json ../t.$$; rm -f ../t.$$",
    );
    match ran.out().starts_with("code 1") {
        true => assert_eq!(ran.out(), "code 1\n1\n", "what was examined is what was read"),
        false => note("strace is not allowed here"),
    }
}

//! `tokenvet redact` as its users rely on it: no signature is left, nothing else is changed, and no file is lost.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test that cannot go on has failed; notes on what is skipped

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::Ran;
use proptest::prelude::*;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write as _};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use tokenvet::redact::{MARK, Mode, Redactor};
use tokenvet::scan::find::{Finder, Found, State};

/// A reader that hands out a few bytes at a time.
struct Slow<'t>(&'t [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let take = self.1.min(self.0.len()).min(into.len());
        into[..take].copy_from_slice(&self.0[..take]);
        self.0 = &self.0[take..];
        Ok(take)
    }
}

fn redacted(text: &[u8], mode: Mode, step: usize) -> Vec<u8> {
    let mut copy = Vec::new();
    Redactor::new(mode, true).unwrap().copy(Slow(text, step), &mut copy).unwrap();
    copy
}

/// A stretch of a log: as it was, as it must be in a redacted copy, and what must not be in any.
#[derive(Clone)]
struct Piece {
    before: Vec<u8>,
    after: Vec<u8>,
    secret: String,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.before))
    }
}

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// What a signature of these characters is replaced by: its line breaks stay.
fn replaced(text: &str) -> String {
    MARK.to_string() + &text.chars().filter(|c| matches!(c, '\r' | '\n')).collect::<String>()
}

fn wrap(text: &str, width: usize, line_break: &str) -> String {
    let lines: Vec<&str> = (0..text.len()).step_by(width).map(|at| &text[at..text.len().min(at + width)]).collect();
    lines.join(line_break)
}

/// A signed token, in one of the ways that logs write them.
fn signed(sub: &str, algorithm: (&str, usize), signature: &str, style: usize, cut: usize) -> Piece {
    let signature = &signature[..algorithm.1];
    let body = format!(
        "{}.{}",
        part(&format!(r#"{{"alg":"{}","kid":"k"}}"#, algorithm.0)),
        part(&format!(r#"{{"sub":"{sub}","exp":1767225600}}"#))
    );
    let plain = |before: &str, behind: &str, dot: &str| {
        let body = body.replace('.', dot);
        (format!("{before}{body}{dot}{signature}{behind}"), format!("{before}{body}{dot}{MARK}{behind}"))
    };
    let wrapped = |lead: &str, line_break: &str| {
        let width = 60 + cut % 20;
        let text = wrap(&format!("{body}.{signature}"), width, line_break);
        // Where the signature begins among the lines.
        let breaks = (body.len() + 1) / width;
        let at = body.len() + 1 + breaks * line_break.len();
        (format!("{lead}{text}\n"), format!("{lead}{}{}\n", &text[..at], replaced(&text[at..])))
    };
    let short = &signature[..8 + cut % (signature.len() - 8)];
    let (before, after) = match style % 15 {
        0 => plain("Authorization: Bearer ", "\r\n", "."),
        1 => plain("GET /f?authz=Bearer%20", "&x=1 HTTP/1.1\n", "."),
        2 => plain("GET /f?authz=Bearer%2520", " ", "%2E"),
        3 => plain("?access_token=", "#", "%252e"),
        4 => plain("{\"refresh_token\":\"", "\"}", "\\u002e"),
        5 => plain("{\"m\":\"{\\\"id_token\\\":\\\"", "\\\"}\"}\n", "."),
        6 => plain("ValueError: Invalid header value b'Bearer ", "'\n", "."),
        7 => plain("=3D", "\n", "=2E"),
        8 => wrapped("", "\n"),
        9 => wrapped("", "\r\n"),
        10 => wrapped("    ", "\n    "),
        11 => wrapped("> ", "\n> "),
        12 => (format!("t={body}.{short}... "), format!("t={body}.{MARK}... ")),
        13 => (format!("t={body}.{short}…\n"), format!("t={body}.{MARK}…\n")),
        // Nothing between it and what follows, which is another token or a sign.
        _ => (format!("{body}.{signature}"), format!("{body}.{MARK}")),
    };
    Piece { before: before.into(), after: after.into(), secret: signature.into() }
}

fn any_signed() -> impl Strategy<Value = Piece> {
    let algorithm = prop_oneof![
        Just(("HS256", 43)),
        Just(("ES256", 86)),
        Just(("ES384", 128)),
        Just(("RS256", 342)),
        Just(("PS512", 683)),
    ];
    ("[a-z0-9-]{1,40}", algorithm, "[A-Za-z0-9_-]{683}", any::<usize>(), any::<usize>())
        .prop_map(|(sub, algorithm, signature, style, cut)| signed(&sub, algorithm, &signature, style, cut))
}

/// An encrypted token, whose parts behind the header go.
fn any_encrypted() -> impl Strategy<Value = Piece> {
    ("[A-Za-z0-9_-]{342}", "[A-Za-z0-9_-]{16}", "[A-Za-z0-9_-]{90}", "[A-Za-z0-9_-]{22}").prop_map(
        |(key, iv, text, tag)| {
            let header = part(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
            let before = format!("jwe={header}.{key}.{iv}.{text}.{tag} ");
            Piece { before: before.into(), after: format!("jwe={header}.{MARK} ").into(), secret: key }
        },
    )
}

/// A client secret in a form, in JSON, in a header.
fn any_secret() -> impl Strategy<Value = Piece> {
    ("[a-z]{6}[0-9]{2}[A-Za-z0-9]{12,40}", 0..14usize).prop_map(|(secret, style)| {
        let (before, behind) = [
            ("&client_secret=", "&x"),
            ("{\"client_secret\":\"", "\"}"),
            ("--password ", "\n"),
            ("Authorization: Bearer ", "\r\n"),
            ("https://user:", "@example.org/"),
            ("{\"kty\":\"EC\",\"d\":\"", "\",\"crv\":\"P-256\"}"),
            ("{'qi': '", "', 'kid': 'a', 'kty': 'RSA'}"),
            ("{\"Authorization\":[\"Bearer ", "\"]}"),
            ("('client_secret', '", "')"),
            ("{\"name\":\"CLIENT_SECRET\",\"value\":\"", "\"}"),
            ("{\\x22client_secret\\x22:\\x22", "\\x22}"),
            ("&quot;password&quot;: &quot;", "&quot;"),
            ("\0VAULT_TOKEN=", "\0HOME=/"),
            ("https%3A%2F%2Fuser%3A", "%40example.org%2F"),
        ][style];
        let written = |value: &str| format!("{before}{value}{behind}").into_bytes();
        Piece { before: written(&secret), after: written(MARK), secret }
    })
}

/// Bytes that hold no token: words, decoys, controls, and what is no UTF-8.
fn any_text() -> impl Strategy<Value = Piece> {
    let words = prop_oneof![
        Just(&b" INFO transfer finished\n"[..]),
        Just(&b"\r\n"[..]),
        Just(&b"\n"[..]),
        Just(&b" eyJ0123456789abcdef "[..]),
        Just(&b" data:image/png;base64,iVBORw0KGgoeyJhbGciOiJFUzI1NiJ9AAAA "[..]),
        Just(&b" MDAx+{Hash=gAUJ1o24s3s}+maWV "[..]),
        Just(&b" \xff\xfe\x00\x01 "[..]),
        Just("ü… {\"expires_in\":3599,\"token_type\":\"Bearer\"} ".as_bytes()),
        Just(&b"}\t"[..]),
    ];
    words.prop_map(|text| Piece { before: text.into(), after: text.into(), secret: String::new() })
}

fn any_piece() -> impl Strategy<Value = Piece> {
    prop_oneof![4 => any_signed(), 1 => any_encrypted(), 2 => any_secret(), 4 => any_text()]
}

/// Lists and forms in which secrets and tokens stand side by side, in all ways to separate and to encode them.
fn any_list() -> impl Strategy<Value = Vec<u8>> {
    let names = prop_oneof![
        Just("client_secret"),
        Just("access_token"),
        Just("authz"),
        Just("Authorization"),
        Just("x"),
        Just("client_id"),
        Just("password"),
        Just("vault_token"),
        Just("mysql_pwd"),
        Just("signing_key"),
    ];
    let values = prop_oneof![
        3 => any_signed().prop_map(|piece| String::from_utf8_lossy(&piece.before).into_owned()),
        4 => "kJ8vQ2mN5x[A-Za-z0-9]{4,20}",
        1 => Just("REDACTED".to_string()),
        1 => Just("REDACTED-jwt-0123456789ab(jti=a,sub=b)".to_string()),
        1 => "[a-z,;]{0,6}",
        1 => Just("dGVzdDpzZWNyZXQxMjM0NTY3OA==".to_string()),
    ];
    let signs = prop_oneof![
        Just("="),
        Just("%3D"),
        Just("%253D"),
        Just(": "),
        Just("%3A"),
        Just("\":\""),
        Just("%22%3A%22"),
        Just("=\""),
        Just("': '"),
        Just("'   : '"),
        Just("\\\": \\\""),
        Just("%5C%22%3A%5C%22"),
        Just(": Bearer "),
        Just(": Digest response="),
        Just("=Basic%20"),
        Just("\\x22:\\x22"),
        Just("\\u0022: \\u0022"),
        Just("\\u003d"),
        Just("&quot;:&quot;"),
        Just("\":[\""),
        Just("\", \"value\": \""),
    ];
    let separators = prop_oneof![
        Just("&"),
        Just(","),
        Just(";"),
        Just("%26"),
        Just("%2526"),
        Just("%2C"),
        Just("\""),
        Just("%22"),
        Just("\n"),
        Just(" "),
        Just("\", \""),
        Just("', '"),
        Just("\\\",\\\""),
        Just("\\x22,\\x22"),
        Just("\\u0026"),
        Just("&quot;,"),
        Just("\0"),
        Just("\"],\""),
    ];
    prop::collection::vec((names, signs, values, separators), 1..9).prop_map(|parts| {
        let text = parts.iter().map(|(name, sign, value, separator)| format!("{name}{sign}{value}{separator}"));
        text.collect::<String>().into_bytes()
    })
}

/// Pieces in a row; behind what has no end of its own stands a token or a sign, and every other begins anew.
fn log(pieces: &[Piece]) -> (Vec<u8>, Vec<u8>) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for piece in pieces {
        let glued = before.last().is_some_and(|byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
        if !(glued && piece.before.starts_with(b"eyJ")) {
            before.push(b' ');
            after.push(b' ');
        }
        before.extend(&piece.before);
        after.extend(&piece.after);
    }
    before.push(b'\n');
    after.push(b'\n');
    (before, after)
}

fn assert_gone(secret: &str, copy: &[u8]) -> Result<(), TestCaseError> {
    for run in secret.as_bytes().windows(8) {
        prop_assert!(memchr_find(copy, run).is_none(), "{} is left", String::from_utf8_lossy(run));
    }
    Ok(())
}

fn memchr_find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

/// An entry of a journal in its export format, whose message has its length before it.
fn entry(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    [b"__CURSOR=s=1\n_COMM=xrootd\nMESSAGE\n", &length[..], message, b"\nPRIORITY=6\n\n"].concat()
}

/// The messages of such entries.
fn values_of(mut text: &[u8]) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    while let Some((line, rest)) =
        text.iter().position(|byte| *byte == b'\n').map(|end| (&text[..end], &text[end + 1..]))
    {
        text = rest;
        if !line.is_empty() && !line.contains(&b'=') {
            let (length, rest) = text.split_first_chunk::<8>().unwrap();
            let (value, rest) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
            values.push(value.to_vec());
            text = rest.strip_prefix(b"\n").unwrap();
        }
    }
    values
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Of no token a usable byte is left, everything else is as it was, and all that whatever pieces a reader gives.
    #[test]
    fn nothing_usable_is_left_and_nothing_else_is_changed(
        pieces in prop::collection::vec(any_piece(), 1..8), step in 1..700usize,
    ) {
        let (text, expected) = log(&pieces);
        let copy = redacted(&text, Mode::Signature, usize::MAX);
        prop_assert_eq!(String::from_utf8_lossy(&copy), String::from_utf8_lossy(&expected));
        prop_assert!(copy == expected);
        for piece in &pieces {
            assert_gone(&piece.secret, &copy)?;
        }
        prop_assert!(redacted(&text, Mode::Signature, step) == copy, "in steps of {step}");
        for mode in [Mode::Signature, Mode::Token, Mode::Claims] {
            let once = redacted(&text, mode, step);
            prop_assert!(redacted(&once, mode, usize::MAX) == once, "{mode:?} twice");
            prop_assert_eq!(once.iter().filter(|byte| **byte == b'\n').count(), text.iter().filter(|byte| **byte == b'\n').count());
        }
        // What looks for tokens finds the copy to be redacted.
        let finder = Finder::new().unwrap();
        let mut at = 0;
        while let Found::Token(hit) = finder.next(&copy, at, true) {
            at = hit.span.end;
            prop_assert_eq!(hit.state, State::Redacted);
        }
    }

    /// In the export of a journal the values that have their length before them keep it, so that the copy can be read.
    #[test]
    fn an_exported_journal_can_still_be_read(
        entries in prop::collection::vec(prop::collection::vec(any_piece(), 1..5), 1..4), step in 1..700usize,
    ) {
        let values: Vec<Vec<u8>> = entries.iter().map(|pieces| log(pieces).0).collect();
        let text: Vec<u8> = values.iter().flat_map(|value| entry(value)).collect();
        for mode in [Mode::Signature, Mode::Token, Mode::Claims] {
            let copy = redacted(&text, mode, step);
            prop_assert!(redacted(&text, mode, usize::MAX) == copy, "in steps of {step}");
            prop_assert!(redacted(&copy, mode, step) == copy, "{mode:?} twice");
            let found = values_of(&copy);
            prop_assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), values.iter().map(Vec::len).collect::<Vec<_>>());
            prop_assert_eq!(found.iter().flat_map(|value| entry(value)).collect::<Vec<_>>(), copy.clone());
            for piece in entries.iter().flatten() {
                assert_gone(&piece.secret, &copy)?;
            }
        }
    }

    /// Secrets and tokens within each other's values come to the same in whatever pieces they are read, and no secret is left.
    #[test]
    fn lists_of_secrets_and_tokens_come_to_the_same_in_any_pieces(
        lists in prop::collection::vec(any_list(), 1..4), step in 1..700usize,
    ) {
        let text = lists.join(&b'\n');
        for mode in [Mode::Signature, Mode::Token, Mode::Claims] {
            let copy = redacted(&text, mode, usize::MAX);
            prop_assert_eq!(text_of(&redacted(&text, mode, step)), text_of(&copy), "in steps of {}", step);
            prop_assert_eq!(text_of(&redacted(&copy, mode, usize::MAX)), text_of(&copy), "{:?} twice", mode);
            let known = ["client_secret", "access_token"].iter().any(|name| {
                ["=", "%3D", "%253D", "\":\"", "%22%3A%22", "=\"", "': '"].iter().any(|sign| text_of(&copy).contains(&format!("{name}{sign}kJ8vQ2mN5x")))
            });
            prop_assert!(!known, "a named secret is left:\n{}\n{}", text_of(&text), text_of(&copy));
        }
    }

    /// Bytes without tokens pass as they are.
    #[test]
    fn any_bytes_pass(bytes in prop::collection::vec(any::<u8>(), 0..2000), step in 1..300usize) {
        prop_assert!(redacted(&bytes, Mode::Signature, step) == bytes);
    }
}

#[test]
fn tokens_across_the_borders_of_buffers_are_replaced() {
    let piece = signed("s", ("ES256", 86), &"TestSignature-".repeat(60), 1, 0);
    for border in [256 << 10, (256 << 10) + 1024, 512 << 10] {
        for back in (0..400).step_by(19) {
            let fill = "a line of a log\n".repeat(border / 16 + 1).into_bytes();
            let text = [&fill[..border - back], &piece.before, b" end"].concat();
            let expected = [&fill[..border - back], &piece.after, b" end"].concat();
            assert!(redacted(&text, Mode::Signature, usize::MAX) == expected, "{back} before {border}");
        }
    }
}

fn run(folder: &Path, args: &[&str], input: &[u8]) -> Ran {
    common::run_with_input(common::tokenvet().current_dir(folder).args(args), input)
}

fn text_of(bytes: &[u8]) -> String {
    text(bytes)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A log with one token, what its copy must be, and its signature.
fn example() -> (Vec<u8>, Vec<u8>, String) {
    let piece = signed("alice", ("ES256", 86), &"TestSignature-".repeat(60), 0, 0);
    let line = |piece: &[u8]| [b"first\n", piece, b"last"].concat();
    (line(&piece.before), line(&piece.after), piece.secret)
}

#[test]
fn a_pipe_passes_through() {
    let folder = tempfile::tempdir().unwrap();
    let (log, copy, signature) = example();
    let output = run(folder.path(), &["redact", "-"], &log);
    assert_eq!(output.code, Some(0));
    assert!(output.stdout == copy);
    assert_eq!(text(&output.stderr), "<stdin>: replaced 1 token (1 jwt)\n");
    let output = run(folder.path(), &["redact", "-", "--mode", "token", "--format", "json"], &log);
    let summary: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(summary["total"]["tokens"]["jwt"], 1);
    assert!(!text(&output.stdout).contains("eyJ") && !text(&output.stderr).contains(&signature[..8]));
    // The marker joins the copy with what a scan reports.
    let report = run(folder.path(), &["scan", "-", "--no-config", "-f", "json"], &log);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let leak =
        report["findings"].as_array().unwrap().iter().find(|finding| finding["target"]["kind"] == "leak").unwrap();
    let fingerprint = leak["target"]["name"].as_str().or(leak["target"]["id"].as_str()).unwrap();
    assert!(text(&output.stdout).contains(&format!("REDACTED-jwt-{fingerprint}")), "{leak:#}");
}

#[test]
fn a_copy_never_takes_the_place_of_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (log, copy, _) = example();
    fs::write(at("a.log"), &log).unwrap();
    fs::set_permissions(at("a.log"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(at("there"), "precious").unwrap();
    symlink("there", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("a.log", at("self")).unwrap();
    fs::hard_link(at("a.log"), at("twin")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    for (out, message) in [
        ("there", "there already"),
        ("link", "a link"),
        ("dangling", "a link"),
        ("a.log", "the same file"),
        ("self", "the same file"),
        ("twin", "the same file"),
        ("folder", "a folder"),
        ("/dev/null", "no regular file"),
        ("no/such/folder", "folder does not exist"),
    ] {
        let output = run(folder.path(), &["redact", "a.log", "-o", out], b"");
        assert_eq!(output.code, Some(2), "{out}");
        assert!(text(&output.stderr).contains(message), "{out}: {}", text(&output.stderr));
    }
    assert_eq!(fs::read(at("there")).unwrap(), b"precious");
    assert!(fs::read(at("a.log")).unwrap() == log);
    let output = run(folder.path(), &["redact", "a.log", "-o", "new"], b"");
    assert_eq!(output.code, Some(0), "{}", text(&output.stderr));
    assert!(fs::read(at("new")).unwrap() == copy);
    assert_eq!(fs::metadata(at("new")).unwrap().mode() & 0o777, 0o640, "open to nobody else");
    let output = run(folder.path(), &["redact", "a.log", "-o", "link", "--force"], b"");
    assert_eq!(output.code, Some(0), "{}", text(&output.stderr));
    assert_eq!(fs::read(at("there")).unwrap(), b"precious", "a link is replaced, not what it leads to");
    assert!(fs::read(at("link")).unwrap() == copy);
    let output = run(folder.path(), &["redact", "a.log", "-o", "a.log", "--force"], b"");
    assert_eq!(output.code, Some(2), "not even with --force");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".tokenvet")), "{left:?}");
}

#[test]
fn files_are_replaced_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (log, copy, _) = example();
    fs::create_dir_all(at("logs/old")).unwrap();
    for name in ["a.log", "logs/b.log", "logs/old/.c.log", "logs/twin"] {
        fs::write(at(name), &log).unwrap();
    }
    fs::set_permissions(at("a.log"), fs::Permissions::from_mode(0o604)).unwrap();
    fs::write(at("logs/clean"), "nothing here\n").unwrap();
    fs::write(at("logs/d.zip"), b"PK\x03\x04").unwrap();
    symlink("../a.log", at("logs/link")).unwrap();
    fs::hard_link(at("logs/twin"), at("other")).unwrap();
    let clean = fs::metadata(at("logs/clean")).unwrap();
    let old = fs::metadata(at("a.log")).unwrap();
    let output = run(folder.path(), &["redact", "--in-place", "a.log", "logs"], b"");
    assert_eq!(output.code, Some(2));
    assert!(text(&output.stderr).contains("logs: a folder; with --recursive"), "{}", text(&output.stderr));
    assert!(fs::read(at("a.log")).unwrap() == copy);
    let new = fs::metadata(at("a.log")).unwrap();
    assert_eq!((new.mode(), new.uid(), new.gid(), new.mtime()), (old.mode(), old.uid(), old.gid(), old.mtime()));
    assert!(fs::read(at("logs/b.log")).unwrap() == log, "left alone");
    let output = run(folder.path(), &["redact", "--in-place", "--recursive", "logs", "-f", "json"], b"");
    assert_eq!(output.code, Some(2), "some could not be redacted");
    let summary: Value = serde_json::from_slice(&output.stderr).unwrap();
    let errors: Vec<(&str, &str)> = summary["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|file| Some((file["path"].as_str()?, file["error"].as_str()?)))
        .collect();
    let errors: Vec<_> = errors
        .iter()
        .map(|(path, error)| (*path, error.split([' ', ';']).take(3).collect::<Vec<_>>().join(" ")))
        .collect();
    assert_eq!(
        errors,
        [
            ("logs/d.zip", "a zip archive".to_string()),
            ("logs/link", "a link ".to_string()),
            ("logs/twin", "it has 1".to_string()),
        ]
    );
    assert_eq!(summary["total"]["tokens"]["jwt"], 2);
    assert!(fs::read(at("logs/b.log")).unwrap() == copy && fs::read(at("logs/old/.c.log")).unwrap() == copy);
    assert!(fs::read(at("other")).unwrap() == log);
    let same = fs::metadata(at("logs/clean")).unwrap();
    assert_eq!((same.ino(), same.ctime()), (clean.ino(), clean.ctime()), "what needs no change is not touched");
    // Once more: nothing to do.
    let output = run(folder.path(), &["redact", "--in-place", "a.log"], b"");
    assert_eq!(output.code, Some(0));
    assert_eq!(text(&output.stderr), "a.log: nothing to replace; 1 token had no signature any more\n");
}

/// What is compressed stays so, in its own way.
#[cfg(feature = "archives")]
#[test]
fn markers_hold_the_fingerprint_that_scan_shows_with_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), "0123456789abcdef0123456789abcdef\n").unwrap();
    fs::write(folder.path().join("short"), "0123\n").unwrap();
    let (log, _, _) = example();
    let mut names = Vec::new();
    for key in [&[][..], &["--fingerprint-key", "key"]] {
        let copy = run(folder.path(), &[&["redact", "-", "--mode", "token"], key].concat(), &log);
        let copy = text(&copy.stdout);
        let marker = copy.split("REDACTED-jwt-").nth(1).unwrap();
        let scanned = run(folder.path(), &[&["scan", "-", "--format", "json"], key].concat(), &log);
        let report: Value = serde_json::from_slice(&scanned.stdout).unwrap();
        assert!(
            common::list(&report, "findings").iter().any(|finding| finding["target"]["name"] == marker[..12]),
            "{copy}"
        );
        names.push(marker[..12].to_string());
    }
    assert_ne!(names[0], names[1]);
    let short = run(folder.path(), &["redact", "-", "--fingerprint-key", "short"], &log);
    assert_eq!(short.code, Some(2));
    assert!(text(&short.stderr).contains("--fingerprint-key") && !text(&short.stderr).contains("0123"));
}

#[test]
fn compressed_logs_stay_compressed() {
    use tokenvet::scan::member::codec::{Codec, Encoder};
    use tokenvet::scan::member::{Limits, Note, Text, Visit, texts};
    struct Whole(Vec<u8>);
    impl Visit for Whole {
        fn text(&mut self, text: Text<'_>) {
            text.bytes.read_to_end(&mut self.0).unwrap();
        }
        fn note(&mut self, note: Note) {
            panic!("{}", note.message);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (log, copy, signature) = example();
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Xz, Codec::Bzip2] {
        let mut packed = Encoder::new(codec, Vec::new()).unwrap();
        packed.write_all(&log).unwrap();
        let packed = packed.finish().unwrap();
        let name = format!("a.log.{}", codec.extension());
        fs::write(folder.path().join(&name), &packed).unwrap();
        let piped = run(folder.path(), &["redact", &name], b"");
        let output = run(folder.path(), &["redact", "--in-place", &name], b"");
        assert_eq!(output.code, Some(0), "{}", text(&output.stderr));
        let new = fs::read(folder.path().join(&name)).unwrap();
        assert!(piped.stdout == new && Codec::of(&new) == Some(codec), "{name}");
        let mut whole = Whole(Vec::new());
        texts(&name, None, &new[..], Limits::default(), &mut whole);
        assert!(whole.0 == copy && !text(&whole.0).contains(&signature), "{name}");
        fs::write(folder.path().join(&name), &packed[..packed.len() - 9]).unwrap();
        let output = run(folder.path(), &["redact", "--in-place", &name], b"");
        assert_eq!(output.code, Some(2), "{name}, cut off");
        assert!(fs::read(folder.path().join(&name)).unwrap() == packed[..packed.len() - 9], "the old file is there");
    }
}

#[test]
fn what_cannot_be_redacted_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut tar = vec![b'a'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (input, message) in [
        (vec![0x1f, 0x8b, 8, 0, 0, 0], "cut off"),
        (b"PK\x03\x04".to_vec(), "zip archive"),
        (b"LPKSHHRH".to_vec(), "journalctl"),
        (tar, "tar archive"),
    ] {
        let output = run(folder.path(), &["redact", "-"], &input);
        assert_eq!(output.code, Some(2));
        assert!(output.stdout.is_empty() && text(&output.stderr).contains(message), "{}", text(&output.stderr));
    }
    for (args, message) in [
        (&["redact", "none"][..], "no such file"),
        (&["redact", "a", "b"][..], "--in-place"),
        (&["redact", "--in-place", "-"][..], "standard input"),
        (&["redact", "/dev/zero"][..], "not a regular file"),
        (&["redact", "."][..], "--in-place --recursive"),
    ] {
        let output = run(folder.path(), args, b"");
        assert_eq!(output.code, Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(message), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn real_logs_hold_nothing_usable_afterwards() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let shared = std::env::var("TOKENVET_SHARED").unwrap_or_else(|_| beside.into());
    let logs = Path::new(&shared).join("corpus/logs");
    if !logs.is_dir() {
        println!("note: the shared logs are not at hand, this check is skipped");
        return;
    }
    let finder = Finder::new().unwrap();
    for entry in fs::read_dir(logs).unwrap() {
        let path = entry.unwrap().path();
        let log = fs::read(&path).unwrap();
        let copy = redacted(&log, Mode::Signature, usize::MAX);
        assert!(redacted(&copy, Mode::Signature, 100) == copy, "{}", path.display());
        let mut at = 0;
        while let Found::Token(hit) = finder.next(&copy, at, true) {
            at = hit.span.end;
            assert!(hit.state == State::Redacted || hit.secret.is_empty(), "{}: {hit:?}", path.display());
        }
    }
}

//! Configuration of FTS, Rucio, DIRAC and gfal2 that is cut, garbled or hostile: every error has its place, nothing panics,
//! and what can be read is read as in the whole file.

use std::sync::Arc;
use std::time::{Duration, Instant};
use tokenvet::adapt::Sink;
use tokenvet::discover::recognise;
use tokenvet::model::{Target, TargetKind};
use tokenvet::parse::{Document, NodeId};
use tokenvet::source::Source;

const FTS_REST: &str = "AuthorizedVO = *\nJWKCacheSeconds = 3600\nOAuth2 = True\nAuthorizedAudiences = https://fts.example.org:8446\n\
                        [providers]\nvo = https://vo.example.org/\nvo_ClientId = c1\nvo_ClientSecret = t-secret\n[roles]\nPublic = vo:transfer\n";
const FTS_SERVER: &str = "User = fts3\nLogTokenRequests = true\nTokenRefreshMarginPeriod = 300\nTokenRefreshCheckInterval = 15\nDbPassword = t-secret\n";
const RUCIO: &str = "[common]\nloglevel = INFO\n[client]\nrucio_host = https://rucio.example.org\n[oidc]\nidpsecrets = /opt/rucio/etc/idpsecrets.json\n\
                     expected_audience = rucio\nexpected_scope = openid profile\n";
const DIRAC: &str = "DIRAC\n{\n  Setup = s\n}\nResources\n{\n  IdProviders\n  {\n    vo\n    {\n      issuer = https://vo.example.org/\n      \
                     client_id = c1\n      client_secret = t-secret\n    }\n  }\n}\n";
const GFAL2: &str = "[HTTP PLUGIN]\nINSECURE=false\nLOG_SENSITIVE=true\n[S3]\nSECRET_KEY=t-secret\n";
const DIRACX: &str =
    "DIRACX_SERVICE_AUTH_TOKEN_ISSUER=https://diracx.example.org/\nDIRACX_SERVICE_AUTH_STATE_KEY=t-secret\n";

/// The files, and the kind of each.
const FILES: [(&str, &str); 6] = [
    ("fts3restconfig", FTS_REST),
    ("fts3config", FTS_SERVER),
    ("rucio.cfg", RUCIO),
    ("dirac.cfg", DIRAC),
    ("gfal2-conf", GFAL2),
    ("diracx-env", DIRACX),
];

/// What came out of a text.
#[derive(Default)]
struct Outcome {
    kinds: Vec<&'static str>,
    targets: Vec<(TargetKind, String)>,
    /// Offsets and messages.
    errors: Vec<(usize, String)>,
}

impl Sink for Outcome {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        for index in 0..target.kind.fields().len() {
            if let Some(at) = target.record.field(index).at {
                let span = documents[usize::from(at.document)].tree.node(at.node).span;
                assert!(span.end as usize <= documents[0].source.text().len());
            }
        }
        self.targets.push((target.kind, target.name.to_string()));
    }

    fn secret(&mut self, document: &Document, node: NodeId) {
        assert!(!document.source.slice(document.tree.node(node).span).is_empty(), "a secret has bytes to mask");
    }

    fn error(&mut self, document: &Document, node: NodeId, message: String) {
        self.errors.push((document.tree.node(node).span.start as usize, message));
    }

    fn paging(&mut self, _shown: NodeId, _count: i64, _total: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}

fn run(text: &str) -> Outcome {
    let source = Arc::new(Source::from_text("file", text));
    let recognised = recognise(&source);
    let mut outcome = Outcome::default();
    for error in recognised.errors {
        assert!(error.span.end as usize <= text.len(), "{error:?}");
        assert!(!error.message.contains("t-secret"), "messages quote nothing");
        outcome.errors.push((error.span.start as usize, error.message));
    }
    for (document, format) in &recognised.documents {
        if let Some((adapter, kind)) = format {
            outcome.kinds.push(kind);
            adapter.adapt(document, kind, &mut outcome);
        }
    }
    outcome
}

#[test]
fn the_whole_files_are_read_without_error() {
    for (kind, text) in FILES {
        let got = run(text);
        assert_eq!((got.kinds.as_slice(), got.errors.as_slice()), (&[kind][..], &[][..]));
        assert!(!got.targets.is_empty(), "{kind}");
    }
}

#[test]
fn a_file_may_end_anywhere() {
    for (_, text) in FILES {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            run(&text[..end]);
        }
    }
}

#[test]
fn line_breaks_blanks_and_marks_change_nothing() {
    for (kind, text) in FILES {
        let whole = run(text).targets;
        for (other, remark) in [
            (text.replace('\n', "\r\n"), "CRLF"),
            (format!("\u{feff}{text}"), "byte order mark"),
            (text.trim_end().to_string(), "no line break at the end"),
            (format!("\n\n{text}\n\n"), "blank lines"),
            (text.replace(" = ", "\t=\t"), "tabs around ="),
        ] {
            let got = run(&other);
            assert_eq!(
                (got.targets.as_slice(), got.errors.as_slice()),
                (whole.as_slice(), &[][..]),
                "{kind}: {remark}"
            );
        }
    }
}

#[test]
fn garbled_files_have_located_errors_and_keep_the_rest() {
    for (text, at, word, targets, remark) in [
        (format!("{FTS_REST}\0\n"), FTS_REST.len(), "NUL", true, "NUL"),
        (format!("{FTS_REST}[roles\n"), FTS_REST.len(), "not closed", true, "a section without its end"),
        (format!("{FTS_REST}nothing\n"), FTS_REST.len(), "configparser", true, "no separator"),
        (format!("{FTS_SERVER}nothing\n"), FTS_SERVER.len(), "does not start", true, "no separator"),
        (format!("{RUCIO}[oidc\n"), RUCIO.len(), "not closed", true, "a section without its end"),
        (format!("{GFAL2}nothing\n"), GFAL2.len(), "expected", true, "no separator"),
        (format!("{DIRAC}}}\n"), DIRAC.len(), "closes nothing", true, "a brace too many"),
        (format!("{DIRAC}Operations\n{{\n"), DIRAC.len(), "not closed", true, "a section without its end"),
        (format!("{DIRAC}Word\n"), DIRAC.len(), "expected", true, "a word alone"),
        (format!("{DIRACX}A=\"open\n"), DIRACX.len(), "quote", false, "a quote without its end"),
        (format!("{{% if x %}}\n{FTS_REST}"), 0, "template", false, "a template"),
        (format!("{DIRAC}{{{{ x }}}}\n"), DIRAC.len(), "template", false, "a template"),
    ] {
        let got = run(&text);
        let (offset, message) = got.errors.first().unwrap_or_else(|| panic!("{remark}: no error"));
        assert!(message.contains(word), "{remark}: {message}");
        let line = |offset: usize| text[..offset.min(text.len())].matches('\n').count();
        assert_eq!(line(*offset), line(at), "{remark}: {message}");
        assert_eq!(!got.targets.is_empty(), targets, "{remark}");
    }
}

#[test]
fn hostile_files_end_soon() {
    let long = "x".repeat(2 << 20);
    let many = |line: &str| line.repeat(20_000);
    let start = Instant::now();
    for (text, remark) in [
        (format!("{FTS_REST}long = {long}\n"), "a value of 2 MB"),
        (format!("{FTS_SERVER}{long} = 1\n"), "a key of 2 MB"),
        (format!("{RUCIO}[{long}]\n"), "a section's name of 2 MB"),
        (format!("{RUCIO}expected_audience = {}\n", "a ".repeat(1 << 20)), "a million audiences"),
        (format!("{DIRAC}x = {long}\n"), "a value of 2 MB"),
        (format!("{DIRAC}{}", many("a\n{\n")), "deep nesting"),
        (format!("{DIRAC}{}", many("a=1\n")), "many options"),
        (
            format!(
                "{}{}",
                FTS_REST.replace("[roles]\nPublic = vo:transfer\n", ""),
                many("p = https://p.example.org/\n")
            ),
            "many providers",
        ),
        (format!("{}{FTS_SERVER}", many("TokenRefreshMarginPerio = 1\n")), "many nearly known keys"),
        (format!("{GFAL2}{}", many("[HTTP:a]\n")), "many sections"),
    ] {
        let got = run(&text);
        assert!(got.kinds.len() <= 1, "{remark}");
    }
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

//! The files of VOMS, the certificate-based predecessor of tokens: `.lsc` and `vomses`. They say nothing about tokens; they
//! are recognised so that a whole site can be given to the tool.

use super::{Adapter, Kind, Sample, Sink};
use crate::parse::words::WordsDialect;
use crate::parse::{Document, Syntax};

/// The adapter.
pub(super) struct Voms;

const LSC: &str = "voms-lsc";
const VOMSES: &str = "vomses";

static KINDS: [Kind; 2] = [
    Kind {
        name: LSC,
        doc: "certificates of a VOMS server, by subject and issuer; about X.509 and not about tokens, so there is nothing to judge",
        targets: &[],
    },
    Kind {
        name: VOMSES,
        doc: "where clients find a VOMS server; about X.509 and not about tokens, so there is nothing to judge",
        targets: &[],
    },
];

const LSC_SYNTAX: Syntax = Syntax::Words(WordsDialect::Lsc);
const VOMSES_SYNTAX: Syntax = Syntax::Words(WordsDialect::Vomses);

impl Adapter for Voms {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let mut lines = sample.lines().take(1000).peekable();
        let first = *lines.peek()?;
        let name = |line: &str| line.starts_with('/') && line.contains("/CN=") || line.starts_with("/CN=");
        let mut lines = lines;
        if name(first) {
            let more =
                |line: &str| name(line) || (line.starts_with('/') && line.contains('=')) || line.starts_with("---");
            let (mut count, mut ours) = (0, true);
            for line in lines {
                count += 1;
                ours &= more(line) && !line.contains('"');
            }
            return (ours && count >= 2).then_some(LSC_SYNTAX);
        }
        lines.all(is_vomses).then_some(VOMSES_SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        match document.syntax {
            LSC_SYNTAX => Some(LSC),
            VOMSES_SYNTAX => Some(VOMSES),
            _ => None,
        }
    }

    fn adapt(&self, _document: &Document, _kind: &'static str, _sink: &mut dyn Sink) {}
}

/// `"vo" "host" "port" "subject" "vo"`.
fn is_vomses(line: &str) -> bool {
    let words: Vec<&str> = line.split('"').collect();
    // Words at odd places stand within the quotes.
    words.len() >= 11
        && words.iter().step_by(2).all(|between| between.trim().is_empty())
        && words[5].parse::<u16>().is_ok()
        && words[7].starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::collect;

    #[test]
    fn both_formats_are_told_from_others() {
        for (text, expected, remark) in [
            ("/DC=org/CN=voms.example.org\n/C=XX/CN=CA\n", Some(LSC), "subject and issuer"),
            ("/CN=voms.example.org\r\n/C=XX/O=CA\r\n", Some(LSC), "CRLF, a CA without common name"),
            ("/CN=a/CN=b\n/CN=c\n------ NEXT CHAIN ------\n/CN=d\n/CN=e\n", Some(LSC), "two chains"),
            ("/CN=voms.example.org\n", None, "one line alone"),
            ("\"/CN=a\" user\n\"/CN=b\" user\n", None, "a grid-mapfile"),
            ("\"vo\" \"h.example.org\" \"15001\" \"/CN=h.example.org\" \"vo\" \"24\"\n", Some(VOMSES), "six words"),
            ("\"vo\" \"h.example.org\" \"15001\" \"/CN=h.example.org\" \"vo\"\n", Some(VOMSES), "five words"),
            ("\"vo\" \"h\" \"x\" \"/CN=h\" \"vo\"\n", None, "no port"),
            ("\"vo\" \"h\" \"15001\" \"/CN=h", None, "truncated"),
            ("{\"a\": \"b\"}\n", None, "JSON"),
            ("", None, "empty"),
        ] {
            let syntax = Voms.syntax(&Sample::new("t", text));
            let kinds = syntax.map(|syntax| collect(text, syntax).kinds);
            assert_eq!(kinds.unwrap_or_default(), expected.into_iter().collect::<Vec<_>>(), "{remark}");
        }
    }
}

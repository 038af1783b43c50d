//! gfal2: the files of `/etc/gfal2.d` that configure transfers over HTTP.
//!
//! GLib reads them. Of a switch only `true`, `false`, `1` and `0` are understood; with any other word the default holds.
//! Settings for one storage element stand in a section that gfal2 makes of its address: the protocol without its `s`, a
//! colon and the host, all in capitals, without a port.

use super::client_form::product;
use super::configparser::{is_blank, key_of, sections};
use super::traps::Found;
use super::{Adapter, Kind, Reader, Sample, Sink};
use crate::model::{At, Field, Service, Target, TargetKind};
use crate::parse::ini::IniDialect;
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct Gfal2;

const KIND: &str = "gfal2-conf";
const PRODUCT: &str = "gfal2";
const HTTP: &str = "HTTP PLUGIN";
const SYNTAX: Syntax = Syntax::Ini(IniDialect::KeyFile);

/// Switches of the HTTP plug-in, and what they are when they are not set.
const SWITCHES: [(&str, bool); 9] = [
    ("INSECURE", false),
    ("LOG_SENSITIVE", false),
    ("LOG_CONTENT", false),
    ("RETRIEVE_BEARER_TOKEN", true),
    ("KEEP_ALIVE", true),
    ("METALINK", false),
    ("ENABLE_REMOTE_COPY", true),
    ("ENABLE_STREAM_COPY", true),
    ("ENABLE_FALLBACK_TPC_COPY", true),
];
/// Keys that hold secrets, in any section.
const SECRETS: [&str; 6] =
    ["TOKEN", "SECRET_KEY", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET", "OS_TOKEN", "JSON_AUTH_STRING"];

const SWITCH_IGNORED: &str = "gfal2-switch-ignored";
const SECTION_IGNORED: &str = "gfal2-section-ignored";

impl Adapter for Gfal2 {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "gfal2 configuration (gfal2.d/*.conf): TLS, logs and tokens of the HTTP plug-in",
            targets: &[TargetKind::Service, TargetKind::Trap],
        }]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        const OWN: [&str; 6] = ["CORE", "SRM PLUGIN", "XROOTD PLUGIN", "GRIDFTP PLUGIN", "SFTP PLUGIN", "BDII"];
        let section = |name: &str| sample.lines().any(|line| line.trim_end_matches([' ', '\t']) == format!("[{name}]"));
        let plugin = OWN.iter().filter(|name| name.ends_with("PLUGIN")).any(|name| section(name));
        let switch = sample.lines().filter_map(key_of).any(|key| SWITCHES[..4].iter().any(|(name, _)| *name == key));
        (section(HTTP) || plugin || (switch && sample.lines().any(|line| line.starts_with("[HTTP:")))).then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        (document.syntax == SYNTAX).then_some(KIND)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[SWITCH_IGNORED, SECTION_IGNORED]
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        for (_, section) in sections(root) {
            for (key, at) in section.entries().filter(|(key, _)| SECRETS.contains(key)) {
                if at.as_str().is_some_and(|text| !is_blank(text)) && !key.ends_with("FILE") {
                    sink.secret(document, at.id);
                }
            }
        }
        let http = Http(sections(root).filter(|(name, _)| *name == HTTP).map(|(_, section)| section).collect());
        if !http.0.is_empty() {
            http.service(document, sink);
        }
        for (name, section) in sections(root) {
            section_traps(name, section, sink);
        }
    }
}

/// The sections of the HTTP plug-in: GLib takes several of one name for one.
struct Http<'d>(Vec<Cursor<'d>>);

impl<'d> Http<'d> {
    /// The section that has the key; of several the last, whose value counts.
    fn with(&self, key: &str) -> Option<Cursor<'d>> {
        self.0.iter().rev().find(|section| section.has(key)).copied()
    }

    /// A switch as GLib reads it; the default where it is not set, or with a word that GLib does not know.
    fn switch(&self, name: &str) -> Field<'d> {
        let default = SWITCHES.iter().find(|(known, _)| *known == name).is_some_and(|(_, default)| *default);
        let Some(at) = self.with(name).and_then(|section| section.get(name)) else {
            return Field::bool(default, None);
        };
        let at_node = At::node(at.id);
        match at.as_str().map(str::trim) {
            Some("true" | "1") => Field::bool(true, at_node),
            Some("false" | "0") => Field::bool(false, at_node),
            _ => Field::bool(default, at_node),
        }
    }

    fn service(&self, document: &Document, sink: &mut dyn Sink) {
        let insecure = self.switch("INSECURE");
        let (headers, bodies) = (self.switch("LOG_SENSITIVE"), self.switch("LOG_CONTENT"));
        let level = self.with("LOG_LEVEL").map(|section| Reader::new(section).filled("LOG_LEVEL"));
        let service = Service {
            product: product(PRODUCT),
            name: Field::text("HTTP plug-in", None),
            tls_verified: Field::bool(insecure.as_bool() != Some(true), insecure.at),
            log_level: level.unwrap_or_default(),
            log_leaks_tokens: if headers.as_bool() == Some(true) { headers } else { bodies },
            ..Service::default()
        };
        sink.target(&[document], Target::new(TargetKind::Service, "gfal2 HTTP plug-in", service));
    }
}

fn section_traps(name: &str, section: Cursor<'_>, sink: &mut dyn Sink) {
    let address = name.split_once(':');
    if name == HTTP || address.is_some() {
        for (key, at) in section.entries() {
            let Some((_, default)) = SWITCHES.iter().find(|(known, _)| *known == key) else { continue };
            let value = at.as_str().unwrap_or_default().trim();
            if !["true", "false", "1", "0"].contains(&value) {
                let effect = format!("{default} holds instead");
                Found::new(PRODUCT, SWITCH_IGNORED, at, key).section(name).effect(effect).tell(sink);
            }
        }
    }
    let Some((protocol, host)) = address else { return };
    let effect = if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
        "the name is compared in capitals"
    } else if ["HTTPS", "DAVS", "S3S"].contains(&protocol) {
        "the protocol loses its S: HTTP for https, DAV for davs"
    } else if protocol.contains('.') || host.rsplit(':').next().is_some_and(is_port) {
        "the name is made of protocol and host, PROTOCOL:HOST, and has no port"
    } else {
        return;
    };
    Found::new(PRODUCT, SECTION_IGNORED, section, name).effect(effect).tell(sink);
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, collect_recognised, corpus};

    fn read(text: &str) -> Collected {
        collect_recognised(text)
    }

    fn traps(collected: &Collected) -> Vec<(&str, &str)> {
        let traps = collected.targets.iter().filter(|got| got.kind == TargetKind::Trap);
        traps.map(|got| (got.get("code"), got.get("name"))).collect()
    }

    #[test]
    fn switches_are_read_as_glib_reads_them() {
        for (text, verified, leaks, remark) in [
            ("", "true", "false", "defaults"),
            ("INSECURE=true\n", "false", "false", "no check"),
            ("INSECURE=1\n", "false", "false", "as a number"),
            ("INSECURE=True\n", "true", "false", "a word GLib does not know"),
            ("INSECURE=true\nINSECURE=false\n", "true", "false", "the last counts"),
            ("INSECURE=true\n[HTTP PLUGIN]\nINSECURE=false\n", "true", "false", "the last of two sections"),
            ("INSECURE=false\n[CORE]\nX=1\n[HTTP PLUGIN]\nINSECURE=true\n", "false", "false", "the last is unsafe"),
            ("INSECURE=true\n[HTTP PLUGIN]\nLOG_SENSITIVE=true\n", "false", "true", "sections are merged"),
            ("LOG_SENSITIVE=true\n", "true", "true", "headers"),
            ("LOG_CONTENT = true\n", "true", "true", "bodies"),
        ] {
            let got = read(&format!("[HTTP PLUGIN]\n{text}"));
            assert_eq!((got.kinds.as_slice(), got.errors.len()), (&[KIND][..], 0));
            let service = &got.targets[0];
            assert_eq!((service.get("tls_verified"), service.get("log_leaks_tokens")), (verified, leaks), "{remark}");
        }
    }

    #[test]
    fn what_gfal2_skips_is_a_trap() {
        for (text, expected, remark) in [
            (
                "[HTTP PLUGIN]\nRETRIEVE_BEARER_TOKEN=False\n",
                vec![(SWITCH_IGNORED, "RETRIEVE_BEARER_TOKEN")],
                "capital",
            ),
            ("[HTTP PLUGIN]\nINSECURE=no\n", vec![(SWITCH_IGNORED, "INSECURE")], "no"),
            ("[HTTP PLUGIN]\nDEFAULT_COPY_MODE=3rd pull\n", vec![], "no switch"),
            ("[HTTP PLUGIN]\n[HTTP:SE.EXAMPLE.ORG]\nRETRIEVE_BEARER_TOKEN=false\n", vec![], "as it should be"),
            ("[HTTP PLUGIN]\n[S3:BUCKET.EXAMPLE.ORG]\nREGION=x\n", vec![], "another protocol"),
            (
                "[HTTP PLUGIN]\n[HTTP:se.example.org]\nX=1\n",
                vec![(SECTION_IGNORED, "HTTP:se.example.org")],
                "small letters",
            ),
            ("[HTTP PLUGIN]\n[DAVS:SE.EXAMPLE.ORG]\nX=1\n", vec![(SECTION_IGNORED, "DAVS:SE.EXAMPLE.ORG")], "with S"),
            (
                "[HTTP PLUGIN]\n[SE.EXAMPLE.ORG:443]\nX=1\n",
                vec![(SECTION_IGNORED, "SE.EXAMPLE.ORG:443")],
                "no protocol",
            ),
            (
                "[HTTP PLUGIN]\n[DAV:SE.EXAMPLE.ORG:443]\nX=1\n",
                vec![(SECTION_IGNORED, "DAV:SE.EXAMPLE.ORG:443")],
                "port",
            ),
        ] {
            assert_eq!(traps(&read(text)), expected, "{remark}");
        }
    }

    #[test]
    fn keys_of_storage_are_masked() {
        let got = read(
            "[HTTP PLUGIN]\nINSECURE=false\n[S3]\nSECRET_KEY=t-secret\nREGION=x\nTOKEN=\n[BEARER]\nTOKEN=t-token\n",
        );
        assert_eq!(got.secrets, ["/S3/SECRET_KEY", "/BEARER/TOKEN"]);
    }

    #[test]
    fn similar_files_are_left_alone() {
        for (text, remark) in [
            ("[CORE]\nx=1\n", "a name others have"),
            ("[http plugin]\nINSECURE=true\n", "sections have case"),
            ("INSECURE=true\n", "an env file"),
        ] {
            assert!(!read(text).kinds.contains(&KIND), "{remark}");
        }
    }

    #[test]
    fn the_corpus_reads_as_a_person_reads_it() {
        let Some(text) = corpus("rp/114-http_plugin.conf") else { return };
        let got = read(&text);
        assert_eq!((got.kinds.as_slice(), got.targets.len(), traps(&got).len()), (&[KIND][..], 1, 0));
    }
}

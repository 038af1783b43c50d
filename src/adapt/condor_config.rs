//! The configuration of HTCondor and HTCondor-CE, as far as it is about tokens.
//!
//! HTCondor reads many such files one after the other, and the last value of a name counts. One file alone never shows
//! that a name is not set, so what is not in it stays unknown. `$(NAME)` is filled in where the same file says what it
//! is. A list that another file may have started (`X = $(X), more`) is known in part.

use super::traps::Found;
use super::{Adapter, Kind, Sample, Sink, read};
use crate::model::{At, Field, Service, Target, TargetKind, Trust};
use crate::parse::ini::IniDialect;
use crate::parse::{Cursor, Document, Syntax};
use std::collections::BTreeMap;

/// The adapter.
pub(super) struct CondorConfig;

const KIND: &str = "condor-config";
const SYNTAX: Syntax = Syntax::Ini(IniDialect::Condor);

const UNKNOWN_KNOB: &str = "condor-unknown-knob";

/// The names with SCITOKENS in them that HTCondor 25 has, in lower case as the reader gives them.
const KNOBS: [&str; 12] = [
    "scitokens_server_audience",
    "scitokens_file",
    "sec_scitokens_allow_foreign_token_types",
    "sec_scitokens_foreign_token_issuers",
    "sec_scitokens_cache",
    "sec_scitokens_plugin_names",
    // Of the credential monitor, for the client that fetches tokens of the provider `scitokens`.
    "scitokens_client_id",
    "scitokens_client_secret_file",
    "scitokens_authorization_url",
    "scitokens_token_url",
    "scitokens_user_url",
    "scitokens_return_url_suffix",
];
const AUDIENCE: &str = KNOBS[0];
const FOREIGN_TYPES: &str = KNOBS[2];
const FOREIGN_ISSUERS: &str = KNOBS[3];

/// Permission levels that have `ALLOW_` and `DENY_` lists.
const LEVELS: [&str; 11] = [
    "read",
    "write",
    "daemon",
    "administrator",
    "negotiator",
    "config",
    "owner",
    "client",
    "advertise_master",
    "advertise_schedd",
    "advertise_startd",
];

const ELSEWHERE: &str = "another file of the configuration may set it";
/// Expansions that refer to each other end somewhere.
const MAX_EXPANSIONS: usize = 8;
/// Longest value that is expanded, in bytes.
const MAX_VALUE: usize = 64 << 10;

impl Adapter for CondorConfig {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "configuration file of HTCondor or HTCondor-CE; files that say nothing about tokens are recognised and hold \
                  nothing to judge",
            targets: &[TargetKind::Service, TargetKind::Trust, TargetKind::Trap],
        }]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let mut telling = false;
        let (mut lines, mut odd) = (0usize, 0usize);
        let mut continued = false;
        // What ends the value by lines (`@=`) that is open; such values hold anything.
        let mut here: Option<&str> = None;
        for line in sample.lines() {
            if let Some(tag) = here {
                if line.strip_prefix('@') == Some(tag) {
                    here = None;
                }
                continue;
            }
            let inside = std::mem::replace(&mut continued, line.ends_with('\\'));
            if inside {
                continue;
            }
            lines += 1;
            let name = line.split(['=', ':', ' ', '\t']).next().unwrap_or_default();
            let rest = line[name.len()..].trim_start();
            here = rest.strip_prefix("@=").map(str::trim);
            match line.starts_with(['-', '{', '[', '"', '<']) || (rest.starts_with(':') && !is_directive(name)) {
                true => return None,
                false if is_directive(name) && rest.contains(':') => telling |= is_template(line),
                false if rest.starts_with(['=', '@', '+']) => telling |= is_telling(&name.to_ascii_lowercase()),
                false if ["if", "elif", "else", "endif"].contains(&name) => {}
                false => odd += 1,
            }
        }
        (telling && odd * 2 <= lines).then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        (document.syntax == SYNTAX).then_some(KIND)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[UNKNOWN_KNOB]
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let file = File::new(document);
        if file.is_about_tokens() {
            file.service(sink);
            file.foreign_issuers(sink);
        }
        file.unknown_knobs(sink);
    }
}

fn is_directive(name: &str) -> bool {
    ["use", "include", "error", "warning"].iter().any(|word| name.trim_start_matches('@').eq_ignore_ascii_case(word))
}

/// `use CATEGORY : …` of a category that HTCondor has.
fn is_template(line: &str) -> bool {
    let category = line.split_whitespace().nth(1).and_then(|words| words.split(':').next()).unwrap_or_default();
    ["security", "role", "feature", "policy"].iter().any(|known| known.eq_ignore_ascii_case(category))
        && line.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("use"))
}

/// Is this a name that only HTCondor has?
fn is_telling(name: &str) -> bool {
    let bare = name.rsplit_once('.').map_or(name, |(_, bare)| bare).trim_end_matches('+');
    let list = bare.strip_prefix("allow_").or(bare.strip_prefix("deny_"));
    list.is_some_and(|level| LEVELS.contains(&level))
        || KNOBS[..6].contains(&bare)
        || bare.starts_with("sec_scitokens_")
        || (bare.starts_with("sec_") && bare.ends_with("_authentication_methods"))
        || bare.starts_with("certificate_mapfile")
        || ["sec_token_", "sec_password_", "auth_ssl_server_", "auth_ssl_client_"]
            .iter()
            .any(|start| bare.starts_with(start))
        || [
            "schedd_audit_log",
            "collector_audit_log",
            "queue_super_users",
            "job_router_entries",
            "condor_host",
            "daemon_list",
        ]
        .contains(&bare)
}

struct File<'d> {
    document: &'d Document,
    product: &'static str,
    /// The last value of each name that does not depend on the machine.
    values: BTreeMap<&'d str, Cursor<'d>>,
    /// Names that a branch of an `if`, or an addition, sets.
    open: Vec<&'d str>,
}

impl<'d> File<'d> {
    fn new(document: &'d Document) -> Self {
        let text = document.source.text();
        let ce = document.source.name().contains("condor-ce")
            || text.contains("condor-ce")
            || text.contains("CERTIFICATE_MAPFILE_ASSUME_HASH_KEYS");
        let mut file = File {
            document,
            product: if ce { "htcondor-ce" } else { "htcondor" },
            values: BTreeMap::new(),
            open: Vec::new(),
        };
        for (name, value) in document.root().entries() {
            match name.strip_suffix('+') {
                Some(name) => file.open.push(name),
                None if value.is_map() => file.branch(value),
                None => {
                    file.values.insert(name, value);
                }
            }
        }
        file
    }

    fn branch(&mut self, branch: Cursor<'d>) {
        let mut inside = vec![branch];
        while let Some(branch) = inside.pop() {
            for (name, value) in branch.entries() {
                match value.is_map() {
                    true => inside.push(value),
                    false => self.open.push(name.trim_end_matches('+')),
                }
            }
        }
    }

    fn is_about_tokens(&self) -> bool {
        let about = |name: &str| {
            let bare = name.rsplit_once('.').map_or(name, |(_, bare)| bare);
            bare.contains("scitokens")
                || bare.ends_with("_authentication_methods")
                || bare.starts_with("sec_token_")
                || bare.ends_with("_audit_log")
                || bare.starts_with("certificate_mapfile")
                || bare.starts_with("auth_ssl_server_ca")
                || bare.starts_with("deny_")
        };
        self.values.keys().chain(&self.open).any(|name| about(name))
    }

    /// A value, when nothing in this file leaves it open.
    fn get(&self, name: &str) -> Option<Cursor<'d>> {
        self.values.get(name).copied().filter(|_| !self.open.contains(&name))
    }

    /// `read` on a value; unknown where the file does not show it.
    fn field(&self, name: &str, read: impl FnOnce(&str, At) -> Field<'d>) -> Field<'d> {
        let Some(value) = self.get(name) else { return Field::unknown(ELSEWHERE, None) };
        let at = At::node(value.id);
        match self.expand(value.as_str().unwrap_or_default(), name) {
            Some(text) => read(&text, at),
            None => Field::unknown("it refers to what another file sets", at),
        }
    }

    /// A list; words that refer to other files are unknown.
    fn list(&self, name: &str) -> Field<'d> {
        let Some(value) = self.get(name) else { return Field::unknown(ELSEWHERE, None) };
        let at = At::node(value.id);
        let text = value.as_str().unwrap_or_default();
        let words = text.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty()).enumerate();
        let words = words.map(|(index, word)| match self.expand(word, name) {
            Some(word) => Field::text(word, at.word(index)),
            None => Field::unknown("it refers to what another file sets", at.word(index)),
        });
        Field::list(words.collect(), at)
    }

    /// A text with `$(NAME)` filled in; `None` when this file does not show all of it.
    fn expand(&self, text: &str, own: &str) -> Option<String> {
        let mut text = text.to_string();
        for _ in 0..MAX_EXPANSIONS {
            let Some(start) = text.find('$') else { return Some(text) };
            let name = text[start..].strip_prefix("$(")?.split(')').next()?.to_ascii_lowercase();
            let value = self.get(&name).filter(|_| name != own)?.as_str()?;
            text.replace_range(start..(start + "$()".len() + name.len()).min(text.len()), value);
            if text.len() > MAX_VALUE {
                return None;
            }
        }
        None
    }

    fn bool(&self, name: &str) -> Field<'d> {
        self.field(name, |text, at| match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "t" | "y" | "1" => Field::bool(true, at),
            "false" | "no" | "f" | "n" | "0" => Field::bool(false, at),
            // An expression, or nothing, which means the default.
            _ => Field::unknown("it is an expression", at),
        })
    }

    /// True when a server's list of methods names SCITOKENS; lists of clients do not count.
    fn accepts_tokens(&self) -> Field<'d> {
        let methods = self.values.iter().filter(|(name, _)| {
            name.ends_with("_authentication_methods") && !name.ends_with("sec_client_authentication_methods")
        });
        let mut listed = methods.filter(|(_, value)| {
            let methods = value.as_str().unwrap_or_default();
            methods.split([',', ' ', '\t']).any(|method| method.eq_ignore_ascii_case("SCITOKENS"))
        });
        match listed.next() {
            Some((_, value)) => Field::bool(true, At::node(value.id)),
            None => Field::unknown(ELSEWHERE, None),
        }
    }

    fn service(&self, sink: &mut dyn Sink) {
        let audiences = self.list(AUDIENCE);
        let foreign = self.list(FOREIGN_ISSUERS);
        let everybody = foreign.items().len() == 1 && foreign.contains("*");
        let types = self.bool(FOREIGN_TYPES);
        let denied = self.values.iter().find(|(name, value)| {
            let level = name.rsplit_once('.').map_or(**name, |(_, bare)| bare).strip_prefix("deny_");
            level.is_some() && value.as_str().is_some_and(|list| list.contains("@banned.htcondor.org"))
        });
        let audit = self.get("schedd_audit_log");
        let examined = self.get("schedd_debug").and_then(Cursor::as_str).is_some_and(|level| level.contains("D_AUDIT"));
        let service = Service {
            product: Field::text(self.product, None),
            tokens: self.accepts_tokens(),
            audience_checked: match audiences.items().is_empty() {
                false => Field::bool(true, audiences.at),
                true => Field::unknown(ELSEWHERE, None),
            },
            audiences,
            any_issuer: match everybody && types.as_bool() != Some(false) {
                true => Field::bool(true, foreign.items()[0].at),
                false => Field::unknown("the map file decides", None),
            },
            without_token: Field::unknown("other ways to authenticate decide", None),
            log_level: match self.get("schedd_debug") {
                Some(level) => Field::text(level.as_str().unwrap_or_default(), At::node(level.id)),
                None => Field::unknown(ELSEWHERE, None),
            },
            // The audit log holds the payload, never the signature.
            log_leaks_tokens: Field::bool(false, None),
            log_traces_tokens: match audit.filter(|_| examined) {
                Some(log) => Field::bool(true, At::node(log.id)),
                None => Field::unknown(ELSEWHERE, None),
            },
            log_settings: read::log_settings(["SCHEDD_AUDIT_LOG", "SCHEDD_DEBUG", "EVENT_LOG"].map(|name| {
                let value = self.get(&name.to_ascii_lowercase())?;
                read::log_setting(name, &Field::text(value.as_str().unwrap_or_default(), At::node(value.id)))
            })),
            ban_hook: match denied {
                Some((_, value)) => Field::bool(true, At::node(value.id)),
                None => Field::unknown(ELSEWHERE, None),
            },
            files: self.files(),
            ..Service::default()
        };
        let name = match self.product {
            "htcondor-ce" => "HTCondor-CE",
            _ => "HTCondor",
        };
        sink.target(&[self.document], Target::new(TargetKind::Service, name, service));
    }

    /// The map file and the files that are included.
    fn files(&self) -> Field<'d> {
        let included = self.document.root().entries().filter(|(name, _)| *name == "include");
        let paths = included.filter_map(|(_, value)| Some((value, value.as_str()?.rsplit_once(':')?.1.trim())));
        let mapfile = self.get("certificate_mapfile").and_then(|value| Some((value, value.as_str()?)));
        let files: Vec<Field<'d>> = mapfile
            .into_iter()
            .chain(paths)
            .filter_map(|(value, path)| Some(Field::text(self.expand(path, "")?, At::node(value.id))))
            .collect();
        if files.is_empty() { Field::default() } else { Field::list(files, None) }
    }

    /// Issuers whose tokens pass although their audience and scopes do not hold.
    fn foreign_issuers(&self, sink: &mut dyn Sink) {
        let foreign = self.list(FOREIGN_ISSUERS);
        let types = self.bool(FOREIGN_TYPES);
        for item in foreign.items() {
            let Some(issuer) = item.as_text() else { continue };
            let everybody = issuer == "*";
            let name = if everybody { "any issuer" } else { issuer };
            let record = Trust {
                product: Field::text(self.product, None),
                issuer: match everybody {
                    true if foreign.items().len() == 1 => Field::unlimited(item.at),
                    true => Field::unknown("whether * counts in a list of several is not known", item.at),
                    false => item.clone(),
                },
                audience_checked: Field::bool(false, item.at),
                any_audience: Field::bool(true, None),
                missing_audience: Field::bool(true, None),
                strategy: Field::list(vec![Field::text("capability", None), Field::text("mapping", None)], None),
                profile: Field::text("oidc", None),
                active: match types.as_bool() {
                    Some(false) => Field::bool(false, types.at),
                    // On by default.
                    _ => Field::bool(true, item.at),
                },
                ..Trust::default()
            };
            let at = item.at.unwrap_or(At::ROOT);
            let target =
                Target { identity: name.to_string().into(), at, ..Target::new(TargetKind::Trust, name, record) };
            sink.target(&[self.document], target);
        }
    }

    /// Names of this family that HTCondor does not have.
    fn unknown_knobs(&self, sink: &mut dyn Sink) {
        let mut inside = vec![self.document.root()];
        while let Some(map) = inside.pop() {
            for (name, value) in map.entries() {
                if value.is_map() {
                    inside.push(value);
                    continue;
                }
                let bare = name.rsplit_once('.').map_or(name, |(_, bare)| bare).trim_end_matches('+');
                let ours = bare.starts_with("sec_scitokens_") || bare.starts_with("scitokens_server_");
                let plugin = bare
                    .strip_prefix("sec_scitokens_plugin_")
                    .is_some_and(|rest| rest.ends_with("_command") || rest.ends_with("_mapping"));
                // A slip of the pen in a name whose start does not show the family.
                let slip = || {
                    bare.contains("scitoken") && KNOBS[..6].iter().any(|knob| crate::near::distance(knob, bare) <= 2)
                };
                if !plugin && !KNOBS.contains(&bare) && bare.len() < 100 && (ours || slip()) {
                    let known: Vec<String> = KNOBS.iter().map(|knob| knob.to_ascii_uppercase()).collect();
                    let known: Vec<&str> = known.iter().map(String::as_str).collect();
                    Found::new(self.product, UNKNOWN_KNOB, value, bare.to_ascii_uppercase()).nearest(&known).tell(sink);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, Got, collect};

    fn read(text: &str) -> Collected {
        assert_eq!(CondorConfig.syntax(&Sample::new("t", text)), Some(SYNTAX), "{text}");
        collect(text, SYNTAX)
    }

    fn of(collected: &Collected, kind: TargetKind) -> Vec<&Got> {
        collected.targets.iter().filter(|got| got.kind == kind).collect()
    }

    #[test]
    fn what_a_file_shows_is_known_and_nothing_else() {
        const UNSET: &str = "unknown: another file of the configuration may set it";
        for (text, field, expected, remark) in [
            ("SCITOKENS_SERVER_AUDIENCE = a, b", "audiences", "a b", "a list"),
            ("SCITOKENS_SERVER_AUDIENCE = $(H):9619\nH = ce.example", "audiences", "ce.example:9619", "filled in"),
            (
                "SCITOKENS_SERVER_AUDIENCE = $(COLLECTOR_HOST) condor://a",
                "audiences",
                "unknown: it refers to what another file sets condor://a",
                "known in part",
            ),
            ("SCITOKENS_SERVER_AUDIENCE = a\nSCITOKENS_SERVER_AUDIENCE = b", "audiences", "b", "the last value"),
            ("SCITOKENS_SERVER_AUDIENCE = a\nSCITOKENS_SERVER_AUDIENCE += b", "audiences", UNSET, "appended to"),
            ("SCITOKENS_SERVER_AUDIENCE = a\nif x\nSCITOKENS_SERVER_AUDIENCE = b\nendif", "audiences", UNSET, "branch"),
            (
                "X = $(Y)\nY = $(X)\nSCITOKENS_SERVER_AUDIENCE=$(X)",
                "audiences",
                "unknown: it refers to what another file sets",
                "a circle",
            ),
            ("SEC_TOKEN_ISSUER_KEY = k", "audiences", UNSET, "not set here"),
            ("SCHEDD.SEC_WRITE_AUTHENTICATION_METHODS = FS,SCITOKENS", "tokens", "true", "of one daemon"),
            ("SEC_CLIENT_AUTHENTICATION_METHODS = SCITOKENS", "tokens", UNSET, "of clients"),
            ("SCHEDD_AUDIT_LOG = /log\nSCHEDD_DEBUG = D_AUDIT", "log_traces_tokens", "true", "audited"),
            ("DENY_WRITE = *@banned.htcondor.org", "ban_hook", "true", "bans"),
            ("CERTIFICATE_MAPFILE=/m\ninclude : /x", "files", "/m /x", "files"),
            ("SEC_SCITOKENS_FOREIGN_TOKEN_ISSUERS = *", "any_issuer", "true", "everybody"),
        ] {
            let collected = read(text);
            assert_eq!(of(&collected, TargetKind::Service)[0].get(field), expected, "{remark}");
        }
    }

    #[test]
    fn values_by_lines_hold_anything() {
        for (text, audiences) in [
            (
                "JOB_ROUTER_ENTRIES @=jre\n[ name = \"x\"; TargetUniverse=5; ]\n@jre\nSCITOKENS_SERVER_AUDIENCE = a\n",
                "a",
            ),
            ("JOB_ROUTER_ROUTE_x @=end\n  SET a 1\n  UNIVERSE VANILLA\n@end\nSCITOKENS_SERVER_AUDIENCE = a\n", "a"),
            ("SCITOKENS_SERVER_AUDIENCE @=end\nANY\nb\n@end\n", "ANY b"),
        ] {
            assert_eq!(of(&read(text), TargetKind::Service)[0].get("audiences"), audiences, "{text}");
        }
    }

    #[test]
    fn foreign_issuers_are_trusted_whatever_their_tokens_say() {
        let collected = read("SEC_SCITOKENS_FOREIGN_TOKEN_ISSUERS = https://a.example https://b.example\n");
        let trusts = of(&collected, TargetKind::Trust);
        assert_eq!(
            trusts.iter().map(|trust| trust.get("issuer")).collect::<Vec<_>>(),
            ["https://a.example", "https://b.example"]
        );
        assert_eq!((trusts[0].get("audience_checked"), trusts[0].get("active")), ("false", "true"));
        for list in ["https://a.example, *", "https://a.example *"] {
            let collected = read(&format!("SEC_SCITOKENS_FOREIGN_TOKEN_ISSUERS = {list}\n"));
            let trusts = of(&collected, TargetKind::Trust);
            assert_eq!(trusts[0].get("issuer"), "https://a.example");
            assert!(trusts[1].get("issuer").starts_with("unknown: whether *"), "{list}: it is the name of no issuer");
        }
        let off = "SEC_SCITOKENS_ALLOW_FOREIGN_TOKEN_TYPES = False\nSEC_SCITOKENS_FOREIGN_TOKEN_ISSUERS = *\n";
        let collected = read(off);
        let trusts = of(&collected, TargetKind::Trust);
        assert_eq!((trusts[0].get("issuer"), trusts[0].get("active")), ("unlimited", "false"));
    }

    #[test]
    fn names_that_do_not_exist_are_traps() {
        for (text, nearest) in [
            ("SEC_SCITOKENS_ALLOW_FOREIGN_TOKENS = True", "SEC_SCITOKENS_ALLOW_FOREIGN_TOKEN_TYPES"),
            ("SCHEDD.SCITOKENS_SERVER_AUDIENCES = a\nALLOW_READ=*", "SCITOKENS_SERVER_AUDIENCE"),
            ("SCITOKEN_SERVER_AUDIENCE = a\nALLOW_READ=*", "SCITOKENS_SERVER_AUDIENCE"),
            ("if x\nSEC_SCITOKEN_CACHE = a\nendif\nALLOW_READ=*", "SEC_SCITOKENS_CACHE"),
        ] {
            let collected = read(text);
            assert_eq!(of(&collected, TargetKind::Trap)[0].get("nearest"), nearest);
        }
        let fine =
            "SEC_SCITOKENS_PLUGIN_NAMES = A\nSEC_SCITOKENS_PLUGIN_A_COMMAND = x\nSEC_SCITOKENS_PLUGIN_A_MAPPING = y\n";
        assert!(of(&read(fine), TargetKind::Trap).is_empty());
    }

    #[test]
    fn damaged_files_are_read_as_far_as_they_go() {
        let long = format!("SCITOKENS_SERVER_AUDIENCE = {}\n", "a ".repeat(1 << 20));
        for (text, errors, remark) in [
            ("SCITOKENS_SERVER_AUDIENCE\t=\ta\n", 0, "tabs"),
            ("SCITOKENS_SERVER_AUDIENCE = a\r\n", 0, "CRLF"),
            ("SCITOKENS_SERVER_AUDIENCE = a\nSEC_SCI", 1, "truncated"),
            ("SCITOKENS_SERVER_AUDIENCE = \"a\n", 0, "quotes mean nothing"),
            ("SCITOKENS_SERVER_AUDIENCE = a\0\n", 1, "NUL"),
            ("SCITOKENS_SERVER_AUDIENCE = a\ninclude : x\ninclude : x\n", 0, "includes are named, not followed"),
            (long.as_str(), 0, "2 MiB in a line"),
        ] {
            let collected = read(text);
            assert_eq!((of(&collected, TargetKind::Service).len(), collected.errors.len()), (1, errors), "{remark}");
        }
    }

    #[test]
    fn other_files_are_left_alone() {
        for (text, remark) in [
            ("ALLOW_READ: x\n", "YAML"),
            ("apiVersion: v1\ndata:\n  x: |\n    ALLOW_READ = *\n", "wrapped in YAML"),
            ("[s]\nallow_read = x\n", "INI"),
            ("A=1\nB=2\n", "an env file"),
            ("export ALLOW_READ=x\n", "a shell script"),
            ("include = x\nuse = y\n", "settings"),
            ("", "empty"),
        ] {
            assert_eq!(CondorConfig.syntax(&Sample::new("t", text)), None, "{remark}");
        }
        for text in ["use SECURITY : recommended\n", "use role:CentralManager\n", "COLLECTOR.ALLOW_READ = *\n"] {
            assert_eq!(CondorConfig.syntax(&Sample::new("t", text)), Some(SYNTAX), "{text}");
        }
    }
}

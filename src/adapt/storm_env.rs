//! StoRM WebDAV's environment: systemd drop-ins and env files.

use super::dcache_args::words;
use super::{Adapter, Kind, Sample, Sink, storm};
use crate::model::{At, Target, TargetKind};
use crate::parse::ini::IniDialect;
use crate::parse::{Document, Syntax};

/// The adapter.
pub(super) struct StormEnv;

const DROP_IN: &str = "storm-systemd-dropin";
const ENV: &str = "storm-env";
const SYSTEMD: Syntax = Syntax::Ini(IniDialect::Systemd);

impl Adapter for StormEnv {
    fn kinds(&self) -> &'static [Kind] {
        const YIELDS: &[TargetKind] = &[TargetKind::Service];
        &[
            Kind { name: DROP_IN, doc: "systemd drop-in with StoRM WebDAV's environment", targets: YIELDS },
            Kind { name: ENV, doc: "env file with StoRM WebDAV's environment", targets: YIELDS },
        ]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let ours = |line: &str| line.starts_with("Environment") && line.contains(storm::VARIABLES);
        (sample.lines().any(|line| line == "[Service]") && sample.lines().any(ours)).then_some(SYSTEMD)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        match document.syntax {
            Syntax::Env => root.entries().any(|(name, _)| name.starts_with(storm::VARIABLES)).then_some(ENV),
            SYSTEMD => {
                variables(document).iter().any(|(name, _, _)| name.starts_with(storm::VARIABLES)).then_some(DROP_IN)
            }
            _ => None,
        }
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let variables = variables(document);
        let known: Vec<storm::Variable<'_>> =
            variables.iter().map(|(name, value, at)| (name.as_str(), value.as_str(), *at)).collect();
        for (_, _, at) in known.iter().filter(|(name, value, _)| storm::is_secret(name, value)) {
            sink.secret(document, at.node);
        }
        if let Some(service) = storm::environment(&known) {
            sink.target(&[document], Target::new(TargetKind::Service, "StoRM WebDAV", service));
        }
    }
}

/// Names and values, in order; an empty `Environment=` of systemd forgets what was set before.
fn variables(document: &Document) -> Vec<(String, String, At)> {
    let root = document.root();
    if document.syntax == Syntax::Env {
        let entries = root.entries();
        return entries
            .map(|(name, at)| (name.into(), at.scalar_text().unwrap_or_default().into(), At::node(at.id)))
            .collect();
    }
    let mut found = Vec::new();
    let sections = root.entries().filter(|(name, section)| *name == "Service" && section.is_map());
    for (_, entry) in sections.flat_map(|(_, section)| section.entries()).filter(|(key, _)| *key == "Environment") {
        let text = entry.as_str().unwrap_or_default();
        if text.is_empty() {
            found.clear();
        }
        let pairs = words(text).into_iter().filter(|word| word.option.is_none());
        found.extend(pairs.filter_map(|word| {
            let (name, value) = word.text.split_once('=')?;
            Some((name.to_string(), value.to_string(), At::node(entry.id)))
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::collect;

    #[test]
    fn drop_ins_are_read_as_systemd_reads_them() {
        let text = "[Service]\nEnvironment=\"STORM_WEBDAV_AUTHZ_SERVER_ENABLE=true\" STORM_WEBDAV_X=1\n\
                    Environment=\"STORM_WEBDAV_AUTHZ_SERVER_SECRET=an example\"\n\
                    Environment='STORM_WEBDAV_AUTHZ_SERVER_MAX_TOKEN_LIFETIME_SEC=3600'\n";
        assert_eq!(StormEnv.syntax(&Sample::new("t", text)), Some(SYSTEMD));
        let collected = collect(text, SYSTEMD);
        assert_eq!(collected.kinds, [DROP_IN]);
        assert_eq!(collected.targets[0].get("issued_lifetime"), "3600");
        assert_eq!(collected.secrets, ["/Service/Environment#2"]);
        let forgotten = collect(&format!("{text}Environment=\nEnvironment=STORM_WEBDAV_A=b\n"), SYSTEMD);
        assert_eq!(forgotten.targets[0].get("issued_lifetime"), "", "an empty assignment forgets the others");
    }

    #[test]
    fn env_files_and_others() {
        let collected = collect("STORM_WEBDAV_OAUTH_REFRESH_PERIOD_MINUTES=60\n", Syntax::Env);
        assert_eq!((collected.kinds.as_slice(), collected.targets[0].get("key_refresh")), (&[ENV][..], "3600"));
        for text in ["[Service]\nEnvironment=\"A=b\"\n", "STORM_WEBDAV_A=b\n", "[Unit]\nDescription=STORM_WEBDAV_\n"] {
            assert_eq!(StormEnv.syntax(&Sample::new("t", text)), None, "{text}");
        }
    }
}

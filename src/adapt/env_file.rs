//! Env files with INDIGO IAM's variables: docker `env_file`, compose `.env`, systemd `EnvironmentFile`.

use super::indigo_iam::{Given, Unset};
use super::placeholder::{Dialect, resolve};
use super::workload::{is_iam_environment, last_of_each};
use super::{Adapter, Kind, Sink};
use crate::model::{At, Target, TargetKind};
use crate::parse::{Cursor, Document, Syntax};

/// Adapter for env files.
pub(super) struct EnvFile;

const SERVER: &str = "indigo-iam-env";
const DASHBOARD: &str = "indigo-iam-dashboard-env";

const FRAGMENT: &str = "it is not set here, and an env file may hold only part of an environment";

impl Adapter for EnvFile {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: SERVER,
                doc: "env file with variables of an INDIGO IAM server",
                targets: &[TargetKind::Settings],
            },
            Kind {
                name: DASHBOARD,
                doc: "env file of the INDIGO IAM dashboard; only live secrets are looked for, since the dashboard is a \
                      client whose registration is judged where the issuer keeps it",
                targets: &[],
            },
        ]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let names = || document.root().entries().map(|(name, _)| name);
        if document.syntax != Syntax::Env {
            None
        } else if is_iam_environment(names()) {
            Some(SERVER)
        } else {
            names().any(|name| name.starts_with("IAM_DASHBOARD_")).then_some(DASHBOARD)
        }
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        if kind != SERVER {
            return;
        }
        let root = document.root();
        let mut given = Given::new(None);
        for (name, member) in last_of_each(root.entries(), |(name, _)| name) {
            let lookup = |name: &str| root.get(name).and_then(Cursor::scalar_text).map(Into::into);
            let value = member.scalar_text().and_then(|text| resolve(text, Dialect::Shell, &lookup));
            given.env(name, value, At::node(member.id));
        }
        // A file that says who the server is and how it starts is taken for its whole environment.
        let whole = given.has_env("IAM_JAVA_OPTS") && (given.has_env("IAM_ISSUER") || given.has_env("IAM_BASE_URL"));
        let settings = given.settings(if whole { Unset::Default } else { Unset::Unknown(FRAGMENT) });
        let identity = settings.issuer.as_text().unwrap_or_default().to_string();
        let name = if identity.is_empty() { "INDIGO IAM".to_string() } else { identity.clone() };
        sink.target(
            &[document],
            Target { identity: identity.into(), ..Target::new(TargetKind::Settings, name, settings) },
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::collect;
    use crate::parse::Syntax;

    #[test]
    fn variables_of_the_server_are_read() {
        let collected = collect(
            "HOST=iam.example.org\nIAM_ISSUER=https://${HOST}/\nIAM_JWT_DEFAULT_PROFILE=\"wlcg\"\nIAM_DB_PASSWORD=pwd\n",
            Syntax::Env,
        );
        assert_eq!(collected.kinds, ["indigo-iam-env"]);
        let got = &collected.targets[0];
        assert_eq!((got.get("issuer"), got.get("default_profile")), ("https://iam.example.org/", "wlcg"));
        assert_eq!(got.pointers["issuer"], "/IAM_ISSUER");
        assert_eq!(got.get("default_secrets"), "IAM_DB_PASSWORD");
        assert!(got.get("registration").starts_with("unknown: it is not set here"), "it may be one file of several");
    }

    #[test]
    fn of_a_variable_that_is_set_twice_the_last_value_counts() {
        for (text, secrets, remark) in [
            (
                "IAM_ACTUATOR_USER_PASSWORD=actuator-password\nIAM_ACTUATOR_USER_PASSWORD=x\n",
                "",
                "the default overridden",
            ),
            (
                "IAM_ACTUATOR_USER_PASSWORD=x\nIAM_ACTUATOR_USER_PASSWORD=actuator-password\n",
                "IAM_ACTUATOR_USER_PASSWORD",
                "overridden by the default",
            ),
            (
                "IAM_JAVA_OPTS=-Diam.actuator-user.password=actuator-password\nIAM_JAVA_OPTS=-Xmx1g\n\
                 IAM_ACTUATOR_USER_PASSWORD=x\n",
                "",
                "options that no longer hold",
            ),
        ] {
            let got = collect(&format!("IAM_JWT_DEFAULT_PROFILE=wlcg\n{text}"), Syntax::Env);
            assert_eq!(got.targets[0].get("default_secrets"), secrets, "{remark}");
        }
    }

    #[test]
    fn a_file_with_java_options_and_issuer_is_the_whole_environment() {
        let collected =
            collect("IAM_JAVA_OPTS=-Dspring.profiles.active=prod\nIAM_ISSUER=https://iam.example.org/\n", Syntax::Env);
        let got = &collected.targets[0];
        assert_eq!((got.get("registration"), got.get("test_profiles")), ("anyone", ""));
    }

    #[test]
    fn other_env_files_are_told_apart() {
        for (text, expected) in [
            ("IAM_DASHBOARD_CLIENT_ID=a\nIAM_API_URL=https://iam.example.org\n", Some("indigo-iam-dashboard-env")),
            ("IAM_HOST=a\nIAM_ISSUER=https://iam.example.org/\n", None),
            ("DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS=60\n", None),
        ] {
            let collected = collect(text, Syntax::Env);
            assert_eq!((collected.kinds.first().copied(), collected.targets.len()), (expected, 0), "{text}");
        }
    }
}

//! Docker compose files that run INDIGO IAM or Keycloak.

use super::placeholder::{Dialect, resolve};
use super::workload::{Variable, Workload};
use super::{Adapter, Kind, Sink};
use crate::model::TargetKind;
use crate::parse::{Cursor, Document};
use std::borrow::Cow;

/// Adapter for compose files.
pub(super) struct Compose;

const KIND: &str = "compose-file";

const ENV_FILE: &str = "it is not set here, and the service also reads an env file";
const MOUNTED: &str = "it is not set here, and a configuration file is mounted into the service";

impl Adapter for Compose {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "docker compose file with a service that runs INDIGO IAM or Keycloak",
            targets: &[TargetKind::Settings],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        services(document).any(|service| service.product().is_some()).then_some(KIND)
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        for service in services(document) {
            service.adapt(document, sink);
        }
    }
}

fn services(document: &Document) -> impl Iterator<Item = Workload<'_>> {
    let services = document.root().get("services").filter(|services| services.is_map());
    services.into_iter().flat_map(Cursor::entries).filter(|(_, service)| service.is_map()).map(|(name, service)| {
        let elsewhere = if service.has("env_file") || service.has("extends") {
            Some(ENV_FILE)
        } else {
            service.get("volumes").filter(|volumes| mounts_configuration(*volumes)).map(|_| MOUNTED)
        };
        Workload {
            name,
            image: service.get("image"),
            command: service.get("command"),
            env: service.get("environment").map(environment).unwrap_or_default(),
            dialect: Dialect::Shell,
            elsewhere,
            at: service.id,
        }
    })
}

/// `environment` as a mapping or as a list of `NAME=value`.
fn environment(environment: Cursor<'_>) -> Vec<Variable<'_>> {
    let value = |text| resolve(text, Dialect::Shell, &|_| None);
    if environment.is_seq() {
        return environment
            .items()
            .filter_map(|item| {
                let text = item.as_str()?;
                let (name, text) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
                Some(Variable { name, value: text.and_then(value), at: item.id, unnamed: text.is_some() })
            })
            .collect();
    }
    environment
        .entries()
        .map(|(name, member)| {
            let value: Option<Cow<'_, str>> = member.scalar_text().and_then(value);
            Variable { name, value, at: member.id, unnamed: false }
        })
        .collect()
}

/// True when something is mounted where IAM looks for its own configuration files.
fn mounts_configuration(volumes: Cursor<'_>) -> bool {
    let ours = |text: &str| text.contains("/indigo-iam/config") || text.contains("application");
    volumes.items().any(|volume| match volume.as_str() {
        Some(text) => ours(text),
        None => volume.get("target").and_then(Cursor::as_str).is_some_and(ours),
    })
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::{Got, collect};
    use crate::parse::Syntax;

    fn service(image: &str, environment: &str) -> Got {
        let yaml = format!("services:\n  login:\n    image: {image}\n    environment:\n{environment}");
        let mut collected = collect(&yaml, Syntax::Yaml);
        assert_eq!(collected.kinds, ["compose-file"], "{yaml} {:?}", collected.errors);
        assert_eq!(collected.targets.len(), 1, "{yaml}");
        collected.targets.remove(0)
    }

    #[test]
    fn both_forms_of_an_environment_are_read() {
        let map = "      IAM_ISSUER: https://iam.example.org/\n      IAM_DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS: 86400\n      \
                   IAM_DB_PASSWORD: pwd\n";
        let list = "      - IAM_ISSUER=https://iam.example.org/\n      \
                    - IAM_DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS=86400\n      - IAM_DB_PASSWORD=pwd\n";
        for (environment, place) in [(map, "IAM_DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS"), (list, "1")] {
            let got = service("indigoiam/iam-login-service:v1.12.0", environment);
            assert_eq!(got.get("issuer"), "https://iam.example.org/");
            assert_eq!(got.get("lifetimes.access_token"), "86400");
            assert_eq!(got.pointers["lifetimes.access_token"], format!("/services/login/environment/{place}"));
            assert_eq!(got.get("default_secrets"), "IAM_DB_PASSWORD IAM_ACTUATOR_USER_PASSWORD (not set)");
            assert_eq!((got.get("version"), got.get("product")), ("1.12.0", "indigo-iam"));
            assert_eq!((got.name.as_str(), got.identity.as_str()), ("login", "https://iam.example.org/"));
        }
    }

    #[test]
    fn of_a_variable_that_a_list_sets_twice_the_last_value_counts() {
        for (first, last, secrets) in [
            ("actuator-password", "${PW}", ""),
            ("actuator-password", "x", ""),
            ("x", "actuator-password", "IAM_ACTUATOR_USER_PASSWORD"),
        ] {
            let got = service(
                "indigoiam/iam-login-service:v1.12.0",
                &format!("      - IAM_ACTUATOR_USER_PASSWORD={first}\n      - IAM_ACTUATOR_USER_PASSWORD={last}\n"),
            );
            assert_eq!(got.get("default_secrets"), secrets, "{first} {last}");
        }
    }

    #[test]
    fn what_is_not_set_has_the_products_default() {
        let got = service("indigoiam/iam-login-service:v1.12.0", "      IAM_HOST: iam.example.org\n");
        for (field, expected) in [
            ("issuer", "http://iam.example.org:8080"),
            ("lifetimes.access_token", "3600"),
            ("lifetimes.refresh_token", "2592000"),
            ("lifetimes.registration_token", "unlimited"),
            ("registration", "anyone"),
            ("default_profile", "iam"),
            ("jwks_cache", "21600"),
            ("scope_in_token", "false"),
            // The switch came with 1.13.
            (
                "exchange_upscoping",
                "unknown: this INDIGO IAM version is older than the setting or the default that is known",
            ),
            (
                "keystore_is_default",
                "unknown: IAM_KEY_STORE_LOCATION is not set, and the image decides whether the packaged key store is there",
            ),
        ] {
            assert_eq!(got.get(field), expected, "{field}");
        }
        assert!(!got.pointers.contains_key("lifetimes.access_token"), "a default stands nowhere");
        let newer = service("indigoiam/iam-login-service:v1.13.1", "      IAM_HOST: iam.example.org\n");
        assert_eq!((newer.get("issuer"), newer.get("nbf_offset")), ("http://iam.example.org:8080/", "60"));
        assert_eq!(newer.get("exchange_upscoping"), "true");
        let offset = "      IAM_ACCESS_TOKEN_NBF_OFFSET_SECONDS: 3600\n";
        for (tag, expected) in [
            (":v1.12.0", "unknown: this INDIGO IAM version is older than the setting or the default that is known"),
            (":v1.13.0", "3600"),
            ("", "3600"),
        ] {
            let got = service(
                &format!("indigoiam/iam-login-service{tag}"),
                &format!("      IAM_JAVA_OPTS: -Xmx1g\n{offset}"),
            );
            assert_eq!(got.get("nbf_offset"), expected, "{tag}: the setting came with 1.13");
        }
        let untagged = service("indigoiam/iam-login-service", "      IAM_HOST: iam.example.org\n");
        assert_eq!(untagged.get("version"), "unknown: the image tag names no version");
        assert!(untagged.get("issuer").starts_with("unknown: "), "the default got its final slash in 1.13");
        let old = service("indigoiam/iam-login-service:v1.7.0", "      IAM_HOST: iam.example.org\n");
        assert!(old.get("lifetimes.refresh_token").starts_with("unknown: "), "defaults changed in 1.8.1");
        let built = collect("services:\n  a:\n    build: .\n    environment: {IAM_JAVA_OPTS: -Xmx1g}\n", Syntax::Yaml);
        assert_eq!(built.targets[0].get("keystore_is_default"), "true", "a build from source packages the public key");
    }

    #[test]
    fn settings_that_may_come_from_elsewhere_are_unknown() {
        for extra in ["env_file: .env", "volumes: ['./application.yml:/indigo-iam/config/application.yml:ro']"] {
            let yaml = format!("services:\n  a:\n    image: indigoiam/iam-login-service:v1.12.0\n    {extra}\n");
            let collected = collect(&yaml, Syntax::Yaml);
            let got = &collected.targets[0];
            assert!(got.get("lifetimes.access_token").starts_with("unknown: it is not set here"), "{extra}");
            assert_eq!(got.get("default_secrets"), "", "{extra}");
        }
    }

    #[test]
    fn java_options_override_variables() {
        let got = service(
            "indigoiam/iam-login-service:v1.12.0",
            "      IAM_JAVA_OPTS: -Xmx1g -Dspring.profiles.active=mysql-test,saml -Diam.issuer=https://b.example.org/\n      \
             IAM_ISSUER: https://a.example.org/\n",
        );
        assert_eq!((got.get("issuer"), got.get("test_profiles")), ("https://b.example.org/", "mysql-test"));
        let none = service("indigoiam/iam-login-service:v1.12.0", "      IAM_JAVA_OPTS: -Xmx1g\n");
        assert_eq!(none.get("test_profiles"), "h2-test", "Spring falls back to h2-test");
        let prod =
            service("indigoiam/iam-login-service:v1.12.0", "      IAM_JAVA_OPTS: -Dspring.profiles.active=prod\n");
        assert_eq!(prod.get("test_profiles"), "");
    }

    #[test]
    fn renamed_variables_are_ignored_or_read_by_version() {
        for (tag, ignored, lifetime) in [
            ("v1.12.0", "DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS (now IAM_DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS)", "60"),
            (
                "v1.9.0",
                "IAM_DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS (still DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS in this version)",
                "7200",
            ),
        ] {
            let got = service(
                &format!("indigoiam/iam-login-service:{tag}"),
                "      DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS: 7200\n      IAM_DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS: 60\n",
            );
            assert_eq!((got.get("ignored_settings"), got.get("lifetimes.access_token")), (ignored, lifetime), "{tag}");
        }
        let got = service(
            "indigoiam/iam-login-service:latest",
            "      - IAM_LOGO_HEIGTH=1\n      - IAM_SUPERUSER_PASSWORD=x\n",
        );
        assert_eq!(
            got.get("ignored_settings"),
            "IAM_LOGO_HEIGTH (now IAM_LOGO_HEIGHT) IAM_SUPERUSER_PASSWORD (now IAM_ACTUATOR_USER_PASSWORD)"
        );
    }

    #[test]
    fn springs_own_variable_names_count() {
        let got = service(
            "indigoiam/iam-login-service:v1.12.0",
            "      CLIENTREGISTRATION_ALLOWFOR: ADMINISTRATORS\n      IAM_CLIENT_REGISTRATION_ALLOW_FOR: ANYONE\n",
        );
        assert_eq!(got.get("registration"), "administrators");
    }

    #[test]
    fn variables_of_the_shell_are_not_values() {
        let got = service(
            "indigoiam/iam-login-service:${TAG:-v1.12.0}",
            "      IAM_ISSUER: https://${HOST}/\n      IAM_JWT_DEFAULT_PROFILE: ${PROFILE:-wlcg}\n      IAM_JWK_CACHE_LIFETIME:\n",
        );
        for (field, expected) in [
            ("issuer", "unknown: a variable without a known value stands in its place"),
            ("default_profile", "wlcg"),
            ("jwks_cache", "unknown: a variable without a known value stands in its place"),
            ("version", "1.12.0"),
        ] {
            assert_eq!(got.get(field), expected, "{field}");
        }
    }

    #[test]
    fn passwords_in_lists_and_options_are_masked() {
        let collected = collect(
            "services:\n  a:\n    image: indigoiam/iam-login-service\n    environment:\n      - IAM_DB_PASSWORD=x\n      \
             - IAM_HOST=h\n      - IAM_JAVA_OPTS=-Dspring.datasource.password=x\n",
            Syntax::Yaml,
        );
        assert_eq!(collected.secrets, ["/services/a/environment/0", "/services/a/environment/2"]);
    }

    #[test]
    fn passwords_in_commands_are_masked() {
        for (command, secrets) in [
            ("start --db-password x", vec!["/services/kc/command"]),
            ("[start, --db-password, x, --verbose]", vec!["/services/kc/command/1", "/services/kc/command/2"]),
            ("start", vec![]),
        ] {
            let yaml = format!("services:\n  kc:\n    image: keycloak/keycloak:26.0\n    command: {command}\n");
            assert_eq!(collect(&yaml, Syntax::Yaml).secrets, secrets, "{command}");
        }
    }

    #[test]
    fn keycloak_in_development_mode() {
        let collected = collect(
            "services:\n  kc:\n    image: quay.io/keycloak/keycloak:23.0.1\n    command: start-dev --db mariadb\n    \
             environment:\n      - KEYCLOAK_ADMIN_PASSWORD=admin\n",
            Syntax::Yaml,
        );
        let got = &collected.targets[0];
        assert_eq!((got.get("product"), got.get("version")), ("keycloak", "23.0.1"));
        assert_eq!((got.get("test_profiles"), got.get("default_secrets")), ("start-dev", "KEYCLOAK_ADMIN_PASSWORD"));
    }

    #[test]
    fn other_services_are_left_alone() {
        for yaml in [
            "services:\n  web:\n    image: nginx\n    environment:\n      IAM_ISSUER: https://iam.example.org/\n",
            "services:\n  c:\n    image: indigoiam/iam-test-client:v1.14.2\n    environment:\n      IAM_CLIENT_ID: c\n",
            "services:\n  t:\n    image: indigoiam/trustanchors\n",
            "services: [a]\n",
            "services:\n  app:\n    environment:\n      - IAM_HOST=h\n      - IAM_ISSUER=i\n      - IAM_BASE_URL=b\n",
        ] {
            assert!(collect(yaml, Syntax::Yaml).kinds.is_empty(), "{yaml}");
        }
    }
}

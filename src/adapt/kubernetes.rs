//! Kubernetes manifests: workloads that run INDIGO IAM or Keycloak, ConfigMaps and Secrets with their variables or files, or
//! with those of services that accept tokens.

use super::embedded::{self, Embedded};
use super::indigo_iam::{Given, Unset};
use super::placeholder::Dialect;
use super::storm;
use super::workload::{Variable, Workload, is_iam_environment};
use super::{Adapter, Kind, Sink};
use crate::model::{At, Target, TargetKind};
use crate::parse::{Cursor, Document};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// Adapter for Kubernetes manifests. Stands last in the table: other formats are Kubernetes objects as well.
pub(super) struct Kubernetes;

const ISSUER: &str = "kubernetes-issuer";
const SERVICE: &str = "kubernetes-service";
const OTHER: &str = "kubernetes-manifest";

const ENV_FROM: &str = "it is not set here, and the container also takes its environment from elsewhere";
const MOUNTED: &str = "it is not set here, and a configuration file is mounted into the container";
const FRAGMENT: &str = "it is not set here, and a ConfigMap or Secret holds only part of an environment";

impl Adapter for Kubernetes {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: ISSUER,
                doc: "Kubernetes manifest that runs INDIGO IAM or Keycloak, or a ConfigMap or Secret with the settings or \
                      clients of an issuer (variables, `application.yml`, JSON like that of a realm); of what a Secret has \
                      in base64 (`data`) only variables are read, no files",
                targets: &[TargetKind::Settings, TargetKind::Client],
            },
            Kind {
                name: SERVICE,
                doc: "Kubernetes object with configuration of a service that accepts tokens: a ConfigMap, or the \
                      `stringData` of a Secret, with files that are known by their lines or are an `application.yml`, or \
                      with variables, or a workload that runs it",
                targets: &[TargetKind::Service, TargetKind::Trust, TargetKind::Mapping, TargetKind::Trap],
            },
            Kind {
                name: OTHER,
                doc: "any other Kubernetes object; only live secrets and duplicate keys are looked for, since nothing that is \
                      read of it configures an issuer, a client or a token; files in base64 (`data` of a Secret) are not \
                      opened",
                targets: &[],
            },
        ]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        let is_text = |name: &str| root.get(name).is_some_and(|member| member.as_str().is_some());
        if !is_text("apiVersion") || !is_text("kind") {
            return None;
        }
        let issuer = objects(root).any(|object| {
            containers(object).iter().any(|container| container.product().is_some())
                || data(object).any(|(name, _, _)| is_iam_environment(std::iter::once(name)))
                || embedded(document, object).any(|file| file.is_issuer())
        });
        let service = || {
            objects(root).any(|object| {
                containers(object).iter().any(|container| storm::environment(&environment(container)).is_some())
                    || data(object).any(|(name, _, _)| name.starts_with(storm::VARIABLES))
                    || embedded(document, object).next().is_some()
            })
        };
        Some(match issuer {
            true => ISSUER,
            false if service() => SERVICE,
            false => OTHER,
        })
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        for object in objects(document.root()) {
            if object.get("kind").and_then(Cursor::as_str) == Some("Secret") {
                sink.secrets_expected();
                data(object).for_each(|(_, member, _)| sink.secret(document, member.id));
            }
            for container in containers(object) {
                container.adapt(document, sink);
                let variables = environment(&container);
                for (_, _, at) in variables.iter().filter(|(name, value, _)| storm::is_secret(name, value)) {
                    sink.secret(document, at.node);
                }
                if let Some(service) = storm::environment(&variables) {
                    let target = Target::new(TargetKind::Service, container.name, service);
                    sink.target(&[document], Target { at: At::node(container.at), ..target });
                }
            }
            let variables: Vec<storm::Variable<'_>> = data(object)
                .filter_map(|(name, member, _)| Some((name, member.scalar_text()?, At::node(member.id))))
                .collect();
            if object.get("kind").and_then(Cursor::as_str) == Some("ConfigMap")
                && let Some(service) = storm::environment(&variables)
            {
                let target = Target::new(TargetKind::Service, name_of(object), service);
                sink.target(&[document], Target { at: At::node(object.id), ..target });
            }
            if data(object).any(|(name, _, _)| is_iam_environment(std::iter::once(name))) {
                let mut given = Given::new(None);
                for (name, member, value) in data(object) {
                    given.env(name, value, At::node(member.id));
                }
                let settings = given.settings(Unset::Unknown(FRAGMENT));
                let identity = settings.issuer.as_text().unwrap_or_default().to_string();
                let target = Target::new(TargetKind::Settings, name_of(object), settings);
                sink.target(&[document], Target { identity: identity.into(), at: At::node(object.id), ..target });
            }
            embedded(document, object).for_each(|file| file.adapt(document, sink));
        }
    }
}

/// The object, or the items of a List.
fn objects(root: Cursor<'_>) -> impl Iterator<Item = Cursor<'_>> {
    let list = root.get("items").filter(|items| items.is_seq());
    let alone = list.is_none().then_some(root);
    list.into_iter().flat_map(Cursor::items).chain(alone)
}

fn name_of(object: Cursor<'_>) -> &str {
    object.path(&["metadata", "name"]).and_then(Cursor::as_str).unwrap_or("INDIGO IAM")
}

/// Containers of a Pod or of whatever makes Pods.
fn containers(object: Cursor<'_>) -> Vec<Workload<'_>> {
    const PODS: [&[&str]; 3] =
        [&["spec", "template", "spec"], &["spec", "jobTemplate", "spec", "template", "spec"], &["spec"]];
    let Some(pod) = PODS.iter().find_map(|path| object.path(path).filter(|pod| pod.has("containers"))) else {
        return Vec::new();
    };
    let list = pod.get("containers").into_iter().flat_map(Cursor::items);
    list.filter(|container| container.is_map()).map(container).collect()
}

fn container(container: Cursor<'_>) -> Workload<'_> {
    let mounts = container.get("volumeMounts").into_iter().flat_map(Cursor::items);
    let mut paths = mounts.filter_map(|mount| mount.get("mountPath")?.as_str());
    let elsewhere = if container.has("envFrom") {
        Some(ENV_FROM)
    } else {
        paths.any(|path| path.contains("/indigo-iam/config") || path.contains("application")).then_some(MOUNTED)
    };
    Workload {
        name: container.get("name").and_then(Cursor::as_str).unwrap_or("container"),
        image: container.get("image"),
        command: container.get("args").or_else(|| container.get("command")),
        env: container.get("env").map(variables).unwrap_or_default(),
        dialect: Dialect::Spring,
        elsewhere,
        at: container.id,
    }
}

/// The `[{name, value}]` form of an environment; a `valueFrom` leaves the value open.
pub(super) fn variables(env: Cursor<'_>) -> Vec<Variable<'_>> {
    env.items()
        .filter_map(|item| {
            let name = item.get("name")?.as_str()?;
            let value = item.get("value");
            Some(Variable {
                name,
                value: value.and_then(Cursor::scalar_text).map(Cow::Borrowed),
                at: value.unwrap_or(item).id,
                unnamed: value.is_some(),
            })
        })
        .collect()
}

/// Members of a ConfigMap or Secret with their decoded values.
fn data<'d>(object: Cursor<'d>) -> impl Iterator<Item = (&'d str, Cursor<'d>, Option<Cow<'d, str>>)> {
    let kind = object.get("kind").and_then(Cursor::as_str);
    let secret = kind == Some("Secret");
    let holder = secret || kind == Some("ConfigMap");
    let members = |name: &str| object.get(name).filter(|_| holder).into_iter().flat_map(Cursor::entries);
    let encoded = members("data").map(move |(name, member)| {
        let text = member.scalar_text();
        let value = if secret { text.and_then(decode).map(Cow::Owned) } else { text.map(Cow::Borrowed) };
        (name, member, value)
    });
    let plain = members("stringData");
    encoded.chain(plain.map(|(name, member)| (name, member, member.scalar_text().map(Cow::Borrowed))))
}

fn decode(text: &str) -> Option<String> {
    let compact: String = text.split_ascii_whitespace().collect();
    String::from_utf8(STANDARD.decode(compact).ok()?).ok()
}

/// Configuration files that a ConfigMap (or a Secret's `stringData`) holds as text.
fn embedded<'d>(document: &'d Document, object: Cursor<'d>) -> impl Iterator<Item = Embedded<'d>> {
    // Only text that stands in the file can be pointed at.
    let texts = data(object).filter(|(_, _, value)| matches!(value, Some(Cow::Borrowed(_))));
    texts.filter_map(|(name, member, _)| embedded::read(document, member, name))
}

/// The variables of a container that have a value here.
fn environment<'d>(container: &Workload<'d>) -> Vec<storm::Variable<'d>> {
    let known = container.env.iter().filter_map(|variable| match &variable.value {
        Some(Cow::Borrowed(value)) => Some((variable.name, *value, At::node(variable.at))),
        _ => None,
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::collect;
    use crate::parse::Syntax;

    #[test]
    fn containers_that_run_iam_are_read() {
        let collected = collect(
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: iam}
spec:
  template:
    spec:
      containers:
      - name: login
        image: $REGISTRY/$IMAGE
        env:
        - {name: IAM_JAVA_OPTS, value: -Dspring.profiles.active=prod}
        - {name: IAM_ISSUER, value: https://iam-$BUILD_NUMBER.example.org/}
        - {name: IAM_JWT_DEFAULT_PROFILE, value: wlcg}
        - {name: IAM_USE_FORWARDED_HEADERS, value: 'true'}
        - name: IAM_DB_PASSWORD
          valueFrom: {secretKeyRef: {name: iam, key: password}}
        - {name: IAM_ACTUATOR_USER_PASSWORD, value: other}
      - name: proxy
        image: nginx
",
            Syntax::Yaml,
        );
        assert_eq!(collected.kinds, ["kubernetes-issuer"]);
        assert_eq!(collected.targets.len(), 1);
        let got = &collected.targets[0];
        for (field, expected, pointer) in [
            ("issuer", "unknown: a variable without a known value stands in its place", "/env/1/value"),
            ("default_profile", "wlcg", "/env/2/value"),
            ("version", "unknown: a variable without a known value stands in the image", "/image"),
        ] {
            assert_eq!(got.get(field), expected);
            assert_eq!(got.pointers[field], format!("/spec/template/spec/containers/0{pointer}"));
        }
        assert_eq!(got.get("ignored_settings"), "IAM_USE_FORWARDED_HEADERS (now IAM_FORWARD_HEADERS_STRATEGY)");
        assert_eq!(got.get("lifetimes.refresh_token"), "2592000", "the environment is complete");
        assert_eq!(got.get("default_secrets"), "");
        assert_eq!(collected.secrets, ["/spec/template/spec/containers/0/env/5/value"]);
    }

    #[test]
    fn config_maps_hold_part_of_an_environment() {
        let collected = collect(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  IAM_BASE_URL: https://iam.example.org\n  \
             IAM_DEFAULT_REFRESH_TOKEN_VALIDITY_SECONDS: '0'\n",
            Syntax::Yaml,
        );
        let got = &collected.targets[0];
        assert_eq!(got.get("base_url"), "https://iam.example.org");
        assert_eq!(got.get("lifetimes.refresh_token"), "unlimited");
        assert!(got.get("lifetimes.access_token").starts_with("unknown: it is not set here"));
    }

    #[test]
    fn secrets_are_decoded_and_masked() {
        // "pwd" and "0" in base64.
        let collected = collect(
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  IAM_DB_PASSWORD: cHdk\nstringData:\n  \
             IAM_JWT_DEFAULT_PROFILE: wlcg\n",
            Syntax::Yaml,
        );
        let got = &collected.targets[0];
        assert_eq!((got.get("default_secrets"), got.get("default_profile")), ("IAM_DB_PASSWORD", "wlcg"));
        assert_eq!(collected.secrets, ["/data/IAM_DB_PASSWORD", "/stringData/IAM_JWT_DEFAULT_PROFILE"]);
        assert!(collected.secrets_expected);
    }

    #[test]
    fn configuration_files_inside_a_config_map_are_read() {
        let collected = collect(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  application.yml: |\n    iam:\n      \
             issuer: https://iam.example.org/\n      jwt-profile:\n        default-profile: wlcg\n",
            Syntax::Yaml,
        );
        assert_eq!(collected.kinds, ["kubernetes-issuer"]);
        assert_eq!(collected.targets[0].get("default_profile"), "wlcg");
    }

    #[test]
    fn realms_inside_a_config_map_are_read() {
        let realm = "{\n      \"realm\": \"r\", \"accessTokenLifespan\": 300,\n      \"clients\": [{\"clientId\": \"c\", \
                     \"publicClient\": false, \"secret\": \"not-a-real-secret\"}]\n    }";
        let config_map = |name: &str, text: &str| {
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  {name}: |\n    {text}\n")
        };
        let collected = collect(&config_map("realm.json", realm), Syntax::Yaml);
        assert_eq!(collected.kinds, ["kubernetes-issuer"]);
        let kinds: Vec<String> = collected.targets.iter().map(|got| format!("{:?}", got.kind)).collect();
        assert_eq!(kinds, ["Settings", "Client"]);
        assert_eq!(collected.targets[1].name, "c");
        assert_eq!(collected.secrets, ["/clients/0/secret"]);
        for (name, text, remark) in [
            ("realm.txt", realm, "another name"),
            ("dashboard.json", "{\"title\": \"logins\", \"panels\": []}", "other JSON"),
            ("claims.json", "{\"iss\": \"https://i.example.org/\", \"sub\": \"s\"}", "claims"),
            ("realm.json", "{\"realm\": \"r\", ", "broken JSON"),
        ] {
            let collected = collect(&config_map(name, text), Syntax::Yaml);
            assert_eq!(
                (collected.kinds.as_slice(), collected.targets.len()),
                (&["kubernetes-manifest"][..], 0),
                "{remark}"
            );
        }
    }

    #[test]
    fn files_of_services_inside_a_config_map_are_read() {
        let collected = collect(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  vo.properties: |\n    accessPoints=/vo\n    \
             orgs=https://vo.example.org/\n  gplazma.conf: |\n    auth optional oidc\n    session requisite authzdb\n  \
             STORM_WEBDAV_OAUTH_REFRESH_PERIOD_MINUTES: '5'\n",
            Syntax::Yaml,
        );
        assert_eq!(collected.kinds, ["kubernetes-service"]);
        let seen: Vec<(String, &str)> =
            collected.targets.iter().map(|got| (format!("{:?}", got.kind), got.get("product"))).collect();
        let expected = [
            ("Service", "storm-webdav"),
            ("Service", "storm-webdav"),
            ("Trust", "storm-webdav"),
            ("Trap", "storm-webdav"),
            ("Service", "dcache"),
        ];
        assert_eq!(seen, expected.map(|(kind, product)| (kind.to_string(), product)));
    }

    #[test]
    fn other_objects_are_named_and_hold_nothing_to_judge() {
        for yaml in [
            "apiVersion: v1\nkind: Service\nmetadata: {name: iam}\n",
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  admin_password: x\n",
            // A scitokens.cfg: no place of it could be shown.
            "apiVersion: v1\nkind: Secret\ndata:\n  scitokens.cfg: W0dsb2JhbF0KYXVkaWVuY2UgPSBhCg==\n",
            "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: nginx\n    env: [{name: IAM_HOST, value: h}]\n",
        ] {
            let collected = collect(yaml, Syntax::Yaml);
            assert_eq!(collected.kinds, ["kubernetes-manifest"], "{yaml}");
            assert!(collected.targets.is_empty(), "{yaml}");
        }
        assert!(collect("kind: x\n", Syntax::Yaml).kinds.is_empty());
    }
}

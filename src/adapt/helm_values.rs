//! Helm values of charts that deploy INDIGO IAM. Charts name their keys freely, so a component is known by its image
//! or by IAM's variables, and what it does not set is unknown: the chart's templates are another file.

use super::indigo_iam::{Given, Unset, is_server_env, names_secret, version_of_tag};
use super::workload::{image_parts, is_iam_environment, version_field};
use super::{Adapter, Kind, Sink};
use crate::model::{At, Field, Target, TargetKind};
use crate::parse::{Cursor, Document, Syntax};
use std::borrow::Cow;

/// Adapter for Helm values files.
pub(super) struct HelmValues;

const KIND: &str = "indigo-iam-helm-values";
const TEMPLATES: &str = "it is not set in the values; the chart's templates decide";

/// Charts nest their components one or two levels deep.
const MAX_COMPONENT_DEPTH: usize = 4;
/// Deepest mapping below a component that is looked into.
const MAX_VALUE_DEPTH: usize = 16;
/// Longest path below a component, in bytes; longer keys name nothing.
const MAX_PATH: usize = 512;

impl Adapter for HelmValues {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "Helm values of a chart that deploys INDIGO IAM, with dex where the chart brings it along",
            targets: &[TargetKind::Settings, TargetKind::Client],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        // Kubernetes objects, compose files and CI workflows nest environments as well.
        let other = ["apiVersion", "services", "jobs"].iter().any(|key| root.has(key));
        (document.syntax == Syntax::Yaml && root.is_map() && !other && !components(root).is_empty()).then_some(KIND)
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        for component in components(document.root()) {
            if component.get("enabled").and_then(Cursor::as_bool) != Some(false) {
                adapt(document, component, sink);
            }
        }
        super::dex::helm_targets(document.root(), sink);
    }
}

/// Mappings that deploy IAM: with its image, or with its variables in a mapping or list of their own.
fn components(root: Cursor<'_>) -> Vec<Cursor<'_>> {
    let mut found = Vec::new();
    collect(root, 0, &mut found);
    found
}

fn collect<'d>(at: Cursor<'d>, depth: usize, found: &mut Vec<Cursor<'d>>) {
    if image(at).is_some() || holds_variables(at) {
        found.push(at);
    } else if depth < MAX_COMPONENT_DEPTH {
        at.items().filter(|member| member.is_map()).for_each(|member| collect(member, depth + 1, found));
    }
}

/// The repository (or whole reference) and the tag of IAM's image in this mapping.
fn image(component: Cursor<'_>) -> Option<(Cursor<'_>, Option<&str>)> {
    let image = component.get("image")?;
    let (at, text, tag) = match image.as_str() {
        Some(text) => (image, text, image_parts(text).1),
        None => {
            let repository = image.get("repository")?;
            let tag = image.get("tag");
            (tag.unwrap_or(repository), repository.as_str()?, tag.and_then(Cursor::scalar_text))
        }
    };
    (image_parts(text).0.rsplit('/').next() == Some("iam-login-service")).then_some((at, tag))
}

fn holds_variables(at: Cursor<'_>) -> bool {
    let lists = at.items().filter(|member| member.is_map() || member.is_seq());
    lists.chain([at]).any(|member| {
        let named = member.items().filter_map(|item| item.get("name")?.as_str());
        is_iam_environment(member.entries().map(|(key, _)| key)) || is_iam_environment(named)
    })
}

fn adapt(document: &Document, component: Cursor<'_>, sink: &mut dyn Sink) {
    let image = image(component);
    let mut given = Given::new(image.and_then(|(_, tag)| version_of_tag(tag?)));
    let path = document.pointer(component.id).trim_start_matches('/').replace('/', ".");
    walk(document, component, &path, 0, &mut given, sink);
    // Keys that name the issuer in the charts we know, directly or below `config`.
    for holder in [Some(component), component.get("config")].into_iter().flatten() {
        for (key, setting) in [("issuer", "iam.issuer"), ("baseUrl", "iam.baseurl"), ("base_url", "iam.baseurl")] {
            if let Some(member) = holder.get(key).filter(|member| member.as_str().is_some()) {
                let value = member.as_str().map(Cow::Borrowed);
                given.file(Cow::Borrowed(key), setting.to_string(), value, At::node(member.id));
            }
        }
    }
    let mut settings = given.settings(Unset::Unknown(TEMPLATES));
    settings.version = match image {
        Some((at, tag)) => version_field(tag, At::node(at.id)),
        None => Field::default(),
    };
    let identity = settings.issuer.as_text().unwrap_or_default().to_string();
    let name = if path.is_empty() { "INDIGO IAM".to_string() } else { path };
    let target = Target::new(TargetKind::Settings, name, settings);
    sink.target(&[document], Target { identity: identity.into(), at: At::node(component.id), ..target });
}

/// Gathers variables, in mappings and in `[{name, value}]` lists, and members that are secrets by their name.
fn walk<'d>(document: &Document, at: Cursor<'d>, path: &str, depth: usize, given: &mut Given<'d>, sink: &mut dyn Sink) {
    if depth > MAX_VALUE_DEPTH || path.len() > MAX_PATH {
        return;
    }
    if let Some(name) = at.get("name").and_then(Cursor::as_str).filter(|name| is_server_env(name)) {
        let value = at.get("value");
        given.env(name, value.and_then(Cursor::scalar_text).map(Cow::Borrowed), At::node(value.unwrap_or(at).id));
        if let Some(value) = value.filter(|_| names_secret(name)) {
            sink.secret(document, value.id);
        }
        return;
    }
    for item in at.items() {
        let key = item.key().unwrap_or_default();
        let value = item.scalar_text().map(Cow::Borrowed);
        match value {
            Some(value) if is_server_env(key) => given.env(key, Some(value), At::node(item.id)),
            Some(value) if names_secret(key) => {
                // A step with a dot of its own would be taken for two; only the last one is compared.
                given.file(
                    Cow::Owned(format!("{path}.{key}")),
                    key.to_ascii_lowercase(),
                    Some(value),
                    At::node(item.id),
                );
            }
            Some(_) => {}
            None => walk(document, item, &format!("{path}.{key}"), depth + 1, given, sink),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::collect;
    use crate::parse::Syntax;

    #[test]
    fn components_are_known_by_image_or_variables() {
        for (yaml, name, field, expected, remark) in [
            (
                "iam:\n  image: {repository: indigoiam/iam-login-service, tag: v1.8.0}\n  db: {password: root}\n",
                "iam",
                "default_secrets",
                "iam.db.password",
                "image with a tag of its own",
            ),
            (
                "a:\n  b:\n    image: registry.example.org/indigoiam/iam-login-service:v1.12.0\n    config:\n      \
                 issuer: http://iam.example.org/\n",
                "a.b",
                "issuer",
                "http://iam.example.org/",
                "image in one text",
            ),
            (
                "login:\n  env:\n    IAM_JWT_DEFAULT_PROFILE: wlcg\n",
                "login",
                "default_profile",
                "wlcg",
                "a mapping of variables",
            ),
            (
                "extraEnv:\n  - {name: IAM_JWK_CACHE_LIFETIME, value: '60'}\n",
                "INDIGO IAM",
                "jwks_cache",
                "60",
                "a list of variables",
            ),
        ] {
            let collected = collect(yaml, Syntax::Yaml);
            assert_eq!(collected.kinds, ["indigo-iam-helm-values"], "{remark}");
            let [got] = &collected.targets[..] else { panic!("{remark}: {collected:?}") };
            assert_eq!((got.name.as_str(), got.get(field)), (name, expected), "{remark}");
            assert!(got.get("lifetimes.access_token").starts_with("unknown: "), "{remark}");
        }
    }

    #[test]
    fn components_that_are_switched_off_are_not_judged() {
        let collected =
            collect("iam:\n  enabled: false\n  image: {repository: indigoiam/iam-login-service}\n", Syntax::Yaml);
        assert_eq!(collected.kinds, ["indigo-iam-helm-values"]);
        assert!(collected.targets.is_empty());
    }

    #[test]
    fn other_values_are_not_taken() {
        for yaml in [
            "web:\n  image: {repository: nginx}\n",
            "client:\n  image: {repository: indigoiam/iam-test-client}\n",
            "jobs:\n  build:\n    env: {IAM_DB_PASSWORD: x}\n",
        ] {
            assert!(collect(yaml, Syntax::Yaml).kinds.is_empty(), "{yaml}");
        }
    }
}

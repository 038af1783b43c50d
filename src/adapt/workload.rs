//! What compose services and Kubernetes containers have in common: an image and an environment.

use super::indigo_iam::{Given, Unset, is_server_env, names_secret, version_of_tag};
use super::{Sink, placeholder};
use crate::model::{At, Field, Settings, Target, TargetKind};
use crate::parse::{Cursor, Document, NodeId};
use crate::source::secret_names::is_secret_key;
use std::borrow::Cow;
use std::collections::HashSet;

/// One process with its environment.
pub(super) struct Workload<'d> {
    /// Service or container name.
    pub(super) name: &'d str,
    /// Image reference as written.
    pub(super) image: Option<Cursor<'d>>,
    /// Arguments, where they select a mode of the product.
    pub(super) command: Option<Cursor<'d>>,
    /// Environment in order.
    pub(super) env: Vec<Variable<'d>>,
    /// Rules for variables inside the values.
    pub(super) dialect: placeholder::Dialect,
    /// Set when settings may come from somewhere else as well; completes "not judged: …".
    pub(super) elsewhere: Option<&'static str>,
    /// The service or container itself.
    pub(super) at: NodeId,
}

/// One environment variable.
pub(super) struct Variable<'d> {
    pub(super) name: &'d str,
    /// `None` when it is passed through or taken from a Secret, or holds an open placeholder.
    pub(super) value: Option<Cow<'d, str>>,
    /// The value, or the `NAME=value` text.
    pub(super) at: NodeId,
    /// True when a value stands here and the node's own key does not show the variable's name, so that masking needs
    /// to be told.
    pub(super) unnamed: bool,
}

/// Products that are recognised by image or environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    /// INDIGO IAM's login service.
    IndigoIam,
    /// Keycloak.
    Keycloak,
}

/// Variables that other software has a use for as well; alone they prove nothing.
const COMMON: [&str; 3] = ["IAM_HOST", "IAM_ISSUER", "IAM_BASE_URL"];

/// Administrator passwords of Keycloak's getting-started pages.
const KEYCLOAK_SHIPPED: [&str; 4] = ["admin", "change_me", "keycloak", "password"];
const KEYCLOAK_PASSWORDS: [&str; 2] = ["KEYCLOAK_ADMIN_PASSWORD", "KC_BOOTSTRAP_ADMIN_PASSWORD"];

/// The official image holds no key store, builds from source and packages do; other images may be either.
const NO_KEYSTORE: &str =
    "IAM_KEY_STORE_LOCATION is not set, and the image decides whether the packaged key store is there";

/// The assignments that count: of several with one name the last, as in every environment.
pub(super) fn last_of_each<'n, T>(
    assignments: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> &'n str,
) -> impl Iterator<Item = T> {
    let mut all: Vec<T> = assignments.into_iter().collect();
    let mut seen = HashSet::new();
    all.reverse();
    all.retain(|assignment| seen.insert(name(assignment)));
    all.into_iter().rev()
}

/// True when one of these variables is read by INDIGO IAM servers and by nothing else.
pub(super) fn is_iam_environment<'n>(mut names: impl Iterator<Item = &'n str>) -> bool {
    names.any(|name| name.starts_with("IAM_") && !COMMON.contains(&name) && is_server_env(name))
}

/// Repository and tag of an image reference.
pub(super) fn image_parts(image: &str) -> (&str, Option<&str>) {
    let image = image.split('@').next().unwrap_or(image);
    let name = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[name..].rfind(':') {
        Some(colon) => (&image[..name + colon], Some(&image[name + colon + 1..])),
        None => (image, None),
    }
}

/// The version field for an image tag.
pub(super) fn version_field<'d>(tag: Option<&str>, at: At) -> Field<'d> {
    let tag = tag.unwrap_or("latest");
    let bare = tag.strip_prefix('v').unwrap_or(tag);
    match version_of_tag(tag) {
        Some(_) => Field::text(bare.to_string(), at),
        None => Field::unknown("the image tag names no version", at),
    }
}

impl<'d> Workload<'d> {
    fn image_text(&self) -> Option<Cow<'d, str>> {
        placeholder::resolve(self.image?.as_str()?, self.dialect, &|_| None)
    }

    fn in_force(&self) -> impl Iterator<Item = &Variable<'d>> {
        last_of_each(&self.env, |variable| variable.name)
    }

    /// What runs here, when it is something we know.
    pub(super) fn product(&self) -> Option<Product> {
        let image = self.image_text();
        let name = image.as_deref().map(|image| image_parts(image).0.rsplit('/').next().unwrap_or_default());
        match name {
            Some("iam-login-service") => return Some(Product::IndigoIam),
            Some("iam-test-client" | "nginx") => return None,
            Some("keycloak") => return Some(Product::Keycloak),
            _ => {}
        }
        // A build of one's own, or an image that a template fills in: several variables, or the one for Java options.
        let known = self.env.iter().filter(|variable| is_server_env(variable.name)).count();
        let java = self.env.iter().any(|variable| variable.name == "IAM_JAVA_OPTS");
        (java || (known >= 3 && is_iam_environment(self.env.iter().map(|variable| variable.name))))
            .then_some(Product::IndigoIam)
    }

    /// Hands over the settings of what runs here.
    pub(super) fn adapt(&self, document: &Document, sink: &mut dyn Sink) {
        let Some(product) = self.product() else { return };
        for variable in &self.env {
            let options = variable.value.as_deref().unwrap_or_default();
            let shown = variable.unnamed || !is_secret_key(variable.name);
            if shown && names_secret(variable.name) || holds_secret_option(options) {
                sink.secret(document, variable.at);
            }
        }
        if let Some(command) = self.command {
            mask_passwords(document, command, sink);
        }
        let image = self.image_text();
        let parts = image.as_deref().map(image_parts);
        let version = match (self.image, parts) {
            (Some(node), Some((_, tag))) => version_field(tag, At::node(node.id)),
            (Some(node), None) => {
                Field::unknown("a variable without a known value stands in the image", At::node(node.id))
            }
            (None, _) => Field::default(),
        };
        let mut settings = match product {
            Product::IndigoIam => self.indigo_iam(parts),
            Product::Keycloak => self.keycloak(),
        };
        settings.version = version;
        let identity = settings.issuer.as_text().unwrap_or_default().to_string();
        let target = Target::new(TargetKind::Settings, self.name, settings);
        sink.target(&[document], Target { identity: identity.into(), at: At::node(self.at), ..target });
    }

    fn indigo_iam(&self, image: Option<(&str, Option<&str>)>) -> Settings<'d> {
        let mut given = Given::new(image.and_then(|(_, tag)| version_of_tag(tag?)));
        for variable in self.in_force() {
            given.env(variable.name, variable.value.clone(), At::node(variable.at));
        }
        let mut settings = given.settings(self.elsewhere.map_or(Unset::Default, Unset::Unknown));
        if self.image.is_some() && settings.keystore.at.is_none() && self.elsewhere.is_none() {
            settings.keystore = Field::unknown(NO_KEYSTORE, None);
            settings.keystore_is_default = settings.keystore.clone();
        }
        settings
    }

    fn keycloak(&self) -> Settings<'d> {
        let mut settings = Settings { product: Field::text("keycloak", None), ..Settings::default() };
        let words = |command: Cursor<'d>| match command.as_str() {
            Some(text) => text.split_ascii_whitespace().any(|word| word == "start-dev"),
            None => command.items().any(|item| item.as_str() == Some("start-dev")),
        };
        if let Some(command) = self.command {
            let at = At::node(command.id);
            let items = if words(command) { vec![Field::text("start-dev", at)] } else { Vec::new() };
            settings.test_profiles = Field::list(items, at);
        }
        let default = |variable: &&Variable<'d>| {
            KEYCLOAK_PASSWORDS.contains(&variable.name)
                && variable.value.as_deref().is_some_and(|value| KEYCLOAK_SHIPPED.contains(&value))
        };
        let items = self.in_force().filter(default).map(|item| Field::text(item.name, At::node(item.at))).collect();
        settings.default_secrets = Field::list(items, None);
        settings
    }
}

/// Masks a command that hands over a password (`--db-password x`), or in a list the argument that names it and the next.
fn mask_passwords(document: &Document, command: Cursor<'_>, sink: &mut dyn Sink) {
    let names = |at: Cursor<'_>| at.as_str().is_some_and(|text| text.to_ascii_lowercase().contains("password"));
    if names(command) {
        sink.secret(document, command.id);
    }
    let mut follows = false;
    for item in command.items() {
        let named = names(item);
        if named || follows {
            sink.secret(document, item.id);
        }
        follows = named;
    }
}

/// True for command-line options that hand over a password.
fn holds_secret_option(text: &str) -> bool {
    text.split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix("-D")?.split_once('='))
        .any(|(key, _)| names_secret(key))
}

//! What only the whole run can tell of a target: the issuer of keys and clients, the service that files make together.

use super::fact::{Fact, Kept, field_of, folder};
use super::service;
use crate::model::{Field, Record, TargetKind};
use crate::profile::Registry;
use std::collections::{BTreeSet, HashMap};

/// Tells facts what only the whole run can tell.
pub fn link(facts: &mut Vec<Fact>, registry: &Registry) {
    name_issuers(facts);
    service::settle(facts, registry);
}

/// Gives key sets, keys, clients and scope policies, whose files name no issuer, the issuer they belong to, where that is
/// certain:
///
/// - the one issuer whose metadata lies in the same folder, for the one key set there, and for clients and policies of its
///   product;
/// - the one issuer of the run, for the one key set of the run when the file is called as the metadata's `jwks_uri` ends.
pub(crate) fn name_issuers(facts: &mut [Fact]) {
    let folders = Folders::new(facts);
    for fact in facts.iter_mut() {
        let Some(index) = field_of(fact.kind, "issuer").filter(|index| fact.field(*index).is_absent()) else {
            continue;
        };
        let metadata = match fact.kind {
            _ if fact.given => None,
            TargetKind::Key | TargetKind::KeySet if fact.document == "jwks" => folders.of_keys(&fact.path),
            TargetKind::Client => folders.of_client(fact),
            TargetKind::ScopePolicy => folders.of_policy(fact),
            _ => None,
        };
        if let Some(metadata) = metadata {
            fact.fields.push(Kept::derived(index, Field { at: None, ..metadata.issuer.clone() }));
        }
    }
}

/// The metadata of one issuer.
#[derive(Clone)]
struct Metadata {
    issuer: Field<'static>,
    jwks_uri: String,
    product: Option<String>,
}

/// Where metadata and key sets lie.
struct Folders {
    /// By folder; `None` where several issuers lie.
    issuers: HashMap<String, Option<Metadata>>,
    /// The only issuer of the run.
    alone: Option<Metadata>,
    /// Paths of key sets by folder.
    key_sets: HashMap<String, BTreeSet<String>>,
}

impl Folders {
    fn new(facts: &[Fact]) -> Self {
        let mut folders = Folders { issuers: HashMap::new(), alone: None, key_sets: HashMap::new() };
        let mut all: Option<Option<Metadata>> = None;
        for fact in facts {
            let place = folder(&fact.path);
            match fact.kind {
                TargetKind::Issuer => {
                    let text = |name| field_of(fact.kind, name).and_then(|index| fact.field(index).as_text());
                    let Some(issuer) = field_of(fact.kind, "issuer").map(|index| fact.field(index).clone()) else {
                        continue;
                    };
                    let metadata = Metadata {
                        issuer,
                        jwks_uri: text("jwks_uri").unwrap_or_default().to_string(),
                        product: text("product").map(str::to_string),
                    };
                    merge(
                        folders.issuers.entry(place.to_string()).or_insert_with(|| Some(metadata.clone())),
                        &metadata,
                    );
                    merge(all.get_or_insert_with(|| Some(metadata.clone())), &metadata);
                }
                TargetKind::Key | TargetKind::KeySet if fact.document == "jwks" && !fact.given => {
                    let known = folders.key_sets.entry(place.to_string()).or_default();
                    if !known.contains(fact.path.as_str()) {
                        known.insert(fact.path.to_string());
                    }
                }
                _ => {}
            }
        }
        folders.alone = all.flatten();
        folders
    }

    fn of_keys(&self, path: &str) -> Option<&Metadata> {
        let beside = self.key_sets.get(folder(path)).map_or(0, BTreeSet::len);
        match (self.issuers.get(folder(path)), &self.alone) {
            (Some(Some(metadata)), _) if beside == 1 => Some(metadata),
            (None, Some(alone)) if beside == 1 && self.key_sets.len() == 1 && named_after(path, &alone.jwks_uri) => {
                Some(alone)
            }
            _ => None,
        }
    }

    /// Scope policies are INDIGO IAM's.
    fn of_policy(&self, policy: &Fact) -> Option<&Metadata> {
        let metadata = self.issuers.get(folder(&policy.path))?.as_ref()?;
        metadata.product.as_deref().is_none_or(|product| product == "indigo-iam").then_some(metadata)
    }

    fn of_client(&self, client: &Fact) -> Option<&Metadata> {
        let metadata = self.issuers.get(folder(&client.path))?.as_ref()?;
        let product = field_of(client.kind, "product").and_then(|index| client.field(index).as_text());
        // A client in another product's form was registered elsewhere.
        let other = metadata.product.as_deref().zip(product).is_some_and(|(theirs, ours)| theirs != ours);
        (!other).then_some(metadata)
    }
}

/// Two issuers in one place leave none.
fn merge(known: &mut Option<Metadata>, metadata: &Metadata) {
    match known {
        Some(same) if same.issuer.state == metadata.issuer.state => {
            same.product = same.product.take().or(metadata.product.clone());
        }
        Some(_) => *known = None,
        None => {}
    }
}

/// Is a file, its extension apart, called like the last segment of a URL (`jwks.json` for `…/oauth2/jwks`)?
fn named_after(path: &str, url: &str) -> bool {
    let stem = |text: &str| {
        let name = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default().to_ascii_lowercase()
    };
    let wanted = stem(url.split(['?', '#']).next().unwrap_or_default());
    !wanted.is_empty() && wanted == stem(path)
}

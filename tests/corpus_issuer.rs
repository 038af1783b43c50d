//! Every real issuer file of the shared corpus is recognised as what its index says, or refused with a reason.
//!
//! The corpus lies beside the project (`../shared`, or where `TOKENVET_SHARED` says) and is not part of it; without it
//! the test prints a note and passes.

// The note tells whoever runs the test that nothing was tested.
#![allow(clippy::print_stdout)]

#[path = "common/seen.rs"]
mod seen;

use seen::Seen;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokenvet::discover::recognise;
use tokenvet::source::Source;

/// Kinds of ours that fit a kind of the index. The first one of a row is the usual one.
const KINDS: &[(&str, &[&str])] = &[
    ("dex-config", &["dex-config"]),
    ("helm-values-dex-iam", &["indigo-iam-helm-values"]),
    ("htvault-config", &["htvault-config"]),
    ("hydra-client", &["hydra-client"]),
    ("hydra-config", &["hydra-config"]),
    ("iam-client-config", &["indigo-iam-client-settings"]),
    ("iam-client-dto", &["indigo-iam-client"]),
    ("iam-client-list (DERIVED)", &["indigo-iam-clients"]),
    ("iam-client-registration-request", &["indigo-iam-client-request", "rfc7591-client-request"]),
    ("iam-db-rows (DERIVED)", &["indigo-iam-client-rows", "indigo-iam-system-scopes"]),
    ("iam-deploy-compose", &["compose-file"]),
    ("iam-env", &["indigo-iam-env", "indigo-iam-dashboard-env"]),
    ("iam-exchange-policy", &["indigo-iam-exchange-policies"]),
    ("iam-exchange-policy-list", &["indigo-iam-exchange-policies"]),
    ("iam-helm-values", &["indigo-iam-helm-values"]),
    ("iam-k8s-manifest", &["kubernetes-issuer", "kubernetes-manifest"]),
    ("iam-scope-policy", &["indigo-iam-scope-policies"]),
    ("iam-scope-policy-list", &["indigo-iam-scope-policies"]),
    ("iam-scope-policy-opa", &["indigo-iam-scope-policies"]),
    ("iam-scope-policy-opa-input", &["opa-iam-input"]),
    ("iam-server-config", &["indigo-iam-settings"]),
    ("iam-token-claims (DERIVED)", &["decoded-jwt"]),
    ("iam-tokens-api-list", &["indigo-iam-token-list"]),
    ("jwk", &["jwk"]),
    ("jwks", &["jwks"]),
    ("keycloak-client", &["keycloak-client"]),
    ("keycloak-k8s-manifest", &["kubernetes-issuer", "keycloak-kubernetes"]),
    ("keycloak-realm-export", &["keycloak-realm"]),
    ("keycloak-realm-partial", &["keycloak-realm"]),
    ("mytoken-env", &["mytoken-env"]),
    ("mytoken-server-config", &["mytoken-server-config"]),
    ("oa4mp-client-api", &["oa4mp-client-api"]),
    ("oa4mp-client-cfg", &["oa4mp-client-cfg"]),
    ("oa4mp-client-properties-xml", &["oa4mp-client-properties"]),
    ("oa4mp-rfc7591", &["oa4mp-client-request", "rfc7591-client-request"]),
    ("oa4mp-rfc7591-response", &["oa4mp-client"]),
    ("oidc-agent-issuer-config", &["oidc-agent-issuer-config"]),
    ("oidc-client-config", &["rucio-idpsecrets"]),
    ("oidc-discovery", &["oidc-discovery"]),
    ("opa-config", &["opa-config"]),
    ("rciam-client-form", &["egi-registry-client"]),
    ("rciam-tenant-policy", &["egi-registry-tenant"]),
];

/// Files that nothing can read before something else was done with them, and what the error says.
const REFUSED: &[(&str, &str)] = &[
    ("21-iam-helm-configmap.tmpl.yaml", "unrendered template"),
    ("24-diracx-demo-values.tpl.yaml", "unrendered template"),
    ("63-dex-config.docker.yaml.tmpl", "unrendered template"),
];

/// Parts of an htvault-config configuration that name no issuer.
const WITHOUT_TARGET: &[&str] =
    &["55-htvault-10-kerberos.yaml", "56-htvault-10-kerberos.yaml", "57-htvault-10-cluster.yaml"];

fn corpus() -> PathBuf {
    let shared = std::env::var_os("TOKENVET_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    shared.join("corpus/issuer")
}

#[test]
fn every_file_is_what_the_index_says() {
    let corpus = corpus();
    let Ok(index) = std::fs::read_to_string(corpus.join("INDEX.tsv")) else {
        println!("skipped: no corpus at ../shared");
        return;
    };
    let mut wrong = Vec::new();
    let mut rows = 0;
    for row in index.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let (file, kind) = (columns[0], columns[4]);
        let bytes = std::fs::read(corpus.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        rows += 1;
        if let Err(problem) = check(file, kind, bytes) {
            wrong.push(format!("{file}: {problem}"));
        }
    }
    assert!(rows > 80, "the index lists {rows} files only");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(file: &str, kind: &str, bytes: Vec<u8>) -> Result<(), String> {
    let source = Arc::new(Source::from_bytes(file, bytes).map_err(|error| error.message)?);
    let recognised = recognise(&source);
    if let Some((_, reason)) = REFUSED.iter().find(|(name, _)| *name == file) {
        return match recognised.errors.iter().any(|error| error.message.contains(reason)) {
            true => Ok(()),
            false => Err(format!("should be refused as {reason}, errors: {:?}", recognised.errors)),
        };
    }
    if let Some(error) = recognised.errors.first() {
        return Err(format!("is refused: {}", error.message));
    }
    let (_, fitting) = KINDS.iter().find(|(name, _)| *name == kind).ok_or(format!("kind {kind} has no row here"))?;
    let mut seen = Seen::default();
    let mut kinds = Vec::new();
    let mut judged = false;
    for (document, found) in &recognised.documents {
        let Some((adapter, kind)) = *found else { continue };
        kinds.push(kind);
        let declared =
            adapter.kinds().iter().find(|known| known.name == kind).ok_or(format!("{kind} is undeclared"))?;
        judged |= !declared.targets.is_empty();
        adapter.adapt(document, kind, &mut seen);
        if let Some(target) = seen.kinds.iter().find(|target| !declared.targets.contains(target)) {
            return Err(format!("{kind} yields a {target} that it does not declare"));
        }
        seen.kinds.clear();
    }
    if !kinds.iter().any(|kind| fitting.contains(kind)) || !kinds.iter().all(|kind| is_fitting(kind, fitting)) {
        return Err(format!("is {kinds:?} instead of {fitting:?}"));
    }
    if !seen.errors.is_empty() {
        return Err(format!("has parts that could not be read: {:?}", seen.errors));
    }
    let expected = judged && !WITHOUT_TARGET.contains(&file);
    match expected == (seen.targets > 0) {
        true => Ok(()),
        false => Err(format!("is {kinds:?} with {} targets", seen.targets)),
    }
}

/// A manifest may hold further objects beside the one that matters.
fn is_fitting(kind: &str, fitting: &[&str]) -> bool {
    fitting.contains(&kind) || kind == "kubernetes-manifest"
}

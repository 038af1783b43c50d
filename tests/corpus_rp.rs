//! Every real service configuration of the shared corpus is recognised as what its index says, or refused with a reason.
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

/// Kinds of ours that fit a kind of the index; remarks in brackets and `doc snippet:` are left out there.
const KINDS: &[(&str, &[&str])] = &[
    ("arc.conf reference", &["arc.conf"]),
    ("arc.conf", &["arc.conf"]),
    ("compliance endpoints yaml", &["compliance-endpoints"]),
    ("condor-config", &["condor-config"]),
    ("condor-mapfile", &["condor-mapfile"]),
    ("dcache-defaults", &["dcache-defaults"]),
    ("dcache-layout", &["dcache-layout"]),
    ("dcache-multimap", &["dcache-multimap"]),
    ("dcache.conf", &["dcache.conf"]),
    ("dirac.cfg", &["dirac.cfg"]),
    ("fts-token-ini", &["fts-token-ini"]),
    ("fts3config", &["fts3config"]),
    ("fts3restconfig", &["fts3restconfig"]),
    ("gfal2-conf", &["gfal2-conf"]),
    ("gplazma.conf", &["gplazma.conf"]),
    ("htvault-config yaml", &["htvault-config"]),
    ("mytoken config", &["mytoken-server-config"]),
    ("oidc-agent account", &["oidc-agent-account-encrypted"]),
    ("oidc-agent issuer.config", &["oidc-agent-issuer-config"]),
    ("osg-topology-vo", &["osg-topology-vo"]),
    ("rucio helm values", &["rucio-helm-values"]),
    ("rucio-idpsecrets.json", &["rucio-idpsecrets"]),
    ("rucio.cfg", &["rucio.cfg"]),
    ("scitokens.cfg", &["scitokens.cfg"]),
    ("storm helm values", &["service-helm-values"]),
    ("storm k8s configmap", &["kubernetes-service"]),
    ("storm-application.yml", &["storm-application.yml"]),
    ("storm-sa.properties", &["storm-sa.properties"]),
    ("storm-systemd-dropin", &["storm-systemd-dropin"]),
    ("voms lsc", &["voms-lsc"]),
    ("vomses", &["vomses"]),
    ("xrootd-authdb", &["xrootd-authdb"]),
    ("xrootd.cfg", &["xrootd.cfg"]),
];

/// Kinds of the index that have no adapter yet. Files of these kinds are only tried for panics.
const PENDING: &[&str] = &[];

/// Files that nothing can read before something else was done with them, and what the error says.
const REFUSED: &[(&str, &str)] = &[
    ("024-pelican-scitokens.cfg", "unrendered template"),
    ("029-pelican-xrootd-origin.cfg", "unrendered template"),
    ("030-pelican-xrootd-cache.cfg", "unrendered template"),
    ("056-dcache-helm-configmap.yaml", "unrendered template"),
];

/// Files of a kind with targets that hold none, and why.
const WITHOUT_TARGET: &[(&str, &str)] = &[
    ("086-ce-10-scitokens.conf", "every line is a comment"),
    ("087-ce-10-ssl.conf", "every line is a comment"),
    ("089-ce-90-ban.conf", "every line is a comment"),
    ("090-ce-condor_mapfile", "it only includes other files"),
    ("096-ce-puppet-condor_mapfile", "no line is about tokens"),
    ("117-arc.conf.reference", "every line is a comment"),
];

/// Files that are cut down so far that they could be anything, and what is left.
const UNRECOGNISED: &[(&str, &str)] = &[("098-osgvo-ALICE.yaml", "one number"), ("101-osgvo-LHCb.yaml", "one number")];

fn corpus() -> PathBuf {
    let shared = std::env::var_os("TOKENVET_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    shared.join("corpus/rp")
}

/// The kind without what the index remarks on it.
fn plain(kind: &str) -> &str {
    let kind = kind.strip_prefix("doc snippet: ").unwrap_or(kind);
    let end = [" (", " ["].iter().filter_map(|mark| kind.find(mark)).min();
    &kind[..end.unwrap_or(kind.len())]
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
        let (file, kind) = (columns[0], plain(columns[4]));
        let bytes = std::fs::read(corpus.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        rows += 1;
        if let Err(problem) = check(file, kind, bytes)
            && !PENDING.contains(&kind)
        {
            wrong.push(format!("{file}: {problem}"));
        }
    }
    assert!(rows > 130, "the index lists {rows} files only");
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
    if let Some((_, left)) = UNRECOGNISED.iter().find(|(name, _)| *name == file) {
        return match kinds.is_empty() {
            true => Ok(()),
            false => Err(format!("is {kinds:?} although there is only {left}")),
        };
    }
    if let Some(error) = recognised.errors.first() {
        return Err(format!("is refused: {}", error.message));
    }
    let (_, fitting) = KINDS.iter().find(|(name, _)| *name == kind).ok_or(format!("kind {kind} has no row here"))?;
    if kinds.is_empty() || !kinds.iter().all(|kind| fitting.contains(kind)) {
        return Err(format!("is {kinds:?} instead of {fitting:?}"));
    }
    if !seen.errors.is_empty() {
        return Err(format!("has parts that could not be read: {:?}", seen.errors));
    }
    let expected = judged && !WITHOUT_TARGET.iter().any(|(name, _)| *name == file);
    match expected == (seen.targets > 0) {
        true => Ok(()),
        false => Err(format!("is {kinds:?} with {} targets", seen.targets)),
    }
}

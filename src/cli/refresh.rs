//! The snapshots of the issuers that a policy names: how old they are, and new ones before an audit that is to take them.

use super::audit::AuditArgs;
use super::exit::Failure;
use crate::adapt::snapshot::{MANIFEST_PART, PART};
use crate::audit::Snapshot;
use crate::discover::walk::folder_of;
use crate::policy::{self, RawIssuer};
use jiff::Timestamp;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest manifest, in bytes.
const MANIFEST: u64 = 1 << 20;

/// The snapshots that a policy names, new ones where `--fetch` asks for them and the issuer can be reached. The working
/// directory is the policy's folder.
pub(super) fn snapshots(args: &AuditArgs, issuers: &[RawIssuer]) -> Result<Vec<Snapshot>, Failure> {
    let mut kept: Vec<Kept<'_>> = Vec::new();
    for issuer in issuers {
        let Some(snapshot) = &issuer.snapshot else { continue };
        let folder = policy::inside(snapshot).map_err(|message| super::audit::refused(snapshot, &message))?;
        kept.push(Kept { raw: issuer, folder, failed: String::new() });
    }
    if args.fetch {
        if kept.is_empty() {
            return Err(Failure::Usage(
                "--fetch: the policy names no issuer with a folder for its snapshot; add `issuers: [{issuer: …, snapshot: …}]`"
                    .into(),
            ));
        }
        fetch(args, &mut kept)?;
    }
    Ok(kept.into_iter().map(Kept::seen).collect())
}

/// An issuer with its folder.
struct Kept<'p> {
    raw: &'p RawIssuer,
    folder: PathBuf,
    /// Why there is no new snapshot.
    failed: String,
}

impl Kept<'_> {
    fn seen(self) -> Snapshot {
        let taken = manifest(&self.folder).and_then(|manifest| manifest["taken"].as_str()?.parse::<Timestamp>().ok());
        Snapshot {
            issuer: self.raw.issuer.clone(),
            path: crate::discover::walk::name_of(&self.folder),
            taken: taken.map(Timestamp::as_second),
            failed: self.failed,
        }
    }
}

/// The manifest in the folder of a snapshot; `None` when there is none that can be read.
fn manifest(folder: &Path) -> Option<Value> {
    let mut text = String::new();
    File::open(folder.join("manifest.json")).ok()?.take(MANIFEST).read_to_string(&mut text).ok()?;
    let manifest: Value = serde_json::from_str(&text).ok()?;
    (manifest[PART] == MANIFEST_PART).then_some(manifest)
}

#[cfg(not(feature = "fetch"))]
fn fetch(_args: &AuditArgs, _kept: &mut [Kept<'_>]) -> Result<(), Failure> {
    Err(Failure::Usage(
        "--fetch: this tokenvet was built without the feature `fetch`; leave the option out, or build it with that feature"
            .into(),
    ))
}

/// Takes new snapshots, one issuer after the other. One that fails keeps its old snapshot.
#[cfg(feature = "fetch")]
fn fetch(args: &AuditArgs, kept: &mut [Kept<'_>]) -> Result<(), Failure> {
    use super::fetch::{Progress, note, warn_of_proxy};
    warn_of_proxy();
    let trust = args.connections.trust()?;
    for issuer in kept {
        let mut progress = Progress::default();
        let taken = take(args, &trust, issuer, &mut |event| progress.hear(event));
        progress.end();
        if let Err(why) = taken {
            note(&format!("{why}; {} is what it was", issuer.folder.display()));
            issuer.failed = why;
        }
    }
    Ok(())
}

#[cfg(feature = "fetch")]
fn take(
    args: &AuditArgs,
    trust: &crate::fetch::Trust,
    kept: &Kept<'_>,
    tell: &mut dyn FnMut(crate::fetch::Event),
) -> Result<(), String> {
    use crate::fetch::{Request, Resume};
    let RawIssuer { issuer, token_file, token_env, api, .. } = kept.raw;
    if token_file.is_some() && token_env.is_some() {
        return Err(format!("{issuer}: the policy names `token-file` and `token-env`; leave one of them out"));
    }
    // `./-` is a file, `-` would be standard input.
    let file = token_file.as_ref().map(|file| Path::new(".").join(file));
    let token = super::fetch::token(file.as_deref(), token_env.as_deref()).map_err(|failure| match failure {
        Failure::Usage(message) | Failure::Reported(message) => format!("{issuer}: {message}"),
        Failure::BrokenPipe(_) => format!("{issuer}: the token cannot be read"),
    })?;
    if token.is_none() && crate::fetch::holds_clients(&kept.folder) {
        return Err(format!(
            "{issuer}: its snapshot holds clients, which only a token shows; add `token-file` to it in the policy, or move \
             {} away",
            kept.folder.display()
        ));
    }
    let above = folder_of(&kept.folder);
    std::fs::create_dir_all(above).map_err(|error| format!("{}: cannot be made: {error}", above.display()))?;
    // An audit at night goes on where the one before was interrupted; nobody is there to ask for it.
    let resume = if token.is_some() { Resume::IfThere } else { Resume::No };
    let api = api.filter(|_| token.is_some()).map(Into::into);
    let request = Request { token, api, resume, ..args.connections.request(issuer, &kept.folder, trust) };
    crate::fetch::fetch(&request, tell).map(|_| ()).map_err(|error| error.to_string())
}

//! A real OpenID provider: panva's oidc-provider, which tests/oracles/install.sh installs.

use crate::common::{check_json, list, note, program, run, tokenvet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

/// Ends the provider with the test.
struct Provider(Child);

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_provider_with_dynamic_registration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules = root.join("target/oracles/node/node_modules");
    if !crate::common::has("node") || !modules.join("oidc-provider").exists() {
        return note("oidc-provider is not installed (tests/oracles/install.sh installs it): this test is skipped");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program("node");
    command.arg(root.join("tests/fetch/provider.mjs")).arg(&modules).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut provider = Provider(command.spawn().expect("node starts"));
    let mut lines = BufReader::new(provider.0.stdout.take().expect("piped")).lines();
    let mut line = || lines.next().expect("the script prints it").expect("text");
    let (issuer, registration) = (line(), line());
    let ran = run(tokenvet().current_dir(folder.path()).args(["fetch", &issuer, "--into", "op", "--allow-private"]));
    ran.exits(0, "fetched");
    std::fs::write(folder.path().join("client.json"), registration).expect("written");
    let report = check_json(folder.path(), &["op", "client.json"]);
    assert_eq!((list(&report, "errors").len(), report["skipped"].as_u64()), (0, Some(0)), "{:?}", report["errors"]);
    let kinds: Vec<&str> = list(&report, "documents").iter().filter_map(|document| document["kind"].as_str()).collect();
    for kind in ["oidc-discovery", "jwks", "tokenvet-key-set-headers", "tokenvet-snapshot"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    let client = list(&report, "documents").iter().find(|document| document["path"] == "client.json");
    assert_eq!(client.expect("recognised")["kind"], "rfc7591-client", "a client that registered itself");
}

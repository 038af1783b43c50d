//! The page of `--format html` in a real browser: `browser.mjs` looks at it in two widths, light and dark, on paper and by
//! keyboard. Where Chromium or node is missing, the test says so and checks what it can without.

#[path = "../common/mod.rs"]
mod common;

use common::{NOW, has, note, run, tokenvet};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a browser, a terminal or a reader's eye might take for more than text.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "</style></svg></title><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)\" x=\"",
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "&lt;script&gt; &#x3c;b&#x3e; &amp",
    "]]><!-- <!--> -->",
    "\u{202e}gpj.exe \u{2066}\u{200b}\u{feff}\u{e0041}",
    "nul\u{0} esc\u{1b}]0;title\u{7}\r\n::error::owned",
    "https://example.org/?a=<b>&c=\"d\"#'e'",
];
const SECRET: &str = "TEST-ONLY-hunter2-hunter2";

fn page(folder: &Path, arguments: &[&str]) -> String {
    let ran = run(tokenvet().current_dir(folder).args(["check", "--now", NOW, "--format", "html"]).args(arguments));
    ran.out()
}

fn write(folder: &Path, name: &str, text: &str) {
    common::write(&folder.join(name), text.as_bytes());
}

/// Clients, tokens, services, files, waivers and a policy in which one of these texts stands wherever text may stand.
fn hostile(folder: &Path) {
    let long = "very-long-name-without-a-break-".repeat(60);
    let texts = HOSTILE.iter().map(|text| text.to_string()).chain([long]);
    for (number, text) in texts.enumerate() {
        let client = json!({
            "client_id": format!("{text}{number}"), "client_name": text, "client_secret": SECRET, "scope": format!("storage.read:/{text} {text}"),
            "redirect_uris": [text, "http://plain.example.org/cb", "javascript:alert(1)"], "contacts": [text], "client_uri": text,
            "grant_types": ["password", "implicit", text], "access_token_validity_seconds": 2_592_000 + number,
            "refresh_token_validity_seconds": 0, "dynamically_registered": false, "active": true,
        });
        write(folder, &format!("clients{number}.json"), &json!([client]).to_string());
        let claims = json!({
            "iss": text, "sub": text, "aud": text, "jti": format!("{text}{number}"), "iat": 1_700_000_000, "nbf": 1_700_000_000,
            "exp": 1_800_000_000, "scope": format!("storage.modify:/ {text}"), "wlcg.ver": "1.0", "wlcg.groups": [text],
        });
        write(folder, &format!("token{number}.json"), &claims.to_string());
        let line = text.replace(['\0', '\n', '\r'], " ");
        write(
            folder,
            &format!("se{number}/etc/xrootd/scitokens.cfg"),
            &format!(
                "[Global]\naudience = {line}\n\n[Issuer {line}]\nissuer = https://{number}.example.org/{line}\nbase_path = /{line}\n"
            ),
        );
        let name: String = text.replace(['/', '\0'], "_").chars().take(60).collect();
        write(
            folder,
            &format!("named/{name}.json"),
            &json!([{ "client_id": "a", "redirect_uris": [text] }]).to_string(),
        );
    }
    write(folder, "jwks.json", &json!({"keys": HOSTILE.iter().map(|text| json!({"kty": "oct", "kid": text, "k": SECRET, "alg": text})).collect::<Vec<_>>()}).to_string());
    write(
        folder,
        "tokenvet.yaml",
        &json!({
            "waivers": ["waivers.yaml"],
            "services": [{"name": "<b onclick=alert(1)>\"'", "type": "xrootd", "files": ["se1/**"]}],
        })
        .to_string(),
    );
    let waiver = json!({"rule": "client-password-grant", "reason": HOSTILE[0], "owner": HOSTILE[2], "match": {"path": "clients1.json"}, "expires": "2030-01-01"});
    write(folder, "waivers.yaml", &json!([waiver]).to_string());
}

/// Without a browser: no tag that is not ours, no secret, a policy, the same bytes each time.
fn assert_plain(page: &str, name: &str) {
    for opened in ["<script", "<img", "<iframe", "<object", "<link", "<form", "<base", "onerror=alert", "onclick=alert"]
    {
        let found = page.find(opened).map(|at| page[at..].chars().take(60).collect::<String>());
        let found = found.filter(|found| found.starts_with('<'));
        assert_eq!(found, None, "{name}");
    }
    assert!(!page.contains(SECRET), "{name} holds a secret");
    assert!(page.contains(
        "http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; style-src &#39;sha256-"
    ));
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document =
        roxmltree::Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{name}: {error}"));
    for node in document.descendants() {
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on") && !["style", "src"].contains(&attribute.name()), "{name}");
        }
    }
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let input = folder.join("hostile");
    std::fs::create_dir(&input).expect("a new folder");
    hostile(&input);
    let hostile = page(&input, &["."]);
    assert_eq!(hostile, page(&input, &[".", "--threads", "1"]), "the same bytes with any number of threads");
    for text in
        ["&lt;script&gt;alert(1)&lt;/script&gt;", "\\u{202e}gpj.exe", "&quot; onmouseover=", "nul\\u{0} esc\\u{1b}"]
    {
        assert!(hostile.contains(text), "{text} is shown as text");
    }
    let mut pages = vec![("hostile", hostile), ("empty", page(&input, &["named", "--only", "key-rsa-too-short"]))];
    for name in ["demo", "site"] {
        pages.push((name, page(root, &[&format!("testdata/{name}")])));
    }
    pages.push(("waived", page(&root.join("testdata/waiver"), &["."])));
    pages.push(("all", page(&input, &[".", "--all"])));
    #[cfg(feature = "state")]
    pages.push(("audit", audited(&input)));
    let mut files = Vec::new();
    for (name, page) in pages {
        assert_plain(&page, name);
        let file = folder.join(format!("{name}.html"));
        std::fs::write(&file, page).expect("a file of the test");
        files.push(file);
    }
    files
}

/// The second audit of the same folder, in which something came and something went.
#[cfg(feature = "state")]
fn audited(input: &Path) -> String {
    let policy = json!({
        "waivers": ["waivers.yaml"],
        "services": [{"name": "<b onclick=alert(1)>\"'", "type": "xrootd", "files": ["se1/**"]}],
        "audit": {"paths": ["named", "clients*.json", "jwks.json", "se*/**"]},
    });
    write(input, "site.yaml", &policy.to_string());
    let audit = |now: &str| {
        let words = ["audit", "site.yaml", "--state", "state", "--format", "html", "--now", now];
        run(tokenvet().current_dir(input).args(words)).out()
    };
    let first = audit("2026-01-01T00:00:00Z");
    assert!(first.contains("This is the first audit"), "{first}");
    std::fs::remove_file(input.join("clients0.json")).expect("written above");
    let text = std::fs::read_to_string(input.join("clients1.json")).expect("written above");
    write(input, "clients1.json", &text.replace("2592001", "3592001"));
    let second = audit("2026-01-08T00:00:00Z");
    assert!(second.contains("It got worse since 2026-01-01 00:00 UTC"), "{second}");
    let again = run(tokenvet().current_dir(input).args([
        "audit",
        "site.yaml",
        "--state",
        "state",
        "--last",
        "--format",
        "html",
    ]));
    assert_plain(&again.out(), "the last audit again");
    second
}

#[test]
fn a_browser_finds_nothing_wrong_with_any_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = pages(folder.path());
    if !has("chromium") || !has("node") {
        return note("chromium or node is missing; no browser looked at the pages (apt-get install chromium)");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/html/browser.mjs");
    let looked = Command::new("node").arg(script).args(&files).output().expect("node runs");
    let said = String::from_utf8_lossy(&looked.stdout);
    if looked.status.code() == Some(2) {
        return note(&said);
    }
    assert!(looked.status.success(), "{said}{}", String::from_utf8_lossy(&looked.stderr));
}

//! `tokenvet fix` as an administrator meets it: a difference to read, and files that are mended when asked for.

#![allow(clippy::unwrap_used)] // a helper that fails is a failed test

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

const SCITOKENS: &str = "# trust\n[Global]\naudience = \"https://se.example.org:1094\"\n\n[Issuer VO]\n\
                         issuer = https://vo.example.org/\nbase_path = /vo # their part\n";
const MENDED: &str = "# trust\n[Global]\naudience = https://se.example.org:1094\n\n[Issuer VO]\n\
                      issuer = https://vo.example.org/\n# their part\nbase_path = /vo\n";

fn fix(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tokenvet"))
        .current_dir(folder)
        .args(["fix", "--no-config", "--now", "2026-01-01T00:00:00Z"])
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_difference_is_shown_and_files_change_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scitokens.cfg");
    fs::write(&path, SCITOKENS).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let read = || fs::read_to_string(&path).unwrap();

    let (code, out, err) = fix(folder.path(), &["scitokens.cfg"]);
    assert_eq!(code, 1, "{err}");
    for line in ["-audience = \"https", "+audience = https", "-base_path = /vo # their part", "+# their part"] {
        assert!(out.lines().any(|found| found.starts_with(line)), "{line}: {out}");
    }
    assert!(err.contains("2 fixes in 1 file; --apply writes them"), "{err}");
    assert_eq!(read(), SCITOKENS, "nothing is written");

    let (code, out, err) = fix(folder.path(), &["--apply", "scitokens.cfg"]);
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    assert!(err.contains("scitokens.cfg:3: fixed xrootd-value-quoted"), "{err}");
    assert_eq!(read(), MENDED);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640, "the mode stays");

    let (code, out, err) = fix(folder.path(), &["--apply", "scitokens.cfg"]);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.contains("nothing that can be fixed safely"), "{err}");
}

#[test]
fn what_is_near_a_fix_stays_secret_and_links_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[oidc]\nclient_secret = TestSecretTestSecret\ntoken_max_lifetime = 21600 # six hours\n\
                idpsecrets = /opt/rucio/etc/idpsecrets.json\n";
    fs::write(folder.path().join("real.cfg"), text).unwrap();
    symlink("real.cfg", folder.path().join("rucio.cfg")).unwrap();
    let (code, out, err) = fix(folder.path(), &["rucio.cfg"]);
    assert_eq!(code, 1, "{err}");
    assert!(out.contains("+# six hours") && !out.contains("TestSecret"), "{out}");
    let (code, _, err) = fix(folder.path(), &["--apply", "rucio.cfg"]);
    assert!(code == 2 && err.contains("it is a link"), "{err}");
    assert_eq!(fs::read_to_string(folder.path().join("real.cfg")).unwrap(), text);
}

#[test]
fn findings_that_are_suppressed_or_not_asked_for_stay() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("scitokens.cfg"), SCITOKENS).unwrap();
    let (_, out, err) = fix(folder.path(), &["--only", "xrootd-value-quoted", "scitokens.cfg"]);
    assert!(out.contains("+audience") && !out.contains("their part\n+"), "{out}");
    assert!(err.contains("1 fix in 1 file"), "{err}");
    let allowed = SCITOKENS.replace("audience", "# tokenvet: allow xrootd-value-quoted -- a test\naudience");
    fs::write(folder.path().join("scitokens.cfg"), allowed).unwrap();
    let (_, out, _) = fix(folder.path(), &["--only", "xrootd-value-quoted", "scitokens.cfg"]);
    assert_eq!(out, "");
}

#[test]
fn what_is_written_with_escapes_or_goes_on_in_the_next_line_is_left_alone() {
    let deployment = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"iam\"},\"data\":{\"IAM_BASE_URL\":\
                      \"https:\\/\\/iam.example.org\\/\",\"IAM_JWT_DEFAULT_PROFILE\":\"wlcg\"}}\n";
    let compose = "services:\n  iam:\n    image: indigoiam/iam-login-service:v1.12.0\n    environment:\n      \
                   IAM_BASE_URL: \"https://iam.example.org\\/\"\n      IAM_JWT_DEFAULT_PROFILE: wlcg\n";
    let env = "IAM_BASE_URL=\"https://iam.example.org\\/\"\nIAM_JWT_DEFAULT_PROFILE=wlcg\n";
    let layout = "[d]\n[d/gplazma]\ngplazma.oidc.provider!vo = https://vo.example.org/ -profile=wlcg -prefix=/data/vo\n\
                  gplazma.oidc.audience-targets = https://se.example.org # our door \\\n    https://b.example.org\n";
    for (name, text) in
        [("deploy.json", deployment), ("compose.yml", compose), ("iam.env", env), ("layouts/e.conf", layout)]
    {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("layouts")).unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        let (code, _, err) = fix(folder.path(), &["--apply", name]);
        assert_eq!(code, 0, "{name}: {err}");
        assert!(err.contains("nothing that can be fixed safely"), "{name}: {err}");
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), text, "{name}");
    }
}

const METADATA: &str = "\"issuer\":\"https://i.example.org\",\n\"jwks_uri\":\"https://i.example.org/jwk\",\n\
    \"authorization_endpoint\":\"https://i.example.org/a\",\n\"token_endpoint\":\"https://i.example.org/t\",\n\
    \"response_types_supported\":[\"code\"],\n\"subject_types_supported\":[\"public\"],\n\
    \"id_token_signing_alg_values_supported\":[\"RS256\"]";

#[test]
fn neighbours_go_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("openid-configuration");
    let lists = "\"ui_locales_supported\":[],\n\"claims_supported\":[],\n\"acr_values_supported\":[]";
    for text in [format!("{{{METADATA},\n{lists}}}\n"), format!("{{{lists},\n{METADATA}}}\n")] {
        fs::write(&path, text).unwrap();
        let (code, _, err) = fix(folder.path(), &["--apply", "openid-configuration"]);
        assert!(code == 0 && err.contains("3 fixes in 1 file"), "{err}");
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{{{METADATA}}}\n"));
    }
}

#[test]
fn a_fix_that_does_not_fit_is_named_and_keeps_none_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("openid-configuration");
    let bad = METADATA.replace("[\"code\"]", "[]");
    fs::write(&path, format!("{{{bad},\n\"claims_supported\":[]}}\n")).unwrap();
    let (code, _, err) = fix(folder.path(), &["--apply", "openid-configuration"]);
    assert!(code == 0 && err.contains("1 fix in 1 file"), "{err}");
    let place = "openid-configuration:5: not fixed issuer-empty-list; mend it by hand: it would bring issuer-incomplete-metadata";
    assert!(err.contains(place), "{err}");
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{{{bad}}}\n"));
}

#[test]
fn only_what_was_written_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("real.cfg"), SCITOKENS).unwrap();
    symlink("real.cfg", folder.path().join("scitokens.cfg")).unwrap();
    let (code, _, err) = fix(folder.path(), &["--apply", "scitokens.cfg"]);
    assert!(code == 2 && err.contains("not written: it is a link"), "{err}");
    assert!(err.contains("0 fixes in 0 files"), "{err}");
}

//! Rows 1 to 5: secrets stay inside.

use crate::common::{
    BAD_CLIENT, Canaries, NOW, Reports, access_token, base64url, folder, has, jwt, list, note, program, run,
    run_with_input, shell, tokenvet, write,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

/// Input places of secrets: file name, the kind it must be recognised as, and the content, in which
/// `@S@` is a secret as it is, `@64@` the same in base64, `@JWT@` a token with the secret as signature, `@RT@` a JWT that
/// is secret as a whole and `@PEM@` a private key on one line with `\n` escapes.
const PLACES: &[(&str, &str, &str)] = &[
    (
        "admin.json",
        "indigo-iam-client",
        r#"{"client_id":"a","client_secret":"@S@","client_name":"x",
      "redirect_uris":["http://h.example.org/cb"],"grant_types":["implicit"],"reuse_refresh_token":true,
      "access_token_validity_seconds":3600,"registration_access_token":"@S@","allow_introspection":false}"#,
    ),
    (
        "admin-token.json",
        "indigo-iam-client",
        r#"{"client_id":"a","client_secret":null,"client_name":"x",
      "redirect_uris":["http://h.example.org/cb"],"grant_types":["implicit"],"reuse_refresh_token":true,
      "access_token_validity_seconds":3600,"registration_access_token":"@JWT@","allow_introspection":false}"#,
    ),
    (
        "list.json",
        "indigo-iam-clients",
        r#"{"totalResults":9,"itemsPerPage":1,"startIndex":1,"Resources":[
      {"client_id":"a","client_secret":"@S@","client_name":"x","redirect_uris":["http://h.example.org/cb"],
      "grant_types":["implicit"],"access_token_validity_seconds":0}]}"#,
    ),
    (
        "names.json",
        "rfc7591-client",
        r#"{"client_id":"@JWT@","client_name":"mail @JWT@ to us","grant_types":["implicit",
      "authorization_code"],"redirect_uris":["http://user:@S@@h.example.org/cb","http://h.example.org/?client_secret=@S@&a=b",
      "http://h.example.org/cb#access_token=@JWT@","http://h.example.org/?refresh_token=@S@"],
      "contacts":["Bearer @JWT@"],"token_endpoint_auth_method":"client_secret_basic"}"#,
    ),
    (
        "keys-in-client.json",
        "rfc7591-client",
        r#"{"client_id":"a","client_name":"x","redirect_uris":["http://h.example.org/"],
      "jwks":{"keys":[{"kty":"oct","k":"@S@"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"@S@"}]},
      "software_statement":"@JWT@","grant_types":["implicit"]}"#,
    ),
    (
        "jwks.json",
        "jwks",
        r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"r","d":"@S@","p":"@S@","q":"@S@","dp":"@S@",
      "dq":"@S@","qi":"@S@","oth":[{"r":"@S@","d":"@S@","t":"@S@"}]},{"kty":"oct","kid":"o","k":"@S@","alg":"HS256"},
      {"kty":"OKP","crv":"Ed25519","x":"AA","d":"@S@"}]}"#,
    ),
    (
        "response.json",
        "token-response",
        r#"{"access_token":"@JWT@","refresh_token":"@S@","id_token":"@JWT@",
      "token_type":"Bearer","expires_in":3600,"scope":"openid"}"#,
    ),
    (
        "response-rt.json",
        "token-response",
        r#"{"access_token":"@JWT@","refresh_token":"@RT@","token_type":"Bearer",
      "expires_in":3600}"#,
    ),
    (
        "opaque.json",
        "token-response",
        r#"{"access_token":"@S@","refresh_token":"@S@","token_type":"Bearer",
      "expires_in":3600,"scope":"openid"}"#,
    ),
    ("token", "jwt", "@JWT@"),
    ("tokens.txt", "jwt", "@JWT@\n@JWT@\n"),
    ("jwt-in-claims", "jwt", "@CLAIMS@"),
    (
        "realm.json",
        "keycloak-realm",
        r#"{"realm":"r","enabled":true,"sslRequired":"none","accessTokenLifespan":300,
      "smtpServer":{"password":"@S@","user":"u"},"users":[{"username":"u","credentials":[{"type":"password",
      "secretData":"{\"value\":\"@S@\"}","value":"@S@"}]}],
      "clients":[{"clientId":"c","enabled":true,"secret":"@S@","registrationAccessToken":"@JWT@","protocol":"openid-connect",
      "redirectUris":["*"],"implicitFlowEnabled":true,"publicClient":false,
      "attributes":{"jwt.credential.certificate":"x","client.secret.rotated":"@S@"}}],
      "components":{"org.keycloak.keys.KeyProvider":[{"name":"rsa","providerId":"rsa","config":{"privateKey":["@S@"],
      "secret":["@S@"]}}]}}"#,
    ),
    (
        "idpsecrets.json",
        "rucio-idpsecrets",
        r#"{"iam":{"client_id":"a","client_secret":"@S@","issuer":"http://h.example.org/",
      "redirect_uris":["http://h.example.org/cb"],"SCIM":{"client_id":"b","client_secret":"@S@",
      "registration_access_token":"@JWT@"}}}"#,
    ),
    (
        "hydra-client.json",
        "hydra-client",
        r#"{"client_id":"h","client_name":"","client_secret":"@S@","redirect_uris":
      ["http://h.example.org/cb"],"grant_types":["implicit"],"scope":"offline_access","audience":[],"owner":"",
      "skip_consent":true,"jwks":{"keys":[{"kty":"oct","k":"@S@"}]},"token_endpoint_auth_method":"client_secret_post",
      "registration_access_token":"@S@","authorization_code_grant_access_token_lifespan":"9999h"}"#,
    ),
    (
        "account.json",
        "oidc-agent-account",
        r#"{"name":"wlcg","issuer_url":"http://h.example.org/","client_id":"a",
      "client_secret":"@S@","refresh_token":"@RT@","username":"","password":"@S@","redirect_uris":["http://localhost:4242"],
      "scope":"openid offline_access","cert_path":"/etc/ssl/certs/ca-certificates.crt"}"#,
    ),
    (
        "issuers",
        "oidc-agent-issuer-config",
        r#"[{"issuer":"http://h.example.org/","register":"http://h.example.org/register",
      "pubclient":{"client_id":"p","client_secret":"@S@","scope":"openid"},"legacy_aud_mode":true}]"#,
    ),
    (
        "mitreid.json",
        "mitreid-data",
        r#"{"mitreid-connect-1.3":{"clients":[{"clientId":"m","secret":"@S@","clientName":"x","redirectUris":
      ["http://h.example.org/cb"],"grantTypes":["implicit"],"accessTokenValiditySeconds":0,"resourceIds":[],
      "dynamicallyRegistered":true,"reuseRefreshToken":true}],"accessTokens":[{"value":"@JWT@"}],
      "refreshTokens":[{"value":"@JWT@"}],"grants":[],"whitelistedSites":[],"systemScopes":[]}}"#,
    ),
    (
        "application.yml",
        "indigo-iam-settings",
        "iam:\n  baseUrl: http://h.example.org/\n  issuer: http://h.example.org\n\
      \x20 jwt-profile:\n    default-profile: iam\nspring:\n  datasource:\n    url: jdbc:mysql://db/iam?user=u&password=@S@\n\
      \x20   username: iam\n    password: @S@\n  mail:\n    password: \"@S@\"\nclient:\n  secret: &a |\n    @S@\n  again: *a\n\
      \x20 fallback: ${IAM_CLIENT_SECRET:@S@}\n",
    ),
    (
        "compose.yml",
        "compose-file",
        "services:\n  iam:\n    image: indigoiam/iam-login-service:v1.8.0\n    command: \
      [\"java\", \"--spring.datasource.password=@S@\"]\n    environment:\n      IAM_ISSUER: http://h.example.org\n      \
      IAM_BASE_URL: http://h.example.org/\n      IAM_DB_PASSWORD: @S@\n      IAM_GOOGLE_CLIENT_SECRET: \"@S@\"\n      \
      IAM_JAVA_OPTS: -Dspring.datasource.password=@S@ -Dx=1\n      IAM_ACTUATOR_PASSWORD: ${PW:-@S@}\n      \
      DATABASE_URL: mysql://iam:@S@@db/iam\n      IAM_JWT_DEFAULT_PROFILE_ID: iam\n",
    ),
    (
        "compose-list.yml",
        "compose-file",
        "services:\n  iam:\n    image: indigoiam/iam-login-service:v1.8.0\n    environment:\n\
      \x20     - IAM_ISSUER=http://h.example.org\n      - IAM_DB_PASSWORD=@S@\n      - 'IAM_GITHUB_CLIENT_SECRET=@S@'\n      \
      - IAM_BASE_URL=http://h.example.org/\n",
    ),
    (
        "iam.env",
        "indigo-iam-env",
        "IAM_ISSUER=http://h.example.org\nIAM_BASE_URL=http://h.example.org/\nIAM_DB_PASSWORD=@S@\n\
      export IAM_GOOGLE_CLIENT_SECRET='@S@'\nIAM_ACTUATOR_USER_PASSWORD=\"@S@\"\nDSN=mysql://u:@S@@db/x\n",
    ),
    (
        "k8s.yaml",
        "kubernetes-issuer",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\ndata:\n  IAM_DB_PASSWORD: @64@\n  \
      IAM_ISSUER: aHR0cDovL2guZXhhbXBsZS5vcmc=\n  IAM_BASE_URL: aHR0cDovL2guZXhhbXBsZS5vcmcv\nstringData:\n  \
      IAM_GOOGLE_CLIENT_SECRET: @S@\n  tls.key: \"@PEM@\"\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  \
      name: d\nspec:\n  template:\n    spec:\n      containers:\n      - name: iam\n        image: \
      indigoiam/iam-login-service:v1.8.0\n        args: [\"--spring.datasource.password=@S@\"]\n        env:\n        - \
      name: IAM_DB_PASSWORD\n          value: @S@\n        - name: IAM_ISSUER\n          value: http://h.example.org\n",
    ),
    (
        "dex.yaml",
        "dex-config",
        "issuer: http://h.example.org/dex\nstorage:\n  type: postgres\n  config:\n    password: @S@\n\
      web:\n  http: 0.0.0.0:5556\nconnectors:\n- type: github\n  id: g\n  name: g\n  config:\n    clientID: c\n    \
      clientSecret: @S@\n- type: ldap\n  id: l\n  name: l\n  config:\n    bindPW: @S@\nstaticClients:\n- id: app\n  name: \
      App\n  secret: @S@\n  redirectURIs: ['http://h.example.org/cb']\nenablePasswordDB: true\nstaticPasswords:\n- email: \
      a@example.org\n  hash: \"@S@\"\n  username: a\n",
    ),
    (
        "dex-k8s.yaml",
        "dex-config",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: dex\ndata:\n  config.yaml: |\n    \
      issuer: http://h.example.org/dex\n    storage:\n      type: memory\n    web:\n      http: 0.0.0.0:5556\n    \
      staticClients:\n    - id: app\n      name: App\n      secret: @S@\n      redirectURIs: ['http://h.example.org/cb']\n",
    ),
    (
        "dex-secret.yaml",
        "dex-config",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: dex\nstringData:\n  config.yaml: |\n    \
      issuer: http://h.example.org/dex\n    storage:\n      type: memory\n    staticClients:\n    - id: app\n      name: \
      App\n      secret: @S@\n      redirectURIs: ['http://h.example.org/cb']\n",
    ),
    (
        "hydra.yml",
        "hydra-config",
        "serve:\n  cookies:\n    same_site_mode: Lax\nurls:\n  self:\n    issuer: \
      http://h.example.org\n  login: http://h.example.org/login\nsecrets:\n  system:\n    - @S@\n  cookie: ['@S@']\ndsn: \
      postgres://hydra:@S@@db:5432/hydra\noidc:\n  subject_identifiers:\n    pairwise:\n      salt: @S@\nttl:\n  \
      access_token: 9999h\n",
    ),
    (
        "mytoken.yaml",
        "mytoken-server-config",
        "issuer: http://h.example.org\nservice_operator:\n  name: x\ndatabase:\n  user: m\n  \
      password: @S@\nsigning:\n  mytoken:\n    alg: ES512\n    key_file: /k\nproviders:\n- issuer: http://h.example.org/\n  \
      name: p\n  client_id: c\n  client_secret: @S@\n  scopes: [openid]\n  mytokens_max_lifetime: 0\nfeatures:\n  \
      short_tokens:\n    enabled: true\n  notifications:\n    email:\n      mail_server:\n        password: @S@\n",
    ),
    (
        "mytoken.env",
        "mytoken-env",
        "MYTOKEN_CONFIG_FILE=/m/config.yaml\nSECRET_CERT_KEY=@S@\nSECRET_MYTOKEN_SIGNING_KEY=@S@\n\
      SECRET_DB_ROOT_PASSWORD=@S@\n",
    ),
    (
        "htvault.yaml",
        "htvault-config",
        "issuers:\n- name: i\n  clientid: c\n  secret: @S@\n  url: http://h.example.org/\n  \
      callbackmode: direct\n  credclaim: email\n  roles:\n  - name: default\n    scopes: [profile, 'storage.read:']\n",
    ),
    (
        "client-app.yml",
        "indigo-iam-client-settings",
        "iam:\n  issuer: http://h.example.org/\n  client:\n    clientId: c\n    \
      clientSecret: ${IAM_CLIENT_SECRET:@S@}\n    redirectUris: http://h.example.org/cb\n    scope: openid\n",
    ),
    (
        "oa4mp.json",
        "oa4mp-client",
        r#"{"client_id":"myproxy:oa4mp,2012:/client_id/1","client_secret":"@S@","client_name":"x",
      "redirect_uris":["http://h.example.org/cb"],"grant_types":["implicit"],"rt_lifetime":1209600000,
      "registration_client_uri":"http://h.example.org/oauth2/oidc-cm?client_id=1","registration_access_token":"@S@"}"#,
    ),
    (
        "oa4mp.xml",
        "oa4mp-client-properties",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE properties SYSTEM \
      \"http://java.sun.com/dtd/properties.dtd\">\n<properties>\n<entry key=\"client_id\">t</entry>\n<entry \
      key=\"public_key\">t</entry>\n<entry key=\"client_secret\">@S@</entry>\n<entry key=\"callback_uri\">\
      [\"http://h.example.org/cb\"]</entry>\n<entry key=\"rt_lifetime\">-1</entry>\n<entry key=\"name\">x</entry>\n<entry \
      key=\"scopes\">[\"openid\"]</entry>\n</properties>\n",
    ),
    (
        "tokens.json",
        "indigo-iam-token-list",
        r#"{"totalResults":9,"itemsPerPage":1,"startIndex":1,"Resources":[{"id":6,
      "value":"@JWT@","scopes":["openid"],"expiration":"2014-05-28T18:02:09-0400","client":{"id":2,"clientId":"c",
      "contacts":[],"ref":"http://h.example.org/api/clients/2"},"user":{"id":"u","userName":"u","ref":"x"}}]}"#,
    ),
    (
        "introspection.json",
        "introspection-response",
        r#"{"active":true,"token_type":"Bearer","client_id":"c","username":"u",
      "exp":1800000000,"scope":"storage.modify:/","sub":"@JWT@","iss":"http://h.example.org/"}"#,
    ),
];

const SOURCE_OF_CLAIMS: &str = r#"{"iss":"http://h.example.org/","sub":"x @JWT@","client_id":"c","client_secret":"@S@",
 "refresh_token":"@S@","aud":"https://u:@S@@h.example.org/","iat":1,"nbf":1,"exp":99999999999,"password":"@S@",
 "scope":"storage.modify:/ openid","jti":"j"}"#;

fn filled(canaries: &mut Canaries, label: &str, template: &str) -> String {
    let secret = canaries.mint(label);
    let token = |payload: serde_json::Value| jwt(r#"{"alg":"RS256","typ":"JWT"}"#, &payload.to_string(), &secret);
    let claims = json!({"iss": "http://h.example.org/", "sub": "s", "iat": 1, "exp": 99_999_999_999u64,
        "scope": "storage.modify:/", "aud": "https://wlcg.cern.ch/jwt/v1/any"});
    let refresh = token(json!({"iss": "http://h.example.org/", "typ": "Refresh", "private": secret, "exp": 1}));
    let pem = format!("-----BEGIN PRIVATE KEY-----\\n{secret}\\n{secret}\\n-----END PRIVATE KEY-----\\n");
    let fill = |text: &str| {
        text.replace("@S@", &secret)
            .replace("@64@", &STANDARD.encode(&secret))
            .replace("@JWT@", &token(claims.clone()))
            .replace("@RT@", &refresh)
            .replace("@PEM@", &pem)
    };
    fill(&template.replace("@CLAIMS@", &jwt(r#"{"alg":"none"}"#, &fill(SOURCE_OF_CLAIMS), "")))
}

/// The places as files, with the names they have in [`PLACES`].
fn places(canaries: &mut Canaries) -> Vec<(String, String)> {
    PLACES.iter().map(|(name, _, text)| (name.to_string(), filled(canaries, name, text))).collect()
}

fn names(files: &[(String, String)]) -> Vec<&str> {
    files.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn row_01_no_report_shows_a_secret_of_any_recognised_file() {
    let mut canaries = Canaries::default();
    let files = places(&mut canaries);
    let folder = folder(&files);
    for arguments in [vec![], vec!["--all", "--profile", "wlcg@1.3", "--color", "always"]] {
        // The profile of tokens says nothing about some kinds.
        let chosen = arguments.contains(&"--profile");
        let reports = Reports::of(folder.path(), &[arguments, names(&files)].concat());
        canaries.assert_hidden(reports.outputs());
        let report = reports.json();
        // What is not recognised or stays without findings would prove nothing.
        let useless: Vec<_> = PLACES
            .iter()
            .filter_map(|(name, kind, _)| {
                let document = list(&report, "documents").iter().find(|document| document["path"] == *name);
                let found = document.map_or("nothing", |found| found["kind"].as_str().unwrap_or(""));
                let finds = list(&report, "findings").iter().any(|finding| finding["path"] == *name);
                // The settings of mytoken's containers hold nothing to judge.
                (found != *kind || !(finds || chosen || *kind == "mytoken-env"))
                    .then(|| format!("{name}: {found}, findings: {finds}"))
            })
            .collect();
        assert!(useless.is_empty(), "{useless:#?}\n{:#?}", report["errors"]);
        reports.ran.exits(1, "findings and no errors");
    }
}

#[test]
fn row_01_a_canary_that_shows_is_noticed() {
    let mut canaries = Canaries::default();
    let secret = canaries.mint("self-test");
    for shown in [
        format!("a {} b", &secret[9..22]),
        secret.chars().rev().collect(),
        STANDARD.encode(format!("xy{secret}")),
        base64url(format!("x{secret}")),
        secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
    ] {
        assert!(!canaries.leaked(shown.as_bytes()).is_empty(), "{shown}");
    }
    assert!(canaries.leaked(&secret.as_bytes()[..11]).is_empty());
}

#[test]
fn row_01_broken_files_show_no_secret_either() {
    let mut canaries = Canaries::default();
    let files = places(&mut canaries);
    let folder = tempfile::tempdir().expect("a folder");
    let mut broken = Vec::new();
    for (name, text) in &files {
        let secret = canaries.mint(name);
        let end = text.find(&secret).map_or(text.len() * 2 / 3, |at| at + secret.len());
        let variants: [(&str, Vec<u8>); 6] = [
            ("cut-behind", text.as_bytes()[..end].to_vec()),
            ("cut-inside", text.as_bytes()[..end - 9].to_vec()),
            ("garbage", [text.as_bytes(), b"\n}]'\" : @ {{ ${\n"].concat()),
            ("latin1", [text.as_bytes(), b"\xe9\xff"].concat()),
            ("nul", [&text.as_bytes()[..end], b"\0", &text.as_bytes()[end..]].concat()),
            ("twice", [text.as_bytes(), b"\n", text.as_bytes()].concat()),
        ];
        for (variant, content) in variants {
            let name = format!("{variant}-{name}");
            write(&folder.path().join(&name), &content);
            broken.push(name);
        }
    }
    let reports = Reports::of(folder.path(), &[vec!["--all".to_string()], broken].concat());
    reports.ran.exits(2, "files are broken");
    assert!(list(&reports.json(), "errors").len() > PLACES.len() * 2);
    canaries.assert_hidden(reports.outputs());
}

#[test]
fn row_01_wrong_types_and_names_show_no_secret() {
    let mut canaries = Canaries::default();
    let secret = canaries.mint("wrong types");
    let token = jwt(r#"{"alg":"RS256"}"#, r#"{"sub":"s","exp":1}"#, &secret);
    let url = format!("http://user:{secret}@h.example.org/");
    let files: Vec<(String, String)> = vec![
        (
            "list.json".into(),
            json!({"client_id": "a", "client_secret": [secret], "client_name": {"client_secret": secret},
            "redirect_uris": [{"secret": secret}, url], "grant_types": ["implicit"]})
            .to_string(),
        ),
        (
            "lifetimes.json".into(),
            json!({"client_id": "a", "client_secret": "x", "client_name": "x",
            "access_token_validity_seconds": token, "refresh_token_validity_seconds": url, "scope": token,
            "reuse_refresh_token": token, "redirect_uris": [token], "grant_types": [token, url, "implicit"],
            "token_endpoint_auth_method": token, "contacts": url, "code_challenge_method": token})
            .to_string(),
        ),
        (
            "discovery.json".into(),
            json!({"issuer": url, "authorization_endpoint": url, "token_endpoint": token,
            "jwks_uri": url, "response_types_supported": [token], "grant_types_supported": token})
            .to_string(),
        ),
        (
            "kid.json".into(),
            json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": token, "alg": token,
            "use": url}, {"kty": token, "kid": url, "k": secret}]})
            .to_string(),
        ),
        (format!("{token}.json"), BAD_CLIENT.to_string()),
        (
            "claims".into(),
            access_token(&json!({"iss": url, "sub": token, "aud": [token, url], "exp": token, "jti": token,
            "scope": token, "wlcg.ver": token, "wlcg.groups": [token, url], "client_id": url})),
        ),
        (
            "header".into(),
            jwt(
                &json!({"alg": token, "kid": token, "typ": url, "jku": url, "x5u": url, "crit": [token],
            "jwk": {"kty": "oct", "k": secret}})
                .to_string(),
                r#"{"iss":"http://h.example.org/"}"#,
                &secret,
            ),
        ),
    ];
    let folder = folder(&files);
    let reports = Reports::of(folder.path(), &[vec!["--all"], names(&files)].concat());
    assert!(list(&reports.json(), "findings").len() > 8, "{}", reports.get("json"));
    canaries.assert_hidden(reports.outputs());
}

#[test]
fn row_01_explain_and_rule_tests_show_no_secret_of_their_input() {
    let mut canaries = Canaries::default();
    let secret = canaries.mint("a rule file");
    let token = jwt(r#"{"alg":"RS256"}"#, r#"{"sub":"s"}"#, &secret);
    let broken = format!("id: {token}\ntitle: t\nclient_secret: {secret}\n  bad: [");
    let files = [("rule.yaml", broken), ("list.yaml", format!("- client_secret: {secret}\n- {token}\n"))];
    let folder = folder(&files);
    for arguments in [
        vec!["test", "rule.yaml", "list.yaml"],
        vec!["explain", "--rules", "rule.yaml", "client-implicit-grant"],
        vec!["explain", &token],
        vec!["profile", "show", &token],
        vec!["check", "--rules", "rule.yaml", "rule.yaml"],
    ] {
        let ran = run(tokenvet().current_dir(folder.path()).args(&arguments));
        ran.exits(2, &format!("{arguments:?}"));
        canaries.assert_hidden([("stdout", &ran.stdout[..]), ("stderr", &ran.stderr[..])].into_iter());
    }
}

#[test]
fn row_02_traces_core_files_and_folders_hold_no_secret() {
    let mut canaries = Canaries::default();
    let files = places(&mut canaries);
    let folder = folder(&files);
    let mut command = tokenvet();
    command.current_dir(folder.path()).args(["--now", NOW, "--all"]).args(names(&files));
    command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").env("TMPDIR", folder.path());
    let ran = run(&mut command);
    ran.exits(1, "the same as without tracing");
    assert!(ran.err().is_empty(), "nothing is logged: {}", ran.err());
    canaries.assert_hidden([("stdout", &ran.stdout[..])].into_iter());
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("lists").filter_map(Result::ok).collect();
    assert_eq!(left.len(), files.len(), "no cache, temporary or core file: {left:?}");
}

#[test]
fn row_02_a_killed_run_writes_no_core_file() {
    let mut child = tokenvet().args(["check", "-"]).stdin(Stdio::piped()).spawn().expect("spawns");
    let limits = format!("/proc/{}/limits", child.id());
    let mut found = String::new();
    // The limit is set at start, before anything is read; wait for that moment, not longer.
    for _ in 0..1000 {
        let text = std::fs::read_to_string(&limits).unwrap_or_default();
        found = text.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default().to_string();
        if found.split_whitespace().skip(4).take(2).eq(["0", "0"]) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.stdin.take().expect("stdin").write_all(BAD_CLIENT.as_bytes()).expect("writes");
    child.wait().expect("ends");
    if !Path::new("/proc/self/limits").exists() {
        return note("no /proc here");
    }
    assert!(found.split_whitespace().skip(4).take(2).eq(["0", "0"]), "soft and hard limit are 0: {found}");
}

#[test]
fn row_03_a_token_as_an_argument_is_not_echoed() {
    let mut canaries = Canaries::default();
    let secret = canaries.mint("an argument");
    let token = jwt(r#"{"alg":"RS256"}"#, r#"{"sub":"s"}"#, &secret);
    let option = format!("--{token}");
    let file = format!("json=nowhere/{token}");
    for arguments in [
        vec!["check", token.as_str()],
        vec!["check", &token, "--format", "json"],
        vec!["check", "x", "--format", &token],
        vec!["check", "x", "--now", &token],
        vec!["check", "x", "--profile", &token],
        vec!["check", "x", "--rules", &token],
        vec!["check", "x", "--only", &token],
        vec!["check", "x", "--output", &token],
        vec!["check", "x", "--output", &file],
        vec!["check", "x", "--threads", &token],
        vec!["check", "x", &option],
        vec!["explain", &token],
        vec!["test", &token],
        vec!["schema", &token],
    ] {
        let ran = run(tokenvet().args(&arguments));
        ran.exits(2, &format!("{arguments:?}"));
        assert!(!ran.all().is_empty());
        canaries.assert_hidden([("stdout", &ran.stdout[..]), ("stderr", &ran.stderr[..])].into_iter());
    }
    for arguments in
        [vec![token.as_str()], vec!["check", &token], vec!["inspect", &token], vec!["inspect", &token, "-f", "json"]]
    {
        let ran = run(tokenvet().args(&arguments));
        assert!(ran.all().contains("(ps)"), "{arguments:?} says why not to: {}", ran.all());
        canaries.assert_hidden([("stdout", &ran.stdout[..]), ("stderr", &ran.stderr[..])].into_iter());
    }
}

/// Tokens of every form, made from a counter.
fn random_token(canaries: &mut Canaries, number: usize) -> String {
    let secret = canaries.mint(&format!("random {number}"));
    let header =
        [r#"{"alg":"RS256"}"#, r#"{"typ":"JWT","alg":"ES256","kid":"k"}"#, r#"{ "alg" : "HS512" }"#][number % 3];
    let jws = jwt(header, r#"{"sub":"s","iss":"https://h.example.org/"}"#, &secret);
    let jwe = jwt(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#, &secret, &format!("{secret}.{secret}.{secret}"));
    match number % 7 {
        0 => jws,
        1 => format!("Bearer {jws}"),
        2 => format!("http://h.example.org/cb?code=1&access_token={jws}&state=x"),
        3 => jwe,
        4 => format!("({jws})"),
        5 => format!("postgres://user:{secret}@db.example.org/x"),
        _ => format!("grant_type=refresh_token&refresh_token={secret}"),
    }
}

#[test]
fn row_04_tokens_of_unusual_forms_are_hidden_in_every_field() {
    let mut canaries = Canaries::default();
    let mut clients = Vec::new();
    let mut tokens = String::new();
    for number in 0..70 {
        let text = random_token(&mut canaries, number);
        clients.push(json!({"client_id": text, "client_name": text, "client_secret": text, "scope": text,
            "redirect_uris": [text], "grant_types": ["implicit", text], "contacts": [text],
            "token_endpoint_auth_method": text, "access_token_validity_seconds": 0}));
        let claims = json!({"iss": text, "sub": text, "aud": text, "scope": text, "wlcg.ver": text, "exp": text,
            "wlcg.groups": [text], "jti": text, "client_id": text});
        tokens.push_str(&access_token(&claims));
        tokens.push('\n');
    }
    let list_of = json!({"totalResults": 70, "itemsPerPage": 70, "startIndex": 1, "Resources": clients}).to_string();
    let folder = folder(&[("clients.json", list_of), ("tokens", tokens)]);
    let reports = Reports::of(folder.path(), &["--all", "clients.json", "tokens"]);
    let findings = reports.json()["findings"].as_array().map_or(0, Vec::len);
    assert!(findings > 300, "{findings} findings: every field shows up");
    // The claims' own encoding is no secret: it is what the owner of the token reads in the snippet.
    canaries.assert_hidden(reports.outputs());
}

#[test]
fn row_05_nothing_is_sent_anywhere() {
    let mut canaries = Canaries::default();
    let files = places(&mut canaries);
    let folder = folder(&files);
    let arguments = ["--now", NOW, "--format", "json", "."];
    let plain = run(tokenvet().current_dir(folder.path()).args(arguments));
    if has("unshare") {
        let cut_off = run(program("unshare")
            .args(["-rn", "--"])
            .arg(crate::common::BINARY)
            .args(arguments)
            .current_dir(folder.path()));
        match cut_off.stdout.is_empty() {
            true => note("cannot make a network namespace"),
            false => assert_eq!(cut_off.stdout, plain.stdout, "the same without a network"),
        }
    }
    if has("strace") {
        let traced = shell(
            folder.path(),
            &format!(
                "strace -f -qq -e trace=network -o ../trace.$$ \"$TOKENVET\" --now {NOW} --format json . >/dev/null; \
             echo \"code $?\"; cat ../trace.$$; rm -f ../trace.$$"
            ),
        );
        match traced.out().contains("code 1") {
            true => assert!(!traced.out().contains("socket("), "{}", traced.out()),
            false => note("strace is not allowed here"),
        }
    }
}

#[test]
fn row_01_inspect_shows_no_secret() {
    let mut canaries = Canaries::default();
    let files = places(&mut canaries);
    let folder = folder(&files);
    let mut shown = 0;
    for name in ["token", "tokens.txt", "jwt-in-claims", "response.json", "opaque.json", "admin.json"] {
        for format in ["human", "json"] {
            let ran = run(tokenvet().current_dir(folder.path()).args(["inspect", "--now", NOW, "-f", format, name]));
            shown += usize::from(ran.all().contains("h.example.org"));
            canaries.assert_hidden([("stdout", &ran.stdout[..]), ("stderr", &ran.stderr[..])].into_iter());
        }
        let ran = run(tokenvet()
            .arg("inspect")
            .env("BEARER_TOKEN", &files.iter().find(|file| file.0 == name).expect("a file").1));
        canaries.assert_hidden([("stdout", &ran.stdout[..]), ("stderr", &ran.stderr[..])].into_iter());
    }
    assert!(shown > 6, "tokens are decoded and shown: {shown}");
}

#[test]
fn row_01_standard_input_is_masked_as_files_are() {
    let mut canaries = Canaries::default();
    for (name, text) in places(&mut canaries) {
        let mut command = tokenvet();
        let ran = run_with_input(command.args(["check", "--now", NOW, "--all", "-"]), text.as_bytes());
        assert!(matches!(ran.code, Some(0 | 1)), "{name}: {}", ran.all());
        canaries.assert_hidden([("stdout", &ran.stdout[..]), ("stderr", &ran.stderr[..])].into_iter());
    }
}

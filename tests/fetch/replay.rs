//! What the replayed INDIGO IAM and Keycloak say: made-up clients with made-up secrets.

use crate::server::{Reply, Seen};
use serde_json::{Value, json};

/// What every made-up secret begins with; it must turn up nowhere.
pub(crate) const CANARY: &str = "test-only-geheim";

/// The token that the replayed servers accept.
pub(crate) const TOKEN: &str = "test-only-admin-token";

/// Metadata as INDIGO IAM gives it, as far as it matters here.
pub(crate) fn iam_metadata(issuer: &str) -> Value {
    let base = issuer.trim_end_matches('/');
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "userinfo_endpoint": format!("{base}/userinfo"),
        "jwks_uri": format!("{base}/jwk"),
        "registration_endpoint": format!("{base}/iam/api/client-registration"),
        "introspection_endpoint": format!("{base}/introspect"),
        "revocation_endpoint": format!("{base}/revoke"),
        "device_authorization_endpoint": format!("{base}/devicecode"),
        "response_types_supported": ["code", "token"],
        "subject_types_supported": ["public", "pairwise"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "scopes_supported": ["openid", "profile", "offline_access"],
        "code_challenge_methods_supported": ["S256"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}

/// A key set with one key.
pub(crate) fn keys() -> Value {
    json!({"keys": [{"kty": "EC", "kid": "k1", "use": "sig", "alg": "ES256", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})
}

/// Client number `n` in INDIGO IAM's management view. Number 0 is the one that its production seed makes.
fn iam_client(n: usize) -> Value {
    let (id, secret) = match n {
        0 => ("client".to_string(), "secret".to_string()),
        n => (format!("client-{n:05}"), format!("{CANARY}-{n}")),
    };
    json!({
        "client_id": id,
        "client_secret": secret,
        "client_name": format!("Transfer agent \u{1b}[31m {n}"),
        "redirect_uris": [],
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "client_secret_basic",
        "contacts": ["admin@example.org"],
        "scope": "openid storage.read:/data",
        "access_token_validity_seconds": 3600,
        "refresh_token_validity_seconds": 2_592_000,
        "id_token_validity_seconds": 600,
        "device_code_validity_seconds": 600,
        "reuse_refresh_token": false,
        "dynamically_registered": false,
        "allow_introspection": true,
        "clear_access_tokens_on_refresh": true,
        "require_auth_time": false,
        "registration_access_token": format!("{CANARY}-registration-{n}"),
        "jwk": format!(r#"{{"keys":[{{"kty":"oct","kid":"s{n}","k":"{CANARY}-{n}"}}]}}"#),
        "active": true,
        "created_at": 1_649_338_971_207_i64,
    })
}

/// Values of a query.
fn query(seen: &Seen, name: &str) -> usize {
    let query = seen.path.split_once('?').map_or("", |(_, query)| query);
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// INDIGO IAM with this many clients.
pub(crate) fn iam(issuer: &str, seen: &Seen, clients: usize) -> Reply {
    let path = seen.path.split('?').next().unwrap_or_default();
    match path {
        "/.well-known/openid-configuration" => Reply::json(iam_metadata(issuer).to_string()),
        "/jwk" => Reply::json(keys().to_string())
            .with("Cache-Control", "max-age=21600")
            .with("Date", "Sun, 22 Nov 2026 08:00:00 GMT")
            .with("ETag", "\"k1\""),
        "/iam/api/clients" | "/iam/scope_policies" | "/iam/api/exchange/policies"
            if seen.authorization.as_deref() != Some(&format!("Bearer {TOKEN}")) =>
        {
            Reply::status(401)
        }
        "/iam/scope_policies" => Reply::json(
            json!([{"id": 1, "description": "Default Permit ALL policy", "rule": "PERMIT", "matchingPolicy": "EQ",
                "account": null, "group": null, "scopes": null}])
            .to_string(),
        ),
        "/iam/api/exchange/policies" => Reply::json(
            json!([{"id": 1, "description": "Allow all exchanges", "rule": "PERMIT", "originClient": {"type": "ANY"},
                "destinationClient": {"type": "ANY"}}])
            .to_string(),
        ),
        "/iam/api/clients" => {
            // Never more than 100, whatever is asked for.
            let (count, start) = (query(seen, "count").min(100), query(seen, "startIndex"));
            let page: Vec<Value> = (start - 1..clients.min(start - 1 + count)).map(iam_client).collect();
            let answer =
                json!({"totalResults": clients, "itemsPerPage": page.len(), "startIndex": start, "Resources": page});
            Reply::json(answer.to_string())
        }
        _ => Reply::status(404),
    }
}

/// Keycloak's realm `vo` with this many clients; `full` says whether the token has the roles to see them.
pub(crate) fn keycloak(issuer: &str, seen: &Seen, clients: usize, full: bool) -> Reply {
    let path = seen.path.split('?').next().unwrap_or_default();
    let metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/protocol/openid-connect/auth"),
        "token_endpoint": format!("{issuer}/protocol/openid-connect/token"),
        "jwks_uri": format!("{issuer}/protocol/openid-connect/certs"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    match path {
        "/realms/vo/.well-known/openid-configuration" => Reply::json(metadata.to_string()),
        "/realms/vo/protocol/openid-connect/certs" => Reply::json(keys().to_string()).with("Cache-Control", "no-cache"),
        "/admin/realms/vo" if !full => Reply::json(r#"{"realm":"vo"}"#),
        "/admin/realms/vo" => Reply::json(
            json!({"realm": "vo", "enabled": true, "accessTokenLifespan": 300, "ssoSessionMaxLifespan": 36000,
                "accessTokenLifespanForImplicitFlow": 900, "sslRequired": "external",
                "smtpServer": {"host": "mail.example.org", "password": CANARY}})
            .to_string(),
        ),
        "/admin/realms/vo/clients" => {
            let (first, max) = (query(seen, "first"), query(seen, "max"));
            let client = |n: usize| {
                json!({"id": n.to_string(), "clientId": format!("client-{n:05}"), "enabled": true, "protocol": "openid-connect",
                    "publicClient": false, "clientAuthenticatorType": "client-secret", "secret": format!("{CANARY}-{n}"),
                    "standardFlowEnabled": false, "serviceAccountsEnabled": true, "redirectUris": [], "webOrigins": [],
                    "defaultClientScopes": ["openid"], "optionalClientScopes": [],
                    "attributes": {"client_credentials.use_refresh_token": "false", "access.token.lifespan": "86400"}})
            };
            let page: Vec<Value> = (first..clients.min(first + max)).map(client).collect();
            Reply::json(Value::from(page).to_string())
        }
        _ => Reply::status(404),
    }
}

//! Ory Hydra OAuth clients: RFC 7591 members plus a lifespan for each grant, as Go durations.
//!
//! A null lifespan means the server's global `ttl`, which stands in another file. Checked against Hydra's source of
//! 2025 (`client/client.go`).

use super::client_form::{OFFLINE_ACCESS, both, emit, grant, holds, product, tristate};
use super::list::{any_element, for_each_element, has_any};
use super::{Adapter, Kind, Reader, Sink, rfc7591};
use crate::model::{Client, Field, TargetKind, duration};
use crate::parse::{Cursor, Document};

/// The adapter.
pub(super) struct HydraClient;

const CLIENT: &str = "hydra-client";
const CLIENTS: &str = "hydra-clients";

const TARGETS: &[TargetKind] = &[TargetKind::Client, TargetKind::KeySet, TargetKind::Key];

static KINDS: [Kind; 2] = [
    Kind { name: CLIENT, doc: "Ory Hydra: one OAuth client", targets: TARGETS },
    Kind { name: CLIENTS, doc: "Ory Hydra: list of OAuth clients, bare or under `items`", targets: TARGETS },
];

const GLOBAL: &str = "the server's global ttl applies, which is not in this file";

/// Grants with the members that hold their lifespans, see [`Lifespan`].
const LIFESPANS: [(&str, [&str; 3]); 6] = [
    (
        grant::AUTHORIZATION_CODE,
        [
            "authorization_code_grant_access_token_lifespan",
            "authorization_code_grant_refresh_token_lifespan",
            "authorization_code_grant_id_token_lifespan",
        ],
    ),
    (
        grant::CLIENT_CREDENTIALS,
        [
            "client_credentials_grant_access_token_lifespan",
            "client_credentials_grant_refresh_token_lifespan",
            "client_credentials_grant_id_token_lifespan",
        ],
    ),
    (
        grant::IMPLICIT,
        [
            "implicit_grant_access_token_lifespan",
            "implicit_grant_refresh_token_lifespan",
            "implicit_grant_id_token_lifespan",
        ],
    ),
    (
        grant::JWT_BEARER,
        [
            "jwt_bearer_grant_access_token_lifespan",
            "jwt_bearer_grant_refresh_token_lifespan",
            "jwt_bearer_grant_id_token_lifespan",
        ],
    ),
    (
        grant::REFRESH_TOKEN,
        [
            "refresh_token_grant_access_token_lifespan",
            "refresh_token_grant_refresh_token_lifespan",
            "refresh_token_grant_id_token_lifespan",
        ],
    ),
    (
        grant::DEVICE_CODE,
        [
            "device_authorization_grant_access_token_lifespan",
            "device_authorization_grant_refresh_token_lifespan",
            "device_authorization_grant_id_token_lifespan",
        ],
    ),
];

/// The token that lives as long as a member of [`LIFESPANS`] says, by its place there.
#[derive(Clone, Copy)]
enum Lifespan {
    Access = 0,
    Refresh = 1,
    Id = 2,
}

fn is_client(at: Cursor<'_>) -> bool {
    LIFESPANS.iter().any(|(_, members)| has_any(at, members))
}

impl Adapter for HydraClient {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn flows(&self, kind: &str) -> bool {
        matches!(kind, CLIENTS)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if is_client(root) {
            Some(CLIENT)
        } else if any_element(root.get("items").unwrap_or(root), is_client) {
            Some(CLIENTS)
        } else {
            None
        }
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        if kind == CLIENTS {
            for_each_element(root.get("items").unwrap_or(root), sink, adapt_client);
        } else {
            adapt_client(root, sink);
        }
    }
}

fn adapt_client(at: Cursor<'_>, sink: &mut dyn Sink) {
    let reader = Reader::new(at);
    let mut client: Client<'_> = rfc7591::client(reader, sink);
    client.product = product("hydra");
    client.audience = reader.texts("audience");
    client.web_origins = reader.texts("allowed_cors_origins");
    client.skips_consent = reader.bool("skip_consent");
    client.created = reader.date_time("created_at");
    // An empty list counts as the default, too.
    for (list, default) in [(&mut client.grant_types, grant::AUTHORIZATION_CODE), (&mut client.response_types, "code")]
    {
        if list.as_text().is_none() && matches!(&list.state, crate::model::State::Value(_)) && list.items().is_empty() {
            *list = super::client_form::default_list(&[default]);
        }
    }
    let offline = match (holds(&client.scopes, OFFLINE_ACCESS), holds(&client.scopes, "offline")) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    };
    let refresh = both(holds(&client.grant_types, grant::REFRESH_TOKEN), offline);
    client.refresh_tokens = tristate(refresh, client.grant_types.at, "it does not show whether the scope allows them");
    client.lifetime_access_token = longest(reader, &client.grant_types, Lifespan::Access);
    client.lifetime_id_token = longest(reader, &client.grant_types, Lifespan::Id);
    client.lifetime_refresh_token = match refresh {
        Some(false) => Field::default(),
        Some(true) | None => longest(reader, &client.grant_types, Lifespan::Refresh),
    };
    emit(sink, at, client, "");
}

/// The longest lifespan of the grants the client may use; unknown when all of them leave it to the server.
fn longest<'d>(reader: Reader<'d>, grants: &Field<'d>, of: Lifespan) -> Field<'d> {
    let mut best: Option<Field<'d>> = None;
    for (grant, members) in LIFESPANS {
        if holds(grants, grant) == Some(false) {
            continue;
        }
        let read = lifespan(reader, members[of as usize]);
        best = match (best, read.as_int()) {
            (Some(best), Some(seconds)) if best.as_int() >= Some(seconds) => Some(best),
            (_, Some(_)) => Some(read),
            // A lifespan that cannot be read outweighs one that can: it may be the longest.
            (_, None) if !read.is_absent() => return read,
            (best, None) => best,
        };
    }
    best.unwrap_or(Field::unknown(GLOBAL, None))
}

fn lifespan<'d>(reader: Reader<'d>, name: &str) -> Field<'d> {
    let field = reader.filled(name);
    let Some(text) = field.as_text() else { return field };
    match duration::go(text) {
        Some(seconds @ 1..) => Field::int(seconds, field.at),
        Some(_) => Field::unknown("what a lifespan of 0 or below means is not documented", field.at),
        None => Field::malformed("a duration such as 1h or 30m is expected", field.at),
    }
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::{Collected, collect, corpus};
    use crate::parse::Syntax;

    fn read(text: &str) -> Collected {
        collect(text, Syntax::Json)
    }

    #[test]
    fn the_longest_lifespan_of_a_grant_in_use_counts() {
        let lifespans = |grants: &str, members: &str| {
            let got = read(&format!(
                r#"{{"client_id": "c", "scope": "offline openid", "grant_types": {grants}, "refresh_token_grant_id_token_lifespan": null, {members}}}"#
            ));
            assert_eq!(got.kinds, ["hydra-client"]);
            got.targets[0].get("lifetimes.access_token").to_string()
        };
        let both = r#""authorization_code_grant_access_token_lifespan": "1h30m", "client_credentials_grant_access_token_lifespan": "2h""#;
        for (grants, members, expected, remark) in [
            (r#"["authorization_code"]"#, both, "5400", "the other grant is not in use"),
            (r#"["authorization_code", "client_credentials"]"#, both, "7200", "the longer one"),
            (
                r#"["implicit"]"#,
                both,
                "unknown: the server's global ttl applies, which is not in this file",
                "none of them",
            ),
            ("null", both, "5400", "null is authorization_code"),
            ("[]", both, "5400", "so is an empty list"),
            (
                r#"["authorization_code"]"#,
                r#""authorization_code_grant_access_token_lifespan": "1d""#,
                "malformed: a duration such as 1h or 30m is expected",
                "Go has no days",
            ),
        ] {
            assert_eq!(lifespans(grants, members), expected, "{remark}");
        }
    }

    #[test]
    fn refresh_tokens_need_grant_and_scope() {
        for (scope, refresh) in [("openid", "false"), ("offline", "true"), ("offline_access", "true")] {
            let got = read(&format!(
                r#"{{"scope": "{scope}", "grant_types": ["refresh_token"], "refresh_token_grant_refresh_token_lifespan": "720h"}}"#
            ));
            assert_eq!(got.targets[0].get("refresh_tokens"), refresh, "{scope}");
            let lifetime = if refresh == "true" { "2592000" } else { "" };
            assert_eq!(got.targets[0].get("lifetimes.refresh_token"), lifetime, "{scope}");
        }
    }

    #[test]
    fn lists_are_read_bare_and_under_items() {
        let client = r#"{"client_id": "c", "implicit_grant_access_token_lifespan": null}"#;
        for text in [format!("[{client}]"), format!(r#"{{"items": [{client}], "next_page_token": ""}}"#)] {
            let got = read(&text);
            assert_eq!((got.kinds, got.targets.len()), (vec!["hydra-clients"], 1));
        }
    }

    #[test]
    fn the_corpus_reads_as_a_person_reads_it() {
        let Some(text) = corpus("issuer/69-hydra-client-admin.json") else { return };
        let got = read(&text);
        assert_eq!(got.kinds, ["hydra-client"]);
        let client = &got.targets[0];
        assert_eq!(client.get("grant_types"), "authorization_code");
        assert_eq!(client.get("has_inline_keys"), "false", "an empty jwks object holds no key");
        assert_eq!(client.get("name"), "", "an empty name is none");
        assert_eq!(client.get("has_secret"), "true");
    }
}

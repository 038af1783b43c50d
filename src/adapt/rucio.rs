//! Rucio's `idpsecrets.json`: the clients Rucio uses at each identity provider, with their secrets.

use super::client_form::{emit, tristate};
use super::list::has_text;
use super::{Adapter, Kind, Reader, Sink, secret};
use crate::model::{Client, Field, TargetKind};
use crate::parse::{Cursor, Document};

/// The adapter.
pub(super) struct Rucio;

const KIND: &str = "rucio-idpsecrets";

static KINDS: [Kind; 1] = [Kind {
    name: KIND,
    doc: "Rucio: idpsecrets.json, the server's client (and SCIM client) at each identity provider",
    targets: &[TargetKind::Client],
}];

const NOT_HERE: &str = "Rucio's secrets file does not show it; look at the issuer's export";

fn is_provider(at: Cursor<'_>) -> bool {
    has_text(at, "client_id") && has_text(at, "issuer") && at.has("client_secret")
}

impl Adapter for Rucio {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        let providers = root.is_map() && root.items().next().is_some() && root.items().all(is_provider);
        providers.then_some(KIND)
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        sink.secrets_expected();
        for provider in document.root().items() {
            let issuer = Reader::new(provider).filled("issuer");
            emit_client(provider, issuer.clone(), "", sink);
            if let Some(scim) = provider.get("SCIM").filter(|scim| scim.is_map()) {
                emit_client(scim, issuer, "SCIM client", sink);
            }
        }
    }
}

fn emit_client<'d>(at: Cursor<'d>, issuer: Field<'d>, evidence: &str, sink: &mut dyn Sink) {
    let reader = Reader::new(at);
    secret::look(&reader, "registration_access_token", &[], sink);
    let has_secret = secret::look(&reader, "client_secret", &[], sink).present;
    let client = Client {
        client_id: reader.filled("client_id"),
        issuer,
        product: super::client_form::product("rucio"),
        redirect_uris: reader.texts("redirect_uris"),
        grant_types: Field::unknown(NOT_HERE, None),
        scopes: Field::unknown(NOT_HERE, None),
        auth_method: Field::unknown(NOT_HERE, None),
        public: tristate(has_secret.at.map(|_| false), has_secret.at, NOT_HERE),
        pkce_method: Field::unknown(NOT_HERE, None),
        lifetime_access_token: Field::unknown(NOT_HERE, None),
        lifetime_refresh_token: Field::unknown(NOT_HERE, None),
        lifetime_id_token: Field::unknown(NOT_HERE, None),
        lifetime_device_code: Field::unknown(NOT_HERE, None),
        refresh_tokens: Field::unknown(NOT_HERE, None),
        active: Field::bool(true, None),
        has_secret,
        ..Client::default()
    };
    emit(sink, at, client, evidence);
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::{collect, corpus};
    use crate::parse::Syntax;

    #[test]
    fn both_clients_of_a_provider_are_read_and_nothing_is_guessed() {
        let got = collect(
            r#"{"iam": {"client_id": "a", "client_secret": "t-secret", "issuer": "https://i.example/", "redirect_uris": [],
                "SCIM": {"client_id": "b", "client_secret": "t-secret", "registration_access_token": "t-token"}}}"#,
            Syntax::Json,
        );
        assert_eq!(got.kinds, ["rucio-idpsecrets"]);
        assert!(got.secrets_expected);
        assert_eq!(got.secrets.len(), 3);
        assert_eq!(got.targets[0].identity, "https://i.example/ a");
        assert_eq!(got.targets[1].identity, "https://i.example/ b");
        assert_eq!(got.targets[1].get("issuer"), "https://i.example/");
        assert!(got.targets[0].get("lifetimes.access_token").starts_with("unknown: "));
    }

    #[test]
    fn a_mapping_of_other_things_is_not_rucios() {
        for text in [
            r#"{}"#,
            r#"{"a": {"client_id": "a", "issuer": "https://i.example/"}}"#,
            r#"{"a": {"client_id": "a", "client_secret": "t", "issuer": "https://i.example/"}, "b": 1}"#,
        ] {
            assert!(!collect(text, Syntax::Json).kinds.contains(&"rucio-idpsecrets"), "{text}");
        }
    }

    #[test]
    fn the_corpus_reads_as_a_person_reads_it() {
        let Some(text) = corpus("issuer/41-rucio-idpsecrets.json") else { return };
        let got = collect(&text, Syntax::Json);
        assert_eq!((got.kinds, got.targets.len()), (vec!["rucio-idpsecrets"], 4));
    }
}

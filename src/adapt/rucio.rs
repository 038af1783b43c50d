//! Rucio's `idpsecrets.json`: the issuers a Rucio server trusts, the clients it uses there, and their secrets.
//!
//! The server makes two clients of each entry, its own and that of `SCIM`. An entry without `SCIM`, or with one that is not
//! whole, fails, and one failure leaves the server without any issuer; it says so at debug level only.

use super::client_form::{emit, tristate};
use super::list::has_text;
use super::traps::Found;
use super::{Adapter, Kind, Reader, Sink, secret};
use crate::model::{At, Client, Field, Target, TargetKind, Trust};
use crate::parse::{Cursor, Document};

/// The adapter.
pub(super) struct Rucio;

const KIND: &str = "rucio-idpsecrets";

static KINDS: [Kind; 1] = [Kind {
    name: KIND,
    doc: "Rucio: idpsecrets.json, the issuers the server trusts, with its client (and SCIM client) there",
    targets: &[TargetKind::Trust, TargetKind::Client, TargetKind::Trap],
}];

const WITHOUT_SCIM: &str = "rucio-provider-without-scim";

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

    fn traps(&self) -> &'static [&'static str] {
        &[WITHOUT_SCIM]
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        sink.secrets_expected();
        let lacking = document.root().items().find(|provider| !provider.get("SCIM").is_some_and(Cursor::is_map));
        if let Some(at) = lacking {
            Found::new("rucio", WITHOUT_SCIM, at, at.key().unwrap_or_default()).tell(sink);
        }
        for provider in document.root().items() {
            let issuer = Reader::new(provider).filled("issuer");
            emit_trust(provider, issuer.clone(), lacking.is_none(), sink);
            emit_client(provider, issuer.clone(), "", sink);
            if let Some(scim) = provider.get("SCIM").filter(|scim| scim.is_map()) {
                emit_client(scim, issuer, "SCIM client", sink);
            }
        }
    }
}

const IN_RUCIO_CFG: &str = "it stands in rucio.cfg, as expected_audience";

fn emit_trust<'d>(at: Cursor<'d>, issuer: Field<'d>, active: bool, sink: &mut dyn Sink) {
    let alias = at.key().unwrap_or_default();
    let trust = Trust {
        product: super::client_form::product("rucio"),
        issuer,
        alias: Field::text(alias, At::node(at.id)),
        audiences: Field::unknown(IN_RUCIO_CFG, None),
        audience_checked: Field::bool(true, None),
        any_audience: Field::unknown(IN_RUCIO_CFG, None),
        missing_audience: Field::bool(false, None),
        strategy: Field::list(vec![Field::text("mapping", None)], None),
        // The account belongs to subject and issuer together.
        mapping: Field::list(vec![Field::text("subject", None)], None),
        without_token: Field::text("passthrough", None),
        active: Field::bool(active, None),
        ..Trust::default()
    };
    let target = Target { identity: alias.into(), at: At::node(at.id), ..Target::new(TargetKind::Trust, alias, trust) };
    sink.target(&[at.document], target);
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
    use crate::model::TargetKind;
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
        let trust = &got.targets[0];
        assert_eq!(
            (trust.kind, trust.get("issuer"), trust.get("alias")),
            (TargetKind::Trust, "https://i.example/", "iam")
        );
        assert_eq!(trust.get("active"), "true");
        assert_eq!(got.targets[1].identity, "https://i.example/ a");
        assert_eq!(got.targets[2].identity, "https://i.example/ b");
        assert_eq!(got.targets[2].get("issuer"), "https://i.example/");
        assert!(got.targets[1].get("lifetimes.access_token").starts_with("unknown: "));
    }

    #[test]
    fn one_entry_without_scim_costs_the_trust_in_all() {
        let got = collect(
            r#"{"a": {"client_id": "a", "client_secret": "t-secret", "issuer": "https://a.example/", "SCIM": {"client_id": "s"}},
                "b": {"client_id": "b", "client_secret": "t-secret", "issuer": "https://b.example/"}}"#,
            Syntax::Json,
        );
        let of = |kind| got.targets.iter().filter(move |got| got.kind == kind);
        assert_eq!(of(TargetKind::Trap).map(|got| got.get("name")).collect::<Vec<_>>(), ["b"]);
        assert_eq!(of(TargetKind::Trust).map(|got| got.get("active")).collect::<Vec<_>>(), ["false", "false"]);
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
        assert_eq!((got.kinds, got.targets.len()), (vec!["rucio-idpsecrets"], 6));
    }
}

//! Client registrations: the token that a client may get, as far as its registration says.
//!
//! A registration bounds the scopes and says little else, so the token is made as kindly as it can be: all scopes, by an
//! issuer that the service trusts, for this very service. What is refused even so will be refused always; what is
//! accepted is accepted when it is issued like that.

use super::config::Row;
use super::service::Service;
use super::table::{Given, Sent};
use crate::adapt::Sink;
use crate::discover;
use crate::model::{Target, TargetKind};
use crate::parse::{Document, NodeId};
use crate::source::Source;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::sync::Arc;

/// Lifetime of tokens where the registration names none, in seconds.
const USUAL_LIFETIME: i64 = 3600;
/// Stands for an issuer that nobody named.
const SOME_ISSUER: &str = "https://issuer.invalid";

/// A token that a client may get.
pub struct Issued {
    client: String,
    issuer: Option<String>,
    audiences: Vec<String>,
    scopes: Vec<String>,
    /// In seconds.
    lifetime: i64,
}

impl Issued {
    /// The token for one service.
    pub(super) fn token(&self, service: &Service, now: i64) -> String {
        let trusted = service.issuers.as_ref().and_then(|issuers| issuers.first()).map(|one| one.issuer.value.clone());
        let answers = service.audiences.as_ref().and_then(|audiences| audiences.value.first().cloned());
        let issuer = self.issuer.clone().or(trusted).unwrap_or(SOME_ISSUER.into());
        let audiences = if self.audiences.is_empty() { answers.into_iter().collect() } else { self.audiences.clone() };
        let mut claims = serde_json::json!({
            "wlcg.ver": "1.0", "iss": issuer, "sub": self.client, "jti": "1", "iat": now, "nbf": now,
            "exp": now.saturating_add(self.lifetime), "scope": self.scopes.join(" "),
        });
        if let (Some(members), false) = (claims.as_object_mut(), audiences.is_empty()) {
            members.insert("aud".into(), audiences.into());
        }
        let header = serde_json::json!({ "alg": "RS256", "kid": "published", "typ": "JWT" });
        let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode(header.to_string()), encode(claims.to_string()), encode("-".repeat(256)))
    }
}

/// The clients of a source with known scopes.
pub fn clients(source: &Arc<Source>) -> Vec<Given> {
    let mut found = Clients(Vec::new());
    for (document, known) in &discover::recognise(source).documents {
        if let Some((adapter, kind)) = known {
            adapter.adapt(document, kind, &mut found);
        }
    }
    found.0
}

struct Clients(Vec<Given>);

impl Sink for Clients {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        if target.kind != TargetKind::Client {
            return;
        }
        let row = Row::of(documents, &target);
        let Some(scopes) = row.get("scopes").texts else { return };
        let lifetime = row.first("lifetimes.access_token").and_then(|text| text.parse().ok());
        let issued = Issued {
            client: row.first("client_id").unwrap_or(target.name.to_string()),
            issuer: row.first("issuer"),
            audiences: row.get("audience").texts.unwrap_or_default(),
            scopes,
            lifetime: lifetime.filter(|seconds| *seconds > 0).unwrap_or(USUAL_LIFETIME),
        };
        let condition = "clients: of a token with all scopes that the client may ask for, issued for the service by an issuer \
                         that it trusts, in the form of WLCG 1.0";
        self.0.push(Given {
            name: format!("client {}", target.name),
            sent: Sent::Issued(issued),
            condition: Some(condition.into()),
        });
    }

    fn secret(&mut self, _: &Document, _: NodeId) {}

    fn error(&mut self, _: &Document, _: NodeId, _: String) {}

    fn paging(&mut self, _: NodeId, _: i64, _: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}

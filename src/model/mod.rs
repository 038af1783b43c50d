//! The normalised targets that rules judge, one file per kind.
//!
//! A target is a plain struct of [`Field`]s. Every field says what is known ([`State`]) and where that was read
//! ([`At`]), so that "unknown" is never taken for "0" and 0 never for "unlimited". The names rules use
//! (`lifetimes.access_token`) and their documentation come from the same declaration as the struct.

mod certificate;
mod client;
mod document;
pub mod duration;
mod field;
pub mod group;
mod issuer;
mod key;
mod leak;
mod logging;
mod mapping;
mod policy;
pub mod power;
mod quantity;
pub mod scope;
mod service;
mod settings;
mod spot;
mod suppression;
mod token;
mod trap;
mod trust;
pub mod url;
pub mod urn;
mod workflow;

pub use certificate::Certificate;
pub use client::Client;
pub use document::DocumentFacts;
pub use field::{At, Field, FieldSpec, FieldType, Record, State, Value};
pub use issuer::Issuer;
pub use key::{Key, KeySet};
pub use leak::Leak;
pub use logging::Logging;
pub use mapping::Mapping;
pub use policy::{ExchangePolicy, ScopePolicy};
pub use quantity::Quantity;
pub use service::{PRODUCTS, Service};
pub use settings::Settings;
pub use spot::Spot;
pub use suppression::Suppression;
pub use token::Token;
pub use trap::Trap;
pub use trust::Trust;
pub use workflow::WorkflowEntry;

use std::borrow::Cow;

/// The kinds of target a rule can name.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// A document as a whole: duplicate keys, paging, live secrets.
    Document,
    /// A registered OAuth client.
    Client,
    /// A JWT access token.
    AccessToken,
    /// An OpenID Connect ID token.
    IdToken,
    /// A refresh token in JWT form.
    RefreshToken,
    /// A registration access token.
    RegistrationToken,
    /// A JWT whose purpose the evidence does not settle.
    Token,
    /// Issuer metadata (OIDC discovery, RFC 8414).
    Issuer,
    /// One JSON Web Key.
    Key,
    /// A JSON Web Key Set.
    KeySet,
    /// A certificate that an issuer's server shows.
    Certificate,
    /// An authorization server's own configuration.
    Settings,
    /// A scope policy (who may have which scopes).
    ScopePolicy,
    /// A token exchange policy.
    ExchangePolicy,
    /// A comment, waiver or baseline entry that suppresses findings.
    Suppression,
    /// A workflow that the policy declares.
    Workflow,
    /// A service that accepts tokens.
    Service,
    /// An issuer as a service trusts it.
    Trust,
    /// A rule that makes a local identity of a token.
    Mapping,
    /// A place that its product does not read as it looks.
    Trap,
    /// A token that stands where it should not.
    Leak,
    /// What logs tell of tokens.
    Logging,
}

impl TargetKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [TargetKind; 22] = [
        TargetKind::Document,
        TargetKind::Client,
        TargetKind::AccessToken,
        TargetKind::IdToken,
        TargetKind::RefreshToken,
        TargetKind::RegistrationToken,
        TargetKind::Token,
        TargetKind::Issuer,
        TargetKind::Key,
        TargetKind::KeySet,
        TargetKind::Certificate,
        TargetKind::Settings,
        TargetKind::ScopePolicy,
        TargetKind::ExchangePolicy,
        TargetKind::Suppression,
        TargetKind::Workflow,
        TargetKind::Service,
        TargetKind::Trust,
        TargetKind::Mapping,
        TargetKind::Trap,
        TargetKind::Leak,
        TargetKind::Logging,
    ];

    /// The name in rules, reports and documentation.
    pub fn name(self) -> &'static str {
        match self {
            TargetKind::Document => "document",
            TargetKind::Client => "client",
            TargetKind::AccessToken => "access-token",
            TargetKind::IdToken => "id-token",
            TargetKind::RefreshToken => "refresh-token",
            TargetKind::RegistrationToken => "registration-token",
            TargetKind::Token => "token",
            TargetKind::Issuer => "issuer",
            TargetKind::Key => "key",
            TargetKind::KeySet => "key-set",
            TargetKind::Certificate => "certificate",
            TargetKind::Settings => "settings",
            TargetKind::ScopePolicy => "scope-policy",
            TargetKind::ExchangePolicy => "exchange-policy",
            TargetKind::Suppression => "suppression",
            TargetKind::Workflow => "workflow",
            TargetKind::Service => "service",
            TargetKind::Trust => "trust",
            TargetKind::Mapping => "mapping",
            TargetKind::Trap => "trap",
            TargetKind::Leak => "leak",
            TargetKind::Logging => "logging",
        }
    }

    /// The declared fields of this kind; the token kinds share theirs.
    pub fn fields(self) -> &'static [FieldSpec] {
        match self {
            TargetKind::Document => DocumentFacts::FIELDS,
            TargetKind::Client => Client::FIELDS,
            TargetKind::AccessToken
            | TargetKind::IdToken
            | TargetKind::RefreshToken
            | TargetKind::RegistrationToken
            | TargetKind::Token => Token::FIELDS,
            TargetKind::Issuer => Issuer::FIELDS,
            TargetKind::Key => Key::FIELDS,
            TargetKind::KeySet => KeySet::FIELDS,
            TargetKind::Certificate => Certificate::FIELDS,
            TargetKind::Settings => Settings::FIELDS,
            TargetKind::ScopePolicy => ScopePolicy::FIELDS,
            TargetKind::ExchangePolicy => ExchangePolicy::FIELDS,
            TargetKind::Suppression => Suppression::FIELDS,
            TargetKind::Workflow => WorkflowEntry::FIELDS,
            TargetKind::Service => Service::FIELDS,
            TargetKind::Trust => Trust::FIELDS,
            TargetKind::Mapping => Mapping::FIELDS,
            TargetKind::Trap => Trap::FIELDS,
            TargetKind::Leak => Leak::FIELDS,
            TargetKind::Logging => Logging::FIELDS,
        }
    }
}

impl std::fmt::Display for TargetKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The record of a target.
pub enum Held<'d> {
    /// The target's own.
    Own(Box<dyn Record<'d> + 'd>),
    /// Lent by who made it: of large files there are many, and records are too large to be moved about for nothing.
    Lent(&'d (dyn Record<'d> + 'd)),
}

impl<'d> std::ops::Deref for Held<'d> {
    type Target = dyn Record<'d> + 'd;

    fn deref(&self) -> &Self::Target {
        match self {
            Held::Own(record) => record.as_ref(),
            Held::Lent(record) => *record,
        }
    }
}

/// A target as adapters hand it over: what it is called, its fields, and why it was taken for this kind.
pub struct Target<'d> {
    /// What it is.
    pub kind: TargetKind,
    /// What users call it (client name or id, issuer, kid, sub); shown in reports. Never a secret.
    pub name: Cow<'d, str>,
    /// What identifies it across runs: client id, jti, kid or issuer. Empty when the pointer must do.
    pub identity: Cow<'d, str>,
    /// Evidence for the classification or the view it came from, shown in reports; empty when it goes without saying.
    pub evidence: Cow<'d, str>,
    /// The fields.
    pub record: Held<'d>,
    /// Where the target as a whole stands.
    pub at: At,
}

impl<'d> Target<'d> {
    /// A target that stands at the root of its first document.
    pub fn new(kind: TargetKind, name: impl Into<Cow<'d, str>>, record: impl Record<'d> + 'd) -> Self {
        Self::holding(kind, name.into(), Held::Own(Box::new(record)))
    }

    /// The same for a record that is lent.
    pub fn of(kind: TargetKind, name: impl Into<Cow<'d, str>>, record: &'d (dyn Record<'d> + 'd)) -> Self {
        Self::holding(kind, name.into(), Held::Lent(record))
    }

    fn holding(kind: TargetKind, name: Cow<'d, str>, record: Held<'d>) -> Self {
        Target { kind, name, identity: Cow::default(), evidence: Cow::default(), record, at: At::ROOT }
    }
}

/// Declares a target struct together with the names, types and documentation of its fields.
///
/// `ident "dotted.name": Type` — the doc comment is the field's documentation everywhere.
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident { $( #[doc = $doc:literal] $(#[doc = $more:literal])* $ident:ident $dotted:literal : $ty:ident, )* }) => {
        $(#[$meta])*
        #[derive(Debug, Default, Clone)]
        pub struct $name<'d> {
            $( #[doc = $doc] $(#[doc = $more])* pub $ident: crate::model::Field<'d>, )*
        }

        impl $name<'_> {
            /// Names, types and documentation of the fields, in declaration order.
            pub const FIELDS: &'static [crate::model::FieldSpec] = &[
                $( crate::model::FieldSpec { name: $dotted, ty: crate::model::FieldType::$ty, doc: concat!($doc $(, $more)*) }, )*
            ];
        }

        impl<'d> crate::model::Record<'d> for $name<'d> {
            fn field(&self, index: usize) -> &crate::model::Field<'d> {
                let mut _next = 0usize;
                $( if index == _next { return &self.$ident; } _next += 1; )*
                crate::model::Field::absent()
            }

            fn present(&self, _: usize) -> u128 {
                let (mut bits, mut next) = (0, 0);
                $(
                    bits |= u128::from(!self.$ident.is_absent()).checked_shl(next).unwrap_or(0);
                    next += 1;
                )*
                let _ = next;
                bits
            }
        }
    };
}
pub(crate) use record;

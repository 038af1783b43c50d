//! What the claims of a token say at a glance, read once while the token is found.

use crate::model::scope::Capability;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// What of its claims says how much a token matters. Those that are not written as they should be say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Glance {
    /// When it expires, in seconds since 1970.
    pub(super) exp: Option<f64>,
    /// It gets other tokens, or changes a client: Keycloak says so in `typ`; INDIGO IAM's name nobody and nothing.
    pub(super) renews: bool,
    /// Some scope lets it change something or reach everything.
    pub(super) is_powerful: bool,
}

impl Glance {
    /// Of a decoded payload; `None` when it is no JSON object.
    pub(super) fn of(payload: &[u8]) -> Option<Glance> {
        // Text as a whole, since what is passed over is not looked at so closely.
        let text = std::str::from_utf8(payload).ok()?;
        let is_object = || text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok();
        // Whatever makes a claim unreadable (a number beyond all bounds, half a surrogate) does not hide the token.
        serde_json::from_str(text).ok().or_else(|| is_object().then(Glance::default))
    }
}

impl<'de> Deserialize<'de> for Glance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Claims)
    }
}

struct Claims;

impl<'de> Visitor<'de> for Claims {
    type Value = Glance;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut claims: A) -> Result<Glance, A::Error> {
        let mut glance = Glance { renews: true, ..Glance::default() };
        let mut says_so = false;
        while let Some(Name(name)) = claims.next_key()? {
            match &*name {
                "exp" => glance.exp = claims.next_value::<Said<'_>>()?.number(),
                "typ" => {
                    let typ = claims.next_value::<Said<'_>>()?;
                    says_so = matches!(typ.text(), Some("Refresh" | "Offline" | "RegistrationAccessToken"));
                }
                "scope" => {
                    let scope = claims.next_value::<Said<'_>>()?;
                    glance.renews &= scope.is_null();
                    glance.is_powerful = scope.text().is_some_and(is_powerful);
                }
                // A DPoP proof names its request, and nobody.
                "sub" | "client_id" | "htu" => glance.renews &= claims.next_value::<Said<'_>>()?.is_null(),
                _ => _ = claims.next_value::<IgnoredAny>()?,
            }
        }
        glance.renews |= says_so;
        Ok(glance)
    }
}

fn is_powerful(scopes: &str) -> bool {
    let scopes = scopes.split(' ').filter_map(Capability::parse);
    scopes.into_iter().any(|scope| scope.permits_modifying() || scope.is_root())
}

/// The name of a claim, copied only when it is written with escapes.
#[derive(Deserialize)]
struct Name<'c>(#[serde(borrow)] Cow<'c, str>);

/// A value, as far as anybody asks.
enum Said<'c> {
    Number(f64),
    Text(Cow<'c, str>),
    Null,
    Other,
}

impl Said<'_> {
    fn number(&self) -> Option<f64> {
        if let Said::Number(number) = self { Some(*number) } else { None }
    }

    fn text(&self) -> Option<&str> {
        if let Said::Text(text) = self { Some(text) } else { None }
    }

    fn is_null(&self) -> bool {
        matches!(self, Said::Null)
    }
}

impl<'de> Deserialize<'de> for Said<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Said<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Said<'de>, E> {
                Ok(Said::Null)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Said<'de>, E> {
                Ok(Said::Other)
            }

            fn visit_f64<E>(self, number: f64) -> Result<Said<'de>, E> {
                Ok(Said::Number(number))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Said<'de>, E> {
                Ok(Said::Number(number as f64))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Said<'de>, E> {
                Ok(Said::Number(number as f64))
            }

            fn visit_str<E>(self, text: &str) -> Result<Said<'de>, E> {
                Ok(Said::Text(text.to_string().into()))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Said<'de>, E> {
                Ok(Said::Text(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Said<'de>, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Said::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Said<'de>, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Said::Other)
            }
        }
        deserializer.deserialize_any(Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_say_what_they_can() {
        let glance = |exp, renews, is_powerful| Some(Glance { exp, renews, is_powerful });
        for (payload, expected) in [
            (r#"{"exp": 5, "sub": "s", "scope": "openid storage.modify:/a"}"#, glance(Some(5.0), false, true)),
            (r#"{"exp": 5.5, "sub": "s", "scope": "openid storage.read:/a"}"#, glance(Some(5.5), false, false)),
            (r#"{"sub": "s", "scope": "storage.read:/"}"#, glance(None, false, true)),
            (r#"{"jti": "j"}"#, glance(None, true, false)),
            (r#"{"jti": "j", "sub": null}"#, glance(None, true, false)),
            (r#"{"client_id": "c"}"#, glance(None, false, false)),
            (r#"{"jti": "j", "htm": "GET", "htu": "https://a.example/"}"#, glance(None, false, false)),
            (r#"{"sub": "s", "typ": "Offline"}"#, glance(None, true, false)),
            (r#"{"sub": "s", "t\u0079p": "Refresh"}"#, glance(None, true, false)),
            (r#"{"sub": "s", "typ": "Bearer"}"#, glance(None, false, false)),
            (r#"{"exp": "soon", "sub": {"a": [1, {}]}, "scope": ["storage.modify:/"]}"#, glance(None, false, false)),
            (r#"{"exp": null, "sub": true, "other": [{"exp": 1}]}"#, glance(None, false, false)),
            (r#"{"exp": 1e999, "scope": "storage.modify:/"}"#, glance(None, false, false)),
            (r#"{"scope": "\ud800"}"#, glance(None, false, false)),
            (r#"{"\ud800": 1}"#, glance(None, false, false)),
            ("{}", glance(None, true, false)),
            (" {} ", glance(None, true, false)),
            ("[]", None),
            ("1", None),
            ("", None),
            (r#"{"exp": 1"#, None),
            (r#"{"exp": 1} x"#, None),
        ] {
            assert_eq!(Glance::of(payload.as_bytes()), expected, "{payload}");
        }
        assert_eq!(Glance::of(b"{\"a\": \"\xff\"}"), None, "no UTF-8");
    }
}

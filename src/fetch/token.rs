//! The bearer token for an issuer's administration API.
//!
//! It comes from a file, a variable that the user names, or standard input; never from an argument, which every user of
//! the machine can see, and never from a place that happens to hold one. It is sent to the issuer it is for and to nobody
//! else.

use super::address::Origin;
use crate::parse::jwt;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ureq::http::Uri;

/// Longest token, in bytes.
pub const MAX_TOKEN: usize = 64 << 10;

/// A bearer token. Its text shows nowhere but in the request.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// A token as it stands in a file: blanks around it do not count. The error says what is wrong and never shows it.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty; put the token there, and nothing else".into());
        }
        // RFC 6750 section 2.1.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if text.len() > MAX_TOKEN || !text.bytes().all(plain) {
            return Err("it holds something that is no bearer token; put the token there, and nothing else".into());
        }
        Ok(Token(text.to_string()))
    }

    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Refuses a token that says it is another issuer's. Keycloak's administrators get theirs from another realm of the
    /// same server, so the host is what has to agree.
    pub(super) fn fits(&self, issuer: &Origin) -> Result<(), String> {
        let Some(theirs) = self.issuer() else { return Ok(()) };
        let origin = theirs.parse::<Uri>().ok().as_ref().and_then(Origin::of);
        match origin {
            Some(origin) if origin == *issuer => Ok(()),
            _ => Err(format!(
                "the token was issued by another server than {issuer}, so it is not sent there; get one from this issuer"
            )),
        }
    }

    /// The `iss` of a token that is a JWT.
    fn issuer(&self) -> Option<String> {
        if !jwt::looks_like_jwt(&self.0) {
            return None;
        }
        let payload = URL_SAFE_NO_PAD.decode(self.0.split('.').nth(1)?).ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
        Some(claims.get("iss")?.as_str()?.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> Token {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        Token::new(&format!("{}.{}.dGVzdC1vbmx5\n", part(r#"{"alg":"RS256"}"#), part(claims))).expect("a token")
    }

    #[test]
    fn tokens_go_to_their_own_issuer_only() {
        let issuer = Origin::of(&"https://iam.example.org/".parse().expect("a URL")).expect("an origin");
        for (token, fits, remark) in [
            (token(r#"{"iss":"https://iam.example.org/"}"#), true, "the issuer's"),
            (token(r#"{"iss":"https://iam.example.org/realms/master"}"#), true, "another realm of the server"),
            (token(r#"{"iss":"https://IAM.example.org:443"}"#), true, "another spelling"),
            (token(r#"{"iss":"https://other.example.org/"}"#), false, "another issuer's"),
            (token(r#"{"iss":"http://iam.example.org/"}"#), false, "without TLS"),
            (token(r#"{"iss":"https://iam.example.org@evil.example/"}"#), false, "dressed up"),
            (token(r#"{"iss":"no address"}"#), false, "no address"),
            (token(r#"{"sub":"x"}"#), true, "does not say"),
            (Token::new("opaque-token").expect("a token"), true, "opaque"),
        ] {
            assert_eq!(token.fits(&issuer).is_ok(), fits, "{remark}");
        }
    }

    #[test]
    fn only_tokens_are_taken_and_none_is_shown() {
        for text in ["", " \n", "a b", "a\nb", "geheim\u{7}", "tökén"] {
            let error = Token::new(text).expect_err("no token");
            assert!(!error.contains("geheim"));
        }
        assert!(Token::new(&"a".repeat(MAX_TOKEN + 1)).is_err());
        assert_eq!(format!("{:?}", Token::new("test-token").expect("a token")), "Token(…)");
    }
}

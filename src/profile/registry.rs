//! The registry of known issuers: what each is for, and which names are suspiciously close to one.

use crate::model::url::{Url, issuer_form};
use crate::parse::{ParseError, typed};
use crate::source::Source;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `rules/tables/issuers.yaml`, or a file given with `--issuers`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tokenvet issuer registry")]
pub struct Registry {
    /// The issuers.
    pub issuers: Vec<KnownIssuer>,
}

/// One known issuer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownIssuer {
    /// Issuer identifier as its tokens carry it.
    pub issuer: String,
    /// Name for people.
    pub name: String,
    /// The virtual organisation it serves, when it serves one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vo: Option<String>,
    /// What it is for.
    pub class: IssuerClass,
    /// Where it is used or documented in public.
    pub source: String,
}

/// What an issuer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IssuerClass {
    /// Real users and data.
    Production,
    /// Tests of software and services.
    Test,
    /// Development; anybody may get in.
    Development,
    /// Demonstration; signs what anybody asks for.
    Demo,
    /// An address that was given up.
    Retired,
}

impl IssuerClass {
    /// The word in the registry.
    pub fn name(self) -> &'static str {
        match self {
            IssuerClass::Production => "production",
            IssuerClass::Test => "test",
            IssuerClass::Development => "development",
            IssuerClass::Demo => "demo",
            IssuerClass::Retired => "retired",
        }
    }
}

/// Edits (letters put in, left out or changed) up to which two host names are suspiciously alike.
const NEAR: usize = 2;

impl Registry {
    /// Reads a registry file. Errors point at what does not fit, an issuer that is no absolute URL among it.
    pub fn read(source: &Arc<Source>) -> Result<Self, ParseError> {
        let (registry, document): (Registry, _) = typed::read(source)?;
        if !document.root().is_map() {
            return Err(ParseError::at(0, "a mapping with `issuers` is expected"));
        }
        let entries = document.root().get("issuers").into_iter().flat_map(|issuers| issuers.items());
        for (known, entry) in registry.issuers.iter().zip(entries) {
            if host(&known.issuer).is_none() {
                let span = entry.get("issuer").unwrap_or(entry).span();
                return Err(ParseError { message: "an issuer is an absolute URL (https://…)".into(), span });
            }
        }
        Ok(registry)
    }

    /// Adds issuers; one that is known already is replaced.
    pub fn add(&mut self, other: Registry) {
        for issuer in other.issuers {
            let name = issuer_form(&issuer.issuer);
            self.issuers.retain(|known| issuer_form(&known.issuer) != name);
            self.issuers.push(issuer);
        }
    }

    /// The issuer with this identifier, its final slash and the case of its host aside.
    pub fn find(&self, issuer: &str) -> Option<&KnownIssuer> {
        let wanted = issuer_form(issuer);
        self.issuers.iter().find(|known| issuer_form(&known.issuer) == wanted)
    }

    /// The known issuer whose host name this one nearly has: at most two edits away, none of them known. Names of
    /// other registered issuers are not near misses of each other.
    pub fn near_miss(&self, issuer: &str) -> Option<&KnownIssuer> {
        let host = host(issuer)?;
        if self.find(issuer).is_some() || self.issuers.iter().any(|known| self::host(&known.issuer) == Some(host)) {
            return None;
        }
        // Short names are near each other by chance: only hosts under the same domain are compared.
        self.issuers.iter().find(|known| match (self::host(&known.issuer), host.split_once('.')) {
            (Some(known), Some((_, domain))) => {
                known.split_once('.').is_some_and(|(_, other)| other == domain)
                    && known.len() > 2 * NEAR + domain.len()
                    && crate::near::distance(known, host) <= NEAR
            }
            (Some(_) | None, _) => false,
        })
    }
}

fn host(issuer: &str) -> Option<&str> {
    Url::parse(issuer).ok().and_then(|url| url.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        let known = |issuer: &str| KnownIssuer {
            issuer: issuer.into(),
            name: issuer.into(),
            vo: None,
            class: IssuerClass::Production,
            source: "test".into(),
        };
        Registry { issuers: vec![known("https://alice-auth.cern.ch/"), known("https://cms-auth.cern.ch/")] }
    }

    #[test]
    fn near_misses_are_told_from_other_names() {
        for (issuer, near) in [
            ("https://atlice-auth.cern.ch/", true),     // one letter too many
            ("https://alice-auht.cern.ch/", true),      // two letters swapped
            ("https://alice-auth.cern.ch", false),      // the issuer itself, without its slash
            ("https://cms-auth.cern.ch/", false),       // another known one
            ("https://dune-auth.cern.ch/", false),      // far enough
            ("https://alice-auth.example.org/", false), // another domain is no slip of the pen
            ("not a url", false),
        ] {
            assert_eq!(registry().near_miss(issuer).is_some(), near, "{issuer}");
        }
    }
}

//! What the rules of a configuration make of a token that is valid: those of `arc.conf`, which name subjects, issuers,
//! audiences, scopes and groups.

use super::config::{Row, said};
use super::json::Value;
use super::service::{Place, Placed};
use crate::report::text;

/// Longest text of a rule in a reason, in characters.
const MAX_SHOWN: usize = 80;

/// The rules of one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Those that count and let somebody in.
    rules: Vec<Rule>,
    /// Where every valid token is let in.
    everybody: Option<Placed<()>>,
    /// Nothing else can let a token in, and the configuration is whole.
    alone: bool,
    /// Something throws out tokens that a rule lets in.
    bans: bool,
}

/// A rule that lets in the tokens which have all that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    place: Option<Place>,
    /// All of them.
    wants: Vec<Want>,
}

/// What a rule wants of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Want {
    claim: &'static str,
    /// `None` for something that is not understood here.
    text: Option<String>,
}

/// What becomes of a token.
pub(super) enum Admitted {
    /// It is let in, as far as the rules on tokens go.
    Yes {
        why: Placed<String>,
        /// A rule that lets it in compares its audience.
        audience: bool,
    },
    /// No rule lets it in.
    No(Placed<String>),
    /// That cannot be said.
    Open(Placed<String>),
}

/// How a claim fits a rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Yes,
    Open,
    No,
}

impl Admission {
    pub(super) fn of(services: &[Row], mappings: &[Row]) -> Admission {
        let lets_in = |row: &&Row| row.is_active() && row.get("bans").flag() != Some(true);
        let open = services.iter().map(|row| row.get("any_issuer")).find(|known| known.flag() == Some(true));
        Admission {
            rules: mappings.iter().filter(lets_in).map(Rule::of).collect(),
            everybody: open.map(|known| Placed { value: (), place: known.place }),
            alone: said(services, "tokens") == Some(true)
                && said(services, "any_issuer") == Some(false)
                && said(services, "admits_otherwise") == Some(false),
            bans: said(services, "ban_hook") == Some(true),
        }
    }

    /// What becomes of a valid token with these claims.
    pub(super) fn of_token(&self, claims: &Value) -> Admitted {
        if let Some(everybody) = &self.everybody {
            let value = "it is valid, and the configuration lets in every valid token, whoever issued it".to_string();
            return Admitted::Yes { why: Placed { value, place: everybody.place.clone() }, audience: false };
        }
        let best = self.rules.iter().map(|rule| (rule.fit(claims), rule)).min_by_key(|(fit, _)| *fit);
        let placed = |rule: &Rule, value: String| Placed { value, place: rule.place.clone() };
        match best {
            Some((Fit::Yes, rule)) if !self.bans => {
                let why = "it is valid, and a rule on tokens lets it in; what else the configuration compares is not part of this";
                let fitting = self.rules.iter().filter(|rule| rule.fit(claims) == Fit::Yes);
                let audience = fitting.flat_map(|rule| &rule.wants).any(|want| want.claim == "aud");
                Admitted::Yes { why: placed(rule, why.into()), audience }
            }
            Some((Fit::Yes, rule)) => {
                let why = "it is valid, and a rule on tokens lets it in; whether another one throws it out is not compared here";
                Admitted::Open(placed(rule, why.into()))
            }
            Some((Fit::No, rule)) if self.alone => {
                let which = match self.rules.len() {
                    1 => "the one rule on tokens does not let it in".to_string(),
                    more => format!("none of the {more} rules on tokens lets it in; the first"),
                };
                let link = if self.rules.len() == 1 { "; it" } else { "" };
                Admitted::No(placed(rule, format!("it is valid, and {which}{link} wants {}", rule.misses(claims))))
            }
            Some((Fit::Open, rule)) => {
                let why = "it is valid; whether a rule on tokens lets it in cannot be told from the rule";
                Admitted::Open(placed(rule, why.into()))
            }
            Some((Fit::No, rule)) => {
                let why = "it is valid, and no rule on tokens that is seen here lets it in; something else may";
                Admitted::Open(placed(rule, why.into()))
            }
            None => {
                let why = "it is valid; no rule on tokens that counts is seen here, and whether something else lets it in is \
                           not known";
                Admitted::Open(Placed::nowhere(why.into()))
            }
        }
    }
}

impl Rule {
    fn of(row: &Row) -> Rule {
        let fields = [
            ("iss", row.get("issuer")),
            ("aud", row.get("audience")),
            ("sub", row.get("subject")),
            ("scope", row.get("scope")),
            ("wlcg.groups", row.get("group")),
        ];
        let place = fields.iter().find_map(|(_, known)| known.place.clone());
        let wants = fields.into_iter().filter(|(_, known)| !known.absent && !known.unlimited);
        Rule { place, wants: wants.map(|(claim, known)| Want { claim, text: known.first() }).collect() }
    }

    fn fit(&self, claims: &Value) -> Fit {
        self.wants.iter().map(|want| want.fit(claims)).max().unwrap_or(Fit::Yes)
    }

    /// What it wants and the token does not have.
    fn misses(&self, claims: &Value) -> String {
        let missing = self.wants.iter().filter(|want| want.fit(claims) == Fit::No);
        let shown = missing.filter_map(|Want { claim, text: wanted }| {
            Some(format!("`{claim}` \"{}\"", text::shortened(wanted.as_ref()?, MAX_SHOWN)))
        });
        shown.collect::<Vec<_>>().join(" and ")
    }
}

impl Want {
    fn fit(&self, claims: &Value) -> Fit {
        let Some(wanted) = &self.text else { return Fit::Open };
        let found = claims.members().unwrap_or_default().iter().find(|(key, _)| key == self.claim);
        let texts: Vec<&str> = match found.map(|(_, value)| value) {
            Some(Value::Text(text)) if self.claim == "scope" => text.split(' ').collect(),
            Some(Value::List(items)) => items.iter().filter_map(Value::as_text).collect(),
            Some(value) => value.as_text().into_iter().collect(),
            None => Vec::new(),
        };
        match texts.iter().position(|text| text == wanted) {
            // Of several audiences ARC takes the first.
            Some(at) if at > 0 && self.claim == "aud" => Fit::Open,
            Some(_) => Fit::Yes,
            None => Fit::No,
        }
    }
}

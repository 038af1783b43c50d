//! What renderers say about a rule beyond one finding.

use crate::rule::Prose;
use std::collections::BTreeMap;

/// The prose of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleInfo {
    /// Rule id.
    pub id: String,
    /// One sentence that says what is wrong.
    pub title: String,
    /// What to do.
    pub help: String,
    /// Why it matters.
    pub rationale: String,
    /// Documents and pages to read on.
    pub references: Vec<String>,
    /// Who can turn the knob; empty when the help names nobody.
    pub contact: String,
    /// The limit of profiles that it holds targets against (`access_token.lifetime.max`); empty for other rules.
    pub limit: String,
}

/// The parties that rules' help texts name, as the words are written there and as tables show them.
const PARTIES: &[(&str, &str)] = &[
    ("iam operator", "IAM operator"),
    ("iam admin", "IAM admin"),
    ("issuer operator", "issuer operator"),
    ("vo admin", "VO admin"),
    ("client owner", "client owner"),
    ("client operator", "client operator"),
    ("service operator", "service operator"),
    ("site admin", "site admin"),
    ("site", "site"),
    ("vendor", "vendor"),
    ("developer", "developer"),
    ("keycloak administrator", "Keycloak administrator"),
    ("iam administrator", "IAM admin"),
    ("vo administrator", "VO admin"),
    ("site administrator", "site admin"),
    ("operator", "operator"),
    ("administrator", "administrator"),
    ("owner of the file", "owner of the file"),
    ("owner of the waiver", "owner of the waiver"),
    ("owner of the policy", "owner of the policy"),
];

impl RuleInfo {
    /// The parties that a help text names, in the order it names them (`VO admin, site`); empty when none.
    pub fn contact_named_in(help: &str) -> String {
        let folded = help.to_lowercase();
        let mut found: Vec<(usize, &str, &str)> = Vec::new();
        for &(word, shown) in PARTIES {
            let starts_word = |at: usize| !folded[..at].ends_with(char::is_alphanumeric);
            let ends_word = |at: usize| {
                let rest = &folded[at + word.len()..];
                !rest.strip_prefix('s').unwrap_or(rest).starts_with(char::is_alphanumeric)
            };
            if let Some((at, _)) = folded.match_indices(word).find(|&(at, _)| starts_word(at) && ends_word(at))
                && !found.iter().any(|&(other, longer, _)| (other..other + longer.len()).contains(&at))
            {
                found.push((at, word, shown));
            }
        }
        found.sort_unstable();
        found.iter().map(|&(_, _, shown)| shown).collect::<Vec<_>>().join(", ")
    }
}

impl RuleInfo {
    /// What a rule file says to people, under its id.
    pub fn new(id: &str, prose: &Prose) -> Self {
        RuleInfo {
            id: id.to_owned(),
            title: prose.title.clone(),
            help: prose.help.clone(),
            rationale: prose.rationale.clone(),
            references: prose.references.clone(),
            contact: RuleInfo::contact_named_in(&prose.help),
            limit: String::new(),
        }
    }
}

/// Where renderers look rules up. Prose is loaded only for rules that found something.
pub trait RuleBook {
    /// The prose of a rule; `None` for an id that no rule file has (findings about waivers and the like).
    fn info(&self, id: &str) -> Option<RuleInfo>;

    /// A requirement that findings cite; `None` for one that no ledger has.
    fn requirement(&self, id: &str) -> Option<RequirementInfo> {
        let _ = id;
        None
    }
}

/// A requirement and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequirementInfo {
    /// What it says, in our words.
    pub statement: String,
    /// Its RFC 2119 word (`MUST`).
    pub level: String,
    /// Title of the document.
    pub document: String,
    /// Section of the document.
    pub section: String,
    /// Where to read the document.
    pub url: String,
}

impl RuleBook for BTreeMap<String, RuleInfo> {
    fn info(&self, id: &str) -> Option<RuleInfo> {
        self.get(id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_who_can_turn_the_knob() {
        for (help, contact) in [
            ("The IAM operator lowers it in the dashboard.", "IAM operator"),
            ("Ask the VO admin; a site can also refuse it.", "VO admin, site"),
            ("Sites set `audience`.", "site"),
            ("See the website of the composite.", ""),
            ("", ""),
        ] {
            assert_eq!(RuleInfo::contact_named_in(help), contact, "{help}");
        }
    }
}

//! Token issuers in dCache's properties: `gplazma.oidc.provider!NAME`, and `gplazma.scitoken.issuer!NAME` of the plug-in
//! before it.
//!
//! Read from the plug-ins' sources: the first word is the issuer, compared with `iss` as it stands; options are known to
//! one profile each and ignored elsewhere; further words are ignored by the OIDC plug-in and principals for the other.
//! What a plug-in cannot take keeps all of gPlazma from starting.

use super::dcache::{PRODUCT, Scope, Setting};
use super::dcache_args::{Word, words};
use super::read::TEMPLATE;
use super::traps::Found;
use super::{Sink, is_placeholder};
use crate::model::{At, Field, Trust};
use crate::parse::Cursor;

pub(super) const OIDC: &str = "gplazma.oidc.provider!";
pub(super) const SCITOKEN: &str = "gplazma.scitoken.issuer!";

pub(super) const OPTION_IGNORED: &str = "dcache-option-ignored";
pub(super) const EXTRA_WORDS: &str = "dcache-extra-words";
pub(super) const PROVIDER_REFUSED: &str = "dcache-provider-refused";

/// Time for which the OIDC plug-in uses fetched keys; a constant, after the recommendation of the WLCG profile.
const KEYS_SECONDS: i64 = 6 * 3600;
/// The same in the SciToken plug-in.
const SCITOKEN_KEYS_SECONDS: i64 = 600;

const ANY: &str = "https://wlcg.cern.ch/jwt/v1/any";
const MAP_FILES: &str = "gPlazma's map files decide what such a token may do";
const UNSET_AUDIENCES: &str = "the audiences are not set here; another file of dCache may set them";

/// Options of the OIDC plug-in and the profile that reads them; all read those without one.
const OPTIONS: [(&str, &[&str]); 6] = [
    ("profile", &[]),
    ("suppress", &[]),
    ("prefix", &["wlcg", "scitokens"]),
    ("authz-id", &["wlcg"]),
    ("non-authz-id", &["wlcg"]),
    ("accept", &["oidc"]),
];
const SUPPRESSED: [&str; 2] = ["audience", "offline"];
/// Principals that an identity option may name.
const PRINCIPALS: [&str; 12] =
    ["dn", "email", "fqan", "gid", "group", "kerberos", "name", "oidc", "origin", "uid", "user", "username"];

/// One issuer of the OIDC plug-in.
pub(super) struct Provider<'v, 'd> {
    /// The name behind the exclamation mark.
    pub(super) name: &'d str,
    /// The whole value.
    pub(super) setting: &'v Setting<'d>,
    words: Vec<Word<'v>>,
}

impl<'v, 'd> Provider<'v, 'd> {
    pub(super) fn new(name: &'d str, setting: &'v Setting<'d>) -> Self {
        Provider { name, setting, words: words(&setting.text) }
    }

    fn field(&self, word: &Word<'_>) -> Field<'d> {
        let at = self.setting.place(word);
        match is_placeholder(&word.text) {
            true => Field::unknown(TEMPLATE, at),
            false => Field::text(word.text.to_string(), at),
        }
    }

    fn arguments(&self) -> impl Iterator<Item = &Word<'v>> {
        self.words.iter().filter(|word| word.option.is_none())
    }

    fn options<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Word<'v>> {
        self.words.iter().filter(move |word| word.option.as_deref() == Some(name))
    }

    /// The option that counts, the last of its name.
    fn option<'s>(&'s self, name: &'s str) -> Option<&'s Word<'v>> {
        self.options(name).last()
    }

    /// The issuer's URL; absent where there is none.
    pub(super) fn issuer(&self) -> Field<'d> {
        self.arguments().next().map_or_else(Field::default, |word| self.field(word))
    }

    fn profile(&self) -> &str {
        self.option("profile").map_or("oidc", |word| &word.text)
    }

    fn suppresses(&self, what: &str) -> Option<At> {
        let mut options = self.options("suppress");
        options.find(|word| word.text.split(',').any(|item| item.trim() == what)).map(|word| self.setting.place(word))
    }

    /// The issuer as the plug-in trusts it.
    pub(super) fn trust(&self, scope: &Scope<'_, 'd>) -> Trust<'d> {
        let suppressed = self.suppresses("audience");
        let audiences = audiences(scope, "gplazma.oidc.audience-targets");
        let text = |word: &'static str| Field::text(word, None);
        let strategy: &[&'static str] = match self.profile() {
            "wlcg" => &["capability", "group", "mapping"],
            "scitokens" => &["capability"],
            _ => &["group", "mapping"],
        };
        let account = self.account();
        let claim = self.accepts("username").map(|at| Field::text("preferred_username", at));
        let ways = [
            account.at.filter(|_| account.as_text().is_some()).map(|at| Field::text("fixed", at)),
            claim.as_ref().map(|claim| Field::text("claim", claim.at)),
            (self.profile() != "scitokens").then(|| text("file")),
        ];
        Trust {
            product: text(PRODUCT),
            issuer: self.issuer(),
            alias: Field::text(self.name, self.setting.at),
            any_audience: match (suppressed, audiences.items().iter().find(|item| item.as_text() == Some(ANY))) {
                (Some(at), _) => Field::bool(true, at),
                (None, Some(any)) => Field::bool(true, any.at),
                (None, None) if audiences.at.is_none() => Field::unknown(UNSET_AUDIENCES, None),
                (None, None) => Field::bool(false, audiences.at),
            },
            audiences,
            audience_checked: Field::bool(suppressed.is_none(), suppressed),
            missing_audience: Field::bool(true, None),
            base_paths: match self.option("prefix").filter(|_| self.profile() != "oidc") {
                Some(prefix) => Field::list(vec![path(self.field(prefix))], self.setting.place(prefix)),
                None => Field::default(),
            },
            strategy: Field::list(strategy.iter().map(|word| text(word)).collect(), None),
            rights_without_scope: self.rights_without_scope(),
            writes_without_scope: self.rights_without_scope(),
            mapping: Field::list(ways.into_iter().flatten().collect(), None),
            account,
            account_claim: claim.unwrap_or_default(),
            groups_claim: match self.profile() {
                "wlcg" => text("wlcg.groups"),
                "oidc" => text("groups"),
                _ => Field::default(),
            },
            profile: match self.option("profile") {
                Some(word) => self.field(word),
                None => text("oidc"),
            },
            key_cache: Field::int(KEYS_SECONDS, None),
            active: Field::bool(self.refused().is_none(), None),
            ..Trust::default()
        }
    }

    /// The account that `-authz-id` gives all tokens with storage scopes.
    fn account(&self) -> Field<'d> {
        let Some(identity) = self.option("authz-id").filter(|_| self.profile() == "wlcg") else {
            return Field::default();
        };
        let name = identity.text.split_whitespace().find_map(|word| {
            ["username:", "user:"].iter().find_map(|kind| word.strip_prefix(kind)).map(str::to_string)
        });
        name.map_or_else(Field::default, |name| Field::text(name, self.setting.place(identity)))
    }

    fn rights_without_scope(&self) -> Field<'d> {
        match (self.profile(), self.option("non-authz-id")) {
            ("scitokens", _) => Field::bool(false, None),
            ("wlcg", Some(identity)) => Field::bool(true, self.setting.place(identity)),
            _ => Field::unknown(MAP_FILES, None),
        }
    }

    fn accepts(&self, what: &str) -> Option<At> {
        let accept = self.option("accept").filter(|_| self.profile() == "oidc")?;
        accept.text.split(',').any(|item| item == what).then(|| self.setting.place(accept))
    }

    /// Why the plug-in does not start with this provider; `None` when it does, or when a placeholder hides it.
    fn refused(&self) -> Option<String> {
        if is_placeholder(&self.setting.text) {
            return None;
        }
        let Some(url) = self.arguments().next() else { return Some("it names no issuer".into()) };
        let twice = OPTIONS.iter().find(|(name, _)| *name != "suppress" && self.options(name).count() > 1);
        let prefix = self.option("prefix");
        match self.profile() {
            _ if self.name.is_empty() => Some("it has no name behind the exclamation mark".into()),
            _ if !url.text.contains(':') => Some("its first word is no absolute URL".into()),
            _ if twice.is_some() => twice.map(|(name, _)| format!("the option -{name} stands twice")),
            profile @ ("wlcg" | "scitokens") => match prefix {
                None => Some(format!("the profile {profile} needs -prefix=/path")),
                Some(prefix) if !prefix.text.starts_with('/') => Some("-prefix is no absolute path".into()),
                Some(_) => ["authz-id", "non-authz-id"].into_iter().find_map(|name| self.bad_identity(name)),
            },
            "oidc" => {
                let accept = self.option("accept")?;
                let unknown = accept.text.split(',').any(|item| !["username", "groups"].contains(&item));
                unknown.then(|| "-accept takes username and groups only".into())
            }
            _ => Some("dCache has no such profile; it knows oidc, wlcg and scitokens".into()),
        }
    }

    fn bad_identity(&self, option: &str) -> Option<String> {
        let words = self.option(option).filter(|_| self.profile() == "wlcg")?.text.split(' ');
        words.filter(|word| !word.is_empty()).find_map(|word| {
            let (kind, value) = word.split_once(':').unwrap_or_default();
            match kind {
                _ if !PRINCIPALS.contains(&kind) => Some(format!("-{option} holds a principal of unknown type")),
                "uid" | "gid" if value.parse::<i64>().is_err() => {
                    Some(format!("-{option} holds a {kind} that is no number"))
                }
                _ => None,
            }
        })
    }

    /// What the plug-in reads in another way than it looks.
    pub(super) fn traps(&self, at: Cursor<'d>, sink: &mut dyn Sink) {
        let found = |code, name: String| Found::new(PRODUCT, code, at, name).section(self.name);
        if let Some(why) = self.refused() {
            found(PROVIDER_REFUSED, self.name.into()).effect(why).tell(sink);
        }
        let extra = self.arguments().nth(1).filter(|word| !word.text.starts_with('#'));
        if let Some(word) = extra.filter(|_| !self.has_comment()) {
            found(EXTRA_WORDS, self.name.into()).effect(word.text.to_string()).tell(sink);
        }
        let known = ["oidc", "scitokens", "wlcg"].contains(&self.profile());
        for word in &self.words {
            let Some(option) = word.option.as_deref() else { continue };
            match OPTIONS.iter().find(|(name, _)| *name == option) {
                None => {
                    let names = OPTIONS.map(|(name, _)| name);
                    found(OPTION_IGNORED, option.into()).nearest(&names).tell(sink);
                }
                Some((_, profiles)) if !profiles.is_empty() && known && !profiles.contains(&self.profile()) => {
                    let why = format!("; the profile {} does not read it", self.profile());
                    found(OPTION_IGNORED, option.into()).effect(why).tell(sink);
                }
                Some(("suppress", _)) => {
                    let unknown = word.text.split(',').map(str::trim).find(|item| !SUPPRESSED.contains(item));
                    if let Some(item) = unknown {
                        found(OPTION_IGNORED, item.into()).nearest(&SUPPRESSED).tell(sink);
                    }
                }
                Some(_) => {}
            }
        }
    }

    fn has_comment(&self) -> bool {
        self.arguments().any(|word| word.text.starts_with('#'))
    }
}

/// An audience list in a scope; unknown where the file does not set it.
pub(super) fn audiences<'d>(scope: &Scope<'_, 'd>, key: &str) -> Field<'d> {
    let Some(setting) = scope.setting(key) else { return Field::unknown(UNSET_AUDIENCES, None) };
    if is_placeholder(&setting.text) {
        return Field::unknown(super::dcache::REFERENCE, setting.at);
    }
    let words = words(&setting.text);
    let entries = words.iter().filter(|word| word.option.is_none());
    Field::list(entries.map(|word| Field::text(word.text.to_string(), setting.place(word))).collect(), setting.at)
}

/// A path as dCache takes it: empty components and `.` do not count.
fn path(field: Field<'_>) -> Field<'_> {
    match field.as_text() {
        Some(text) if text.starts_with('/') => {
            let kept: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
            Field::text(format!("/{}", kept.join("/")), field.at)
        }
        _ => field,
    }
}

/// An issuer of the SciToken plug-in: URL, path, and principals for tokens with storage scopes.
pub(super) fn scitoken<'d>(name: &'d str, setting: &Setting<'d>, scope: &Scope<'_, 'd>) -> Trust<'d> {
    let words = words(&setting.text);
    let arguments: Vec<&Word<'_>> = words.iter().filter(|word| word.option.is_none()).collect();
    let field = |word: &Word<'_>| match is_placeholder(&word.text) {
        true => Field::unknown(TEMPLATE, setting.place(word)),
        false => Field::text(word.text.to_string(), setting.place(word)),
    };
    let audiences = audiences(scope, "gplazma.scitoken.audience-targets");
    let principals = arguments.iter().skip(2);
    let account = principals.filter_map(|word| Some((word, word.text.strip_prefix("username:")?))).next();
    let account =
        account.map_or_else(Field::default, |(word, name)| Field::text(name.to_string(), setting.place(word)));
    Trust {
        product: Field::text(PRODUCT, None),
        issuer: arguments.first().map_or_else(Field::default, |word| field(word)),
        alias: Field::text(name, setting.at),
        any_audience: match audiences.at {
            None => Field::unknown(UNSET_AUDIENCES, None),
            Some(at) => Field::bool(audiences.contains(ANY), at),
        },
        audiences,
        audience_checked: Field::bool(true, None),
        missing_audience: Field::bool(true, None),
        base_paths: arguments
            .get(1)
            .map_or_else(Field::default, |word| Field::list(vec![path(field(word))], setting.place(word))),
        strategy: Field::list(["capability", "group", "mapping"].map(|word| Field::text(word, None)).to_vec(), None),
        rights_without_scope: Field::unknown(MAP_FILES, None),
        writes_without_scope: Field::unknown(MAP_FILES, None),
        mapping: Field::list(
            [account.at.map(|at| Field::text("fixed", at)), Some(Field::text("file", None))]
                .into_iter()
                .flatten()
                .collect(),
            None,
        ),
        account,
        groups_claim: Field::text("wlcg.groups", None),
        key_cache: Field::int(SCITOKEN_KEYS_SECONDS, None),
        active: Field::bool(arguments.len() >= 2, None),
        ..Trust::default()
    }
}

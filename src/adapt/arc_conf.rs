//! `arc.conf` of ARC CE: which tokens belong to which group of users, and what the groups may do.
//!
//! What ARC does with such a file, read from the sources of ARC 6 and 7: a script writes the blocks out anew before the
//! service reads them. It skips lines that are neither a heading alone on its line nor `option=value`, and of two blocks of
//! one name keeps the later. Rules of an `[authgroup:NAME]` are tried in order until one matches; a rule that cannot be
//! read, or that ARC does not know, ends the group without a match. There is no list of issuers: keys are fetched from
//! wherever a token's issuer says, as long as there is a block `[authtokens]`, and the rules alone decide. Without
//! `allowaccess` or `denyaccess` everybody who can authenticate may submit.

use super::traps::Found;
use super::{Adapter, Kind, Sample, Sink, read};
use crate::model::{At, Field, Mapping, Service, State, Target, TargetKind, Trust};
use crate::parse::ini::IniDialect;
use crate::parse::{Cursor, Document, Syntax};
use std::collections::{BTreeMap, BTreeSet};

/// The adapter.
pub(super) struct ArcConf;

const KIND: &str = "arc.conf";
const PRODUCT: &str = "arc";
const SYNTAX: Syntax = Syntax::Ini(IniDialect::ArcConf);

/// Rules of an authgroup; `authtokensgen` since ARC 7.
const RULES: [&str; 9] =
    ["subject", "file", "voms", "authgroup", "userlist", "plugin", "authtokens", "authtokensgen", "all"];
const MAPPINGS: [&str; 4] = ["map_to_user", "map_to_pool", "map_with_file", "map_with_plugin"];
const JOBS: &str = "arex/ws/jobs";
/// Names of blocks that only ARC has.
const TELLING: [&str; 6] = ["authgroup:", "authtokens", "arex", "lrms", "infosys", "gridftpd"];

const TOKENS_OFF: &str = "arc-tokens-off";
const FIELDS_MISSING: &str = "arc-fields-missing";
const UNKNOWN_RULE: &str = "arc-unknown-rule";
const LINE_SKIPPED: &str = "arc-line-skipped";
const BLOCK_REPLACED: &str = "arc-block-replaced";
const GROUP_UNDEFINED: &str = "arc-group-undefined";
const UNKNOWN_MAPPING: &str = "arc-unknown-mapping";

impl Adapter for ArcConf {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "arc.conf of ARC CE; the reference with every block commented out is recognised and holds nothing to judge",
            targets: &[TargetKind::Service, TargetKind::Trust, TargetKind::Mapping, TargetKind::Trap],
        }]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let heading = |line: &str, comment: bool| {
            let line = if comment { line.strip_prefix('#')? } else { line };
            let name = line.strip_prefix('[')?.split(']').next()?;
            Some(TELLING.iter().any(|telling| {
                name.strip_prefix(telling)
                    .is_some_and(|rest| rest.is_empty() || telling.ends_with(':') || rest.starts_with('/'))
            }))
        };
        let ours = match sample.lines().next() {
            Some(_) => sample.lines().any(|line| heading(line, false) == Some(true)),
            None => sample.text.lines().filter(|line| heading(line, true) == Some(true)).take(2).count() == 2,
        };
        ours.then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        (document.syntax == SYNTAX).then_some(KIND)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[TOKENS_OFF, FIELDS_MISSING, UNKNOWN_RULE, LINE_SKIPPED, BLOCK_REPLACED, GROUP_UNDEFINED, UNKNOWN_MAPPING]
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let config = Config::read(document, sink);
        if config.blocks.is_empty() {
            return;
        }
        config.traps(sink);
        config.service(sink);
        let admitted = config.admitted();
        let tokens = config.tokens() != Some(false);
        for (group, (account, gives)) in config.groups.iter().zip(config.accounts()) {
            let admitted = admitted.as_ref().is_none_or(|admitted| admitted.contains(group.name.as_str()));
            let active = admitted && tokens;
            config.group(group, active, &account, &gives, sink);
        }
    }
}

/// A block that counts.
struct Block<'d> {
    /// Its name without blanks around what is behind the colon.
    name: String,
    at: Cursor<'d>,
}

/// A rule about tokens.
struct Rule<'d> {
    at: Cursor<'d>,
    /// Subject, issuer, audience, scope and group.
    fields: [Field<'d>; 5],
    /// False for one that throws its tokens out of the group, or takes in all others.
    admits: bool,
    bans: bool,
    /// False behind a rule that ends the group.
    reached: bool,
}

/// An `[authgroup:NAME]`.
struct Group<'d> {
    name: String,
    rules: Vec<Rule<'d>>,
    /// Other groups whose members belong to it.
    includes: Vec<String>,
    /// A rule that is none on tokens, or takes in whom it does not name, and may let in tokens as well.
    otherwise: Option<At>,
}

struct Config<'d> {
    document: &'d Document,
    blocks: Vec<Block<'d>>,
    groups: Vec<Group<'d>>,
    /// A whole file, so that what is missing is not set.
    whole: bool,
}

impl<'d> Config<'d> {
    fn read(document: &'d Document, sink: &mut dyn Sink) -> Self {
        let mut blocks: Vec<Block<'d>> = Vec::new();
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        for at in document.root().items() {
            let key = at.key().unwrap_or_default();
            if !at.is_map() {
                Found::new(PRODUCT, LINE_SKIPPED, at, shorten(key)).tell(sink);
                continue;
            }
            let name = match key.split_once(':') {
                Some((block, name)) => format!("{block}:{}", name.trim()),
                None => key.to_string(),
            };
            if let Some(&earlier) = last.get(&name) {
                let replaced: &Block<'_> = &blocks[earlier];
                Found::new(PRODUCT, BLOCK_REPLACED, replaced.at, name.clone()).tell(sink);
            }
            last.insert(name.clone(), blocks.len());
            blocks.push(Block { name, at });
        }
        let counting: BTreeSet<usize> = last.into_values().collect();
        let blocks: Vec<Block<'d>> = blocks
            .into_iter()
            .enumerate()
            .filter(|(index, _)| counting.contains(index))
            .map(|(_, block)| block)
            .collect();
        let whole = blocks.iter().any(|block| block.name == "arex/ws" || block.name == JOBS)
            && blocks.iter().any(|block| block.name == "common" || block.name == "arex");
        let mut config = Config { document, blocks, groups: Vec::new(), whole };
        config.groups = config.read_groups(sink);
        config
    }

    fn block(&self, name: &str) -> Option<Cursor<'d>> {
        self.blocks.iter().find(|block| block.name == name).map(|block| block.at)
    }

    /// The last value of an option; its script keeps all, and the service takes the last.
    fn option(&self, block: &str, name: &str) -> Option<(&'d str, At)> {
        let value = self.block(block)?.entries().filter(|(key, _)| *key == name).last()?.1;
        Some((value.as_str()?, At::node(value.id)))
    }

    fn read_groups(&self, sink: &mut dyn Sink) -> Vec<Group<'d>> {
        let blocks = self.blocks.iter().filter_map(|block| Some((block, block.name.strip_prefix("authgroup:")?)));
        blocks.map(|(block, name)| read_group(block.at, name, sink)).collect()
    }

    /// Is there a block that switches tokens on? `None` when the file is only a part.
    fn tokens(&self) -> Option<bool> {
        match self.block("authtokens") {
            Some(_) => Some(true),
            None => self.whole.then_some(false),
        }
    }

    /// Words of the options of a block, with their places.
    fn words(&self, block: &str, names: &[&str]) -> Vec<(&'d str, At)> {
        let entries = self.block(block).into_iter().flat_map(Cursor::entries).filter(|(key, _)| names.contains(key));
        let words = entries.flat_map(|(_, value)| {
            let at = At::node(value.id);
            value
                .as_str()
                .unwrap_or_default()
                .split(' ')
                .filter(|word| !word.is_empty())
                .enumerate()
                .map(move |(index, word)| (word, at.word(index)))
        });
        words.collect()
    }

    /// Groups whose members may submit jobs; `None` when everybody may, or when this file does not say.
    fn admitted(&self) -> Option<BTreeSet<&str>> {
        if self.words(JOBS, &["allowaccess", "denyaccess"]).is_empty() {
            return None;
        }
        let groups: BTreeMap<&str, &Group<'d>> = self.groups.iter().map(|group| (group.name.as_str(), group)).collect();
        let mut open: Vec<&str> = self.words(JOBS, &["allowaccess"]).into_iter().map(|(word, _)| word).collect();
        let mut admitted = BTreeSet::new();
        while let Some(name) = open.pop() {
            if admitted.insert(name) {
                let includes = groups.get(name).into_iter().flat_map(|group| &group.includes);
                open.extend(includes.map(String::as_str));
            }
        }
        Some(admitted)
    }

    /// Is there something beside rules on tokens that may admit one?
    fn admits_otherwise(&self) -> Field<'d> {
        let Some(admitted) = self.admitted() else { return Field::default() };
        let elsewhere = |name: &&str| !self.groups.iter().any(|group| group.name == **name);
        match self
            .groups
            .iter()
            .filter(|group| admitted.contains(group.name.as_str()))
            .find_map(|group| group.otherwise)
        {
            Some(at) => Field::bool(true, at),
            None if admitted.iter().any(elsewhere) => {
                Field::unknown("another part of arc.conf may define the group", None)
            }
            None => Field::bool(false, None),
        }
    }

    fn service(&self, sink: &mut dyn Sink) {
        let tokens = self.tokens();
        let jobs = self.block(JOBS);
        let open = jobs.filter(|_| self.words(JOBS, &["allowaccess", "denyaccess"]).is_empty());
        let level = self.option("arex", "loglevel");
        let bans = self.groups.iter().flat_map(|group| &group.rules).find(|rule| rule.bans);
        let denied = self.words(JOBS, &["denyaccess"]);
        let record = Service {
            product: Field::text(PRODUCT, None),
            tokens: match tokens {
                Some(on) => Field::bool(on, self.block("authtokens").map(|at| At::node(at.id))),
                None => Field::unknown("this is a part of arc.conf", None),
            },
            audiences: Field::unknown("each rule names its own", None),
            audience_checked: Field::unknown("each rule says for itself", None),
            any_issuer: match (tokens, open, jobs) {
                (Some(true), Some(at), _) => Field::bool(true, At::node(at.id)),
                (Some(false), ..) | (_, None, Some(_)) => Field::bool(false, None),
                _ => Field::unknown("this is a part of arc.conf", None),
            },
            admits_otherwise: self.admits_otherwise(),
            without_token: Field::text("passthrough", None),
            log_level: level.map_or_else(Field::default, |(level, at)| Field::text(level, at)),
            log_leaks_tokens: match level {
                Some(("5" | "DEBUG", at)) if tokens == Some(false) => {
                    Field::unknown("tokens are off here, but data transfers may log theirs", at)
                }
                Some((level, at)) => Field::bool(matches!(level, "5" | "DEBUG"), at),
                None if self.block("arex").is_some() => Field::bool(false, None),
                None => Field::unknown("this is a part of arc.conf", None),
            },
            log_settings: read::log_settings(["loglevel", "joblog"].map(|name| {
                let (value, at) = self.option("arex", name)?;
                read::log_setting(name, &Field::text(value, at))
            })),
            ban_hook: match bans.map(|rule| At::node(rule.at.id)).or(denied.first().map(|(_, at)| *at)) {
                Some(at) => Field::bool(true, at),
                None => Field::default(),
            },
            ..Service::default()
        };
        sink.target(&[self.document], Target::new(TargetKind::Service, "ARC CE", record));
    }

    /// What the members of each group become: the first mapping that names it or a group it belongs to.
    fn accounts(&self) -> Vec<(Field<'d>, Field<'d>)> {
        let unknown = |why: &'static str| (Field::unknown(why, None), Field::default());
        let all = |why: &'static str| self.groups.iter().map(|_| unknown(why)).collect();
        let Some(mapping) = self.block("mapping") else { return all("this is a part of arc.conf") };
        let lines: Vec<(&str, Cursor<'d>)> = mapping.entries().collect();
        if lines.iter().any(|(key, _)| ["policy_on_nogroup", "policy_on_map"].contains(key)) {
            return all("the policies of [mapping] decide");
        }
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, (_, value)) in lines.iter().enumerate().filter(|(_, (key, _))| MAPPINGS.contains(key)) {
            first.entry(split_blank(value.as_str().unwrap_or_default()).0).or_insert(index);
        }
        let mut belongs: BTreeMap<&str, usize> = BTreeMap::new();
        for group in &self.groups {
            let Some(&index) = first.get(group.name.as_str()) else { continue };
            for member in &group.includes {
                let earliest = belongs.entry(member).or_insert(index);
                *earliest = index.min(*earliest);
            }
        }
        let account = |group: &Group<'d>| {
            let index = [&first, &belongs].into_iter().filter_map(|map| map.get(group.name.as_str())).min();
            let Some((key, value)) = index.map(|&index| lines[index]) else {
                return unknown("no mapping names the group, so that jobs run as the user of A-REX");
            };
            let rest = split_blank(value.as_str().unwrap_or_default()).1;
            let at = At::node(value.id).word(1);
            match key {
                "map_to_user" => (Field::text(rest.split(':').next().unwrap_or_default(), at), Field::default()),
                _ => (Field::default(), Field::list(vec![Field::text(format!("{key} {rest}"), at)], at)),
            }
        };
        self.groups.iter().map(account).collect()
    }

    fn group(&self, group: &Group<'d>, active: bool, account: &Field<'d>, gives: &Field<'d>, sink: &mut dyn Sink) {
        for rule in group.rules.iter().filter(|rule| rule.admits || rule.bans) {
            let [subject, issuer, audience, scope, claim] = rule.fields.clone();
            // ARC refuses requests that would run as root.
            let refused = account.as_text() == Some("root");
            let record = Mapping {
                product: Field::text(PRODUCT, None),
                issuer,
                subject,
                audience,
                scope,
                group: claim,
                account: if rule.bans { Field::default() } else { account.clone() },
                gives: if rule.bans { Field::default() } else { gives.clone() },
                bans: Field::bool(rule.bans, At::node(rule.at.id)),
                active: Field::bool(active && rule.reached && !refused, At::node(rule.at.id)),
                ..Mapping::default()
            };
            let target =
                Target { at: At::node(rule.at.id), ..Target::new(TargetKind::Mapping, group.name.clone(), record) };
            sink.target(&[self.document], target);
        }
        let mut issuers: Vec<Vec<&Rule<'d>>> = Vec::new();
        let mut known: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for rule in group.rules.iter().filter(|rule| rule.admits) {
            let issuer = &rule.fields[1];
            if matches!(issuer.state, State::Unknown(_)) {
                continue;
            }
            let index = *known.entry(issuer.as_text()).or_insert(issuers.len());
            match issuers.get_mut(index) {
                Some(rules) => rules.push(rule),
                None => issuers.push(vec![rule]),
            }
        }
        for rules in &issuers {
            self.trust(group, rules, account, active, sink);
        }
    }

    /// What a group lets tokens of one issuer do.
    fn trust(&self, group: &Group<'d>, rules: &[&Rule<'d>], account: &Field<'d>, active: bool, sink: &mut dyn Sink) {
        let issuer = &rules[0].fields[1];
        let limited = |rule: &Rule<'_>, index: usize| rule.fields[index].state != State::Unlimited;
        let mut listed = BTreeSet::new();
        let audiences = rules.iter().map(|rule| &rule.fields[2]);
        let audiences: Vec<Field<'d>> =
            audiences.filter(|audience| audience.as_text().is_some_and(|text| listed.insert(text))).cloned().collect();
        let mut strategy = Vec::new();
        for (word, index) in [("capability", 3), ("group", 4)] {
            if let Some(rule) = rules.iter().find(|rule| limited(rule, index)) {
                strategy.push(Field::text(word, rule.fields[index].at));
            }
        }
        let bare = rules.iter().find(|rule| !limited(rule, 3) && !limited(rule, 4));
        if let Some(rule) = bare {
            strategy.push(Field::text("mapping", At::node(rule.at.id)));
        }
        let unchecked = rules.iter().find(|rule| !limited(rule, 2)).map(|rule| rule.fields[2].at);
        let known = rules.iter().all(|rule| !matches!(rule.fields[2].state, State::Unknown(_)));
        let open = || match unchecked {
            Some(at) => Field::bool(true, at),
            None if known => Field::bool(false, None),
            None => Field::unknown("a pattern stands in its place", None),
        };
        let record = Trust {
            product: Field::text(PRODUCT, None),
            issuer: issuer.clone(),
            alias: Field::text(group.name.clone(), None),
            audience_checked: open().map_bool(|open| !open),
            any_audience: open(),
            missing_audience: open(),
            audiences: match audiences.first().map(|first| first.at) {
                Some(at) => Field::list(audiences, at),
                None => Field::default(),
            },
            strategy: Field::list(strategy, None),
            rights_without_scope: Field::bool(bare.is_some(), bare.map(|rule| At::node(rule.at.id))),
            account: account.clone(),
            groups_claim: Field::text("wlcg.groups", None),
            without_token: Field::text("passthrough", None),
            active: Field::bool(active && rules.iter().any(|rule| rule.reached), None),
            ..Trust::default()
        };
        let shown = format!("{} ({})", issuer.as_text().unwrap_or("any issuer"), group.name);
        let at = issuer.at.unwrap_or(At::ROOT);
        let target = Target { identity: shown.clone().into(), at, ..Target::new(TargetKind::Trust, shown, record) };
        sink.target(&[self.document], target);
    }

    fn traps(&self, sink: &mut dyn Sink) {
        let first = self.groups.iter().flat_map(|group| &group.rules).next();
        if let (Some(false), Some(rule)) = (self.tokens(), first) {
            Found::new(PRODUCT, TOKENS_OFF, rule.at, rule.at.key().unwrap_or_default()).tell(sink);
        }
        for block in &self.blocks {
            for entry in block.at.items().filter(|entry| entry.is_null()) {
                let name = shorten(entry.key().unwrap_or_default());
                Found::new(PRODUCT, LINE_SKIPPED, entry, name).section(block.name.clone()).tell(sink);
            }
        }
        let names: BTreeSet<&str> = self.groups.iter().map(|group| group.name.as_str()).collect();
        // Enough to find what was meant.
        let known: Vec<&str> = names.iter().copied().take(200).collect();
        // A part of a file may leave the groups to another part.
        let check = |name: &str| !names.is_empty() && !names.contains(name);
        let mapping =
            self.block("mapping").into_iter().flat_map(Cursor::entries).filter(|(key, _)| key.starts_with("map_"));
        for (key, value) in mapping {
            let group = split_blank(value.as_str().unwrap_or_default()).0;
            if !MAPPINGS.contains(&key) {
                Found::new(PRODUCT, UNKNOWN_MAPPING, value, key).section("mapping").nearest(&MAPPINGS).tell(sink);
            } else if check(group) {
                Found::new(PRODUCT, GROUP_UNDEFINED, value, group).section("mapping").nearest(&known).tell(sink);
            }
        }
        let access = self.block(JOBS).into_iter().flat_map(Cursor::entries);
        for (_, value) in access.filter(|(key, _)| ["allowaccess", "denyaccess"].contains(key)) {
            let words = value.as_str().unwrap_or_default().split(' ').filter(|word| !word.is_empty());
            for group in words.filter(|group| check(group)) {
                Found::new(PRODUCT, GROUP_UNDEFINED, value, group).section(JOBS).nearest(&known).tell(sink);
            }
        }
    }
}

/// A line's beginning, enough to find it.
fn shorten(line: &str) -> String {
    line.chars().take(60).collect()
}

/// The first word and what follows, without blanks between.
fn split_blank(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (first, rest.trim())
}

fn read_group<'d>(block: Cursor<'d>, name: &str, sink: &mut dyn Sink) -> Group<'d> {
    let mut group = Group { name: name.to_string(), rules: Vec::new(), includes: Vec::new(), otherwise: None };
    let mut reached = true;
    for (key, at) in block.entries().filter(|(_, at)| !at.is_null()) {
        let value = at.as_str().unwrap_or_default();
        if key == "name" {
            group.name = value.to_string();
            continue;
        }
        let signed = key.strip_prefix('-').or(key.strip_prefix('+')).unwrap_or(key);
        let command = signed.strip_prefix('!').unwrap_or(signed);
        let (negative, inverted) = (key.starts_with('-'), command.len() < signed.len());
        let trap = |code| Found::new(PRODUCT, code, at, command).section(name.to_string());
        let fields = match command {
            "authtokens" => token_fields(value, At::node(at.id)),
            "authtokensgen" => Some(expression_fields(value, At::node(at.id))),
            "all" if value.trim() == "yes" => Some([(); 5].map(|()| Field::unlimited(At::node(at.id)))),
            "authgroup" if !negative && !inverted => {
                group.includes.extend(value.split(' ').filter(|word| !word.is_empty()).map(str::to_string));
                continue;
            }
            // No token has VOMS attributes, and `all` that is not set to yes takes in nobody.
            "voms" | "all" if !inverted => continue,
            // Patterns such as `/O=Grid/CN=…` stand for themselves, as a subject.
            command if RULES.contains(&command) || command.starts_with(['/', '"', '#']) => {
                if reached && !negative {
                    group.otherwise.get_or_insert(At::node(at.id));
                }
                continue;
            }
            _ => {
                if reached {
                    trap(UNKNOWN_RULE).nearest(&RULES).tell(sink);
                }
                reached = false;
                continue;
            }
        };
        if inverted && !negative && reached {
            group.otherwise.get_or_insert(At::node(at.id));
        }
        match fields {
            // A rule with ! takes in whom it does not name, which no field can say.
            Some(fields) => group.rules.push(Rule {
                at,
                fields,
                admits: !negative && !inverted,
                bans: negative && !inverted,
                reached,
            }),
            None => {
                if reached {
                    trap(FIELDS_MISSING).tell(sink);
                }
                reached = false;
            }
        }
        // Nothing behind a rule that everybody matches is tried.
        reached = reached && (command != "all" || inverted);
    }
    group
}

/// The five fields of `authtokens`; `None` when there are fewer. Only the blank separates them, a tab does not.
fn token_fields<'d>(value: &'d str, at: At) -> Option<[Field<'d>; 5]> {
    let mut rest = value;
    let mut fields = [(); 5].map(|()| Field::default());
    for (index, field) in fields.iter_mut().enumerate() {
        rest = rest.trim_start_matches(' ');
        let quoted = rest.strip_prefix('"').and_then(|inner| inner.split_once('"'));
        let (word, behind) = match quoted {
            Some(split) => split,
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        if word.is_empty() {
            return None;
        }
        rest = behind;
        *field = match word {
            "*" => Field::unlimited(at.word(index)),
            word => Field::text(word, at.word(index)),
        };
    }
    Some(fields)
}

/// The same five of `authtokensgen`, as far as it is a row of comparisons joined by `&`.
fn expression_fields<'d>(value: &'d str, at: At) -> [Field<'d>; 5] {
    const CLAIMS: [&str; 5] = ["sub", "iss", "aud", "scope", "wlcg.groups"];
    let unread = || [(); 5].map(|()| Field::unknown("the expression is not understood", at));
    let mut fields = [(); 5].map(|()| Field::unlimited(at));
    let mut rest = value.trim();
    while !rest.is_empty() {
        let Some((claim, operator, text, behind)) = comparison(rest) else { return unread() };
        if let Some(index) = CLAIMS.iter().position(|known| *known == claim) {
            fields[index] = match operator {
                '=' => Field::text(text, at),
                _ => Field::unknown("a pattern stands in its place", at),
            };
        }
        let behind = behind.trim_start();
        rest = match behind.strip_prefix('&') {
            Some(rest) => rest.trim_start(),
            None if behind.is_empty() => "",
            None => return unread(),
        };
    }
    fields
}

/// `(claim="text")` or `(claim~"pattern")` and what follows.
fn comparison(text: &str) -> Option<(&str, char, &str, &str)> {
    let inner = text.strip_prefix('(')?.trim_start();
    let at = inner.find(['=', '~', '(', ')', '"', '!', '&', '|'])?;
    let operator = inner[at..].chars().next().filter(|c| matches!(c, '=' | '~'))?;
    let (value, behind) = inner[at + 1..].trim_start().strip_prefix('"')?.split_once('"')?;
    Some((inner[..at].trim_end(), operator, value, behind.trim_start().strip_prefix(')')?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, Got, collect};

    fn read(text: &str) -> Collected {
        assert_eq!(ArcConf.syntax(&Sample::new("t", text)), Some(SYNTAX), "{text}");
        collect(text, SYNTAX)
    }

    fn of(collected: &Collected, kind: TargetKind) -> Vec<&Got> {
        collected.targets.iter().filter(|got| got.kind == kind).collect()
    }

    const REST: &str = "[mapping]\nmap_to_user = vo pilot:grp\n[arex]\n[arex/ws]\n[arex/ws/jobs]\nallowaccess = vo\n";

    fn with(rules: &str) -> Collected {
        read(&format!("[common]\n[authtokens]\n[authgroup: vo]\n{rules}{REST}"))
    }

    #[test]
    fn rules_are_mappings() {
        let fields = ["subject", "issuer", "audience", "scope", "group", "account", "bans", "active"];
        for (rule, expected, remark) in [
            (
                "authtokens = * https://i * * *",
                "unlimited https://i unlimited unlimited unlimited pilot false true",
                "wide",
            ),
            ("authtokens=s https://i a c /g", "s https://i a c /g pilot false true", "all fields"),
            ("authtokens = \"a b\" i * * * # x", "a b i unlimited unlimited unlimited pilot false true", "quotes"),
            ("+authtokens = s i * * *", "s i unlimited unlimited unlimited pilot false true", "plus"),
            ("-authtokens = s i * * *", "s i unlimited unlimited unlimited  true true", "minus"),
            ("all = yes", "unlimited unlimited unlimited unlimited unlimited pilot false true", "everybody"),
            (
                "authtokensgen = (iss=\"https://i\") & (aud = \"a\") & (wlcg.groups=\"/g\")",
                "unlimited https://i a unlimited /g pilot false true",
                "an expression",
            ),
            (
                "authtokensgen = (sub=\"s\") & (scope~\"x|y\")",
                "s unlimited unlimited unknown: a pattern stands in its place unlimited pilot false true",
                "an expression with a pattern",
            ),
        ] {
            let collected = with(&format!("{rule}\n"));
            let mappings = of(&collected, TargetKind::Mapping);
            assert_eq!(mappings.len(), 1, "{remark}");
            assert_eq!(fields.map(|field| mappings[0].get(field)).join(" "), expected, "{remark}");
        }
        let odd = with("authtokensgen = (iss=\"https://i\") | (iss=\"https://j\")\n!authtokens = s i * * *\n");
        let mappings = of(&odd, TargetKind::Mapping);
        assert_eq!((mappings.len(), mappings[0].get("issuer").starts_with("unknown")), (1, true));
    }

    #[test]
    fn issuers_of_a_group_are_trusted() {
        let collected = with(
            "authtokens = * https://i https://ce compute.create *\nauthtokens = * https://i https://ce * /g\n\
             authtokens = s https://j * * *\n",
        );
        let trusts = of(&collected, TargetKind::Trust);
        let got: Vec<String> = trusts
            .iter()
            .map(|trust| {
                ["issuer", "audiences", "audience_checked", "strategy", "rights_without_scope", "account", "active"]
                    .map(|field| trust.get(field))
                    .join("|")
            })
            .collect();
        assert_eq!(
            got,
            ["https://i|https://ce|true|capability group|false|pilot|true", "https://j||false|mapping|true|pilot|true"]
        );
    }

    #[test]
    fn the_service_is_open_without_access_lists() {
        for (text, field, expected, remark) in [
            ("[common]\n[authtokens]\n[arex/ws/jobs]\n", "any_issuer", "true", "no list"),
            ("[common]\n[arex/ws/jobs]\n", "any_issuer", "false", "no tokens"),
            ("[common]\n[authtokens]\n[arex/ws/jobs]\nallowaccess=a\n", "any_issuer", "false", "a list"),
            ("[authgroup:a]\nall=yes\n", "tokens", "unknown: this is a part of arc.conf", "a part"),
            ("[common]\n[authtokens]\n[arex]\nloglevel=DEBUG\n[arex/ws]\n", "log_leaks_tokens", "true", "by name"),
            ("[common]\n[authtokens]\n[arex]\nloglevel=5\n[arex/ws]\n", "log_leaks_tokens", "true", "by number"),
            ("[common]\n[arex]\n[arex/ws]\nloglevel=5\n", "log_leaks_tokens", "false", "an option ARC does not have"),
        ] {
            let collected = read(text);
            assert_eq!(of(&collected, TargetKind::Service)[0].get(field), expected, "{remark}");
        }
    }

    #[test]
    fn what_may_let_in_tokens_beside_rules_on_tokens_is_told() {
        for (rules, expected) in [
            ("authtokens = * i * * *\nvoms = vo * * *\nall = no\n", "false"),
            ("authtokens = * i * * *\n-subject = /CN=a\n", "false"),
            ("subject = /CN=a\nauthtokens = * i * * *\n", "true"),
            ("plugin = 10 /usr/bin/decide\n", "true"),
            ("!authtokens = * i * * *\n", "true"),
            ("all = yes\nplugin = 10 /usr/bin/decide\n", "false"),
            ("authgroup = elsewhere\n", "unknown: another part of arc.conf may define the group"),
            ("[authgroup:idle]\nplugin = 10 /usr/bin/decide\n", "false"),
        ] {
            assert_eq!(of(&with(rules), TargetKind::Service)[0].get("admits_otherwise"), expected, "{rules}");
        }
        let everybody = read("[common]\n[authtokens]\n[arex/ws/jobs]\n");
        assert_eq!(of(&everybody, TargetKind::Service)[0].get("admits_otherwise"), "");
    }

    #[test]
    fn what_arc_reads_otherwise_is_a_trap() {
        for (text, code, name, remark) in [
            ("[common]\n[arex/ws]\n[authgroup:a]\nauthtokens=* i * * *\n", TOKENS_OFF, "authtokens", "no [authtokens]"),
            ("[authgroup:a]\nauthtokens = * i * *\n", FIELDS_MISSING, "authtokens", "four fields"),
            ("[authgroup:a]\nauthtokens = *\ti\t*\t*\t*\n", FIELDS_MISSING, "authtokens", "tabs"),
            ("[authgroup:a]\nauthtoken = * i * * *\n", UNKNOWN_RULE, "authtoken", "misspelt"),
            ("[arex]\n[arex/ws/jobs] # open\nallowaccess=x\n", LINE_SKIPPED, "[arex/ws/jobs] # open", "heading"),
            ("a=b\n[arex]\n", LINE_SKIPPED, "a", "before the first block"),
            ("[arex]\nloglevel 5\n", LINE_SKIPPED, "loglevel 5", "no ="),
            ("[authgroup:a]\nall=yes\n[authgroup: a]\nall=no\n", BLOCK_REPLACED, "authgroup:a", "a block twice"),
            ("[authgroup:a]\nall=yes\n[mapping]\nmap_to_user = b c\n", GROUP_UNDEFINED, "b", "mapping"),
            ("[authgroup:a]\nall=yes\n[arex/ws/jobs]\nallowaccess=a b\n", GROUP_UNDEFINED, "b", "access"),
            ("[lrms]\n[mapping]\nmap_user = a b\n", UNKNOWN_MAPPING, "map_user", "mapping that is none"),
        ] {
            let collected = read(text);
            let traps = of(&collected, TargetKind::Trap);
            let got: Vec<_> = traps.iter().map(|trap| (trap.get("code"), trap.get("name"))).collect();
            assert_eq!(got, [(code, name)], "{remark}");
            assert_eq!(collected.errors, Vec::<String>::new(), "{remark}");
        }
    }

    #[test]
    fn rules_behind_one_that_fails_are_dead() {
        let collected = with("authtokens = * i\nauthtokens = * j * * *\n");
        assert_eq!(of(&collected, TargetKind::Mapping)[0].get("active"), "false");
        assert_eq!(of(&collected, TargetKind::Trust)[0].get("active"), "false");
    }

    #[test]
    fn damaged_files_are_read_as_far_as_they_go() {
        for (text, remark) in [
            ("[arex]\r\nloglevel=5\r\n", "CRLF"),
            ("[authgroup:a]\nauthtokens = \"a * * *\n", "a quote that is not closed"),
            ("[authgroup:a]\nauthtokensgen = (iss=\"a\n", "an expression that is cut off"),
            ("[arex", "a heading that is cut off"),
            ("[arex]\n\0\n", "NUL"),
        ] {
            let collected = collect(text, SYNTAX);
            assert_eq!(collected.kinds, [KIND], "{remark}");
        }
        let long = format!("[authgroup:a]\nauthtokens = {}\n", "* ".repeat(1 << 20));
        assert_eq!(of(&read(&long), TargetKind::Mapping).len(), 1);
    }

    #[test]
    fn other_files_are_left_alone() {
        for (text, remark) in [
            ("[common]\nx=1\n", "a block that anybody may have"),
            ("[arexx]\n", "another word"),
            ("# [arex]\n", "a comment"),
            ("", "empty"),
        ] {
            assert_eq!(ArcConf.syntax(&Sample::new("t", text)), None, "{remark}");
        }
        let reference = "## x\n#[common]\n#[authtokens]\n#[arex]\n";
        assert_eq!(ArcConf.syntax(&Sample::new("t", reference)), Some(SYNTAX));
        assert!(collect(reference, SYNTAX).targets.is_empty());
    }
}

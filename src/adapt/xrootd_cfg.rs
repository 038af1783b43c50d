//! XRootD's main configuration (also of EOS, and the fragments of `config.d`): what of it decides on tokens.
//!
//! A line is a directive `component.name` and its words; several components read the same file, each its own. Read from
//! the sources: of plain `ofs.authlib` lines the last counts, those with `++` are stacked on it; `ofs.authorize` is on
//! when it stands there, whatever follows; the library is not loaded without it. `if … fi` blocks do not nest. A block for
//! the program `xrootd` is taken, one for another program is not; any other condition (host, instance, variable) leaves
//! open what its lines say. What other files may add (`continue`) leaves open what this one does not say.

use super::traps::Found;
use super::{Adapter, Kind, Sample, Sink, read, scitokens_env};
use crate::model::{At, Field, Service, Target, TargetKind};
use crate::parse::words::WordsDialect;
use crate::parse::{Cursor, Document, Syntax};
use std::collections::BTreeMap;

/// The adapter.
pub(super) struct XrootdCfg;

const KIND: &str = "xrootd.cfg";
const SYNTAX: Syntax = Syntax::Words(WordsDialect::Xrootd);
const XROOTD: &str = "xrootd";
const EOS: &str = "eos";

/// Where the plug-in looks when it is not told.
const SCITOKENS_CFG: &str = "/etc/xrootd/scitokens.cfg";

const AUTHLIB_REPLACED: &str = "xrootd-authlib-replaced";
const AUTHLIB_ARGUMENT: &str = "xrootd-authlib-argument";
const AUTHORIZE_ABSENT: &str = "xrootd-authorize-absent";
const AUTHORIZE_ARGUMENT: &str = "xrootd-authorize-argument";
const HEADER_NOT_PASSED: &str = "xrootd-header-not-passed";
const ZTN_EXPIRY: &str = "xrootd-ztn-expiry";
const ZTN_OPTION: &str = "xrootd-ztn-option";
const TRACE_WORD: &str = "xrootd-trace-word-unknown";
const TRACE_SHOWS_TOKENS: &str = "xrootd-trace-shows-tokens";
const CONDITION_BROKEN: &str = "xrootd-condition-broken";

const CONDITIONAL: &str = "it stands in a condition on host, instance or variable";
const ELSEWHERE: &str = "another file of the configuration may say it";

/// Components whose directives are worth reading the file for, and those that stand beside them.
const COMPONENTS: [&str; 20] = [
    "all",
    "xrd",
    "xrootd",
    "ofs",
    "oss",
    "acc",
    "sec",
    "http",
    "cms",
    "pss",
    "pfc",
    "mgmofs",
    "fstofs",
    "macaroons",
    "scitokens",
    "voms",
    "tpc",
    "multiuser",
    "throttle",
    "ssi",
];

impl Adapter for XrootdCfg {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "Main configuration of XRootD or EOS, or a fragment of it: which libraries judge tokens, and how",
            targets: &[TargetKind::Service, TargetKind::Trap],
        }]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let (mut yes, mut no) = (0, 0);
        let mut goes_on = false;
        for line in sample.lines() {
            let rest = std::mem::replace(&mut goes_on, line.ends_with('\\'));
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default();
            let assigned = words.next().is_some_and(|second| second.starts_with(['=', ':']));
            match is_directive(first) && !assigned {
                true => yes += 1,
                false if rest || is_control(first) || first.starts_with('[') => {}
                false => no += 1,
            }
        }
        (yes > no).then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        (document.syntax == SYNTAX).then_some(KIND)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[
            AUTHLIB_REPLACED,
            AUTHLIB_ARGUMENT,
            AUTHORIZE_ABSENT,
            AUTHORIZE_ARGUMENT,
            HEADER_NOT_PASSED,
            ZTN_EXPIRY,
            ZTN_OPTION,
            TRACE_WORD,
            TRACE_SHOWS_TOKENS,
            CONDITION_BROKEN,
        ]
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let config = Config::read(document, sink);
        let libraries = config.libraries(sink);
        let service = config.service(&libraries);
        config.traps(&libraries, sink);
        let name = if config.product == EOS { "EOS" } else { "XRootD" };
        sink.target(&[document], Target::new(TargetKind::Service, name, service));
    }
}

fn is_directive(word: &str) -> bool {
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    word.split_once('.').is_some_and(|(component, name)| COMPONENTS.contains(&component) && plain(name))
}

fn is_control(word: &str) -> bool {
    matches!(word, "if" | "else" | "fi" | "set" | "setenv" | "continue")
}

/// Whether lines count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    Yes,
    No,
    Perhaps,
}

impl Counts {
    /// Of a branch when no branch before it was taken.
    fn after(self, before: Counts) -> Counts {
        match (before, self) {
            (Counts::Yes, _) | (_, Counts::No) => Counts::No,
            (Counts::No, taken) => taken,
            (Counts::Perhaps, _) => Counts::Perhaps,
        }
    }
}

/// A block that is open.
struct Block {
    counts: Counts,
    /// Whether some branch up to here was taken.
    taken: Counts,
}

/// A directive that counts, or perhaps does.
struct Line<'d> {
    at: Cursor<'d>,
    /// The directive and its words.
    words: Vec<Cursor<'d>>,
    perhaps: bool,
}

impl<'d> Line<'d> {
    fn name(&self) -> &'d str {
        self.words.first().and_then(|word| word.as_str()).unwrap_or_default()
    }

    /// The words behind the directive.
    fn arguments(&self) -> impl Iterator<Item = (Cursor<'d>, &'d str)> + '_ {
        self.words.iter().skip(1).filter_map(|word| Some((*word, word.as_str()?)))
    }

    fn has(&self, word: &str) -> bool {
        self.arguments().any(|(_, text)| text == word)
    }

    fn found(&self, code: &'static str, name: &str) -> Found<'d> {
        Found::new(XROOTD, code, self.words.first().copied().unwrap_or(self.at), name)
    }

    fn place(&self) -> At {
        At::node(self.words.first().unwrap_or(&self.at).id)
    }
}

/// What one file says.
struct Config<'d> {
    lines: Vec<Line<'d>>,
    product: &'static str,
    /// Variables with one known value.
    variables: BTreeMap<String, &'d str>,
    /// Variables given to the environment, with their values.
    environment: Vec<(String, Cursor<'d>, &'d str)>,
    /// True when no other file adds to this one.
    whole: bool,
}

/// The library that judges tokens, and what it is told.
#[derive(Default)]
struct Libraries<'d> {
    /// Where it is loaded.
    scitokens: Option<(Cursor<'d>, bool)>,
    /// Its configuration file.
    config: Option<(Cursor<'d>, &'d str)>,
    /// Where it is loaded for sure.
    at: Option<Cursor<'d>>,
}

/// The condition of an `if`.
fn condition(words: &[Cursor<'_>]) -> Counts {
    let words: Vec<&str> = words.iter().filter_map(|word| word.as_str()).collect();
    match words.as_slice() {
        ["exec", "xrootd"] => Counts::Yes,
        ["exec", _] => Counts::No,
        _ => Counts::Perhaps,
    }
}

impl<'d> Config<'d> {
    fn read(document: &'d Document, sink: &mut dyn Sink) -> Self {
        let mut config =
            Config { lines: vec![], product: XROOTD, variables: BTreeMap::new(), environment: vec![], whole: false };
        let mut open: Option<Block> = None;
        let mut sysconfig = false;
        for at in document.root().items() {
            let words: Vec<Cursor<'d>> = at.items().collect();
            let Some(first) = words.first().and_then(|word| word.as_str()) else { continue };
            if first.starts_with('[') && first.ends_with(']') {
                sysconfig = first == "[sysconfig]";
                continue;
            }
            let line = Line { at, words, perhaps: open.as_ref().is_some_and(|block| block.counts == Counts::Perhaps) };
            if matches!(first, "if" | "else" | "fi") {
                open = block(open, first, &line, sink);
                continue;
            }
            if open.as_ref().is_some_and(|block| block.counts == Counts::No) {
                continue;
            }
            if first == "continue" && open.is_some() {
                line.found(CONDITION_BROKEN, first).effect("continue must not stand between if and fi").tell(sink);
            }
            config.assign(first, &line, sysconfig);
            config.lines.push(line);
        }
        if open.is_some()
            && let Some(last) = config.lines.last()
        {
            last.found(CONDITION_BROKEN, "if").effect("the last if has no fi").tell(sink);
        }
        config.conclude();
        config
    }

    /// Takes in `set`, `setenv`, and assignments of EOS' sysconfig block.
    fn assign(&mut self, first: &'d str, line: &Line<'d>, sysconfig: bool) {
        let texts: Vec<(Cursor<'d>, &'d str)> =
            line.words.iter().filter_map(|word| Some((*word, word.as_str()?))).collect();
        let assignment = match first {
            "set" | "setenv" => assignment(&texts[1..]),
            _ if sysconfig => assignment(&texts),
            _ => return,
        };
        let Some((name, at, value)) = assignment else { return };
        if first == "set" {
            // What a condition sets is not known.
            match line.perhaps || value.contains('$') {
                true => drop(self.variables.remove(name)),
                false => drop(self.variables.insert(name.to_string(), value)),
            }
        } else if !line.perhaps {
            self.environment.push((name.to_string(), at, value));
        }
    }

    fn conclude(&mut self) {
        let has = |name: &str| self.lines.iter().any(|line| line.name() == name);
        if self.lines.iter().any(|line| line.name().starts_with("mgmofs.") || line.name().starts_with("fstofs.")) {
            self.product = EOS;
        }
        self.whole = has("all.export") && !has("continue");
    }

    fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Line<'d>> {
        self.lines.iter().filter(move |line| line.name() == name)
    }

    /// The last line of a directive; the second is false when a condition decides which.
    fn last<'s>(&'s self, name: &'s str) -> Option<(&'s Line<'d>, bool)> {
        let certain = !self.all(name).any(|line| line.perhaps);
        Some((self.all(name).last()?, certain))
    }

    /// A word with its variable in place; `None` where its value is not known.
    fn resolved(&self, word: &'d str) -> Option<String> {
        let Some((before, rest)) = word.split_once('$') else { return Some(word.to_string()) };
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let value = self.variables.get(name)?;
        (!after.contains('$')).then(|| format!("{before}{value}{after}"))
    }

    fn path(&self, at: Cursor<'d>, word: &'d str) -> Field<'d> {
        match self.resolved(word) {
            Some(path) => Field::text(path, At::node(at.id)),
            None => Field::unknown("a variable stands in its place", At::node(at.id)),
        }
    }

    /// Finds the library that judges tokens among those that are loaded.
    fn libraries(&self, sink: &mut dyn Sink) -> Libraries<'d> {
        let mut found = Libraries::default();
        let lines = self.all("ofs.authlib").chain(self.all("mgmofs.macaroonslib"));
        let plain: Vec<&Line<'d>> = self.all("ofs.authlib").filter(|line| !line.has("++")).collect();
        for line in lines {
            let words: Vec<(Cursor<'d>, &'d str)> = line.arguments().collect();
            let Some(index) = words.iter().position(|(_, word)| word.contains("XrdAccSciTokens")) else { continue };
            let (at, _) = words[index];
            let replaced = plain.iter().any(|other| {
                !line.has("++") && line.name() == "ofs.authlib" && other.at.id > line.at.id && !other.perhaps
            });
            if replaced && !line.perhaps {
                line.found(AUTHLIB_REPLACED, "libXrdAccSciTokens.so").tell(sink);
                continue;
            }
            found.scitokens = Some((at, line.perhaps));
            if !line.perhaps {
                found.at = Some(at);
            }
            for &(at, word) in &words[index + 1..] {
                for argument in word.split(',').filter(|argument| !argument.is_empty()) {
                    match argument.strip_prefix("config=") {
                        Some(path) if !line.perhaps => found.config = Some((at, path)),
                        Some(_) => {}
                        None => Found::new(XROOTD, AUTHLIB_ARGUMENT, at, argument).tell(sink),
                    }
                }
            }
        }
        found
    }

    fn service(&self, libraries: &Libraries<'d>) -> Service<'d> {
        let tokens = match (libraries.at, libraries.scitokens) {
            (Some(at), _) => Field::bool(true, At::node(at.id)),
            (None, Some((at, _))) => Field::unknown(CONDITIONAL, At::node(at.id)),
            (None, None) if self.whole => Field::bool(false, None),
            (None, None) => Field::unknown(ELSEWHERE, None),
        };
        let plain_http = self.plain_http();
        let tokens_over_plain_http = match plain_http.as_bool() {
            Some(true) if tokens.as_bool() == Some(true) && self.passes_header() => plain_http.clone(),
            _ => Field::default(),
        };
        let trace = self.last("scitokens.trace");
        let log_level = trace.map_or_else(Field::default, |(line, certain)| match certain {
            true => Field::text(line.arguments().map(|(_, word)| word).collect::<Vec<_>>().join(" "), line.place()),
            false => Field::unknown(CONDITIONAL, line.place()),
        });
        let site = self.last("all.sitename").and_then(|(line, _)| Some((line.place(), line.arguments().next()?.1)));
        let environment = self.environment.iter().map(|(name, at, value)| (name.as_str(), *at, *value));
        let cache = scitokens_env::Settings::of(environment);
        Service {
            product: Field::text(self.product, None),
            name: site.map_or_else(Field::default, |(at, name)| Field::text(name, at)),
            audiences: Field::unknown("the configuration of the library for tokens says it", None),
            tokens,
            plain_http,
            tokens_over_plain_http,
            tls_verified: cache.tls_verified,
            ca_store: cache.ca_store.or(self.ca_file()),
            key_cache: cache.key_cache,
            key_refresh: cache.key_refresh,
            log_traces_tokens: self.traces(),
            log_settings: self.log_settings(),
            log_level,
            max_token_bytes: self.max_token_bytes(),
            files: self.files(libraries),
            ..Service::default()
        }
    }

    fn log_settings(&self) -> Field<'d> {
        let names = ["scitokens.trace", "acc.audit", "http.trace", "xrootd.log"];
        read::log_settings(names.map(|name| {
            let (line, certain) = self.last(name)?;
            let words: Vec<&str> = line.arguments().map(|(_, word)| word).collect();
            let value = match certain {
                true => Field::text(words.join(" "), line.place()),
                false => Field::unknown(CONDITIONAL, line.place()),
            };
            read::log_setting(name, &value)
        }))
    }

    fn files(&self, libraries: &Libraries<'d>) -> Field<'d> {
        let mut files = Vec::new();
        match (libraries.config, libraries.at) {
            (Some((at, path)), _) if self.product == XROOTD => files.push(self.path(at, path)),
            (_, Some(at)) => files.push(Field::text(SCITOKENS_CFG, At::node(at.id))),
            (_, None) => {}
        }
        for name in ["acc.authdb", "continue"] {
            for line in self.all(name).filter(|line| !line.perhaps) {
                files.extend(line.arguments().next().map(|(at, word)| self.path(at, word)));
            }
        }
        if files.is_empty() { Field::default() } else { Field::list(files, None) }
    }

    /// The CA file of the server, which the token library uses for issuers too.
    fn ca_file(&self) -> Field<'d> {
        let Some((line, true)) = self.last("xrd.tlsca") else { return Field::default() };
        let mut words = line.arguments().skip_while(|(_, word)| *word != "certfile").skip(1);
        words.next().map_or_else(Field::default, |(at, path)| self.path(at, path))
    }

    /// The door for http.
    fn http(&self) -> Option<&Line<'d>> {
        self.all("xrd.protocol").find(|line| line.arguments().any(|(_, word)| word.contains("XrdHttp")))
    }

    /// True where the file says that no TLS is set up for http. With TLS the same port answers both, so that nothing is
    /// said about those sites.
    fn plain_http(&self) -> Field<'d> {
        let Some(door) = self.http() else { return Field::default() };
        if let Some((line, true)) = self.last("http.httpsmode")
            && line.has("disable")
        {
            return Field::bool(true, line.place());
        }
        let tls = ["xrd.tls", "http.cert"].iter().any(|name| self.all(name).next().is_some());
        match self.whole && !tls && !door.perhaps {
            true => Field::bool(true, door.place()),
            false => Field::default(),
        }
    }

    /// True where the header with the token reaches the library.
    fn passes_header(&self) -> bool {
        let passes = |line: &Line<'d>| {
            let mut words = line.arguments().map(|(_, word)| word);
            words.next().is_some_and(|word| word.eq_ignore_ascii_case("authorization")) && words.next() == Some("authz")
        };
        self.all("http.header2cgi").any(passes)
    }

    /// Whether the log shows whose token it was: the plug-in says so only at its debug level.
    fn traces(&self) -> Field<'d> {
        let audits = self.all("acc.audit").any(|line| line.has("grant"));
        match self.last("scitokens.trace") {
            Some((line, true)) if line.has("all") || line.has("debug") => Field::bool(true, line.place()),
            Some((line, true)) if !audits => Field::bool(false, line.place()),
            Some(_) | None => Field::default(),
        }
    }

    /// The lines that set up the protocol `ztn`, with its options.
    fn ztn(&self) -> impl Iterator<Item = (&Line<'d>, Vec<(Cursor<'d>, &'d str)>)> {
        self.all("sec.protocol").filter_map(|line| {
            let mut words = line.arguments().skip_while(|(_, word)| word.starts_with('/')).peekable();
            words.next_if(|(_, word)| *word == "ztn")?;
            Some((line, words.collect()))
        })
    }

    fn max_token_bytes(&self) -> Field<'d> {
        let mut field = Field::default();
        for (line, words) in self.ztn() {
            for pair in words.windows(2).filter(|pair| pair[0].1 == "-maxsz") {
                let at = At::node(pair[1].0.id);
                field = match (line.perhaps, size(pair[1].1)) {
                    (true, _) => Field::unknown(CONDITIONAL, at),
                    (false, Some(bytes)) => Field::int(bytes, at),
                    (false, None) => Field::malformed("1 to 524288 bytes, with or without k, are expected", at),
                };
            }
        }
        field
    }

    fn traps(&self, libraries: &Libraries<'d>, sink: &mut dyn Sink) {
        for line in self.all("ofs.authorize") {
            let off = line.arguments().find(|(_, word)| matches!(*word, "0" | "off" | "no" | "false" | "none"));
            if let Some((at, word)) = off {
                Found::new(XROOTD, AUTHORIZE_ARGUMENT, at, word).tell(sink);
            }
        }
        let authorized = self.all("ofs.authorize").next().is_some();
        if let Some(at) = libraries.at
            && self.whole
            && self.product == XROOTD
            && !authorized
        {
            Found::new(XROOTD, AUTHORIZE_ABSENT, at, "ofs.authorize").tell(sink);
        }
        if let Some(door) = self.http()
            && self.whole
            && libraries.at.is_some()
            && !self.passes_header()
        {
            door.found(HEADER_NOT_PASSED, "http.header2cgi").tell(sink);
        }
        for (_, words) in self.ztn() {
            ztn_traps(&words, sink);
        }
        for line in self.all("scitokens.trace") {
            for (at, word) in line.arguments() {
                if !["all", "error", "warning", "info", "debug", "none"].contains(&word) {
                    Found::new(XROOTD, TRACE_WORD, at, word).tell(sink);
                }
            }
        }
        if let Some((line, true)) = self.last("http.trace") {
            const COUNT: [&str; 5] = ["all", "debug", "-all", "-debug", "off"];
            let words = line.arguments().map(|(at, word)| (at, self.resolved(word)));
            // Behind a variable whose value is not known, what stands before it may no longer hold.
            let last = words.filter(|(_, word)| word.as_deref().is_none_or(|word| COUNT.contains(&word))).last();
            if let Some((at, Some(word))) = last
                && ["all", "debug"].contains(&word.as_str())
            {
                Found::new(XROOTD, TRACE_SHOWS_TOKENS, at, word).tell(sink);
            }
        }
        let environment = self.environment.iter().map(|(name, at, value)| (name.as_str(), *at, *value));
        scitokens_env::traps(environment, sink);
    }
}

/// `name = value` in as many words as it has.
fn assignment<'d>(words: &[(Cursor<'d>, &'d str)]) -> Option<(&'d str, Cursor<'d>, &'d str)> {
    let &(first, text) = words.first()?;
    match text.split_once('=') {
        Some((name, "")) => words.get(1).map(|(at, value)| (name, *at, *value)).or(Some((name, first, ""))),
        Some((name, value)) => Some((name, first, value)),
        None => match words.get(1)? {
            (_, "=") => words.get(2).map(|(at, value)| (text, *at, *value)),
            (at, second) => Some((text, *at, second.strip_prefix('=')?)),
        },
    }
}

/// The block after one of its control lines.
fn block(open: Option<Block>, word: &str, line: &Line<'_>, sink: &mut dyn Sink) -> Option<Block> {
    let broken = |effect: &str, sink: &mut dyn Sink| line.found(CONDITION_BROKEN, word).effect(effect).tell(sink);
    match (word, open) {
        ("if", open) => {
            if open.is_some() {
                broken("the if before has no fi", sink);
            }
            let counts = condition(&line.words[1..]);
            Some(Block { counts, taken: counts })
        }
        ("else", Some(Block { taken, .. })) => {
            let other = line.words.get(1).and_then(|word| word.as_str()) == Some("if");
            let counts = if other { condition(&line.words[2..]) } else { Counts::Yes }.after(taken);
            let taken = match (taken, counts) {
                (Counts::Yes, _) | (_, Counts::Yes) => Counts::Yes,
                (Counts::Perhaps, _) | (_, Counts::Perhaps) => Counts::Perhaps,
                (Counts::No, Counts::No) => Counts::No,
            };
            Some(Block { counts, taken })
        }
        ("else", None) => {
            broken("no if stands before this else", sink);
            None
        }
        (_, None) => {
            broken("no if stands before this fi", sink);
            None
        }
        (_, Some(_)) => None,
    }
}

/// Bytes of `-maxsz`.
fn size(text: &str) -> Option<i64> {
    let (digits, unit) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1024),
        None => (text, 1),
    };
    let bytes = digits.parse::<i64>().ok()?.checked_mul(unit)?;
    (1..=524_288).contains(&bytes).then_some(bytes)
}

/// What the protocol `ztn` makes of its options.
fn ztn_traps(words: &[(Cursor<'_>, &str)], sink: &mut dyn Sink) {
    let mut words = words.iter();
    while let Some(&(at, option)) = words.next() {
        let refused = |at, name: &str, effect: &str, sink: &mut dyn Sink| {
            Found::new(XROOTD, ZTN_OPTION, at, name).effect(effect).tell(sink);
        };
        match option {
            "-expiry" => match words.next() {
                // The comparisons are the wrong way round: the first that differs is taken.
                Some(&(at, word)) => {
                    let effect = if word == "ignore" { "optional" } else { "ignore" };
                    Found::new(XROOTD, ZTN_EXPIRY, at, word).effect(effect).tell(sink);
                }
                None => refused(at, option, "a value is missing", sink),
            },
            "-maxsz" => match words.next() {
                Some(&(_, word)) if size(word).is_some() || word.contains('$') => {}
                Some(&(at, word)) => refused(at, word, "1 to 524288 bytes are allowed, or 1k to 512k", sink),
                None => refused(at, option, "a value is missing", sink),
            },
            "-tokenlib" => {
                words.next();
            }
            _ if option.contains('$') => {}
            _ => refused(at, option, "there is no such option", sink),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, collect};

    fn read(text: &str) -> Collected {
        assert_eq!(XrootdCfg.syntax(&Sample::new("t", text)), Some(SYNTAX), "{text}");
        collect(text, SYNTAX)
    }

    fn service(text: &str) -> crate::adapt::testing::Got {
        let collected = read(text);
        collected.targets.into_iter().find(|got| got.kind == TargetKind::Service).expect("a service")
    }

    #[test]
    fn a_whole_configuration_is_read() {
        let got = service(
            "all.export /data\nall.sitename SITE # ours\nofs.authorize 1\nset d = /etc/xrd\n\
             ofs.authlib ++ libXrdAccSciTokens.so config=$d/tokens.cfg\nacc.authdb /etc/xrootd/Authfile\n\
             xrd.tlsca certfile /etc/ca.pem\nsec.protocol /usr/lib64 ztn -maxsz 20k\nscitokens.trace debug\n\
             setenv SCITOKEN_CONFIG_KEYCACHE_EXPIRATION_INTERVAL_S = 86400\n",
        );
        for (field, expected) in [
            ("product", "xrootd"),
            ("name", "SITE"),
            ("tokens", "true"),
            ("files", "/etc/xrd/tokens.cfg /etc/xrootd/Authfile"),
            ("ca_store", "/etc/ca.pem"),
            ("max_token_bytes", "20480"),
            ("log_level", "debug"),
            ("log_traces_tokens", "true"),
            ("key_cache", "86400"),
            ("plain_http", ""),
        ] {
            assert_eq!(got.get(field), expected, "{field}");
        }
    }

    #[test]
    fn conditions_leave_open_what_they_say() {
        let library = "ofs.authlib ++ libXrdAccSciTokens.so";
        for (text, expected, remark) in [
            (format!("all.export /\n{library}\n"), "true", "no condition"),
            (format!("all.export /\nif exec xrootd\n{library}\nfi\n"), "true", "this program"),
            (format!("all.export /\nif exec cmsd\n{library}\nfi\n"), "false", "another program"),
            (format!("all.export /\nif exec cmsd\nelse\n{library}\nfi\n"), "true", "what is left"),
            (format!("all.export /\nif named a\n{library}\nfi\n"), CONDITIONAL, "an instance"),
            (format!("all.export /\nif named a\nelse\n{library}\nfi\n"), CONDITIONAL, "another instance"),
            (format!("all.export /\nif exec xrootd\nelse if named a\n{library}\nfi\n"), "false", "never reached"),
            ("all.export /\n".into(), "false", "no library at all"),
            ("all.export /\ncontinue /etc/xrootd/config.d\n".into(), ELSEWHERE, "further files"),
            ("acc.audit deny\n".into(), ELSEWHERE, "a fragment"),
        ] {
            let got = service(&text);
            let tokens = got.get("tokens");
            assert_eq!(tokens.strip_prefix("unknown: ").unwrap_or(tokens), expected, "{remark}");
        }
    }

    #[test]
    fn plain_http_is_what_the_file_shows() {
        let door = "xrd.protocol http:1094 libXrdHttp.so\n";
        let tokens = "ofs.authlib libXrdAccSciTokens.so\nhttp.header2cgi Authorization authz\n";
        for (text, plain, carried, remark) in [
            (format!("all.export /\n{door}{tokens}"), "true", "true", "no TLS at all"),
            (format!("all.export /\n{door}"), "true", "", "no tokens"),
            (format!("all.export /\nxrd.tls c k\n{door}{tokens}"), "", "", "TLS"),
            (format!("all.export /\nhttp.cert c\n{door}{tokens}"), "", "", "TLS of the door"),
            (format!("{door}{tokens}"), "", "", "a fragment"),
            (format!("{door}http.httpsmode disable\nxrd.tls c k\n{tokens}"), "true", "true", "switched off"),
            ("all.export /\n".into(), "", "", "no door"),
        ] {
            let got = service(&text);
            assert_eq!((got.get("plain_http"), got.get("tokens_over_plain_http")), (plain, carried), "{remark}");
        }
    }

    #[test]
    fn other_files_are_told_apart() {
        for (text, remark) in [
            ("xrootd.authz = x\nxrootd.limits=1\n", "properties"),
            ("[Global]\naudience = a\n", "scitokens.cfg"),
            ("set a = b\n", "a shell script"),
            ("auth optional oidc\n", "gplazma.conf"),
        ] {
            assert_eq!(XrootdCfg.syntax(&Sample::new("t", text)), None, "{remark}");
        }
    }
}

//! The map files of HTCondor and HTCondor-CE: which account a token's issuer and subject get.
//!
//! What HTCondor does with such a file, read from its source: a line is METHOD PRINCIPAL NAME, whatever follows is ignored,
//! a line with fewer words is skipped with a line in the log; the first line that matches counts. By default every
//! principal is a regular expression; with `CERTIFICATE_MAPFILE_ASSUME_HASH_KEYS`, which HTCondor-CE sets, only one
//! between slashes is, and anything else is compared as it is. The principal of a token is `iss,sub`. Since HTCondor
//! validates tokens of any issuer whose keys it can fetch, these lines are all that says who is trusted. The name may be
//! `user`, `user@domain` or `PLUGIN:names`; HTCondor-CE bans what has the domain `banned.htcondor.org`.

use super::condor_pattern::{Part, Shape, matches_nobody, shape};
use super::traps::Found;
use super::{Adapter, Kind, Sample, Sink};
use crate::model::{At, Field, Mapping, Target, TargetKind, Trust};
use crate::parse::words::WordsDialect;
use crate::parse::{Cursor, Document, Syntax};
use std::collections::HashMap;

/// The adapter.
pub(super) struct CondorMapfile;

const KIND: &str = "condor-mapfile";
const PLAIN: Syntax = Syntax::Words(WordsDialect::CondorMap);
const CE: Syntax = Syntax::Words(WordsDialect::CondorCeMap);

/// HTCondor's names of authentication methods, in the spellings it takes.
const METHODS: [&str; 14] = [
    "SCITOKENS",
    "SSL",
    "GSI",
    "FS",
    "FS_REMOTE",
    "KERBEROS",
    "CLAIMTOBE",
    "PASSWORD",
    "IDTOKENS",
    "TOKEN",
    "NTSSPI",
    "MUNGE",
    "ANONYMOUS",
    "TOKENS",
];

const LINE_SKIPPED: &str = "condor-line-skipped";
const SLASH_ENDS: &str = "condor-slash-ends-pattern";
const LITERAL: &str = "condor-literal-pattern";
const SLASHES_LITERAL: &str = "condor-slashes-literal";
const NEVER_MATCHES: &str = "condor-principal-without-comma";
const CARRIAGE_RETURN: &str = "condor-carriage-return";

impl Adapter for CondorMapfile {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "map file of HTCondor or HTCondor-CE; only its SCITOKENS lines are judged, those of other methods are not \
                  about tokens",
            targets: &[TargetKind::Mapping, TargetKind::Trust, TargetKind::Trap],
        }]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let mut active = sample.lines().take(10_000).peekable();
        let ours = match active.peek() {
            Some(_) => active.all(is_line),
            // A file as shipped, with everything commented out.
            None => sample.text.lines().take(10_000).any(|line| {
                let words: Vec<&str> = line.trim_start_matches(['#', ' ', '\t']).split_whitespace().collect();
                line.starts_with('#') && words.len() >= 3 && is_method(words[0]) && words[1].starts_with('/')
            }),
        };
        let slashes = slashes(sample.path, sample.text);
        ours.then_some(if slashes == Some(false) { PLAIN } else { CE })
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        [PLAIN, CE].contains(&document.syntax).then_some(KIND)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[LINE_SKIPPED, SLASH_ENDS, LITERAL, SLASHES_LITERAL, NEVER_MATCHES, CARRIAGE_RETURN]
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let slashes = slashes(document.source.name(), document.source.text());
        let product = match document.syntax == CE && slashes == Some(true) {
            true => "htcondor-ce",
            false => "htcondor",
        };
        let file = File { product, slashes };
        let mut lines: Vec<Line<'_>> = Vec::new();
        for at in document.root().items() {
            if let Some(line) = file.line(at, sink) {
                lines.push(line);
            }
        }
        file.carriage_return(document, sink);
        let mut earlier = Earlier::default();
        for line in &lines {
            file.mapping(line, !earlier.covers(line), sink);
            earlier.add(line);
        }
        trusts(&file, document, &lines, sink);
    }
}

/// Is this a line that only such files have?
fn is_line(line: &str) -> bool {
    let mut words = line.split_whitespace();
    match words.next() {
        Some("@include") => words.next().is_some(),
        Some(method) => is_method(method) && words.next().is_some_and(|word| !word.starts_with(['=', ':'])),
        None => false,
    }
}

fn is_method(word: &str) -> bool {
    METHODS.iter().any(|method| method.eq_ignore_ascii_case(word))
}

/// Do slashes enclose regular expressions here? The option that says so stands in another file; the folder tells, else the
/// lines may.
fn slashes(path: &str, text: &str) -> Option<bool> {
    if path.contains("condor-ce") || path.contains("mapfiles.d") || text.contains("/etc/condor-ce/") {
        return Some(true);
    }
    if path.contains("etc/condor/") || text.contains("/etc/condor/") {
        return Some(false);
    }
    let principals = text.lines().map(str::trim).filter(|line| is_line(line) && !line.starts_with('@'));
    let principals: Vec<&str> = principals.filter_map(|line| line.split_whitespace().nth(1)).collect();
    // No distinguished name starts so, and an expression with a slash before its start matches nothing.
    let enclosed = |principal: &&str| ["/^", "/.*", "/(", "/https:"].iter().any(|start| principal.starts_with(start));
    let bare = |principal: &&str| {
        !principal.starts_with('/') && ["^", ".*", "(.*)", "\"^"].iter().any(|mark| principal.starts_with(mark))
    };
    match (principals.iter().any(enclosed), principals.iter().any(bare)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

struct File {
    product: &'static str,
    slashes: Option<bool>,
}

/// A line about tokens.
struct Line<'d> {
    at: Cursor<'d>,
    principal: Cursor<'d>,
    name: Cursor<'d>,
    /// What it matches; `None` where that is not known.
    shape: Option<Shape>,
    /// True for a regular expression, false for a text.
    pattern: Option<bool>,
    /// It takes capitals and small letters for the same.
    caseless: bool,
}

impl Line<'_> {
    /// Does it take other spellings of the issuer as well?
    fn is_open(&self) -> bool {
        self.caseless || self.shape.as_ref().is_some_and(|shape| !shape.issuer_anchored)
    }

    fn bans(&self) -> bool {
        self.name.as_str().is_some_and(|name| name.ends_with("@banned.htcondor.org"))
    }

    /// Does it match whatever a later line matches?
    fn covers(&self, later: &Line<'_>) -> bool {
        let (Some(own), Some(other)) = (&self.shape, &later.shape) else {
            return self.principal.as_str() == later.principal.as_str() && self.pattern == later.pattern;
        };
        let issuer = own.issuer == Part::Any || (own.issuer == other.issuer && own.issuer != Part::Pattern);
        let subject = own.subject == Part::Any || (own.subject == other.subject && own.subject != Part::Pattern);
        // A line that only names how issuers begin matches more than one that names the same issuer whole.
        let whole = !own.issuer_anchored || other.issuer_anchored || own.issuer == Part::Any;
        let same = own == other && self.principal.as_str() == later.principal.as_str();
        same || (issuer
            && subject
            && whole
            && (own.subject == Part::Any || !own.subject_anchored || other.subject_anchored))
    }
}

/// Lines above, by what they ask for; a few of each are enough to know what they cover.
#[derive(Default)]
struct Earlier<'l, 'd>(HashMap<[&'l str; 2], Vec<&'l Line<'d>>>);

impl<'l, 'd> Earlier<'l, 'd> {
    const ENOUGH: usize = 4;

    fn key(issuer: &'l Part, subject: &'l Part) -> [&'l str; 2] {
        let name = |part: &'l Part| match part {
            Part::Any => "*",
            Part::Text(text) => text.as_str(),
            Part::Pattern => "?",
        };
        [name(issuer), name(subject)]
    }

    fn add(&mut self, line: &'l Line<'d>) {
        let key = match &line.shape {
            Some(shape) => Self::key(&shape.issuer, &shape.subject),
            None => [line.principal.as_str().unwrap_or_default(), ""],
        };
        let known = self.0.entry(key).or_default();
        if known.len() < Self::ENOUGH {
            known.push(line);
        }
    }

    fn covers(&self, line: &'l Line<'d>) -> bool {
        let keys = match &line.shape {
            Some(Shape { issuer, subject, .. }) => {
                let any = &Part::Any;
                [(issuer, subject), (issuer, any), (any, subject), (any, any)].map(|(i, s)| Self::key(i, s)).to_vec()
            }
            None => vec![[line.principal.as_str().unwrap_or_default(), ""]],
        };
        keys.iter().filter_map(|key| self.0.get(key)).flatten().any(|earlier| earlier.covers(line))
    }
}

impl File {
    fn trap<'d>(&self, code: &'static str, at: Cursor<'d>, name: &str) -> Found<'d> {
        Found::new(self.product, code, at, name)
    }

    /// A line that HTCondor takes and that is about tokens; traps on the way.
    fn line<'d>(&self, at: Cursor<'d>, sink: &mut dyn Sink) -> Option<Line<'d>> {
        let words: Vec<Cursor<'d>> = at.items().collect();
        let method = words.first()?.as_str()?;
        if !method.eq_ignore_ascii_case("SCITOKENS") {
            return None;
        }
        if words.len() < 3 || words.iter().take(3).any(|word| word.as_str() == Some("")) {
            self.trap(LINE_SKIPPED, at, method).tell(sink);
            return None;
        }
        let (principal, name) = (words[1], words[2]);
        let written = at.document.source.slice(principal.span());
        if written.starts_with('/') && principal.span().end == name.span().start {
            self.trap(SLASH_ENDS, principal, principal.as_str()?).tell(sink);
            return None;
        }
        let (pattern, shape) = self.read(principal, written);
        if let (Some(false), Some(text)) = (pattern, principal.as_str()) {
            let looks = text.starts_with('^') || text.contains(".*") || text.contains("\\.") || text.ends_with('$');
            if looks {
                self.trap(LITERAL, principal, text).tell(sink);
                return None;
            }
            if !text.contains(',') {
                self.trap(NEVER_MATCHES, principal, text).tell(sink);
                return None;
            }
        }
        if pattern == Some(true) && !self.slashes.unwrap_or(true) && written.starts_with("/^") {
            self.trap(SLASHES_LITERAL, principal, written).tell(sink);
            return None;
        }
        if let Some(text) = principal.as_str().filter(|text| pattern == Some(true) && matches_nobody(text)) {
            self.trap(NEVER_MATCHES, principal, text).tell(sink);
            return None;
        }
        let caseless = written.starts_with('/') && written.rsplit('/').next().is_some_and(|flags| flags.contains('i'));
        Some(Line { at, principal, name, shape, pattern, caseless })
    }

    /// Whether a principal is an expression, and what it matches.
    fn read(&self, principal: Cursor<'_>, written: &str) -> (Option<bool>, Option<Shape>) {
        let text = principal.as_str().unwrap_or_default();
        let pattern = match self.slashes {
            Some(slashes) => Some(!slashes || written.starts_with('/')),
            None => written.starts_with('/').then_some(true).filter(|_| text.starts_with('^')),
        };
        match pattern {
            None => (None, None),
            Some(true) => (pattern, shape(text)),
            Some(false) => {
                let (issuer, subject) = text.split_once(',').unwrap_or((text, ""));
                let literal = Shape {
                    issuer: Part::Text(issuer.into()),
                    subject: Part::Text(subject.into()),
                    issuer_anchored: true,
                    other_hosts: false,
                    subject_anchored: true,
                    loose_dots: false,
                    loose_subject_dots: false,
                };
                (pattern, Some(literal))
            }
        }
    }

    /// HTCondor takes a carriage return for a part of the name.
    fn carriage_return(&self, document: &Document, sink: &mut dyn Sink) {
        let text = document.source.text();
        let spoilt = document.root().items().find(|line| {
            let end = line.span().end as usize;
            line.items().count() >= 3 && text[end..].starts_with("\r\n")
        });
        if let Some(line) = spoilt {
            let name = line.items().nth(2).and_then(Cursor::as_str).unwrap_or_default();
            self.trap(CARRIAGE_RETURN, line, name).tell(sink);
        }
    }

    fn mapping(&self, line: &Line<'_>, active: bool, sink: &mut dyn Sink) {
        let at = At::node(line.principal.id);
        let name = line.name.as_str().unwrap_or_default();
        let name_at = At::node(line.name.id);
        let fixed = fixed_account(name);
        let shape = line.shape.as_ref();
        let known = |read: &dyn Fn(&Shape) -> Field<'static>| shape.map_or_else(|| self.unread(line, at), read);
        let record = Mapping {
            product: Field::text(self.product, None),
            issuer: known(&|shape| part(&shape.issuer, at)),
            subject: known(&|shape| part(&shape.subject, at)),
            pattern: match line.pattern {
                Some(true) => Field::text(line.principal.as_str().unwrap_or_default(), at),
                Some(false) => Field::default(),
                None => self.unread(line, at),
            },
            issuer_anchored: known(&|shape| match shape.issuer {
                Part::Any => Field::default(),
                Part::Text(_) | Part::Pattern => Field::bool(shape.issuer_anchored, at),
            }),
            issuer_open: known(&|shape| match shape.issuer {
                Part::Any | Part::Pattern => Field::default(),
                Part::Text(_) => Field::bool(line.is_open(), at),
            }),
            other_hosts: known(&|shape| Field::bool(shape.other_hosts, at)),
            loose_dots: known(&|shape| Field::bool(shape.loose_dots, at)),
            loose_subject_dots: known(&|shape| Field::bool(shape.loose_subject_dots, at)),
            subject_anchored: known(&|shape| match shape.subject {
                Part::Any => Field::default(),
                Part::Text(_) | Part::Pattern => Field::bool(shape.subject_anchored, at),
            }),
            account: fixed.map_or_else(Field::default, |account| Field::text(account, name_at)),
            gives: match fixed {
                Some(_) => Field::default(),
                None => Field::list(vec![Field::text(name, name_at)], name_at),
            },
            bans: match (line.bans(), self.product) {
                (true, "htcondor-ce") => Field::bool(true, name_at),
                (true, _) => Field::unknown("the DENY_ lists of the configuration decide", name_at),
                (false, _) => Field::bool(false, None),
            },
            active: Field::bool(active, At::node(line.at.id)),
            ..Mapping::default()
        };
        let shown = match shape.map(|shape| &shape.issuer) {
            Some(Part::Text(issuer)) => issuer.clone(),
            Some(Part::Any) => "any issuer".to_string(),
            Some(Part::Pattern) | None => name.to_string(),
        };
        let target = Target { at: At::node(line.at.id), ..Target::new(TargetKind::Mapping, shown, record) };
        sink.target(&[line.at.document], target);
    }

    fn unread(&self, line: &Line<'_>, at: At) -> Field<'static> {
        Field::unknown(
            match line.pattern {
                Some(_) => "the regular expression is not understood",
                None => "whether this is a regular expression shows only in CERTIFICATE_MAPFILE_ASSUME_HASH_KEYS",
            },
            at,
        )
    }
}

/// The account of a name, when all that match get the same.
fn fixed_account(name: &str) -> Option<&str> {
    let substituted = name.as_bytes().windows(2).any(|pair| pair[0] == b'\\' && pair[1].is_ascii_digit());
    let account = name.rsplit_once('@').map_or(name, |(account, _)| account);
    (!substituted && !name.starts_with("PLUGIN:") && !account.is_empty()).then_some(account)
}

fn part(part: &Part, at: At) -> Field<'static> {
    match part {
        Part::Any => Field::unlimited(at),
        Part::Text(text) => Field::text(text.clone(), at),
        Part::Pattern => Field::unknown("a pattern stands in its place", at),
    }
}

/// One trust for each issuer that lines admit.
fn trusts(file: &File, document: &Document, lines: &[Line<'_>], sink: &mut dyn Sink) {
    const ELSEWHERE: &str = "SCITOKENS_SERVER_AUDIENCE stands in the configuration";
    let mut order: Vec<&Part> = Vec::new();
    let mut by_issuer: HashMap<&Part, Vec<&Line<'_>>> = HashMap::new();
    for line in lines.iter().filter(|line| !line.bans()) {
        let Some(Shape { issuer, .. }) = &line.shape else { continue };
        // Whom a plug-in lets in is not shown here.
        if *issuer == Part::Any && line.name.as_str().is_some_and(|name| name.starts_with("PLUGIN:")) {
            continue;
        }
        let same = by_issuer.entry(issuer).or_default();
        if same.is_empty() && *issuer != Part::Pattern {
            order.push(issuer);
        }
        same.push(line);
    }
    for issuer in order {
        let same = &by_issuer[issuer];
        let line = same[0];
        let names: Vec<Option<&str>> = same.iter().map(|line| line.name.as_str().and_then(fixed_account)).collect();
        let at = At::node(line.principal.id);
        let record = Trust {
            product: Field::text(file.product, None),
            issuer: part(issuer, at),
            issuer_open: match issuer {
                Part::Text(_) => {
                    let open = same.iter().find(|line| line.is_open());
                    Field::bool(open.is_some(), open.map(|line| At::node(line.principal.id)))
                }
                Part::Any | Part::Pattern => Field::default(),
            },
            audiences: Field::unknown(ELSEWHERE, None),
            audience_checked: Field::unknown(ELSEWHERE, None),
            any_audience: Field::bool(true, None),
            strategy: Field::list(vec![Field::text("capability", None), Field::text("mapping", None)], None),
            mapping: Field::list(vec![Field::text("file", None)], None),
            account: match names[..] {
                [Some(name)] => Field::text(name.to_string(), At::node(line.name.id)),
                _ => Field::default(),
            },
            active: Field::bool(true, None),
            ..Trust::default()
        };
        let shown = match issuer {
            Part::Text(issuer) => issuer.clone(),
            Part::Any | Part::Pattern => "any issuer".to_string(),
        };
        let target = Target {
            identity: shown.clone().into(),
            at: At::node(line.at.id),
            ..Target::new(TargetKind::Trust, shown, record)
        };
        sink.target(&[document], target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, Got, collect};

    fn read(text: &str) -> Collected {
        let syntax = CondorMapfile.syntax(&Sample::new("t", text)).expect("a map file");
        collect(text, syntax)
    }

    fn of(collected: &Collected, kind: TargetKind) -> Vec<&Got> {
        collected.targets.iter().filter(|got| got.kind == kind).collect()
    }

    #[test]
    fn an_entry_that_takes_other_spellings_says_so() {
        for (text, open, remark) in [
            (r"SCITOKENS /^https:\/\/a\.example,/ vo", "false", "all of an issuer"),
            (r"SCITOKENS /^https:\/\/a\.example\/,[0-9a-f-]+$/i vo", "true", "capitals or not"),
            (r"SCITOKENS /^https:\/\/a\.example/ vo", "true", "anything behind it"),
            (r"SCITOKENS /^https:\/\/a\.example.*$/ vo", "true", "the same spelt out"),
            (
                "SCITOKENS /^https:\\/\\/a\\.example,/ x\nSCITOKENS /^https:\\/\\/a\\.example/ vo",
                "true",
                "another line",
            ),
            (r"SCITOKENS /^.*$/ vo", "", "any issuer"),
        ] {
            assert_eq!(of(&read(text), TargetKind::Trust)[0].get("issuer_open"), open, "{remark}");
        }
    }

    #[test]
    fn lines_say_who_becomes_whom() {
        for (text, expected, remark) in [
            (
                r"SCITOKENS /^https:\/\/a\.example,/ vo",
                ["https://a.example", "unlimited", "true", "false", "vo", "", "false"],
                "all of an issuer",
            ),
            (
                r"scitokens /^https:\/\/a\.example,x$/ vo@users.example",
                ["https://a.example", "x", "true", "false", "vo", "", "false"],
                "one subject",
            ),
            (
                r"SCITOKENS /^https:\/\/a\.example/ vo",
                ["https://a.example", "unlimited", "false", "true", "vo", "", "false"],
                "no comma",
            ),
            (
                r"SCITOKENS ^https://a\.example,(.*)$ \1@a.example",
                ["https://a.example", "unlimited", "true", "false", "", r"\1@a.example", "false"],
                "the subject is the account",
            ),
            (r"SCITOKENS .* PLUGIN:*", ["unlimited", "unlimited", "", "false", "", "PLUGIN:*", "false"], "as shipped"),
            (
                r"SCITOKENS /^https:\/\/a\.example,/ x@banned.htcondor.org",
                ["https://a.example", "unlimited", "true", "false", "x", "", "true"],
                "banned",
            ),
            (
                "SCITOKENS /^x,/ x\nSCITOKENS https://a.example,b vo",
                ["https://a.example", "b", "true", "false", "vo", "", "false"],
                "a text",
            ),
        ] {
            let collected = read(text);
            let mappings = of(&collected, TargetKind::Mapping);
            let got = mappings.last().expect(remark);
            let fields = ["issuer", "subject", "issuer_anchored", "other_hosts", "account", "gives", "bans"];
            assert_eq!(fields.map(|field| got.get(field)), expected, "{remark}");
        }
    }

    #[test]
    fn the_first_line_that_matches_counts() {
        for (text, active, remark) in [
            ("SCITOKENS ^a, x\nSCITOKENS ^a,b$ y\n", "true false", "the generic line first"),
            ("SCITOKENS ^a,b$ y\nSCITOKENS ^a, x\n", "true true", "the specific line first"),
            ("SCITOKENS .* x\nSCITOKENS ^a, y\n", "true false", "everything first"),
            ("SCITOKENS ^a, x\nSCITOKENS ^b, y\n", "true true", "two issuers"),
            ("SCITOKENS ^a,b x\nSCITOKENS ^a,b$ y\n", "true false", "subjects that begin so first"),
            ("SCITOKENS ^a,b$ x\nSCITOKENS ^a,b y\n", "true true", "the other way round"),
            ("SCITOKENS ^(a|b), x\nSCITOKENS ^(a|b), y\n", "true false", "the same twice, though not understood"),
            ("SCITOKENS ^(a|b), x\nSCITOKENS ^a, y\n", "true true", "not understood"),
        ] {
            let collected = read(text);
            let got: Vec<&str> = of(&collected, TargetKind::Mapping).iter().map(|got| got.get("active")).collect();
            assert_eq!(got.join(" "), active, "{remark}");
        }
    }

    #[test]
    fn issuers_of_the_lines_are_trusted_and_nobody_else() {
        let collected = read(
            "SCITOKENS /^https:\\/\\/a\\.example,x$/ one\nSCITOKENS /^https:\\/\\/a\\.example,y$/ two\n\
             SCITOKENS /^https:\\/\\/b\\.example,/ b\nSCITOKENS /^https:\\/\\/c\\.example,/ c@banned.htcondor.org\nFS /(.*)/ \\1\n",
        );
        let trusts = of(&collected, TargetKind::Trust);
        let got: Vec<_> = trusts.iter().map(|trust| (trust.get("issuer"), trust.get("account"))).collect();
        assert_eq!(got, [("https://a.example", ""), ("https://b.example", "b")]);
    }

    #[test]
    fn what_htcondor_reads_otherwise_is_a_trap() {
        for (path, text, code, remark) in [
            ("t", "SCITOKENS /^a,/\nSCITOKENS /^b,/ b", LINE_SKIPPED, "no name"),
            ("t", "SCITOKENS /^https://a,/ b\nSCITOKENS /^b,/ b", SLASH_ENDS, "a slash that is not escaped"),
            ("mapfiles.d/10.conf", "SCITOKENS ^https://a, b", LITERAL, "no slashes at a CE"),
            ("etc/condor/mapfile", "SCITOKENS /^https:\\/\\/a,/ b", SLASHES_LITERAL, "slashes in a pool"),
            ("mapfiles.d/10.conf", "SCITOKENS https://a b", NEVER_MATCHES, "an issuer alone"),
            ("t", "SCITOKENS /^https:\\/\\/a\\/$/ b", NEVER_MATCHES, "an end behind the issuer"),
            ("etc/condor/mapfile", "SCITOKENS ^https://a/$ b", NEVER_MATCHES, "an end behind the issuer in a pool"),
            ("mapfiles.d/10.conf", "SCITOKENS /^https:\\/\\/a,/ b\r\n", CARRIAGE_RETURN, "CRLF"),
        ] {
            let syntax = CondorMapfile.syntax(&Sample::new(path, text)).expect(remark);
            let source = std::sync::Arc::new(crate::source::Source::from_text(path, text));
            let (documents, errors) = crate::parse::parse(&source, syntax);
            assert_eq!(errors, [], "{remark}");
            let mut collected = Collected::default();
            CondorMapfile.adapt(&documents[0], KIND, &mut collected);
            let traps = of(&collected, TargetKind::Trap);
            assert_eq!(traps.iter().map(|trap| trap.get("code")).collect::<Vec<_>>(), [code], "{remark}");
        }
    }

    #[test]
    fn other_files_are_left_alone() {
        for (text, remark) in [
            ("SSL: /a/ b\n", "YAML"),
            ("fs = x\n", "a setting"),
            ("# nothing\n", "comments"),
            ("", "empty"),
            ("https://a.example b\n", "another map"),
            ("\"/C=X/CN=a\" vo\n", "a grid-mapfile"),
        ] {
            assert_eq!(CondorMapfile.syntax(&Sample::new("t", text)), None, "{remark}");
        }
        let shipped = "# Comment\n# SCITOKENS /<ISSUER>,<SUBJECT>/ <USER>\n";
        assert_eq!(CondorMapfile.syntax(&Sample::new("t", shipped)), Some(CE), "as shipped");
    }

    #[test]
    fn damaged_files_are_read_as_far_as_they_go() {
        let long = format!("SCITOKENS /^https:\\/\\/{}\\.example,/ vo\n", "a".repeat(2 << 20));
        for (text, mappings, errors, remark) in [
            ("SCITOKENS\t/^a,/\tvo\n", 1, 0, "tabs"),
            ("SCITOKENS /^a,/ vo\r\nSCITOKENS /^b,/ vo\r\n", 2, 0, "CRLF"),
            ("SCITOKENS /^a,/ vo\nSCITOKENS /^b", 1, 1, "truncated in a pattern"),
            ("SCITOKENS /^a,/ vo\nSCITOKENS \"^b vo\n", 1, 1, "a quote that is not closed"),
            ("SCITOKENS /^a,/ vo\0\n", 1, 1, "NUL"),
            ("@include x\n@include x\nSCITOKENS /^a,/ vo\n", 1, 0, "includes are not followed"),
            (long.as_str(), 1, 0, "2 MiB in a line"),
        ] {
            let collected = read(text);
            let got = (of(&collected, TargetKind::Mapping).len(), collected.errors.len());
            assert_eq!(got, (mappings, errors), "{remark}");
        }
    }

    #[test]
    fn what_plugins_let_in_is_no_trust() {
        let collected = read("SCITOKENS ^a, PLUGIN:A\nSCITOKENS .* PLUGIN:*\n");
        assert_eq!(of(&collected, TargetKind::Trust).iter().map(|got| got.get("issuer")).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn undecided_files_are_not_judged() {
        let collected = read("SCITOKENS https://a.example,b vo\n");
        let got = of(&collected, TargetKind::Mapping);
        assert!(got[0].get("issuer").starts_with("unknown"), "{:?}", got[0]);
    }
}

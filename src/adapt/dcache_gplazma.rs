//! `gplazma.conf`, the plug-ins that dCache asks about every login.
//!
//! Read from gPlazma's source: a line is phase, modifier, plug-in and arguments; one wrong line, and the whole file is not
//! loaded. Arguments without `=` are ignored, which makes comments behind a line harmless. As in PAM, an `optional` or
//! `sufficient` plug-in that fails refuses nobody, and a `sufficient` one that succeeds ends its phase.

use super::traps::Found;
use super::{Adapter, Kind, Sample, Sink};
use crate::model::{At, Field, Service, Target, TargetKind};
use crate::parse::words::WordsDialect;
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct GplazmaConf;

const KIND: &str = "gplazma.conf";
const PRODUCT: &str = super::dcache::PRODUCT;
const SYNTAX: Syntax = Syntax::Words(WordsDialect::Gplazma);

const LINE_REFUSED: &str = "dcache-gplazma-line-refused";
const PLUGIN_UNKNOWN: &str = "dcache-plugin-unknown";
const BAN_IDLE: &str = "dcache-ban-without-effect";
const OLD_PLUGIN: &str = "dcache-scitoken-plugin";

const PHASES: [&str; 5] = ["auth", "map", "account", "session", "identity"];
const MODIFIERS: [&str; 4] = ["optional", "required", "requisite", "sufficient"];
/// Plug-ins that come with dCache.
const PLUGINS: [&str; 23] = [
    "alise",
    "argus",
    "authzdb",
    "banfile",
    "gridmap",
    "htpasswd",
    "jaas",
    "kpwd",
    "krb5",
    "ldap",
    "multimap",
    "mutator",
    "nis",
    "nsswitch",
    "oidc",
    "oidc-te",
    "omnisession",
    "pyscript",
    "roles",
    "scitoken",
    "vogroup",
    "vorolemap",
    "voms",
];
const X509: [&str; 2] = ["x509", "xacml"];

/// Stands for left out lines in documents.
const EXCERPT_MARK: &str = "...";
const EXCERPT: &str = "the file shows no session phase, so it may be an excerpt";
const OTHER_PLUGIN: &str =
    "whether one of the plug-ins in the account phase refuses users is for its own configuration to say";

/// One line.
struct Line<'d> {
    phase: String,
    modifier: String,
    plugin: &'d str,
    arguments: Vec<(&'d str, &'d str)>,
    at: Cursor<'d>,
    plugin_at: Cursor<'d>,
}

impl<'d> Line<'d> {
    /// `None` for a line that gPlazma does not take.
    fn new(at: Cursor<'d>) -> Option<Self> {
        let words: Vec<(Cursor<'d>, &'d str)> =
            at.items().map(|word| (word, word.as_str().unwrap_or_default())).collect();
        let [(_, phase), (_, modifier), (plugin_at, plugin), rest @ ..] = words.as_slice() else { return None };
        let (phase, modifier) = (phase.to_ascii_lowercase(), modifier.to_ascii_lowercase());
        let known = PHASES.contains(&phase.as_str()) && MODIFIERS.contains(&modifier.as_str());
        let arguments = rest.iter().filter_map(|(_, word)| word.split_once('=')).collect();
        known.then_some(Line { phase, modifier, plugin, arguments, at, plugin_at: *plugin_at })
    }
}

impl Adapter for GplazmaConf {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "gplazma.conf: the plug-ins by which dCache authenticates, maps and bans",
            targets: &[TargetKind::Service, TargetKind::Trap],
        }]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let (mut whole, mut ours, mut other) = (false, 0_usize, 0_usize);
        for line in sample.lines().filter(|line| *line != EXCERPT_MARK) {
            let words: Vec<String> = line.split_whitespace().take(3).map(str::to_ascii_lowercase).collect();
            let is = |index: usize, names: &[&str]| words.get(index).is_some_and(|word| names.contains(&word.as_str()));
            let plugin = words.get(2);
            // The files of Linux-PAM look the same but for their modules' names.
            if plugin.is_some_and(|plugin| plugin.contains(".so")) {
                return None;
            }
            whole |= is(0, &PHASES) && is(1, &MODIFIERS) && plugin.is_some();
            *(if is(0, &PHASES) || is(1, &MODIFIERS) { &mut ours } else { &mut other }) += 1;
        }
        (whole && ours > other).then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        (document.syntax == SYNTAX).then_some(KIND)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[LINE_REFUSED, PLUGIN_UNKNOWN, BAN_IDLE, OLD_PLUGIN]
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let mut lines = Vec::new();
        let mut refused = Vec::new();
        for at in document.root().items() {
            match Line::new(at) {
                Some(line) => lines.push(line),
                None => refused.push(at),
            }
        }
        sink.target(&[document], Target::new(TargetKind::Service, "gPlazma", service(&lines)));
        for at in refused {
            let first = at.items().next().and_then(Cursor::as_str).unwrap_or_default();
            if first != EXCERPT_MARK {
                Found::new(PRODUCT, LINE_REFUSED, at, first).tell(sink);
            }
        }
        traps(&lines, sink);
    }
}

fn service<'d>(lines: &[Line<'d>]) -> Service<'d> {
    let whole = lines.iter().any(|line| line.phase == "session");
    let token = lines.iter().find(|line| line.phase == "auth" && ["oidc", "scitoken"].contains(&line.plugin));
    let tokens = match token {
        Some(line) => Field::bool(true, At::node(line.at.id)),
        None if whole => Field::bool(false, None),
        None => Field::unknown(EXCERPT, None),
    };
    let account = || lines.iter().filter(|line| line.phase == "account");
    let ban = account().find(|line| line.plugin == "banfile");
    let ban_hook = match ban {
        Some(line) => Field::bool(idle(lines, line).is_none(), At::node(line.at.id)),
        None if account().next().is_some() => Field::unknown(OTHER_PLUGIN, None),
        None if whole => Field::bool(false, None),
        None => Field::unknown(EXCERPT, None),
    };
    let files = lines
        .iter()
        .flat_map(|line| &line.arguments)
        .filter(|(key, _)| key.ends_with(".file") || *key == "gplazma.banfile.path");
    let files: Vec<Field<'d>> = files.map(|(_, file)| Field::text(*file, None)).collect();
    Service {
        product: Field::text(PRODUCT, None),
        name: Field::text("gplazma", None),
        tokens,
        ban_hook,
        files: if files.is_empty() { Field::default() } else { Field::list(files, None) },
        ..Service::default()
    }
}

/// Why a ban plug-in refuses nobody; `None` when it does.
fn idle(lines: &[Line<'_>], ban: &Line<'_>) -> Option<String> {
    if ["optional", "sufficient"].contains(&ban.modifier.as_str()) {
        return Some(format!("as {} plug-in its refusal is ignored", ban.modifier));
    }
    let mut earlier = lines.iter().take_while(|line| line.at.id != ban.at.id);
    let ends = earlier.find(|line| line.phase == "account" && line.modifier == "sufficient")?;
    Some(format!("the sufficient plug-in {} before it ends the phase for those it accepts", ends.plugin))
}

fn traps(lines: &[Line<'_>], sink: &mut dyn Sink) {
    for line in lines {
        let found = |code| Found::new(PRODUCT, code, line.plugin_at, line.plugin).section(line.phase.clone());
        let near = || crate::near::nearest(line.plugin, PLUGINS.into_iter());
        if !PLUGINS.contains(&line.plugin) && !X509.contains(&line.plugin) && line.plugin.len() < 40 {
            // Sites write plug-ins of their own, so only what is nearly a known name is a mistake.
            let close = near().filter(|name| crate::near::distance(name, line.plugin) <= 2 && line.plugin.len() > 3);
            if close.is_some() {
                found(PLUGIN_UNKNOWN).nearest(&PLUGINS).tell(sink);
            }
        } else if line.plugin == "banfile" && line.phase == "account" {
            if let Some(why) = idle(lines, line) {
                found(BAN_IDLE).effect(why).tell(sink);
            }
        } else if line.plugin == "scitoken" {
            found(OLD_PLUGIN).tell(sink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, collect};

    fn read(text: &str) -> Collected {
        assert_eq!(GplazmaConf.syntax(&Sample::new("t", text)), Some(SYNTAX), "{text}");
        collect(text, SYNTAX)
    }

    const SESSION: &str = "session requisite authzdb\n";

    #[test]
    fn tokens_and_bans_are_told_from_the_stack() {
        for (text, tokens, ban, remark) in [
            ("auth optional oidc\naccount requisite banfile\n", "true", "true", "both"),
            ("auth optional x509\n", "false", "false", "neither"),
            ("auth optional scitoken\naccount optional banfile\n", "true", "false", "a ban that refuses nobody"),
            ("AUTH Optional oidc # the=comment\n", "true", "false", "case and a comment do not matter"),
            (
                "auth optional oidc\naccount sufficient kpwd\naccount requisite banfile\n",
                "true",
                "false",
                "never asked",
            ),
            ("auth optional oidc\naccount requisite argus\n", "true", "unknown", "another plug-in may refuse"),
        ] {
            let collected = read(&format!("{text}{SESSION}"));
            let service = &collected.targets[0];
            assert_eq!(service.get("tokens"), tokens, "{remark}");
            assert!(service.get("ban_hook").starts_with(ban), "{remark}: {}", service.get("ban_hook"));
        }
        let excerpt = read("...\nauth optional x509\n...\n");
        assert!(excerpt.targets[0].get("tokens").starts_with("unknown"), "no session phase: an excerpt");
        let files = read("map sufficient multimap gplazma.multimap.file=/etc/dcache/vo.map\n");
        assert_eq!(files.targets[0].get("files"), "/etc/dcache/vo.map");
    }

    #[test]
    fn lines_that_do_not_do_what_they_say_are_traps() {
        for (text, code, name, remark) in [
            ("auth optional oidc\nauth sometimes x509\n", LINE_REFUSED, "auth", "no such modifier"),
            ("auth optional oidc\nmap multimap\n", LINE_REFUSED, "map", "a word is missing"),
            ("auth optional odic\n", PLUGIN_UNKNOWN, "odic", "misspelt"),
            ("account optional banfile\n", BAN_IDLE, "banfile", "optional"),
            ("account sufficient kpwd\naccount required banfile\n", BAN_IDLE, "banfile", "behind a sufficient one"),
            ("auth optional scitoken\n", OLD_PLUGIN, "scitoken", "deprecated"),
        ] {
            let collected = read(text);
            let traps: Vec<_> = collected.targets.iter().filter(|got| got.kind == TargetKind::Trap).collect();
            assert_eq!(traps.len(), 1, "{remark}");
            assert_eq!((traps[0].get("code"), traps[0].get("name")), (code, name), "{remark}");
        }
        let own = read("auth optional my-site-plugin\nauth optional x509\nmap optional gridmap\n");
        assert_eq!(own.targets.len(), 1, "a site's own plug-in is none");
    }

    #[test]
    fn other_texts_are_not_taken() {
        for text in
            ["auth: optional\nmap: required\n", "auth required pam_unix.so\nsession optional pam_limits.so\n", ""]
        {
            assert_eq!(GplazmaConf.syntax(&Sample::new("t", text)), None, "{text}");
        }
    }
}

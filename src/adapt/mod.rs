//! Adapters: native documents to targets. One file per native format, registered in [`ADAPTERS`].
//!
//! An adapter knows one product's spelling: what `null`, 0, −1 and a missing member mean there, in which unit a
//! lifetime stands, which members are secrets. It recognises its format by content; a file's name settles only
//! what that leaves open.

mod account;
mod arc_conf;
mod client_form;
mod compliance;
mod compose;
mod condor_config;
mod condor_mapfile;
mod condor_pattern;
mod configparser;
mod dcache;
mod dcache_args;
mod dcache_gplazma;
mod dcache_multimap;
mod dcache_provider;
mod dex;
mod dirac;
mod discovery;
mod egi_registry;
mod embedded;
mod env_file;
mod eos_vid;
mod fts;
mod gfal2;
mod helm_values;
mod htvault;
mod hydra;
mod hydra_client;
mod indigo_iam;
mod indigo_iam_application;
mod indigo_iam_client;
mod indigo_iam_other;
mod indigo_iam_policies;
mod jwks;
pub(crate) mod jwt_token;
mod keycloak;
mod kubernetes;
mod leaks;
mod list;
mod logging;
mod mitreid;
mod mytoken;
mod oa4mp;
mod oa4mp_cfg;
mod oidc_agent;
mod osg_topology;
mod placeholder;
mod read;
mod rfc7591;
mod rucio;
mod rucio_cfg;
mod scitokens_cfg;
mod scitokens_env;
mod secret;
mod service_helm;
pub(crate) mod snapshot;
mod storm;
mod storm_application;
mod storm_env;
mod storm_sa;
mod suppressions;
#[cfg(test)]
pub(crate) mod testing;
mod traps;
mod voms;
pub(crate) mod withheld;
mod workflows;
mod workload;
mod xrootd_cfg;
mod xrootd_maps;

#[cfg(feature = "fetch")]
pub(crate) use discovery::product as issuer_product;
#[cfg(feature = "fetch")]
pub(crate) use indigo_iam_client::has_seeded_secret;
#[cfg(feature = "verify")]
pub(crate) use jwks::{bit_length, decode as decode_member};
pub use read::{Reader, is_placeholder};

use crate::model::{Target, TargetKind};
use crate::parse::{Document, NodeId, Syntax};

/// A native format.
pub trait Adapter: Sync {
    /// The kinds of document this adapter yields, as reports and rules name them (`indigo-iam-clients`).
    fn kinds(&self) -> &'static [Kind];

    /// The kind of this document, when it is one of ours. Looks at structure only; must not be fooled by a
    /// similar format, since the first adapter in [`ADAPTERS`] that answers is taken.
    fn recognise(&self, document: &Document) -> Option<&'static str>;

    /// The syntax of a text that is one of ours; asked before anything is parsed, of adapters whose formats cannot be told
    /// from the first characters. The answer settles the syntax, so it must be certain; what the words of the text leave
    /// open, the file's name may settle.
    fn syntax(&self, _sample: &Sample<'_>) -> Option<Syntax> {
        None
    }

    /// True for kinds whose lists, at the root of a document, are nothing but their elements: each is adapted for itself, by
    /// [`list::for_each_element`]. Such a list may be judged while it is read.
    fn flows(&self, _kind: &str) -> bool {
        false
    }

    /// The codes of the traps this adapter finds; each has a rule.
    fn traps(&self) -> &'static [&'static str] {
        &[]
    }

    /// Yields the document's targets, one by one, in document order.
    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink);
}

/// What a syntax is settled by.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'t> {
    /// Path of the file, as users named it.
    pub path: &'t str,
    /// Its first lines, about 64 KiB of them, without a byte order mark.
    pub text: &'t str,
}

impl<'t> Sample<'t> {
    /// Of a whole text.
    pub fn new(path: &'t str, text: &'t str) -> Self {
        const ENOUGH: usize = 64 << 10;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let end = (0..=ENOUGH.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        // The rest of a line would look like a line of another format.
        let end = if end < text.len() { text[..end].rfind('\n').map_or(end, |newline| newline + 1) } else { end };
        Sample { path, text: &text[..end] }
    }

    /// The file's name.
    pub fn name(&self) -> &'t str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Its lines without blanks at either end, blank lines and those that start with `#` left out.
    pub fn lines(&self) -> impl Iterator<Item = &'t str> {
        self.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    }

    /// True for a Kubernetes object, and for other YAML that holds a text of several lines: such a text may be a file of a
    /// format that indentation does not matter to.
    fn is_yaml(&self) -> bool {
        let has = |member: &str| self.text.lines().any(|line| line.starts_with(member));
        if has("apiVersion:") && has("kind:") {
            return true;
        }
        let written = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let starts_document = |line: &&str| line.starts_with("---") || line.starts_with('%');
        let mut lines = self.text.lines().filter(written).skip_while(starts_document).peekable();
        if !lines.peek().is_some_and(|first| is_item(first) || is_member(first)) {
            return false;
        }
        let indentation = |line: &str| line.len() - line.trim_start_matches(' ').len();
        std::iter::from_fn(|| Some((lines.next()?, *lines.peek()?)))
            .any(|(line, next)| opens_block(line) && indentation(next) > indentation(line))
    }
}

/// True for a member of a YAML mapping that is not indented.
fn is_member(line: &str) -> bool {
    let is_value = |rest: &str| rest.is_empty() || rest.starts_with(' ');
    !line.starts_with(['[', ' ', '\t']) && line.split_once(':').is_some_and(|(_, rest)| is_value(rest))
}

/// True for an item of a YAML list.
fn is_item(line: &str) -> bool {
    line.starts_with("- ")
}

/// True for a line of YAML that a text of several lines follows: its last word is `|` or `>`, with indicators.
fn opens_block(line: &str) -> bool {
    let line = line.split_once(" #").map_or(line, |(line, _)| line).trim_end();
    let Some((member, header)) = line.rsplit_once(' ') else { return false };
    let indicators = header.strip_prefix(['|', '>']);
    indicators.is_some_and(|rest| rest.len() <= 2 && rest.bytes().all(|b| matches!(b, b'-' | b'+' | b'1'..=b'9')))
        && (member.contains(':') || is_item(line.trim_start()))
}

/// One native kind and what it yields.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Name in reports and rules.
    pub name: &'static str,
    /// One line for the documentation: product, where such a file comes from.
    pub doc: &'static str,
    /// The target kinds it yields; empty for kinds that are recognised but hold nothing to judge, whose `doc` says why.
    pub targets: &'static [TargetKind],
}

/// Receives what adapters find.
pub trait Sink {
    /// A target, with the documents its fields point into ([`crate::model::At::document`] indexes them).
    fn target(&mut self, documents: &[&Document], target: Target<'_>);

    /// A value that this format marks as secret though its name does not tell; its bytes are masked everywhere.
    fn secret(&mut self, document: &Document, node: NodeId);

    /// Another file that the document names as a part of its configuration, as it names it. For documents that describe no
    /// service; others list such files in [`crate::model::Service`]'s `files`. Both are followed with `--follow-includes`.
    fn names(&mut self, _document: &Document, _node: NodeId, _path: &str) {}

    /// Something that kept part of the document from being judged; reported as an error of the document.
    fn error(&mut self, document: &Document, node: NodeId, message: String);

    /// The entries a paged listing shows and says exist.
    fn paging(&mut self, shown: NodeId, shown_count: i64, total: (NodeId, i64));

    /// Says that secrets are expected where they stand in this document (an administrator's export, a designated
    /// secrets file): they are still masked, and reported once per file as a note.
    fn secrets_expected(&mut self);
}

/// Every format, most specific first.
pub static ADAPTERS: &[&dyn Adapter] = &[
    &suppressions::SUPPRESSIONS,
    &snapshot::Snapshot,
    &leaks::LEAKS,
    &logging::LOGGINGS,
    &workflows::WORKFLOWS,
    &scitokens_cfg::ScitokensCfg,
    &eos_vid::EosVid,
    &xrootd_cfg::XrootdCfg,
    &xrootd_maps::XrootdMaps,
    &scitokens_env::ScitokensEnv,
    &fts::Fts,
    &condor_mapfile::CondorMapfile,
    &dcache::Dcache,
    &dcache_gplazma::GplazmaConf,
    &dcache_multimap::Multimap,
    &condor_config::CondorConfig,
    &arc_conf::ArcConf,
    &rucio_cfg::RucioCfg,
    &dirac::Dirac,
    &gfal2::Gfal2,
    &compliance::Compliance,
    &oidc_agent::OidcAgent,
    &voms::Voms,
    &osg_topology::OsgTopology,
    &storm_sa::StormSa,
    &storm_env::StormEnv,
    &storm_application::StormApplication,
    &jwks::Jwks,
    &indigo_iam_policies::IndigoIamPolicies,
    &indigo_iam_other::IndigoIamOther,
    &indigo_iam_application::IndigoIamApplication,
    &compose::Compose,
    &helm_values::HelmValues,
    &env_file::EnvFile,
    &oa4mp_cfg::Oa4mpCfg,
    &hydra::Hydra,
    &mytoken::Mytoken,
    &htvault::Htvault,
    &dex::Dex,
    &egi_registry::EgiRegistry,
    &hydra_client::HydraClient,
    &oa4mp::Oa4mp,
    &keycloak::Keycloak,
    &mitreid::Mitreid,
    &indigo_iam_client::IndigoIamClient,
    &rucio::Rucio,
    &service_helm::ServiceHelm,
    // Kubernetes objects that no format above claims.
    &kubernetes::Kubernetes,
    &discovery::Discovery,
    // Every product's client form looks a little like RFC 7591.
    &rfc7591::Rfc7591,
    // Last, because a set of claims has few members that other formats do not have.
    &jwt_token::Tokens,
];

/// The syntax that the first adapter claims the text for. YAML is left alone, whatever the texts in it look like.
pub fn syntax(sample: &Sample<'_>) -> Option<Syntax> {
    if sample.is_yaml() {
        return None;
    }
    ADAPTERS.iter().find_map(|adapter| adapter.syntax(sample))
}

/// The first adapter that recognises the document.
pub fn recognise(document: &Document) -> Option<(&'static dyn Adapter, &'static str)> {
    ADAPTERS.iter().find_map(|adapter| adapter.recognise(document).map(|kind| (*adapter, kind)))
}

/// Every native kind, in the order of [`ADAPTERS`].
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    ADAPTERS.iter().flat_map(|adapter| adapter.kinds())
}

/// Every trap code, in the order of [`ADAPTERS`].
pub fn traps() -> impl Iterator<Item = &'static str> {
    ADAPTERS.iter().flat_map(|adapter| adapter.traps()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_that_holds_files_is_known_from_the_files() {
        const FILE: &str = "    [Global]\n    audience = a\n";
        for (head, yaml, remark) in [
            ("a:\n  b: |\n", true, "a text"),
            ("# c\n%YAML 1.2\n--- # d\na:\n  b: |2- # e\n\n", true, "comments, a start, indicators and a blank line"),
            ("- a: x\n  b: >\n", true, "a list"),
            ("- |\n", true, "a text in a list"),
            ("\"a.cfg\": &x |+\n", true, "quoted, with an anchor"),
            ("apiVersion: v1\ndata:\n  a: '\nkind: Secret\n", true, "an object with a quoted text"),
            ("a:\n  b: |\nc: d\n", false, "an empty text"),
            ("", false, "the file alone, all of it indented"),
            ("a = b\n", false, "an assignment first"),
            ("[a: b]\nc: |\n", false, "a heading first"),
            ("a: b\n", false, "no text of several lines"),
            ("a: b || c |x\n", false, "a bar in a value"),
            ("url:https://a |\n", false, "no blank behind the colon"),
        ] {
            assert_eq!(Sample::new("t", &format!("{head}{FILE}")).is_yaml(), yaml, "{remark}");
        }
    }
}

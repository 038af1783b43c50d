//! The capability-scope algebra of WLCG and SciTokens: what a scope such as `storage.read:/a/b` permits, and which
//! scope permits everything another one does.
//!
//! Verifiers disagree on odd paths (missing, relative, with dot segments). The algebra takes the widest reading that
//! deployed verifiers are known to have, so that nothing is taken for harmless that some service would grant.

use crate::percent;

/// The profile a capability scope belongs to; the two spell the same permissions differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// WLCG Common JWT Profile: `storage.*` and `compute.*`.
    Wlcg,
    /// SciTokens: `read`, `write`, `queue`, `execute`, `condor`.
    SciTokens,
}

impl Family {
    /// The operations the family defines, in any of its versions.
    pub fn operations(self) -> &'static [&'static str] {
        match self {
            Family::Wlcg => &[
                "storage.read",
                "storage.create",
                "storage.modify",
                "storage.stage",
                "storage.poll",
                "compute.read",
                "compute.modify",
                "compute.create",
                "compute.cancel",
            ],
            Family::SciTokens => &["read", "write", "queue", "execute", "condor"],
        }
    }
}

/// One capability scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Capability<'s> {
    /// The profile it belongs to.
    pub family: Family,
    /// The operation as written (`storage.read`, `write`); not necessarily one the family defines.
    pub operation: &'s str,
    /// What stands after the first colon, as written; `None` without a colon, empty for a bare colon.
    pub path: Option<&'s str>,
}

impl<'s> Capability<'s> {
    /// Reads a scope. `None` for scopes that grant no capability on a resource (`openid`, `wlcg.groups:/cms`,
    /// `host.auth`). Misspelt operations (`storage.write`, `Storage.Read`) are capabilities whose operation is unknown.
    pub fn parse(scope: &'s str) -> Option<Self> {
        // Only the first colon separates: a path may hold further ones.
        let (operation, path) = match scope.bytes().position(|byte| byte == b':') {
            Some(colon) => (&scope[..colon], Some(&scope[colon + 1..])),
            None => (scope, None),
        };
        let prefixed =
            |prefix: &str| operation.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        let family = if prefixed("storage.") || prefixed("compute.") {
            Family::Wlcg
        } else if Family::SciTokens.operations().contains(&operation) {
            Family::SciTokens
        } else {
            return None;
        };
        Some(Capability { family, operation, path })
    }

    /// True when the family defines the operation. Operations are case-sensitive.
    pub fn is_known(self) -> bool {
        self.family.operations().contains(&self.operation)
    }

    /// True when the scope reaches everything: the path `/` or a spelling of it, or no path at all, which verifiers
    /// read as the root.
    pub fn is_root(self) -> bool {
        self.depth() == 0
    }

    /// Number of path components below the root; 0 for everything that [`Capability::is_root`] is true of.
    pub fn depth(self) -> usize {
        let path = self.path.unwrap_or("/");
        // Only escapes and dot segments need more than counting.
        match path.bytes().any(|byte| matches!(byte, b'%' | b'.')) {
            true => ScopePath::new(self.path).segments.len(),
            false => path.split('/').filter(|segment| !segment.is_empty()).count(),
        }
    }

    /// True when a storage scope permits more than reading and polling.
    pub fn acts_on_storage(self) -> bool {
        !self.may_be_wide()
    }

    /// True for what long-lived tokens may hold for a whole VO: reading and polling, which reveal little within it and
    /// change nothing. Scopes on computing have no path and count as well.
    fn may_be_wide(self) -> bool {
        let harmless = ["storage.read", "storage.poll", "read"];
        let storage =
            self.operation.get(.."storage.".len()).is_some_and(|start| start.eq_ignore_ascii_case("storage."));
        harmless.contains(&self.operation) || !(storage || self.operation == "write")
    }

    /// True when the scope permits changing or deleting what is there, by the widest reading: `storage.modify`, and
    /// `write`, which SciTokens and services that know only one kind of writing take for the same.
    pub fn permits_modifying(self) -> bool {
        let modifying = ["storage.modify", "storage.write", "write"];
        modifying.iter().any(|operation| self.operation.eq_ignore_ascii_case(operation))
    }

    /// True when this scope permits all that `other` permits. Reflexive and transitive; scopes of two families are
    /// never compared, since no token is read by both profiles at once.
    pub fn covers(self, other: Capability<'_>) -> bool {
        self.family == other.family
            && operation_covers(self.operation, other.operation)
            && ScopePath::new(self.path).covers(&ScopePath::new(other.path))
    }

    /// The scope in its one spelling: dot segments resolved, empty segments gone, escapes only where they are needed
    /// and in upper case; a trailing slash stays, since it names a directory. Storage scopes without a path get `/`,
    /// as verifiers read them; others that reach everything lose theirs. Scopes that cover each other are spelt alike.
    pub fn normalised(self) -> String {
        let path = ScopePath::new(self.path);
        let bare = path.segments.is_empty()
            && !(self.operation.starts_with("storage.") || matches!(self.operation, "read" | "write"));
        if bare { self.operation.to_string() } else { format!("{}:{path}", self.operation) }
    }

    /// The widest scope that both cover, normalised; `None` when no scope is covered by both. What the versions of a
    /// profile disagree on (whether staging includes reading) is left out; see [`super::power`] for a given version.
    pub fn intersection(self, other: Capability<'_>) -> Option<String> {
        if self.family != other.family {
            return None;
        }
        let operation = match () {
            () if operation_covers(self.operation, other.operation) => other.operation,
            () if operation_covers(other.operation, self.operation) => self.operation,
            () => return None,
        };
        // Paths form a tree: two either lie one below the other or share nothing.
        let (ours, theirs) = (ScopePath::new(self.path), ScopePath::new(other.path));
        let path = match () {
            () if ours.covers(&theirs) => theirs,
            () if theirs.covers(&ours) => ours,
            () => return None,
        };
        let path = path.to_string();
        Some(Capability { family: self.family, operation, path: Some(&path) }.normalised())
    }
}

/// True when the first operation includes the second in every version that defines both. `storage.stage` included
/// `storage.read` up to WLCG 1.1 only, so it does not count here.
fn operation_covers(wide: &str, narrow: &str) -> bool {
    wide == narrow || matches!((wide, narrow), ("storage.modify", "storage.create") | ("storage.stage", "storage.poll"))
}

/// The position of another scope that makes the one at `index` needless. Of two scopes that permit the same the later
/// one is needless. A scope repeated literally is a duplicate, not counted here; neither are plain scopes.
pub fn covered_by(list: &[&str], index: usize) -> Option<usize> {
    // Real tokens and clients have fewer than a hundred scopes. Pairs are compared, so a hostile list has to be bounded.
    const LONGEST_LIST: usize = 1000;
    if list.len() > LONGEST_LIST {
        return None;
    }
    let text = *list.get(index)?;
    let scope = Capability::parse(text)?;
    list.iter().enumerate().position(|(position, other)| {
        *other != text
            && Capability::parse(other)
                .is_some_and(|other| other.covers(scope) && (position < index || !scope.covers(other)))
    })
}

/// The storage scope with the fewest path components among those that permit more than reading and polling: its
/// position and that number. `None` without such a scope.
pub fn shallowest(list: &[&str]) -> Option<(usize, usize)> {
    let capabilities = list.iter().enumerate().filter_map(|(at, text)| Some((at, Capability::parse(text)?)));
    let depths = capabilities.filter(|(_, scope)| !scope.may_be_wide()).map(|(at, scope)| (at, scope.depth()));
    depths.min_by_key(|(_, depth)| *depth)
}

/// A path as verifiers compare it: percent-decoded segments without dot segments and empty ones. In their order
/// whatever a path covers stands right behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ScopePath {
    pub(super) segments: Vec<Vec<u8>>,
    /// A trailing slash names a directory only (WLCG 1.1 and later); the root always is one.
    pub(super) directory: bool,
}

impl ScopePath {
    /// Without a path the root is meant; a relative path is taken from the root. Both are what scitokens-cpp and
    /// XRootD grant, though WLCG 1.0 and later forbid both.
    pub(super) fn new(path: Option<&str>) -> Self {
        let text = path.unwrap_or("/");
        let mut segments: Vec<Vec<u8>> = Vec::new();
        let mut directory = true;
        for segment in text.split('/') {
            let decoded = percent::decoded(segment.as_bytes());
            directory = matches!(&*decoded, b"" | b"." | b"..");
            match &*decoded {
                b"" | b"." => {}
                b".." => {
                    segments.pop();
                }
                _ => segments.push(decoded.into_owned()),
            }
        }
        ScopePath { directory: directory || segments.is_empty(), segments }
    }

    pub(super) fn covers(&self, other: &ScopePath) -> bool {
        other.segments.starts_with(&self.segments)
            && (other.segments.len() > self.segments.len() || !self.directory || other.directory)
    }
}

/// A path of a name space in its one spelling: no empty and no dot segments, no final slash; `/` for the root.
pub fn normal_path(path: &str) -> String {
    let mut path = ScopePath::new(Some(path));
    path.directory = path.segments.is_empty();
    path.to_string()
}

/// True when everything at or below the second path also lies at or below the first. A final slash does not count.
pub fn path_covers(wide: &str, narrow: &str) -> bool {
    ScopePath::new(Some(narrow)).segments.starts_with(&ScopePath::new(Some(wide)).segments)
}

/// The path with escapes where RFC 3986 needs them and nowhere else.
impl std::fmt::Display for ScopePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for segment in &self.segments {
            f.write_str("/")?;
            for &byte in segment {
                match byte {
                    b'/' => f.write_str("%2F")?,
                    byte if is_path_byte(byte) => write!(f, "{}", char::from(byte))?,
                    byte => write!(f, "%{byte:02X}")?,
                }
            }
        }
        f.write_str(if self.directory { "/" } else { "" })
    }
}

/// What keeps a scope path from being normalised and properly escaped (RFC 3986 sections 2 and 6.2.2, plus the empty
/// segments and encoded slashes that SciTokens rules out): the first defect, as the end of the sentence "the path …".
pub fn path_defect(path: &str) -> Option<&'static str> {
    if path.split('/').any(|segment| matches!(&*percent::decoded(segment.as_bytes()), b"." | b"..")) {
        return Some("has a `.` or `..` segment");
    }
    if path.contains("//") {
        return Some("has an empty segment (`//`)");
    }
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            if !is_path_byte(*first) {
                return Some("holds a character that has to be percent-encoded");
            }
            rest = tail;
            continue;
        }
        match percent::code(rest) {
            None => return Some("has a broken percent escape"),
            Some(b'/') => return Some("has a percent-encoded slash"),
            Some(0) => return Some("has a percent-encoded NUL"),
            Some(byte) if is_unreserved(byte) => return Some("percent-encodes a character that needs no escape"),
            Some(_) if rest[1..3].iter().any(u8::is_ascii_lowercase) => {
                return Some("writes a percent escape in lower case");
            }
            Some(_) => rest = &rest[3..],
        }
    }
    None
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` of RFC 3986 without escapes, and the slash.
fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn covers(wide: &str, narrow: &str) -> bool {
        let parse = |text| Capability::parse(text).expect("a capability");
        parse(wide).covers(parse(narrow))
    }

    #[test]
    fn scopes_are_split_at_the_first_colon() {
        for (text, expected, remark) in [
            ("storage.read:/a/b", Some((Family::Wlcg, "storage.read", Some("/a/b"))), "WLCG storage"),
            ("storage.read:/a:b", Some((Family::Wlcg, "storage.read", Some("/a:b"))), "a colon in the path"),
            ("storage.read", Some((Family::Wlcg, "storage.read", None)), "no path"),
            ("storage.read:", Some((Family::Wlcg, "storage.read", Some(""))), "an empty path"),
            ("compute.create", Some((Family::Wlcg, "compute.create", None)), "WLCG compute"),
            ("storage.write:/", Some((Family::Wlcg, "storage.write", Some("/"))), "a SciTokens word in WLCG form"),
            ("Storage.Read:/", Some((Family::Wlcg, "Storage.Read", Some("/"))), "wrong case"),
            ("read:/x", Some((Family::SciTokens, "read", Some("/x"))), "SciTokens"),
            ("read", Some((Family::SciTokens, "read", None)), "SciTokens: no path is the root"),
            ("openid", None, "OpenID Connect"),
            ("wlcg.groups:/cms", None, "a group request"),
            ("host.auth", None, "permits nothing by itself"),
            ("reader:/x", None, "another word"),
            ("", None, "nothing"),
            ("störage.read", None, "no ASCII boundary inside the prefix"),
        ] {
            let got = Capability::parse(text).map(|scope| (scope.family, scope.operation, scope.path));
            assert_eq!(got, expected, "{text}: {remark}");
        }
    }

    #[test]
    fn only_defined_operations_are_known() {
        for (text, known) in
            [("storage.poll:/", true), ("compute.cancel", true), ("storage.write:/", false), ("Storage.Read:/", false)]
        {
            assert_eq!(Capability::parse(text).map(Capability::is_known), Some(known), "{text}");
        }
    }

    #[test]
    fn a_scope_covers_what_it_permits() {
        for (wide, narrow, expected, remark) in [
            ("storage.read:/", "storage.read:/a", true, "the root reaches everything"),
            ("storage.read:/a", "storage.read:/a/b", true, "a directory reaches below"),
            ("storage.read:/foo/bar", "storage.read:/foo/bargain", false, "whole segments only"),
            ("storage.read:/a/b", "storage.read:/a", false, "not upwards"),
            ("storage.read:/a", "storage.read:/a/", true, "file or directory covers the directory"),
            ("storage.read:/a/", "storage.read:/a", false, "a directory is not the file of that name"),
            ("storage.read:/a/", "storage.read:/a/b", true, "a directory reaches below"),
            ("storage.modify:/a", "storage.create:/a/b", true, "modify contains create"),
            ("storage.create:/a", "storage.modify:/a", false, "not the other way round"),
            ("storage.modify:/a", "storage.read:/a", false, "modify does not read"),
            ("storage.stage:/a", "storage.read:/a", false, "not since WLCG 1.2"),
            ("storage.stage:/a", "storage.poll:/a", true, "staging includes polling"),
            ("storage.read", "storage.read:/a", true, "verifiers read no path as the root"),
            ("storage.read:a", "storage.read:/a/b", true, "verifiers read a relative path from the root"),
            ("storage.read:/a/../b", "storage.read:/b", true, "dot segments are resolved"),
            ("storage.read:/../..", "storage.read:/b", true, "not above the root"),
            ("storage.read:/a%2fb", "storage.read:/a/b", false, "an encoded slash is no separator"),
            ("storage.read:/%61", "storage.read:/a", true, "escapes are resolved"),
            ("storage.read:/a/%2e%2e", "storage.read:/b", true, "escaped dots as well"),
            ("storage.read:/%zz", "storage.read:/%zz/a", true, "a broken escape stands for itself"),
            ("read:/", "storage.read:/", false, "families are not compared"),
            ("read", "read:/a", true, "no path is the root"),
        ] {
            assert_eq!(covers(wide, narrow), expected, "{wide} covers {narrow}: {remark}");
        }
    }

    #[test]
    fn needless_scopes_are_found() {
        for (list, index, expected, remark) in [
            (&["storage.read:/", "storage.read:/a"][..], 1, Some(0), "below the root"),
            (&["storage.read:/", "storage.read:/a"], 0, None, "the wide one is needed"),
            (&["storage.create:/a", "storage.modify:/a"], 0, Some(1), "a later one may cover"),
            (&["storage.read:/a", "storage.read:/a/./"], 1, Some(0), "same directory in another spelling"),
            (&["compute.read", "compute.read:/"], 0, None, "of two equal ones only the later is needless"),
            (&["storage.read:/a", "storage.read:/a"], 1, None, "a duplicate is another matter"),
            (&["openid", "openid"], 1, None, "a plain scope"),
            (&["openid"], 3, None, "no such scope"),
        ] {
            assert_eq!(covered_by(list, index), expected, "{list:?} {index}: {remark}");
        }
    }

    #[test]
    fn one_spelling_stands_for_all() {
        for (text, normal, remark) in [
            ("storage.read:/a/./b/../c", "storage.read:/a/c", "dot segments"),
            ("storage.read:/a//c/", "storage.read:/a/c/", "an empty segment; the directory stays one"),
            ("storage.read:/%7euser/%e9", "storage.read:/~user/%E9", "escapes where they are needed"),
            ("storage.read:/a%2fb", "storage.read:/a%2Fb", "an escaped slash is none"),
            ("storage.read:/%zz", "storage.read:/%25zz", "a broken escape stands for itself"),
            ("storage.read:a", "storage.read:/a", "a relative path starts at the root"),
            ("storage.read", "storage.read:/", "no path is the root"),
            ("write:", "write:/", "SciTokens as well"),
            ("compute.read:/", "compute.read", "computing has no paths"),
            ("compute.read:/x", "compute.read:/x", "but what is written stays"),
        ] {
            let scope = Capability::parse(text).expect("a capability");
            assert_eq!(scope.normalised(), normal, "{text}: {remark}");
        }
    }

    #[test]
    fn scopes_share_the_narrower_of_two() {
        for (one, other, shared, remark) in [
            ("storage.read:/", "storage.read:/a", Some("storage.read:/a"), "the longer path"),
            ("storage.modify:/a/b", "storage.create:/a", Some("storage.create:/a/b"), "operation and path apart"),
            ("storage.read:/a", "storage.read:/a/", Some("storage.read:/a/"), "the directory only"),
            ("storage.read:/a", "storage.read:/ab", None, "whole segments only"),
            ("storage.read:/a", "storage.modify:/a", None, "changing does not read"),
            ("storage.stage:/a", "storage.read:/a", None, "the versions disagree"),
            ("read:/a", "storage.read:/a", None, "families are not compared"),
        ] {
            let parse = |text| Capability::parse(text).expect("a capability");
            for (one, other) in [(one, other), (other, one)] {
                let got = parse(one).intersection(parse(other));
                assert_eq!(got.as_deref(), shared, "{one} and {other}: {remark}");
            }
        }
    }

    #[test]
    fn path_defects_are_named() {
        for (path, defect) in [
            ("/", ""),
            ("/a/c/", ""),
            ("/my%20dir/x:1@2", ""),
            ("/a/./b/../c", "`..`"),
            ("/a/%2E%2E/c", "`..`"),
            ("/a//b", "empty segment"),
            ("/a%2Fb", "slash"),
            ("/a%00", "NUL"),
            ("/%7euser", "needs no escape"),
            ("/%c3%A9", "lower case"),
            ("/é", "has to be percent-encoded"),
            ("/a\u{1b}", "has to be percent-encoded"),
            ("/100%", "broken"),
        ] {
            let got = path_defect(path);
            assert_eq!(got.is_none(), defect.is_empty(), "{path}: {got:?}");
            assert!(got.unwrap_or("").contains(defect), "{path}: {got:?}");
        }
    }

    prop_compose! {
        fn capability()(
            operation in prop::sample::select(vec![
                "storage.read", "storage.create", "storage.modify", "storage.stage", "storage.poll", "read", "write",
            ]),
            path in prop::option::of("(/?(a|b|%61|%2f|\\.|\\.\\.)){0,4}/?"),
        ) -> String {
            path.map_or(operation.to_string(), |path| format!("{operation}:{path}"))
        }
    }

    proptest! {
        #[test]
        fn covering_is_reflexive(a in capability()) {
            prop_assert!(covers(&a, &a));
        }

        #[test]
        fn covering_is_transitive(a in capability(), b in capability(), c in capability()) {
            prop_assert!(!(covers(&a, &b) && covers(&b, &c)) || covers(&a, &c));
        }

        #[test]
        fn covering_reaches_below(a in capability(), b in capability(), name in "[a-z]{1,3}") {
            prop_assume!(b.contains(':'));
            let below = format!("{b}/{name}");
            prop_assert!(!covers(&a, &b) || covers(&a, &below));
        }

        #[test]
        fn a_longer_path_never_permits_more(a in capability(), name in "[a-z]{1,3}") {
            prop_assume!(a.contains(':'));
            let narrower = format!("{a}/{name}");
            prop_assert!(covers(&a, &narrower) && !covers(&narrower, &a));
        }

        #[test]
        fn normalising_changes_the_spelling_alone(a in capability(), b in capability()) {
            let parse = |text| Capability::parse(text).expect("a capability");
            let normal = parse(&a).normalised();
            prop_assert!(covers(&a, &normal) && covers(&normal, &a));
            prop_assert_eq!(parse(&normal).normalised(), normal.clone());
            let alike = covers(&a, &b) && covers(&b, &a);
            prop_assert_eq!(normal == parse(&b).normalised(), alike);
        }

        #[test]
        fn what_two_scopes_share_is_covered_by_both_and_nothing_wider_is(
            a in capability(), b in capability(), c in capability()
        ) {
            let parse = |text| Capability::parse(text).expect("a capability");
            let shared = parse(&a).intersection(parse(&b));
            if let Some(shared) = &shared {
                prop_assert!(covers(&a, shared) && covers(&b, shared));
            }
            if covers(&a, &c) && covers(&b, &c) {
                prop_assert!(shared.is_some_and(|shared| covers(&shared, &c)));
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*") {
            if let Some(scope) = Capability::parse(&text) {
                let _ = scope.covers(scope);
            }
            let _ = path_defect(&text);
        }
    }
}

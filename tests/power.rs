//! Token power: what scopes allow at services of each profile level. The rows follow the worked cases of the profile.

use tokenvet::model::power::{Answer, Operation, Power, Relation, ServiceLevel, refused_for};
use tokenvet::model::scope::Family;

use Answer::{Allowed, Denied, LeftToService};
use Operation::*;

const LEVELS: [ServiceLevel; 4] =
    [ServiceLevel::Wlcg10, ServiceLevel::Wlcg11, ServiceLevel::Wlcg12, ServiceLevel::Wlcg13];

fn power(scopes: &str, level: ServiceLevel) -> Power {
    Power::of(scopes.split(' '), level)
}

/// Answers at 1.0, 1.1, 1.2 and 1.3.
type Answers = [Answer; 4];
const YES: Answers = [Allowed; 4];
const NO: Answers = [Denied; 4];
const OPEN: Answers = [LeftToService; 4];
const NO_SINCE_1_1: Answers = [LeftToService, Denied, Denied, Denied];
const YES_SINCE_1_1: Answers = [LeftToService, Allowed, Allowed, Allowed];
const YES_SINCE_1_2: Answers = [LeftToService, LeftToService, Allowed, Allowed];
const YES_BEFORE_1_2: Answers = [Allowed, Allowed, Denied, Denied];
const POLL: Answers = [Denied, Denied, Allowed, Allowed];

#[test]
fn each_operation_is_allowed_where_the_profile_says_so() {
    for (scopes, operation, path, expected, remark) in [
        ("storage.read:/store", Read, "/store/a", YES, "SCP-003"),
        ("storage.read:/store", Overwrite, "/store/a", NO, "reading changes nothing"),
        ("storage.read:/store", Stage, "/store/a", NO, "SCP-004: nearline data need staging"),
        ("storage.read:/store", Stat, "/store/a", YES_SINCE_1_1, "SCP-018: 1.0 is silent"),
        ("storage.read:/store", List, "/store/", OPEN, "SCP-019: left undefined"),
        ("storage.read:/store", Poll, "/store/a", YES_SINCE_1_2, "SCP-018: locality is one of the metadata"),
        ("storage.create:/out/job1", Create, "/out/job1/a", YES, "SCP-005"),
        ("storage.create:/out/job1", MakeDirectory, "/out/job1/d", YES, "SCP-005: directories from the path down"),
        ("storage.create:/out/job1", MakeDirectory, "/out", YES, "SCP-005: missing parents"),
        ("storage.create:/out/job1", MakeDirectory, "/other", NO, "no other ones"),
        ("storage.create:/out", Overwrite, "/out/a", NO, "SCP-006"),
        ("storage.create:/out", Delete, "/out/a", NO, "SCP-006"),
        ("storage.create:/out", Read, "/out/a", NO, "creating does not read"),
        ("storage.create:/out", Stat, "/out/a", YES_SINCE_1_1, "SCP-018: stat after upload"),
        ("storage.modify:/user/x", Create, "/user/x/a", YES, "SCP-010: modify contains create"),
        ("storage.modify:/user/x", MakeDirectory, "/user", YES, "SCP-010, with the missing parents"),
        ("storage.modify:/user/x", Overwrite, "/user/x/a", YES, "SCP-010"),
        ("storage.modify:/user/x", Delete, "/user/x/a", YES, "SCP-010"),
        ("storage.modify:/user/x", Read, "/user/x/a", NO, "SCP-010: it does not read"),
        ("storage.stage:/tape", Stage, "/tape/a", YES, "SCP-011"),
        ("storage.stage:/tape", Read, "/tape/a", YES_BEFORE_1_2, "SCP-011 until 1.1, SCP-012 since"),
        ("storage.stage:/tape storage.read:/tape", Read, "/tape/a", YES, "SCP-012: recall and read"),
        ("storage.stage:/tape", ManageStaging, "/tape/a", YES_SINCE_1_2, "SCP-014: only likely before"),
        ("storage.stage:/tape", Poll, "/tape/a", YES_SINCE_1_2, "SCP-014"),
        ("storage.poll:/tape", Poll, "/tape/a", POLL, "SCP-016: undefined before 1.2"),
        ("storage.poll:/tape", Read, "/tape/a", NO, "SCP-017"),
        ("storage.poll:/tape", Stage, "/tape/a", NO, "SCP-017"),
        ("storage.poll:/tape", Stat, "/tape/a", NO, "SCP-017: the checksum stays unknown"),
        ("storage.poll:/tape", List, "/tape/", NO, "SCP-017: no further privilege"),
        ("compute.read", ReadJobs, "", YES, "SCP-020"),
        ("compute.modify", ModifyJobs, "", YES, "SCP-021"),
        ("compute.create", CreateJobs, "", YES, "SCP-022"),
        ("compute.cancel", CancelJobs, "", YES, "SCP-023"),
        ("compute.cancel", ReadJobs, "", NO, "each scope stands for itself"),
        ("compute.create:/", CreateJobs, "", [Allowed, LeftToService, LeftToService, LeftToService], "SCP-024"),
        ("compute.create:/x", CreateJobs, "", OPEN, "SCP-024: no meaning in any release"),
        ("read:/x", Read, "/x", NO, "SCP-027: no WLCG scope without its prefix"),
        ("write:/x", Create, "/x", NO, "SCP-027"),
        ("storage.write:/x", Create, "/x", NO, "SCP-048: an unknown name grants nothing"),
        ("Storage.Read:/x", Read, "/x", NO, "SCP-001: case counts"),
        ("storage.read=/foo", Read, "/foo", NO, "SCP-028: no colon, another scope"),
        ("storage.read:/a:b", Read, "/a:b/c", YES, "SCP-028: only the first colon separates"),
        ("openid fts:submit-transfer host.auth", Read, "/", NO, "SCP-048: other scopes reach no path"),
        ("storage.read:/", Read, "/any/where", YES, "SCP-032"),
        ("storage.create:/foo storage.create:/bar", Create, "/bar/a", YES, "SCP-043"),
    ] {
        for (level, expected) in LEVELS.into_iter().zip(expected) {
            let got = power(scopes, level).allows(operation, path);
            assert_eq!(got, expected, "{scopes}: {} {path} at {}: {remark}", operation.verb(), level.profile());
        }
    }
}

#[test]
fn paths_match_as_the_worked_cases_say() {
    for (scopes, operation, path, expected, remark) in [
        ("storage.modify:/baz", Create, "/baz/qux", YES, "SCP-037"),
        ("storage.read:/foo", Read, "/bar", NO, "SCP-037: another folder"),
        ("storage.read:/foo/bar", Read, "/foo/bargain", NO_SINCE_1_1, "SCP-038: 1.0 does not say"),
        ("storage.read:/foo/bar", Read, "/foo/bargain/x", NO_SINCE_1_1, "SCP-038, below as well"),
        ("storage.create:/foo/bar/", MakeDirectory, "/foo/bar", YES, "SCP-039"),
        ("storage.create:/foo/bar/", Create, "/foo/bar", NO_SINCE_1_1, "SCP-039, SCP-042: no file of that name"),
        ("storage.create:/foo/bar/", Create, "/foo/bar/qux", YES, "SCP-039"),
        ("storage.create:/foo/bar", MakeDirectory, "/foo", YES, "SCP-040: the missing parent"),
        ("storage.create:/foo/bar", Create, "/foo/bar", YES, "SCP-040: the file"),
        ("storage.create:/foo/bar", MakeDirectory, "/foo/bar", YES, "SCP-040: or the directory"),
        ("storage.create:/foo/bar", Create, "/foo/bar/qux", YES, "SCP-040: anything below"),
        ("storage.create:/foo/bar", Create, "/foo", NO, "SCP-041: no file in place of the parent"),
        ("storage.create:/foo/bar", Create, "/foo/bargain", NO_SINCE_1_1, "SCP-041"),
        ("storage.create:/foo/bar", MakeDirectory, "/foo/bargain", NO_SINCE_1_1, "SCP-041"),
        ("storage.read:/home", Read, "/home/joe/x", YES, "SCP-045: all homes"),
        ("storage.read:/a/./b/../c", Read, "/a/c", OPEN, "SCP-036: refused or set right"),
        ("storage.read:data", Read, "/data/x", OPEN, "SCP-033, SCP-036: relative"),
        ("storage.read", Read, "/x", OPEN, "SCP-031: refused, or read as the root"),
        ("storage.read:/my%20dir", Read, "/my%20dir/x", YES, "SCP-035"),
        ("storage.read:/a%2fb", Read, "/a/b", NO, "an escaped slash is no separator"),
    ] {
        for (level, expected) in LEVELS.into_iter().zip(expected) {
            let got = power(scopes, level).allows(operation, path);
            assert_eq!(got, expected, "{scopes}: {} {path} at {}: {remark}", operation.verb(), level.profile());
        }
    }
}

#[test]
fn renaming_has_two_ends() {
    for (scopes, from, to, expected, remark) in [
        ("storage.create:/out", "/out/x.tmp", "/out/x", YES, "SCP-007"),
        ("storage.create:/out", "/out/x", "/other/x", NO_SINCE_1_1, "SCP-007; SCP-008 does not say where"),
        ("storage.create:/out", "/other/x", "/out/x", NO, "what lies elsewhere stays there"),
        ("storage.create:/out storage.create:/other", "/out/x", "/other/x", YES, "SCP-007: paths of the same token"),
        ("storage.modify:/out storage.create:/other", "/out/x", "/other/x", YES, "SCP-010: modify contains create"),
        ("storage.modify:/out storage.read:/other", "/out/x", "/other/x", NO_SINCE_1_1, "reading is no create path"),
        ("storage.read:/out", "/out/x", "/out/y", NO, "reading renames nothing"),
    ] {
        for (level, expected) in LEVELS.into_iter().zip(expected) {
            let got = power(scopes, level).allows_rename(from, to);
            assert_eq!(got, expected, "{scopes}: {from} to {to} at {}: {remark}", level.profile());
        }
    }
}

#[test]
fn scitokens_have_their_own_scopes() {
    for (scopes, operation, path, expected, remark) in [
        ("read:/x", Read, "/x/y", Allowed, "SCITOK-009"),
        ("read", Read, "/x", Allowed, "SCITOK-009: no path is the root"),
        ("read:/john", Read, "/johnathan", Denied, "SCITOK-011"),
        ("read:/x", Create, "/x/y", Denied, "reading changes nothing"),
        ("read:/x", Stat, "/x/y", LeftToService, "not spoken of"),
        ("write:/x", Create, "/x/y", Allowed, "SCITOK-009"),
        ("write:/x", Overwrite, "/x/y", Allowed, "SCITOK-009"),
        ("write:/x", Delete, "/x/y", LeftToService, "not spoken of"),
        ("write:/x", Read, "/x/y", Denied, "writing does not read"),
        ("read:/a/../x", Read, "/x", LeftToService, "SCITOK-010"),
        ("read:/x/", Read, "/x", LeftToService, "the trailing slash is not spoken of"),
        ("queue", CreateJobs, "", Allowed, "SCITOK-009"),
        ("execute", Execute, "", Allowed, "SCITOK-009"),
        ("condor:/READ", ReadJobs, "", LeftToService, "SCITOK-025: the library only"),
        ("condor:/READ", CreateJobs, "", Denied, "another level"),
        ("storage.read:/x", Read, "/x", Denied, "a WLCG scope"),
    ] {
        let got = power(scopes, ServiceLevel::SciTokens).allows(operation, path);
        assert_eq!(got, expected, "{scopes}: {} {path}: {remark}", operation.verb());
    }
}

#[test]
fn the_set_of_operations_is_as_small_as_it_can_be() {
    let texts = |scopes, level| -> Vec<String> { power(scopes, level).allowed().map(ToString::to_string).collect() };
    let narrow = texts("storage.read:/a storage.read:/a/b storage.read:/c/ storage.read:/a/", ServiceLevel::Wlcg10);
    assert_eq!(narrow, ["read /a", "read /c/"]);
    let create = texts("storage.create:/out", ServiceLevel::Wlcg13);
    let expected = ["stat /out", "create /out", "make directories /out", "make parent directories /out", "rename /out"];
    assert_eq!(create, [&expected[..], &["poll locality /out"]].concat());
    assert_eq!(texts("compute.read", ServiceLevel::Wlcg13), ["see jobs"]);
    let open: Vec<String> = power("storage.poll:/", ServiceLevel::Wlcg13).left_to_service().map(|g| g.path()).collect();
    assert!(open.is_empty(), "polling leaves nothing to the service");
}

#[test]
fn powers_compare_only_where_one_contains_the_other() {
    use Relation::{Equal, Incomparable, Less, More};
    let (old, new) = (ServiceLevel::Wlcg11, ServiceLevel::Wlcg13);
    for (one, other, level, expected, remark) in [
        ("storage.read:/", "storage.read:/a", new, More, "the root"),
        ("storage.read:/a/b", "storage.read:/a", new, Less, "a longer path"),
        ("storage.read:/a", "storage.read:/%61/.", old, More, "the other spelling may be refused"),
        ("storage.read:/a storage.read:/a/b", "storage.read:/a", new, Equal, "needless scopes add nothing"),
        ("storage.modify:/a", "storage.create:/a", new, More, "modify contains create"),
        ("storage.modify:/a", "storage.read:/a", new, Incomparable, "changing does not read"),
        ("storage.stage:/a", "storage.read:/a", old, More, "staging included reading"),
        ("storage.stage:/a", "storage.read:/a", new, Incomparable, "and does no longer"),
        ("storage.read:/a", "storage.poll:/a", new, More, "locality is one of the metadata"),
        ("openid", "", new, Equal, "no capability"),
        ("storage.read:/a/", "storage.read:/a", new, Less, "a directory is not the file of that name"),
    ] {
        assert_eq!(power(one, level).relation(&power(other, level)), expected, "{one} and {other}: {remark}");
    }
}

#[test]
fn a_storage_scope_without_a_path_spoils_the_token() {
    for (scopes, expected) in [
        ("storage.read compute.read", Some("storage.read")),
        ("storage.read:", Some("storage.read:")),
        ("compute.read openid", None),
        ("read", None),
        ("storage.write", None),
    ] {
        assert_eq!(refused_for(scopes.split(' ')), expected, "{scopes}");
    }
}

/// Cases per property.
const CASES: u32 = 100_000;

/// A plain generator of cases (xorshift), always the same ones, so that a failure can be repeated; 10^5 cases of a
/// property would take minutes with strategies that can shrink.
struct Cases(u64);

impl Cases {
    fn number(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % below
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.number(of.len())]
    }

    fn path(&mut self) -> String {
        let names: Vec<&str> = (0..self.number(4)).map(|_| self.one(&["a", "ab", "b", "%20"])).collect();
        let slash = if self.number(3) == 0 && !names.is_empty() { "/" } else { "" };
        format!("/{}{slash}", names.join("/"))
    }

    fn scope(&mut self) -> String {
        match self.number(10) {
            0 => self
                .one(&["compute.read", "compute.create", "read", "write", "queue", "openid", "storage.write"])
                .into(),
            1 => self.one(&["storage.read", "storage.read:a", "storage.create:/a/../b", "condor:/READ"]).into(),
            _ => format!("{}:{}", self.one(&SCOPES_WITH_PATH), self.path()),
        }
    }

    fn scopes(&mut self) -> Vec<String> {
        (0..self.number(5)).map(|_| self.scope()).collect()
    }

    fn operation(&mut self) -> Operation {
        self.one(&[
            Read,
            Stat,
            List,
            Create,
            MakeDirectory,
            Overwrite,
            Delete,
            Stage,
            ManageStaging,
            Poll,
            ReadJobs,
            CreateJobs,
        ])
    }
}

const SCOPES_WITH_PATH: [&str; 7] =
    ["storage.read", "storage.create", "storage.modify", "storage.stage", "storage.poll", "read", "write"];

fn power_of(scopes: &[String], level: ServiceLevel) -> Power {
    Power::of(scopes.iter().map(String::as_str), level)
}

/// True when the first power allows at least as much in this one case.
fn allows_as_much(wide: &Power, narrow: &Power, (operation, path, to): &(Operation, String, String)) -> bool {
    wide.allows(*operation, path) >= narrow.allows(*operation, path)
        && wide.allows_rename(path, to) >= narrow.allows_rename(path, to)
}

#[test]
fn more_scopes_never_allow_less() {
    let mut cases = Cases(4711);
    for _ in 0..CASES {
        let (level, few, more) = (cases.one(&ServiceLevel::ALL), cases.scopes(), cases.scopes());
        let request = (cases.operation(), cases.path(), cases.path());
        let remark = format!("{few:?} and {more:?} at {level:?}: {request:?}");
        let all = power_of(&[few.clone(), more].concat(), level);
        let few = power_of(&few, level);
        assert!(all.covers(&few) && allows_as_much(&all, &few, &request), "{remark}");
    }
}

#[test]
fn a_longer_path_never_allows_more() {
    let mut cases = Cases(815);
    for _ in 0..CASES {
        let (level, scope, path) = (cases.one(&ServiceLevel::ALL), cases.one(&SCOPES_WITH_PATH), cases.path());
        let longer = format!("{scope}:{}/{}", path.trim_end_matches('/'), cases.one(&["a", "b", "ab/", "a/b"]));
        let request = (cases.operation(), cases.path(), cases.path());
        let wide = power_of(&[format!("{scope}:{path}")], level);
        let narrow = power_of(std::slice::from_ref(&longer), level);
        assert!(wide.covers(&narrow), "{longer} at {level:?}");
        assert!(wide.is_empty() || !narrow.covers(&wide), "{longer} at {level:?} is narrower");
        assert!(allows_as_much(&wide, &narrow, &request), "{longer} at {level:?}: {request:?}");
    }
}

#[test]
fn the_order_of_powers_is_the_order_of_answers() {
    let mut cases = Cases(42);
    let mut covered = 0;
    for _ in 0..CASES {
        let (level, one, two) = (cases.one(&ServiceLevel::ALL), cases.scopes(), cases.scopes());
        let request = (cases.operation(), cases.path(), cases.path());
        let remark = format!("{one:?} and {two:?} at {level:?}: {request:?}");
        let (one, two) = (power_of(&one, level), power_of(&two, level));
        let both = one.intersection(&two);
        assert!(one.covers(&both) && two.covers(&both), "{remark}");
        assert_eq!(two.intersection(&one), both, "{remark}");
        if one.covers(&two) {
            covered += 1;
            assert!(allows_as_much(&one, &two, &request), "{remark}");
            assert_eq!(both, two, "{remark}");
        }
    }
    assert!(covered > CASES / 20, "the cases hold enough powers that contain each other: {covered}");
}

#[test]
fn every_level_is_a_profile_of_the_rule_book() {
    let book = tokenvet::rule::RuleBook::builtin().expect("the built-in rules load");
    for level in ServiceLevel::ALL {
        let profile = book.profile(level.profile()).expect("a profile");
        let scitokens = book.profiles[profile].raw.family == "scitokens";
        assert_eq!(level.family() == Family::SciTokens, scitokens, "{}", level.profile());
    }
}

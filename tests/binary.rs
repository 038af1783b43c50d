//! What a program needs of the machine it runs on: `contrib/release/build.sh` asks with TOKENVET_RELEASE_BINARY whether the
//! one that is released starts on EL8, EL9 and Debian 12.

#![cfg(all(target_os = "linux", target_env = "gnu"))]
// Notes about what was not looked at are for whoever runs the tests.
#![allow(clippy::print_stderr)]

mod common;

use object::elf;
use object::read::elf::{Dyn as _, ElfFile64};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// glibc of EL8, the oldest of the systems that are promised.
const EL8: Version = Version(2, 28);
/// Libraries that are part of glibc.
const GLIBC: [&str; 7] =
    ["libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "libutil.so.1", "ld-linux"];

/// Version of glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

/// What a program asks its loader for.
#[derive(Debug, Default)]
struct Needs {
    /// Names of libraries.
    libraries: BTreeSet<String>,
    /// Library and version of symbols: `libc.so.6`, `GLIBC_2.17`.
    versions: BTreeSet<(String, String)>,
}

impl Needs {
    fn of(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file: ElfFile64<'_> = ElfFile64::parse(&*bytes).expect("a program of 64 bits");
        let (endian, data) = (file.endian(), &*bytes);
        let sections = file.elf_section_table();
        let mut needs = Needs::default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if let Some((entries, strings)) = sections.dynamic(endian, data).expect("readable") {
            let strings = sections.strings(endian, data, strings).expect("readable");
            for entry in entries {
                if entry.d_tag(endian) == elf::DT_NEEDED {
                    needs.libraries.insert(text(entry.string(endian, strings).expect("named")));
                }
            }
        }
        if let Some((mut libraries, strings)) = sections.gnu_verneed(endian, data).expect("readable") {
            let strings = sections.strings(endian, data, strings).expect("readable");
            while let Some((library, mut versions)) = libraries.next().expect("readable") {
                let library = text(library.file(endian, strings).expect("named"));
                while let Some(version) = versions.next().expect("readable") {
                    needs.versions.insert((library.clone(), text(version.name(endian, strings).expect("named"))));
                }
            }
        }
        needs
    }

    /// The newest glibc whose symbols are asked for; `None` for a static program.
    fn glibc(&self) -> Option<Version> {
        self.versions.iter().filter_map(|(_, name)| version(name)).max()
    }

    /// Why the program does not start on a bare system of this glibc.
    fn obstacles(&self, oldest: Version) -> Vec<String> {
        let newer = self.versions.iter().filter(|(_, name)| version(name).is_some_and(|version| version > oldest));
        let newer = newer.map(|(library, name)| format!("{library} of {name}"));
        let foreign = self.libraries.iter().filter(|name| !GLIBC.iter().any(|known| name.starts_with(known)));
        newer.chain(foreign.cloned()).collect()
    }
}

/// The version that a symbol version of glibc stands for; `None` for those of other libraries.
fn version(name: &str) -> Option<Version> {
    let (major, rest) = name.strip_prefix("GLIBC_")?.split_once('.')?;
    let minor = rest.split('.').next()?;
    Some(Version(major.parse().ok()?, minor.parse().ok()?))
}

#[test]
fn versions_of_glibc_count_as_numbers() {
    for (name, expected) in [
        ("GLIBC_2.2.5", Some(Version(2, 2))),
        ("GLIBC_2.17", Some(Version(2, 17))),
        ("GLIBC_2.9", Some(Version(2, 9))),
        ("GLIBC_PRIVATE", None),
        ("GCC_3.0", None),
        ("", None),
    ] {
        assert_eq!(version(name), expected, "{name}");
    }
    let needs = |versions: &[&str], libraries: &[&str]| Needs {
        libraries: libraries.iter().map(|name| name.to_string()).collect(),
        versions: versions.iter().map(|name| ("libc.so.6".to_string(), name.to_string())).collect(),
    };
    let old = needs(&["GLIBC_2.9", "GLIBC_2.28"], &["libc.so.6", "ld-linux-x86-64.so.2"]);
    assert_eq!((old.glibc(), old.obstacles(EL8).len()), (Some(EL8), 0));
    assert_eq!(needs(&["GLIBC_2.29"], &[]).obstacles(EL8), ["libc.so.6 of GLIBC_2.29"]);
    assert_eq!(needs(&["GLIBC_2.4"], &["libssl.so.3"]).obstacles(EL8), ["libssl.so.3"], "not on every machine");
    assert_eq!(needs(&[], &[]).glibc(), None);
}

#[test]
fn what_this_build_needs_is_read_as_readelf_reads_it() {
    let path = Path::new(common::BINARY);
    let needs = Needs::of(path);
    assert!(needs.libraries.contains("libc.so.6"), "{needs:?}");
    assert!(needs.glibc() >= Some(Version(2, 2)), "{needs:?}");
    let Ok(shown) = Command::new("readelf").args(["--wide", "--version-info"]).arg(path).output() else {
        return eprintln!("not compared with readelf: it is not installed");
    };
    let shown = String::from_utf8_lossy(&shown.stdout);
    let (_, shown) = shown.split_once("Version needs section").expect("a dynamic program");
    let names = shown.lines().filter_map(|line| line.split_once("Name: ")?.1.split_whitespace().next());
    let read: BTreeSet<&str> = needs.versions.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names.collect::<BTreeSet<_>>(), read);
}

#[test]
fn the_released_program_starts_on_el8() {
    let Some(path) = std::env::var_os("TOKENVET_RELEASE_BINARY") else {
        return eprintln!("not looked at: contrib/release/build.sh builds the program that is released");
    };
    let needs = Needs::of(Path::new(&path));
    let obstacles = needs.obstacles(EL8);
    assert!(obstacles.is_empty(), "{} needs more than EL8 has: {}", Path::new(&path).display(), obstacles.join(", "));
    eprintln!("needs {:?}, symbols up to glibc {:?}", needs.libraries, needs.glibc());
}

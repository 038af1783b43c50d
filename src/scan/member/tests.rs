//! What is handed out of inputs of every kind, whole and damaged.

use super::codec::Encoder;
use super::*;
use crate::scan::testing::Slow;
use std::io::Write;
use tar::{Builder, EntryType, Header};

const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Zstd, Codec::Xz, Codec::Bzip2];

/// What an input came to.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    texts: Vec<(String, Vec<u8>)>,
    modified: Vec<Option<i64>>,
    forms: Vec<Form>,
    wraps: Vec<Vec<Wrap>>,
    notes: Vec<(String, String, bool)>,
}

impl Visit for Seen {
    fn text(&mut self, text: Text<'_>) {
        let mut bytes = Vec::new();
        text.bytes.read_to_end(&mut bytes).expect("texts never fail");
        self.texts.push((text.name.to_string(), bytes));
        self.modified.push(text.modified);
        self.forms.push(text.form);
        self.wraps.push(text.wraps.to_vec());
    }

    fn note(&mut self, note: Note) {
        self.notes.push((note.name, note.message, note.foreign));
    }
}

fn seen_within(bytes: &[u8], limits: Limits) -> Seen {
    let mut seen = Seen::default();
    texts("in", Some(7), bytes, limits, &mut seen);
    seen
}

fn seen(bytes: &[u8]) -> Seen {
    let seen_at_once = seen_within(bytes, Limits::default());
    let mut slowly = Seen::default();
    texts("in", Some(7), Slow(bytes, 61), Limits::default(), &mut slowly);
    assert!(slowly == seen_at_once, "what is seen depends on the pieces it arrives in: {:?}", seen_at_once.notes);
    seen_at_once
}

impl Seen {
    fn names(&self) -> Vec<&str> {
        self.texts.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The only text, of which nothing was lost.
    fn whole(&self) -> &[u8] {
        assert_eq!((self.names().len(), self.notes.as_slice()), (1, [].as_slice()));
        &self.texts[0].1
    }
}

fn packed(codec: Codec, text: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(codec, Vec::new()).expect("encoder");
    encoder.write_all(text).expect("to memory");
    encoder.finish().expect("to memory")
}

fn header(name: &[u8], size: u64, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    let field = &mut header.as_mut_bytes()[..100];
    field[..name.len()].copy_from_slice(name);
    header.set_size(size);
    header.set_mtime(1_700_000_000);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header.set_cksum();
    header
}

/// One member with its padding.
fn member(name: &[u8], kind: EntryType, data: &[u8]) -> Vec<u8> {
    let mut bytes = header(name, data.len() as u64, kind).as_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        members.iter().flat_map(|(name, data)| member(name.as_bytes(), EntryType::Regular, data)).collect();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// Text that does not compress away, of many lines.
fn noise(lines: u64) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252u64;
    let mut text = Vec::new();
    for n in 0..lines {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.extend_from_slice(format!("{n} {state:x}\n").as_bytes());
    }
    text
}

#[test]
fn plain_text_is_handed_out_as_it_is() {
    for text in [b"".as_slice(), b"x", b"one\ntwo\n", &noise(20_000), &[0; 5000], &[0xff; 700]] {
        let seen = seen(text);
        assert!(seen.whole() == text);
        assert_eq!((seen.names(), &seen.modified[..], &seen.wraps[..]), (vec!["in"], &[Some(7)][..], &[vec![]][..]));
    }
    assert_eq!(seen(b"__CURSOR=s=1\nMESSAGE=x\n\n").forms, [Form::JournalExport]);
}

#[test]
fn every_compression_is_taken_off_whatever_its_members() {
    let (one, two) = (noise(9000), noise(10));
    for codec in CODECS {
        assert!(seen(&packed(codec, &one)).whole() == one, "{codec:?}");
        assert_eq!(seen(&packed(codec, &one)).wraps, [[Wrap::Compressed(codec)]]);
        assert_eq!(seen(&packed(codec, b"")).whole(), b"", "{codec:?}: nothing");
        let mut several = packed(codec, &one);
        several.extend(packed(codec, b""));
        several.extend(packed(codec, &two));
        assert!(seen(&several).whole() == [one.as_slice(), &two].concat(), "{codec:?}: several members");
        several.resize(several.len() + 3000, 0);
        assert_eq!(seen(&several).texts[0].1.len(), one.len() + two.len(), "{codec:?}: padded with zeros");
        assert_eq!(seen(&several).notes, []);
    }
    // A frame that holds no data, before and between those that do.
    let skipped =
        [b"\x50\x2a\x4d\x18\x04\0\0\0abcd".as_slice(), &packed(Codec::Zstd, b"text"), b"\x5f\x2a\x4d\x18\0\0\0\0"];
    assert_eq!(seen(&skipped.concat()).whole(), b"text");
}

#[test]
fn what_is_cut_off_is_read_up_to_there_and_said() {
    let text = noise(24_000);
    for codec in CODECS {
        // Compressed in blocks of 900 KB, of which none is whole.
        let coarse = codec == Codec::Bzip2;
        let whole = packed(codec, &text);
        for keep in [whole.len() - 1, whole.len() / 2, 60] {
            let seen = seen(&whole[..keep]);
            let read = seen.texts.first().map_or(b"".as_slice(), |(_, text)| text);
            assert!(text.starts_with(read), "{codec:?} {keep}");
            assert!(keep == 60 || coarse || read.len() > text.len() / 4, "{codec:?} {keep}: {} bytes", read.len());
            let [(name, message, false)] = seen.notes.as_slice() else { panic!("{codec:?} {keep}: {:?}", seen.notes) };
            assert!(name == "in" && message.contains("is cut off at byte"), "{message}");
        }
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 64].fill(0xa5);
        let seen = seen_within(&damaged, Limits::default());
        assert_eq!(seen.notes.len(), 1, "{codec:?}: {:?}", seen.notes);
        assert!(seen.notes[0].1.contains("is damaged"), "{codec:?}: {:?}", seen.notes);
        let trailed = [whole.as_slice(), b"and more"].concat();
        let seen = seen_within(&trailed, Limits::default());
        assert!(seen.texts[0].1 == text, "{codec:?}: all before what is no {codec:?}");
        assert!(seen.notes[0].1.contains(&format!("at byte {}", whole.len())), "{codec:?}: {:?}", seen.notes);
    }
}

#[test]
fn members_of_archives_have_their_names_times_and_layers() {
    let old = noise(50);
    let bytes =
        archive(&[("var/log/a.log", b"aaa\n"), ("var/log/a.log.1.gz", &packed(Codec::Gzip, &old)), ("b", b"b")]);
    let expected = [
        ("in!var/log/a.log".to_string(), b"aaa\n".to_vec()),
        ("in!var/log/a.log.1.gz".into(), old),
        ("in!b".into(), b"b".to_vec()),
    ];
    let plain = seen(&bytes);
    assert_eq!((plain.texts.as_slice(), plain.notes.as_slice()), (expected.as_slice(), [].as_slice()));
    assert_eq!(plain.modified, [Some(1_700_000_000); 3]);
    assert_eq!(plain.wraps[1], [Wrap::Archived, Wrap::Compressed(Codec::Gzip)]);
    for codec in CODECS {
        let packed = seen(&packed(codec, &bytes));
        assert_eq!(
            (packed.texts.as_slice(), packed.notes.as_slice()),
            (expected.as_slice(), [].as_slice()),
            "{codec:?}"
        );
        assert_eq!(packed.wraps[0], [Wrap::Compressed(codec), Wrap::Archived]);
    }
    // Archives put one behind the other, as `cat` does.
    assert_eq!(seen(&[bytes.as_slice(), &bytes].concat()).texts.len(), 6);
}

#[test]
fn long_names_come_whole_and_harmless() {
    let long = "x/".repeat(90) + "end.log";
    let mut builder = Builder::new(Vec::new());
    let mut plain = Header::new_gnu();
    plain.set_size(1);
    plain.set_cksum();
    builder.append_data(&mut plain, &long, b"1".as_slice()).expect("to memory");
    let mut bytes = builder.into_inner().expect("to memory");
    bytes.extend(member(b"pax", EntryType::XHeader, b"20 path=p/q/r\xc3\xa9.log\n22 mtime=1600000000.5\n"));
    bytes.extend(member(b"short", EntryType::Regular, b"2"));
    bytes.extend(member(b"../../etc/pass\x1bwd", EntryType::Regular, b"3"));
    bytes.extend(member(b"/abs\xff", EntryType::Regular, b"4"));
    let seen = seen(&bytes);
    assert_eq!(
        seen.names(),
        [format!("in!{long}").as_str(), "in!p/q/ré.log", "in!../../etc/pass\\u{1b}wd", "in!/abs\u{fffd}"]
    );
    assert_eq!(seen.modified[1], Some(1_600_000_000));
    assert_eq!(seen.notes, []);
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzIn0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut named = member(b"long", EntryType::GNULongName, token.as_bytes());
    named.extend(member(b"x", EntryType::Regular, b"x"));
    let secret = token.rsplit('.').next().expect("dots");
    assert!(!seen_within(&named, Limits::default()).names()[0].contains(secret), "names hide tokens");
}

#[test]
fn damage_in_an_archive_hides_nothing_else() {
    let (a, b, c) = (
        member(b"a", EntryType::Regular, b"aaaa"),
        member(b"b", EntryType::Regular, b"bbbb"),
        archive(&[("c", b"cccc")]),
    );
    let mut broken = b.clone();
    broken[3] ^= 1;
    let one = seen(&[a.as_slice(), &broken, &c].concat());
    assert_eq!(one.names(), ["in!a", "in!<byte 1024>", "in!c"]);
    assert!(one.texts[1].1.windows(4).any(|at| at == b"bbbb"), "what stands behind a damaged header is read");
    assert_eq!(one.notes.len(), 1);
    assert!(one.notes[0].1.contains("damaged at byte 1024"), "{:?}", one.notes);

    let mut packed_member = packed(Codec::Gzip, &noise(100));
    packed_member.truncate(packed_member.len() / 2);
    let two = seen(&archive(&[("a.gz", &packed_member), ("c", b"cccc")]));
    assert_eq!(two.names(), ["in!a.gz", "in!c"]);
    assert_eq!((two.notes.len(), two.notes[0].0.as_str()), (1, "in!a.gz"));

    // The archive ends within a member; its header claims more than any archive can hold.
    let three = seen(&c[..514]);
    assert_eq!(three.texts, [("in!c".to_string(), b"cc".to_vec())]);
    assert!(three.notes[0].1.contains("after 2 of 4 bytes"), "{:?}", three.notes);
    let mut huge = header(b"h", 0, EntryType::Regular);
    huge.set_size(u64::MAX);
    huge.set_cksum();
    let four = seen(&[huge.as_bytes().as_slice(), &a].concat());
    assert!(four.texts[0].1.windows(4).any(|at| at == b"aaaa") && four.notes.len() == 1, "{four:?}");

    // Compressed as a whole and cut: one note, at the member where it ends.
    let all = packed(Codec::Zstd, &archive(&[("a", &noise(30_000)), ("b", b"b")]));
    let five = seen(&all[..all.len() / 2]);
    assert_eq!((five.names(), five.notes.len()), (vec!["in!a"], 1));
    assert_eq!(five.notes[0].0, "in!a");
}

#[test]
fn hostile_headers_cost_no_memory_and_hide_no_data() {
    // Names and extended headers that claim gigabytes.
    for kind in [EntryType::GNULongName, EntryType::XHeader, EntryType::GNULongLink, EntryType::XGlobalHeader] {
        let mut claim = header(b"l", 1 << 40, kind).as_bytes().to_vec();
        claim.resize(4 << 20, b'x');
        let seen = seen_within(&claim, Limits::default());
        assert_eq!((seen.texts.len(), seen.notes.len()), (0, 1), "{kind:?}");
    }
    // Data behind types that have none.
    for kind in [EntryType::Link, EntryType::Symlink, EntryType::Directory, EntryType::Fifo, EntryType::new(b'Z')] {
        let seen = seen(&member(b"l", kind, b"data"));
        assert_eq!(seen.texts, [("in!l".to_string(), b"data".to_vec())], "{kind:?}");
    }
    // A sparse file with more of its map behind the header.
    let mut sparse = header(b"s", 4, EntryType::GNUSparse);
    sparse.as_gnu_mut().expect("gnu").isextended = [1];
    sparse.set_cksum();
    let map = [[0u8; 504].as_slice(), &[1], &[0; 7], &[0; 512]].concat();
    let seen = seen(&[sparse.as_bytes().as_slice(), &map, b"data", &[0; 508]].concat());
    assert_eq!((seen.texts, seen.notes), (vec![("in!s".to_string(), b"data".to_vec())], vec![]));
}

#[test]
fn two_levels_are_opened_and_deeper_ones_named() {
    let gz = |bytes: &[u8]| packed(Codec::Gzip, bytes);
    assert_eq!(seen(&gz(&gz(b"twice"))).whole(), b"twice");
    let thrice = seen(&gz(&gz(&gz(b"thrice"))));
    assert_eq!((thrice.texts.len(), thrice.notes.len()), (0, 1));
    assert!(thrice.notes[0].1.contains("not opened"), "{:?}", thrice.notes);

    let inner = gz(&archive(&[("a", b"a"), ("b.gz", &gz(b"b")), ("c.tar", &archive(&[("d", b"deep")]))]));
    let nested = seen(&gz(&archive(&[("inner.tgz", &inner), ("e", b"e")])));
    assert_eq!(nested.names(), ["in!inner.tgz!a", "in!inner.tgz!c.tar", "in!e"]);
    let notes: Vec<_> = nested.notes.iter().map(|(name, _, foreign)| (name.as_str(), *foreign)).collect();
    assert_eq!(notes, [("in!inner.tgz!b.gz", false), ("in!inner.tgz!c.tar", false)]);
    assert!(nested.texts[1].1.windows(4).any(|at| at == b"deep"), "an archive too deep is read as it stands");
}

#[test]
fn expansion_is_bounded() {
    let bomb = packed(Codec::Gzip, &vec![b'a'; 3 << 20]);
    let limits = Limits { expanded: 1 << 20, ratio: None };
    let seen = seen_within(&bomb, limits);
    let read = seen.texts[0].1.len();
    assert!((1 << 20..=2 << 20).contains(&read), "{read} bytes");
    assert!(seen.notes[0].1.contains("--max-expanded"), "{:?}", seen.notes);
    // The members of an archive share the limit, and the layers of one text do.
    let two = archive(&[
        ("a", &packed(Codec::Zstd, &vec![b'a'; 800 << 10])),
        ("b", &packed(Codec::Zstd, &vec![b'b'; 800 << 10])),
    ]);
    let shared = seen_within(&two, limits);
    assert_eq!((shared.notes.len(), shared.notes[0].0.as_str()), (1, "in!b"));
    assert_eq!(seen_within(&two, Limits { expanded: 2 << 20, ratio: None }).notes, []);
}

#[test]
fn what_expands_like_no_log_is_called_a_bomb() {
    struct Zeros(u64);
    impl Read for Zeros {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let read = usize::try_from(self.0).unwrap_or(usize::MAX).min(into.len());
            into[..read].fill(0);
            self.0 -= read as u64;
            Ok(read)
        }
    }
    struct Count(u64, Vec<Note>);
    impl Visit for Count {
        fn text(&mut self, text: Text<'_>) {
            self.0 = io::copy(text.bytes, &mut io::sink()).expect("texts never fail");
        }
        fn note(&mut self, note: Note) {
            self.1.push(note);
        }
    }
    let mut encoder = Encoder::new(Codec::Zstd, Vec::new()).expect("encoder");
    io::copy(&mut Zeros(HARMLESS + (64 << 20)), &mut encoder).expect("to memory");
    let bomb = encoder.finish().expect("to memory");
    let mut count = Count(0, vec![]);
    texts("bomb", None, bomb.as_slice(), Limits::default(), &mut count);
    assert!((HARMLESS..HARMLESS + (1 << 20)).contains(&count.0), "{}", count.0);
    assert!(count.1[0].message.contains("500 times"), "{:?}", count.1);
}

#[test]
fn notes_are_bounded_too() {
    let mut bytes = Vec::new();
    for _ in 0..250 {
        bytes.extend(member(b"ok", EntryType::Regular, b"x"));
        bytes.extend([b'?'; 512]);
    }
    let seen = seen_within(&bytes, Limits::default());
    assert_eq!(seen.notes.len() as u64, MAX_NOTES + 1);
    assert!(seen.notes[100].1.starts_with("150 more places"), "{:?}", seen.notes[100]);
}

#[test]
fn other_archives_are_named_and_read_as_they_stand() {
    let zip = seen(b"PK\x03\x04stored text");
    assert_eq!(zip.texts[0].1, b"PK\x03\x04stored text");
    let [(_, message, true)] = zip.notes.as_slice() else { panic!("{:?}", zip.notes) };
    assert!(message.starts_with("zip data is not opened"), "{message}");
    for text in [&b"\xff\xfea\0"[..], b"\xfe\xff\0a"] {
        let notes = seen(text).notes;
        let [(_, message, false)] = notes.as_slice() else { panic!("{notes:?}") };
        assert!(message.starts_with("UTF-16 data is not opened") && message.contains("iconv"), "{message}");
    }
}

#[test]
fn an_input_that_fails_is_a_note_with_its_place() {
    struct Fails(u64);
    impl Read for Fails {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.0 {
                0 => Err(io::Error::from_raw_os_error(5)),
                _ => {
                    self.0 -= 1;
                    into[..4].copy_from_slice(b"abc\n");
                    Ok(4)
                }
            }
        }
    }
    for pieces in [0, 3, 40_000] {
        let mut seen = Seen::default();
        texts("in", None, Fails(pieces), Limits::default(), &mut seen);
        let read: usize = seen.texts.iter().map(|(_, text)| text.len()).sum();
        assert_eq!(read as u64, pieces * 4);
        assert_eq!(seen.notes.len(), 1, "{:?}", seen.notes);
        assert!(seen.notes[0].1.contains(&format!("after {} bytes", pieces * 4)), "{:?}", seen.notes);
    }
}

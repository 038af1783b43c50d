//! Any split, order, retry and duplicate gives what a single run gives.

use super::scan::{Gather, Lines, Scan};
use super::*;
use crate::evaluate::{Adjustments, Plan, Selection};
use crate::report::Finding;
use crate::rule::RuleBook;
use crate::scan::find::Finder;
use crate::scan::fingerprint::Fingerprints;
use crate::scan::judge::Judge;
use crate::scan::tally::Limits;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use std::io::Cursor;
use std::sync::{Arc, OnceLock};

const NOW: i64 = 1_795_300_000;

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token with a made-up signature: no key ever signed it.
fn token(n: usize) -> String {
    let exp = NOW + if n.is_multiple_of(3) { 3600 } else { -3600 };
    let payload = format!(r#"{{"iss":"https://vo.example.org/","sub":"u{}","jti":"{n}","exp":{exp}}}"#, n % 4);
    format!("{}.{}.{}", part(r#"{"alg":"ES256"}"#), part(&payload), "TestSignature-".repeat(7)[..86].to_owned())
}

fn wrapped(text: &str, width: usize, between: &str) -> String {
    text.as_bytes()
        .chunks(width)
        .map(|line| std::str::from_utf8(line).expect("ASCII"))
        .collect::<Vec<_>>()
        .join(between)
}

/// Something a log may hold, and some of what only a search that began elsewhere would take for a token.
fn stretch(kind: usize, n: usize) -> String {
    let jwt = token(n);
    let refresh = format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&format!(r#"{{"jti":"canary-{n}"}}"#)));
    match kind {
        0 => format!("Authorization: Bearer {jwt}\n"),
        1 => format!("GET /x?authz=Bearer%20{} HTTP/1.1\r\n", jwt.replace('.', "%2E")),
        2 => format!("> {}\n> Regards\n", wrapped(&jwt, 64, "\n> ")),
        3 => format!("{}\n", wrapped(&jwt, 76, "\n    ")),
        4 => format!("{jwt}\n{}\n{jwt}\n", token(n + 1)),
        5 => format!("ä {}...\n", &jwt[..jwt.len() - 30]),
        6 => format!("refresh_token={refresh}\n"),
        7 => format!("{}\n", &jwt[..jwt.len() - 43]),
        8 => format!("x {}\n", "öü".repeat(n * 7)),
        9 => format!("{}{}\n", "eyJ".repeat(n % 30), jwt),
        10 => "-----BEGIN SEALED CIPHER-----\nabc\n-----END SEALED CIPHER-----\n-----BEGIN SEALED ENVELOPE-----\nx\n-----END SEALED ENVELOPE-----\n".into(),
        11 => "-----BEGIN SEALED CIPHER-----\nabc\nand no end\n".into(),
        12 => format!("{}.\n{}\n", &jwt[..jwt.len() - 87], "w".repeat(n % 90)),
        13 => format!("{}\n", wrapped(&part(&"{\"a\": 1} ".repeat(20 + n)), 76, "\n")),
        14 => "\n".repeat(n % 5),
        15 => jwt,
        _ => format!("{n} nothing here, and some more of it to make a line of usual length {}\n", "x".repeat(n % 50)),
    }
}

struct Bench {
    book: Arc<RuleBook>,
    plan: Arc<Plan>,
    finder: Finder,
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let book = Arc::new(RuleBook::builtin().expect("built in"));
        let plan = Arc::new(Plan::new(Arc::clone(&book), Selection::Auto, &Adjustments::default()));
        Bench { book, plan, finder: Finder::new().expect("anchors") }
    })
}

/// The reports of all shards of a run over some texts.
fn shards(texts: &[(String, String)], of: u32, block: u64, limits: Limits) -> Vec<Part> {
    let bench = bench();
    let terms = Terms::of_texts(of, "2026-11-22T12:00:00Z", texts.iter().map(|(name, _)| name.as_str()));
    let shard = |number: u32| {
        let mut scan = Scan::new(&bench.finder, limits, Fingerprints::default());
        for ((name, text), index) in texts.iter().zip(0..) {
            let length = text.len() as u64;
            if length > block {
                for block in plan::blocks(name, length, block, Shard { number, of }) {
                    scan.block(index, name, &mut Cursor::new(text.as_bytes()), length, block).expect("memory");
                }
            } else if plan::owner(name, 0, of) == number {
                scan.text(index, name, text.as_bytes()).expect("memory");
            }
        }
        let work = scan.into_work(&Judge::new(limits.now, None), &bench.plan);
        Part::new(terms.clone(), number, Work::Scan(work))
    };
    (1..=of).map(shard).collect()
}

/// All that is reported of a run whose shards are these.
fn reported(part: Part, limits: Limits) -> (Vec<Finding>, Vec<String>) {
    let bench = bench();
    let mut gather = Gather::new(limits);
    for done in part.shards.into_values() {
        let Work::Scan(work) = done.work else { panic!("a scan") };
        gather.add(work, &bench.book).expect("as it was written");
    }
    let (inputs, tally) = gather.finish(&part.run).expect("complete");
    let lines = Lines::of(&inputs);
    let mut account = tally.finish();
    account.number_lines(&|path, offset| lines.before(path, offset));
    let judge = Judge::new(limits.now, None);
    let findings = account.tokens.iter().flat_map(|seen| judge.findings(&bench.plan, seen)).collect();
    let counts = inputs.iter().map(|input| format!("{}: {}", input.name, input.scanned.found));
    (findings, account.notes().into_iter().chain(counts).collect())
}

/// What a run that was never shared out reports.
fn single(texts: &[(String, String)], limits: Limits) -> (Vec<Finding>, Vec<String>) {
    let mut parts = shards(texts, 1, u64::MAX, limits);
    reported(parts.remove(0), limits)
}

fn texts() -> impl Strategy<Value = Vec<(String, String)>> {
    let text = prop::collection::vec((0..20usize, 0..60usize), 0..40);
    prop::collection::vec(text, 1..4).prop_map(|texts| {
        let text = |pieces: Vec<(usize, usize)>| pieces.into_iter().map(|(kind, n)| stretch(kind, n)).collect();
        texts.into_iter().map(text).enumerate().map(|(n, text)| (format!("log.{n}"), text)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_split_order_retry_and_duplicate_gives_the_single_run(
        texts in texts(),
        of in 1..7u32,
        block in 1..3000u64,
        tokens in prop::sample::select(vec![3usize, 1000]),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let limits = Limits::of(tokens, NOW);
        let expected = single(&texts, limits);
        let parts = shards(&texts, of, block, limits);
        // As they are read from files, in any order and some of them again, each time onto one or the other of two heaps.
        let read = |part: &Part| Part::read(part.text().as_bytes()).expect("as it was written");
        let mut heaps = [Part::empty(&parts[0].run), Part::empty(&parts[0].run)];
        for (at, index) in order.iter().enumerate() {
            heaps[at % 2].merge(read(&parts[index.index(parts.len())])).expect("of one run");
        }
        for part in parts.iter().rev() {
            heaps[part.shards.keys().next().map_or(0, |number| *number as usize % 2)].merge(read(part)).expect("of one run");
        }
        let [mut one, other] = heaps;
        let mut reverse = other.clone();
        reverse.merge(one.clone()).expect("of one run");
        one.merge(read(&other)).expect("of one run");
        prop_assert_eq!(&one, &reverse, "the other way round");
        one.merge(reverse).expect("of one run");
        prop_assert_eq!(reported(one, limits), expected);
    }
}

#[test]
fn every_place_to_cut_gives_the_single_run() {
    let limits = Limits::of(1000, NOW);
    let kinds = [8, 2, 16, 3, 4, 12, 10, 5, 1, 13, 6, 0, 11, 9, 7, 15];
    let text: String = kinds.iter().zip(8..).map(|(kind, n)| stretch(*kind, n)).collect();
    let texts = [("x.log".to_string(), text)];
    let expected = single(&texts, limits);
    assert!(expected.0.len() > 10, "{}", expected.0.len());
    for block in (1..texts[0].1.len() as u64).step_by(7) {
        let mut parts = shards(&texts, 2, block, limits).into_iter();
        let mut all = parts.next().expect("two");
        parts.for_each(|part| all.merge(part).expect("of one run"));
        assert_eq!(reported(all, limits), expected, "blocks of {block} bytes");
    }
}

#[test]
fn a_shard_report_holds_nothing_that_makes_a_token_usable() {
    let kinds = (0..16).flat_map(|kind| [3, 4].map(|n| stretch(kind, n)));
    let texts = [("x.log".to_string(), kinds.collect::<String>())];
    for part in shards(&texts, 2, 500, Limits::of(1000, NOW)) {
        let text = part.text();
        for secret in ["TestSignature", "canary-", &super::tests::part(r#"{"jti":"canary-3"}"#)[..20]] {
            assert!(!text.contains(secret), "{secret}");
        }
        assert!(!text.contains("eyJ"), "no token, not even in part");
    }
}

#[test]
fn what_is_no_shard_of_the_run_is_told() {
    let texts = [("x.log".to_string(), stretch(0, 1)), ("y.log".to_string(), stretch(0, 2))];
    let limits = Limits::of(1000, NOW);
    let mut parts = shards(&texts, 2, 100, limits);
    let text = parts[0].text();
    for (broken, expected) in [
        (text[..text.len() / 2].to_string(), "it ends too early"),
        (text.replacen("\"found\":1", "\"found\":2", 1), "was changed after it was written"),
        (text.replacen("\"found\":1", "\"fund\":1", 1), "a member is not as expected"),
        (text.replacen("\"version\":\"", "\"version\":\"9", 1), "written by 9"),
        (text.replacen("\"tokenvet_part\":1", "\"tokenvet_part\":2", 1), "of another run: written by"),
        ("[]".into(), "a member is not as expected"),
        (String::new(), "it ends too early"),
    ] {
        assert!(broken != text);
        let told = Part::read(broken.as_bytes()).expect_err("broken").to_string();
        assert!(told.contains(expected), "{expected}: {told}");
    }
    for (change, expected) in [
        ((|terms| terms.now = "2026-11-22T12:00:01Z".into()) as fn(&mut Terms), "--now"),
        (|terms| terms.shards = 3, "one of 2 shards, the other of 3"),
        (|terms| terms.policy_digest = Some("0".into()), "different policies"),
        (|terms| _ = terms.options.insert("since".into(), vec!["5".into()]), "they differ in --since"),
        (|terms| terms.listing = "0".into(), "different files"),
        (|terms| terms.command = "check".into(), "one is of `scan`"),
    ] {
        let mut other = parts[1].clone();
        change(&mut other.run);
        let told = parts[0].clone().merge(other).expect_err("of another run").to_string();
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let changed = shards(&[("x.log".into(), stretch(0, 4)), ("y.log".into(), stretch(0, 5))], 2, 100, limits);
    let told = parts.remove(0).merge(changed[0].clone()).expect_err("twice").to_string();
    assert!(told.contains("both hold shard 1"), "{told}");
}

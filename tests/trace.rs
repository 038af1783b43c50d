//! Tracing over the logs of several services: incidents with what must be found, and what must be said not to be known.

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokenvet::profile::Registry;
use tokenvet::trace::book::Book;
use tokenvet::trace::page::{self, Context, Traced};
use tokenvet::trace::question::{Condition, Known, Question};
use tokenvet::trace::read::{self, Extent, Limits, Record};
use tokenvet::trace::search::{self, Because, Logs, Origin, Reading};
use tokenvet::trace::time::Clock;

/// Logs in memory: name, service, text.
struct Memory(Vec<(&'static str, Option<&'static str>, String)>);

impl Logs for Memory {
    fn each(&mut self, reading: &Reading<'_>, sink: &mut dyn FnMut(&Origin<'_>, &Record)) -> Extent {
        let mut all = Extent::default();
        for (file, (path, service, text)) in (0..).zip(&self.0) {
            let origin = Origin { file, path, service: *service };
            let read = read::records(reading.book, text.as_bytes(), reading.clock, reading.limits, &mut |record| {
                sink(&origin, record)
            });
            all.records += read.expect("memory").records;
        }
        all
    }
}

fn ask(logs: Vec<(&'static str, Option<&'static str>, String)>, known: &[(Known, &str)], time: Option<&str>) -> Traced {
    let book = Book::builtin().expect("the formats compile");
    let zone = Clock::zone("+01:00").expect("an offset");
    let clock = Clock { zone, now: "2025-11-30T00:00:00Z".parse().expect("a time") };
    let reading = Reading { book: &book, clock: &clock, limits: Limits::default() };
    let question = Question {
        conditions: known.iter().map(|(known, value)| Condition { known: *known, value: (*value).into() }).collect(),
        time: time.map(|time| time.parse().expect("a time")),
        within: 600,
    };
    let found = search::search(&mut Memory(logs), &reading, &question);
    let registry = Registry::default();
    let context = Context { book: &book, registry: &registry, clock: &clock, timezone: "+01:00" };
    let traced = page::traced(&context, &question, &found, Vec::new());
    let shown = page::json(&traced);
    assert!(!shown.contains("eyJ") && !shown.contains(&"T".repeat(20)), "no token is shown:\n{shown}");
    traced
}

fn token(claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(r#"{"alg":"ES256","kid":"k"}"#), part(claims), "T".repeat(86))
}

fn values<'t>(traced: &'t Traced, what: &str, certain: bool) -> Vec<&'t str> {
    let answers = traced.answers.iter().filter(|answer| answer.what == what && answer.certain == certain);
    answers.map(|answer| answer.value.as_str()).collect()
}

fn whys(traced: &Traced, service: &str) -> Vec<Because> {
    let part = traced.services.iter().find(|part| part.service == service);
    part.into_iter().flat_map(|part| &part.entries).map(|entry| entry.because).collect()
}

fn says(traced: &Traced, words: &str) -> bool {
    traced.cannot_answer.iter().any(|line| line.contains(words))
}

const NOISE: &str = "251103 10:14:00 99 XrootdXeq: other.1:2@192.0.2.200 pub IPv4 login as somebody\n\
                     251103 10:14:01 98 scitokens_Access: New valid token mapped_username=other, subject=zz-9, issuer=https://other.example.org/\n";

/// One token, seen by its issuer, a storage and a computing element.
#[test]
fn incident_1_a_jti_is_followed_from_the_issuer_to_every_service() {
    let iam = r#"2025-11-03 10:00:00.123  INFO 1 --- [x] AUDIT : {"timestamp":1762160400123,"@type":"AccessTokenIssuedEvent","principal":"pilot-factory","message":"Issue access token","subject":"pilot-factory","payload":{"sub":"4f1c-aa","iss":"https://vo.example.org/","jti":"0b1c-1","client_id":"pilot-factory"}}"#;
    let condor = "11/03/25 10:14:16 (cid:28) Command=QMGMT_WRITE_CMD, peer=<192.0.2.2:9360>\n\
        11/03/25 10:14:16 (cid:28) Examining SciToken with payload {\"iss\":\"https://vo.example.org/\",\"jti\":\"0b1c-1\",\"sub\":\"4f1c-aa\"}.\n\
        11/03/25 10:14:17 (cid:28) Submitting new job 17.0\n\
        11/03/25 10:14:17 (cid:30) Submitting new job 18.0\n";
    let events = "001 (017.000.000) 2025-11-03 10:16:00 Job executing on host: <192.0.2.77:9618?addrs=x>\n\tSlotName: slot1\n...\n\
        001 (018.000.000) 2025-11-03 10:16:00 Job executing on host: <192.0.2.78:9618>\n...\n";
    let dcache = "level=INFO ts=2025-11-03T10:20:01.337+0100 event=org.dcache.webdav.request request.method=GET request.url=https://se.example.org/vo/f response.code=200 socket.remote=192.0.2.77:39720 user.sub=4f1c-aa@vo user.jti=0b1c-1 user.mapped=1000:1000\n\
        level=INFO ts=2025-11-03T10:21:01.337+0100 event=org.dcache.webdav.request request.method=GET request.url=https://se.example.org/vo/g response.code=200 socket.remote=192.0.2.9:39720 user.sub=other@vo user.jti=0b1c-9 user.mapped=1000:1000\n";
    let logs = vec![
        ("iam.log", None, iam.into()),
        ("AuditLog", Some("ce01"), condor.into()),
        ("EventLog", Some("ce01"), events.into()),
        ("webdav.access", Some("se01"), dcache.into()),
    ];
    let traced = ask(logs, &[(Known::Jti, "0b1c-1")], None);
    assert_eq!(values(&traced, "job", true), ["17.0"], "the job of the connection, not its neighbour");
    assert_eq!(values(&traced, "client", true), ["pilot-factory"]);
    assert_eq!(values(&traced, "sub", true), ["4f1c-aa"]);
    assert_eq!(values(&traced, "node", true), ["192.0.2.77"], "where the job ran");
    assert!(values(&traced, "address", true).contains(&"192.0.2.2"), "who submitted it");
    assert_eq!(
        whys(&traced, "ce01"),
        [Because::SameSession, Because::Asked, Because::SameSession, Because::SameJob],
        "{:#?}",
        traced.services
    );
    assert_eq!(
        whys(&traced, "se01"),
        [Because::Asked],
        "the neighbour at the same account is more than ten minutes of guessing"
    );
    assert!(says(&traced, "payload"), "{:?}", traced.cannot_answer);
}

/// XRootD writes IPv4 addresses as IPv6 ones.
#[test]
fn an_address_is_found_in_the_form_that_xrootd_gives_it() {
    let line = "251103 10:20:00 2207 XrootdXeq: pool.12:88@[::192.0.2.77] pvt IPv4 login\n";
    let logs = vec![("xrootd.log", Some("se02"), line.to_string())];
    let traced = ask(logs, &[(Known::Address, "192.0.2.77")], None);
    assert_eq!(whys(&traced, "se02"), [Because::Asked]);
    assert_eq!(values(&traced, "address", true), ["192.0.2.77"]);
}

/// The jti of a token without a signature is its secret: not looked for, and said so.
#[test]
fn a_jti_that_is_not_looked_for_is_not_said_to_be_missing() {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let refresh = format!("{}.{}.", part(r#"{"alg":"none"}"#), part(r#"{"jti":"d1f0c2aa-0001"}"#));
    let logs = vec![("iam.log", None, format!("refresh_token={refresh} x\n"))];
    let traced = ask(logs, &[(Known::Jti, "d1f0c2aa-0001")], None);
    assert!(says(&traced, "without signature") && says(&traced, "nothing else"), "{:?}", traced.cannot_answer);
    assert!(!says(&traced, "nothing that was read"), "{:?}", traced.cannot_answer);
    let plain = ask(vec![("iam.log", None, "nothing\n".into())], &[(Known::Jti, "d1f0c2aa-0001")], None);
    assert!(says(&plain, "nothing that was read") && !says(&plain, "without signature"), "{:?}", plain.cannot_answer);
}

/// An abuse report names the address of a worker node and a time.
#[test]
fn incident_2_time_and_address_lead_to_vo_and_job() {
    let condor = "11/03/25 10:14:16 (cid:28) Examining SciToken with payload {\"iss\":\"https://vo.example.org/\",\"jti\":\"0b1c-1\",\"sub\":\"4f1c-aa\"}.\n\
        11/03/25 10:14:17 (cid:28) Submitting new job 17.0\n\
        11/03/25 10:14:20 (cid:31) Examining SciToken with payload {\"iss\":\"https://other.example.org/\",\"jti\":\"0b1c-5\",\"sub\":\"zz\"}.\n";
    let events = "001 (017.000.000) 2025-11-03 10:16:00 Job executing on host: <192.0.2.77:9618?addrs=x>\n...\n\
        001 (019.000.000) 2025-11-03 11:16:00 Job executing on host: <192.0.2.77:9618?addrs=x>\n...\n";
    let logs = vec![("AuditLog", Some("ce01"), condor.to_string()), ("EventLog", Some("ce01"), events.to_string())];
    let traced = ask(logs.clone(), &[(Known::Address, "192.0.2.77")], Some("2025-11-03T09:20:00Z"));
    assert_eq!(values(&traced, "job", true), ["17.0"], "the one that ran then");
    assert_eq!(values(&traced, "vo", true), ["https://vo.example.org/"]);
    assert!(traced.notes.iter().any(|note| note.contains("no time zone")), "{:?}", traced.notes);
    let later = ask(logs, &[(Known::Address, "192.0.2.77")], Some("2025-11-03T12:20:00Z"));
    assert!(later.services.is_empty() && says(&later, "nothing that was read"), "{:?}", later.cannot_answer);
}

/// XRootD says whose token it was, and from where somebody came, but not that these belong together.
#[test]
fn incident_3_what_is_only_near_in_time_is_said_to_be_uncertain() {
    let xrootd = format!(
        "{NOISE}251103 10:20:00 2207 XrootdXeq: pool.12:88@[2001:db8::7] pvt IPv6 login\n\
         251103 10:20:01 2207 scitokens_Access: New valid token mapped_username=vouser, subject=4f1c-aa, issuer=https://vo.example.org/\n\
         251103 10:20:09 2207 scitokens_Access: New valid token mapped_username=vouser, subject=later, issuer=https://vo.example.org/\n"
    );
    let logs = vec![("xrootd.log", Some("se02"), xrootd)];
    let traced = ask(logs.clone(), &[(Known::Address, "2001:0db8::0007")], Some("2025-11-03T09:20:00Z"));
    assert_eq!(whys(&traced, "se02"), [Because::Asked, Because::SameThread]);
    assert_eq!(values(&traced, "sub", false), ["4f1c-aa"]);
    assert!(values(&traced, "sub", true).is_empty());
    assert!(says(&traced, "whose token (subject): not for certain"), "{:?}", traced.cannot_answer);
    assert!(says(&traced, "which job: no record"), "{:?}", traced.cannot_answer);
    // The other way round: the subject is certain, the address is not.
    let traced = ask(logs, &[(Known::Sub, "4f1c-aa")], None);
    assert_eq!(values(&traced, "address", false), ["2001:db8::7"]);
    assert_eq!(values(&traced, "vo", true), ["https://vo.example.org/"]);
    let unjoined: u64 = traced.read.iter().map(|read| read.without_jti).sum();
    assert_eq!(unjoined, 3, "no line of the token plug-in has a jti");
}

/// A transfer is asked for by its path; two services know it by the transfer's identifier.
#[test]
fn incident_4_a_transfer_joins_fts_and_the_token_in_its_dump() {
    let token = token(r#"{"sub":"robot","iss":"https://vo.example.org/","jti":"0b1c-4","wlcg.groups":["/vo/prod"]}"#);
    let fts = format!(
        "INFO    Mon, 03 Nov 2025 10:16:30 +0100; VO: vo\n\
         INFO    Mon, 03 Nov 2025 10:16:30 +0100; Job id: d9b8ce3e-0000-11ee-9956-000000000000\n\
         INFO    Mon, 03 Nov 2025 10:16:33 +0100; Davix: > COPY /vo/data/f.root HTTP/1.1\n\
         > Host: se1.example.org\n\
         > ClientInfo: job-id=d9b8ce3e-0000-11ee-9956-000000000000;file-id=1;retry=0\n\
         > TransferHeaderAuthorization: Bearer {token}\n\
         INFO    Mon, 03 Nov 2025 10:18:30 +0100; Transfer finished successfully\n"
    );
    let apache = format!(
        "192.0.2.30 - - [03/Nov/2025:10:16:34 +0100] \"GET /vo/data/f.root?authz=Bearer%20{token} HTTP/1.1\" 200 10\n\
         192.0.2.31 - - [03/Nov/2025:10:16:34 +0100] \"GET /vo/data/g.root HTTP/1.1\" 200 10\n"
    );
    let logs = vec![("fts.log", Some("fts"), fts), ("access.log", Some("proxy"), apache)];
    let traced = ask(logs, &[(Known::Path, "/vo/data/f.root")], Some("2025-11-03T09:17:00Z"));
    assert_eq!(values(&traced, "job", true), ["d9b8ce3e-0000-11ee-9956-000000000000"]);
    assert_eq!(values(&traced, "jti", true), ["0b1c-4"]);
    assert!(values(&traced, "address", true).contains(&"192.0.2.30"));
    assert!(!values(&traced, "address", true).contains(&"192.0.2.31"));
    assert_eq!(whys(&traced, "fts"), [Because::SameJob, Because::Asked], "the transfer's own lines share its job");
}

/// Several values at once, each in another line of the same connection.
#[test]
fn incident_5_values_that_stand_in_different_records_of_a_connection_are_asked_together() {
    let condor = "11/03/25 10:14:16 (cid:28) Command=QMGMT_WRITE_CMD, peer=<192.0.2.2:9360>\n\
        11/03/25 10:14:16 (cid:28) Examining SciToken with payload {\"iss\":\"https://vo.example.org/\",\"jti\":\"0b1c-1\",\"sub\":\"a person, or two\"}.\n\
        11/03/25 10:14:17 (cid:28) Submitting new job 17.0\n\
        11/03/25 10:15:16 (cid:29) Command=QMGMT_WRITE_CMD, peer=<192.0.2.3:9360>\n\
        11/03/25 10:15:16 (cid:29) Examining SciToken with payload {\"iss\":\"https://vo.example.org/\",\"jti\":\"0b1c-2\",\"sub\":\"a person, or two\"}.\n\
        11/03/25 10:15:17 (cid:29) Submitting new job 18.0\n";
    let logs = vec![("AuditLog", Some("ce01"), condor.to_string())];
    let known = [(Known::Sub, "a%20person%2C%20or%20two"), (Known::Address, "192.0.2.3")];
    let traced = ask(logs, &known, None);
    let jobs = values(&traced, "job", true);
    assert!(jobs.contains(&"18.0"), "{jobs:?}");
    let asked: Vec<&str> = traced.services[0]
        .entries
        .iter()
        .filter(|entry| entry.because == Because::Asked)
        .map(|entry| entry.fields["session"][0].as_str())
        .collect();
    assert_eq!(asked, ["cid:29", "cid:29"], "the other connection contradicts the address");
}

/// A log that holds no identity at all, and one of a format that nobody knows.
#[test]
fn incident_6_what_cannot_be_answered_is_said() {
    let rucio = "2025-11-03 10:00:00,123\troot\t12\tINFO\tconveyor-submitter started\n".repeat(3);
    let other = "something 0b1c-6 happened\nsomething 0b1c-66 happened\n".to_string();
    let logs = vec![("rucio.log", Some("rucio"), rucio), ("other.log", None, other)];
    let traced = ask(logs.clone(), &[(Known::Address, "192.0.2.1")], Some("2025-11-03T09:00:00Z"));
    assert!(traced.services.is_empty());
    let rucio = "rucio can be asked by address only as plain text: none of its 3 records has a field for it";
    assert!(says(&traced, rucio), "{:?}", traced.cannot_answer);
    let traced = ask(logs, &[(Known::Jti, "0b1c-6")], None);
    let part = &traced.services[0];
    assert_eq!((part.service.as_str(), part.entries.len()), ("unknown format", 1));
    assert_eq!((part.entries[0].line, part.entries[0].certain), (1, false), "a plain match is no certainty");
    assert_eq!(part.entries[0].because, Because::AskedInText);
    // What was searched as text, and found there, is not said to be out of reach.
    assert!(!says(&traced, "unknown format cannot be asked"), "{:?}", traced.cannot_answer);
    assert!(says(&traced, "unknown format can be asked by jti only as plain text"), "{:?}", traced.cannot_answer);
}

/// Nobody takes what was not searched for what was not seen.
#[test]
fn networks_are_refused() {
    let folder = common::folder(&[("plain.log", "login from 192.0.2.7\n")]);
    let ask = |address: &str| {
        let mut command = common::tokenvet();
        common::run(command.current_dir(folder.path()).args(["trace", "plain.log", "--address", address]))
    };
    for network in ["192.0.2.0/24", "2001:db8::/32", "192.0.2.*", "192.0.2"] {
        let ran = ask(network);
        ran.exits(2, network);
        assert!(ran.err().contains("networks and patterns are not searched"), "{}", ran.err());
    }
    ask("192.0.2.7").exits(0, "one address");
}

/// Real logs, where they are at hand: each is read as the format of its software.
#[test]
#[allow(clippy::print_stderr)]
fn logs_of_real_services_are_read_as_their_formats() {
    let shared = std::env::var("TOKENVET_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_string());
    let folder = std::path::Path::new(&shared).join("corpus/logs");
    if !folder.is_dir() {
        eprintln!("{} is not there; nothing is compared", folder.display());
        return;
    }
    let book = Book::builtin().expect("the formats compile");
    let clock = Clock { zone: Clock::zone("UTC").expect("UTC"), now: "2026-11-30T00:00:00Z".parse().expect("a time") };
    let expected = [
        ("01-pelican-xrdpfc-attach-authz.log", "xrootd", 1),
        ("02-pelican-logrus-redacted.log", "xrootd", 1),
        ("10-dcache-webdav-access.log", "dcache-access", 4),
        ("19-htcondor-ce-schedlog.log", "htcondor", 2),
        ("42-xrdcl-client-debug.log", "xrootd-client", 2),
        ("45-xrootd-scitokens-debug.log", "xrootd", 3),
        ("46-dcache-login-fail-opaque.log", "dcache-domain", 1),
        ("47-dcache-login-fail-jwt.log", "dcache-domain", 1),
        ("49-fts-davix-copy-headers.log", "fts", 1),
        ("50-gfal2-setoken-debug.log", "gfal2", 1),
        ("52-fts-token-service.log", "fts", 2),
        ("53-htcondor-auditlog-scitoken.log", "htcondor", 4),
        ("56-apache-access-authz-query.log", "http-combined", 2),
        ("57-storm-webdav-access.log", "storm-webdav-access", 1),
    ];
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).expect("a file");
        let mut known = Vec::new();
        let mut hand = |record: &Record| {
            if let (Some(format), Some(_)) = (record.content.format, record.content.line) {
                known.push(book.formats[format].raw.format.clone());
            }
        };
        read::records(&book, bytes.as_slice(), &clock, Limits::default(), &mut hand).expect("memory");
        let Some((_, format, at_least)) = expected.iter().find(|(file, ..)| *file == name) else { continue };
        let of_format = known.iter().filter(|known| known == format).count();
        assert!(of_format >= *at_least, "{name}: {of_format} records of {format}, others: {known:?}");
    }
}

#[test]
fn rotated_logs_are_read_when_asked_for_and_old_ones_left_out() {
    let folder = common::folder(&[
        ("iam.log", issued(3, "new-1") + &issued(4, "new-2")),
        ("iam.log.1", issued(1, "old-1")),
        ("tokenvet.yaml", "services: [{ type: xrootd, name: iam, files: [x], logs: [iam.log] }]\n".into()),
    ]);
    let found = |arguments: &[&str]| {
        let mut command = common::tokenvet();
        command.current_dir(folder.path()).args(["trace", "--client", "pilot-factory", "--format", "json"]);
        let ran = common::run(command.args(["--now", "2025-11-05T00:00:00Z"]).args(arguments));
        ran.exits(0, "found");
        let shown = ran.out();
        ["new-1", "new-2", "old-1"].map(|jti| shown.contains(jti))
    };
    assert_eq!(found(&["iam.log"]), [true, true, false]);
    assert_eq!(found(&["iam.log", "--rotated"]), [true, true, true]);
    assert_eq!(found(&["--rotated"]), [true, true, true], "those of the policy's services as well");
    assert_eq!(
        found(&["iam.log", "--rotated", "--since", "2025-11-04"]),
        [false, true, false],
        "lines that say their time"
    );
    let mut command = common::tokenvet();
    command.current_dir(folder.path()).args(["trace", "--client", "x", "--since", "soon", "iam.log"]);
    common::run(&mut command).exits(2, "no time");
}

/// What INDIGO IAM writes of a token of November 2025.
fn issued(day: u32, jti: &str) -> String {
    format!(
        "2025-11-{day:02}T10:00:00.000Z  INFO 1 --- [x] AUDIT : {{\"timestamp\":1762160400123,\"@type\":\"AccessTokenIssuedEvent\",\
         \"principal\":\"pilot-factory\",\"message\":\"Issue access token\",\"subject\":\"pilot-factory\",\"payload\":\
         {{\"sub\":\"4f1c-aa\",\"iss\":\"https://vo.example.org/\",\"jti\":\"{jti}\",\"client_id\":\"pilot-factory\"}}}}\n"
    )
}

#[test]
fn patterns_of_the_policy_here_find_the_logs_beside_it() {
    let folder = common::folder(&[
        ("k1.log", issued(3, "first")),
        ("logs/k2.log", issued(3, "second")),
        ("tokenvet.yaml", "services: [{ type: xrootd, name: iam, files: [x], logs: [\"k*.log\"] }]\n".into()),
        ("all.yaml", "services: [{ type: xrootd, name: iam, files: [x], logs: [\"**/k*.log\"] }]\n".into()),
    ]);
    for (policy, names) in [(None, vec!["k1.log"]), (Some("all.yaml"), vec!["k1.log", "logs/k2.log"])] {
        let mut command = common::tokenvet();
        command.current_dir(folder.path()).args(["trace", "--client", "pilot-factory", "--format", "json"]);
        command.args(["--now", "2025-11-05T00:00:00Z"]).args(policy.iter().flat_map(|policy| ["--config", policy]));
        let ran = common::run(&mut command);
        ran.exits(0, "found");
        let found = ran.json();
        let entries = found["services"][0]["entries"].as_array().cloned().unwrap_or_default();
        let paths: Vec<&str> = entries.iter().filter_map(|entry| entry["path"].as_str()).collect();
        assert_eq!(paths, names, "{found:#}");
    }
}

#[test]
fn the_longest_duration_joins_all_of_a_subject() {
    let folder = common::folder(&[("iam.log", issued(3, "first") + &issued(4, "second"))]);
    let mut command = common::tokenvet();
    command.current_dir(folder.path()).args(["trace", "iam.log", "--jti", "first", "--now", "2025-11-05T00:00:00Z"]);
    let ran = common::run(command.args(["--within", &i64::MAX.to_string(), "--all"]));
    ran.exits(0, "found");
    assert!(ran.out().contains("second"), "{}", ran.all());
}

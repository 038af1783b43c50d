//! What the configuration says logs can answer is what logs that were written under it do answer.

use std::sync::Arc;
use tokenvet::profile::Registry;
use tokenvet::source::Source;
use tokenvet::trace::answers::{Verdict, answers};
use tokenvet::trace::book::Book;
use tokenvet::trace::page::{self, Context, Traced};
use tokenvet::trace::question::{Condition, Known, Question};
use tokenvet::trace::read::{self, Extent, Limits, Record};
use tokenvet::trace::search::{self, Logs, Origin, Reading};
use tokenvet::trace::time::Clock;
use tokenvet::trace::{judge, site};

const ISS: &str = "https://vo.example.org/";
const NODE: &str = "192.0.2.77";
const TIME: &str = "2025-11-03T10:20:00Z";

/// A service: name, software, configuration, and the logs it writes of one job and its access to a file.
struct Case {
    remark: &'static str,
    product: &'static str,
    config: &'static str,
    logs: Vec<String>,
    /// The verdicts on the first three questions.
    expected: [Verdict; 3],
}

struct Memory(Vec<String>);

impl Logs for Memory {
    fn each(&mut self, reading: &Reading<'_>, sink: &mut dyn FnMut(&Origin<'_>, &Record)) -> Extent {
        for (file, text) in (0..).zip(&self.0) {
            let origin = Origin { file, path: "log", service: Some("it") };
            let mut hand = |record: &Record| sink(&origin, record);
            read::records(reading.book, text.as_bytes(), reading.clock, reading.limits, &mut hand).expect("memory");
        }
        Extent::default()
    }
}

fn condor(config: &str) -> Vec<String> {
    let mut logs = Vec::new();
    if config.contains("= D_AUDIT") {
        logs.push(format!(
            "11/03/25 10:14:16 (cid:28) Command=QMGMT_WRITE_CMD, peer=<192.0.2.2:9360>\n\
             11/03/25 10:14:16 (cid:28) Examining SciToken with payload {{\"iss\":\"{ISS}\",\"jti\":\"0b1c-1\",\"sub\":\"4f1c\"}}.\n\
             11/03/25 10:14:16 (cid:28) AuthMethod=SCITOKENS, AuthId={ISS},4f1c, CondorId=vo@users.htcondor.org\n\
             11/03/25 10:14:17 (cid:28) Submitting new job 17.0\n"
        ));
    }
    if config.contains("EVENT_LOG") {
        logs.push(format!("001 (017.000.000) 2025-11-03 10:16:00 Job executing on host: <{NODE}:9618?addrs=x>\n...\n"));
    }
    logs
}

fn xrootd(config: &str) -> Vec<String> {
    let mut log = format!("251103 10:20:00 2207 XrootdXeq: pool.12:88@{NODE} pvt IPv4 login as vouser\n");
    if config.contains("debug") {
        log += &format!(
            "251103 10:20:00 2208 scitokens_Access: New valid token mapped_username=vouser, subject=4f1c, issuer={ISS}\n"
        );
    }
    if config.contains("grant") {
        log += &format!("251103 10:20:01 2207 acc_Audit: pool.12:88@{NODE} grant unix vouser@{NODE} read /vo/data/f\n");
    }
    vec![log]
}

fn cases() -> Vec<Case> {
    use Verdict::{Answerable, CannotAnswer, Unknown};
    let case = |remark, product, config, logs, expected| Case { remark, product, config, logs, expected };
    const AUDIT: &str =
        "SCITOKENS_SERVER_AUDIENCE = ce.example.org\nSCHEDD_AUDIT_LOG = $(LOG)/AuditLog\nSCHEDD_DEBUG = D_AUDIT\n";
    const BOTH: &str = "SCITOKENS_SERVER_AUDIENCE = ce.example.org\nSCHEDD_AUDIT_LOG = $(LOG)/AuditLog\nSCHEDD_DEBUG = D_AUDIT\nEVENT_LOG = $(LOG)/EventLog\n";
    const EVENTS: &str =
        "SCITOKENS_SERVER_AUDIENCE = ce.example.org\nSCHEDD_AUDIT_LOG =\nEVENT_LOG = $(LOG)/EventLog\n";
    const PLAIN: &str = "all.export /data\nofs.authorize\nofs.authlib ++ libXrdAccSciTokens.so\n";
    const DEBUG: &str =
        "all.export /data\nofs.authorize\nofs.authlib ++ libXrdAccSciTokens.so\nscitokens.trace info debug\n";
    const ALL: &str = "all.export /data\nofs.authorize\nacc.audit deny grant\nofs.authlib ++ libXrdAccSciTokens.so\nscitokens.trace all\n";
    const ARC: &str =
        "[common]\n[authtokens]\n[arex]\nloglevel=3\njoblog=/var/log/arc/arex-jobs.log\n[arex/ws]\n[arex/ws/jobs]\n";
    let arc = format!(
        "2025-11-03 10:16:05 Started - job id: 6af1c2d3e4f5, unix user: 1000:1000, name: \"p\", owner: \"{ISS}4f1c\", lrms: slurm, queue: grid\n"
    );
    const STORM: &str = "name=vo\nrootPath=/storage/vo\naccessPoints=/vo\nvos=vo\norgs=https://vo.example.org/\n";
    let storm = format!(
        "{NODE} 8443 \"4f1c@{ISS}\" 2025-11-03T10:20:01.123Z \"b0b5-1\" \"GET /vo/data/f HTTP/1.1\" 200 10 12\n"
    );
    vec![
        case("audit and events", "htcondor-ce", BOTH, condor(BOTH), [Answerable, CannotAnswer, Answerable]),
        case("audit alone", "htcondor", AUDIT, condor(AUDIT), [CannotAnswer; 3]),
        case("events alone", "htcondor", EVENTS, condor(EVENTS), [CannotAnswer; 3]),
        case("as shipped", "xrootd", PLAIN, xrootd(PLAIN), [CannotAnswer; 3]),
        case("token trace", "xrootd", DEBUG, xrootd(DEBUG), [CannotAnswer; 3]),
        case("token trace and audit", "xrootd", ALL, xrootd(ALL), [CannotAnswer; 3]),
        case("list of jobs", "arc", ARC, vec![arc], [CannotAnswer; 3]),
        case("access log", "storm-webdav", STORM, vec![storm], [CannotAnswer; 3]),
        case(
            "what is shipped is not known",
            "htcondor",
            "SCITOKENS_SERVER_AUDIENCE = ce.example.org\nEVENT_LOG = /e\n",
            vec![],
            [Unknown, CannotAnswer, Unknown],
        ),
    ]
}

fn ask(logs: &[String], known: &[(Known, &str)]) -> Traced {
    let book = Book::builtin().expect("the formats compile");
    let clock = Clock { zone: Clock::zone("UTC").expect("UTC"), now: "2025-11-30T00:00:00Z".parse().expect("a time") };
    let reading = Reading { book: &book, clock: &clock, limits: Limits::default() };
    let conditions = known.iter().map(|(known, value)| Condition { known: *known, value: (*value).into() });
    let time = Some(TIME.parse().expect("a time"));
    let question = Question { conditions: conditions.collect(), time, within: 600 };
    let found = search::search(&mut Memory(logs.to_vec()), &reading, &question);
    let registry = Registry::default();
    let context = Context { book: &book, registry: &registry, clock: &clock, timezone: "UTC" };
    page::traced(&context, &question, &found, Vec::new())
}

fn says(traced: &Traced, what: &str, value: Option<&str>) -> bool {
    let said = |answer: &page::Answer| answer.what == what && value.is_none_or(|value| answer.value == value);
    traced.answers.iter().any(|answer| answer.certain && said(answer))
}

#[test]
fn what_is_predicted_is_what_the_logs_answer() {
    let book = Book::builtin().expect("the formats compile");
    for Case { remark, product, config, logs, expected } in cases() {
        let name = match product {
            "storm-webdav" => "vo.properties",
            "xrootd" => "xrootd.cfg",
            "arc" => "arc.conf",
            _ => "ce.conf",
        };
        let files = [Arc::new(Source::from_text(name, config))];
        let service = site::service("it", product, &files, Some(7_776_000));
        assert!(service.settings.is_some(), "{product}, {remark}: its file is recognised");
        let predicted = answers(&book, std::slice::from_ref(&service));
        let verdicts: Vec<Verdict> = predicted.questions.iter().map(|judged| judged.verdict).collect();
        assert_eq!(verdicts[..3], expected, "{product}, {remark}: {:#?}", predicted.questions);
        assert_eq!(verdicts[3..], [Verdict::CannotAnswer; 3], "{product}, {remark}: payloads stand in no log");
        if verdicts.contains(&Verdict::Unknown) {
            continue;
        }
        let one = ask(&logs, &[(Known::Address, NODE)]);
        let two = ask(&logs, &[(Known::Address, NODE), (Known::Path, "/vo/data/f")]);
        let three = ask(&logs, &[(Known::Vo, ISS)]);
        let actual = [
            says(&one, "vo", None) && says(&one, "job", None),
            says(&two, "vo", None) && says(&two, "job", None),
            says(&three, "node", Some(NODE)),
        ];
        let predicted = [0, 1, 2].map(|index| verdicts[index] == Verdict::Answerable);
        assert_eq!(predicted, actual, "{product}, {remark}: predicted, actual");
        assert!(!says(&one, "payload", None) && !says(&three, "payload", None));
    }
}

#[test]
fn the_change_that_gains_most_is_one_line_of_the_product() {
    let book = Book::builtin().expect("the formats compile");
    let change = |product: &str, name: &str, config: &str| {
        let files = [Arc::new(Source::from_text(name, config))];
        let service = site::service("it", product, &files, None);
        answers(&book, &[service]).best_change.map(|change| (change.line, change.gains.join("; ")))
    };
    let (line, gains) = change(
        "htcondor-ce",
        "ce.conf",
        "SCITOKENS_SERVER_AUDIENCE = ce.example.org\nSCHEDD_AUDIT_LOG = /log\nSCHEDD_DEBUG = D_AUDIT\n",
    )
    .expect("a change");
    assert_eq!(line, "EVENT_LOG = $(LOG)/EventLog");
    assert!(gains.contains("question 1 becomes answerable"), "{gains}");
    let (line, gains) = change(
        "xrootd",
        "xrootd.cfg",
        "all.export /data\nofs.authorize\nofs.authlib ++ libXrdAccSciTokens.so\nscitokens.trace error\n",
    )
    .expect("a change");
    assert_eq!(line, "scitokens.trace info debug");
    assert!(gains.contains("whose token was used"), "{gains}");
    assert_eq!(change("rucio", "rucio.cfg", "[oidc]\nidpsecrets = /opt/rucio/etc/idpsecrets.json\n"), None);
}

#[test]
fn rules_judge_what_is_configured_and_what_was_read() {
    let book = Book::builtin().expect("the formats compile");
    let rules = Arc::new(tokenvet::rule::RuleBook::builtin().expect("the rule book"));
    let plan = tokenvet::evaluate::Plan::new(
        rules,
        tokenvet::evaluate::Selection::Auto,
        &tokenvet::evaluate::Adjustments::default(),
    );
    let files = [Arc::new(Source::from_text(
        "xrootd.cfg",
        "all.export /data\nofs.authorize\nofs.authlib ++ libXrdAccSciTokens.so\n",
    ))];
    let services = [site::service("se02", "xrootd", &files, Some(2_592_000))];
    let told = answers(&book, &services);
    let found = judge::of_answers(&plan, &told, &services, "tokenvet.yaml", 0);
    let rules: Vec<&str> = found.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules, ["log-kept-too-short", "log-names-no-token", "logs-answer-too-little"]);
    assert!(found[0].message.contains("30 d"), "{}", found[0].message);

    let clock = Clock { zone: Clock::zone("UTC").expect("UTC"), now: "2025-11-30T00:00:00Z".parse().expect("a time") };
    let reading = Reading { book: &book, clock: &clock, limits: Limits::default() };
    let (read, _) = search::survey(&mut Memory([xrootd("debug"), condor("= D_AUDIT")].concat()), &reading);
    let found = judge::of_logs(&plan, &book, &read, 0);
    let places: Vec<(&str, u32)> =
        found.iter().map(|finding| (finding.rule.as_str(), finding.region.start_line)).collect();
    assert_eq!(places, [("log-without-jti", 2)], "the connection of the audit log names its jti: {found:#?}");
    assert!(found[0].help.contains("user.jti"), "the help names the product's own knob");
}

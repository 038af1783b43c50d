//! Measures the command line against a floor: the same files walked, read and parsed into `serde_json::Value`, with no
//! judgement at all; logs read and searched for the pattern of a token. Both run in turn as processes of their own, so that
//! CPU and memory are those of the whole run and a busy machine meets both alike. Read the ratios; the seconds belong to the
//! machine.
//!
//! `cargo bench --bench check`, with `-- --quick` for a tenth of the data; TOKENVET_RELEASE_BINARY names another program to
//! measure than the one built beside it.

#![allow(clippy::print_stdout)] // the report

mod workload;

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4;

/// Runs of each side; the median counts.
const RUNS: usize = 5;

/// What one process used.
#[derive(Clone, Copy, Default)]
struct Used {
    /// User and system time.
    cpu: Duration,
    wall: Duration,
    /// Largest resident set, in MiB.
    memory: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["search", paths @ ..] => paths.iter().try_for_each(|path| search(Path::new(path))),
        ["floor", paths @ ..] => paths.iter().try_for_each(|path| floor(Path::new(path))),
        [] => report(1),
        ["--quick"] => report(10),
        _ => Err("give nothing or --quick".into()),
    }
}

/// Walks, reads and parses everything below a path.
fn floor(path: &Path) -> Result<(), Box<dyn Error>> {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        entries.sort();
        return entries.iter().try_for_each(|entry| floor(entry));
    }
    let value: serde_json::Value = serde_json::from_slice(&fs::read(path)?)?;
    std::hint::black_box(value);
    Ok(())
}

/// Reads a text line by line and searches it for what is plainly a token.
fn search(path: &Path) -> Result<(), Box<dyn Error>> {
    let token = regex::bytes::Regex::new(r"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")?;
    let mut lines = BufReader::with_capacity(1 << 20, fs::File::open(path)?);
    let (mut line, mut found) = (Vec::new(), 0);
    while lines.read_until(b'\n', &mut line)? > 0 {
        found += token.find_iter(&line).count();
        line.clear();
    }
    std::hint::black_box(found);
    Ok(())
}

fn used(program: &OsStr, arguments: &[&OsStr]) -> Result<Used, Box<dyn Error>> {
    let started = Instant::now();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let result = command.spawn()?.wait4()?;
    // 1 is "there are findings".
    if !matches!(result.status.code(), Some(0 | 1)) {
        return Err(format!("{} {arguments:?} ended with {}", program.display(), result.status).into());
    }
    let memory = result.rusage.maxrss as f64 / f64::from(1 << 20);
    Ok(Used { cpu: result.rusage.utime + result.rusage.stime, wall: started.elapsed(), memory })
}

fn median(mut runs: Vec<Used>) -> Used {
    let of = |runs: &mut Vec<Used>, key: fn(&Used) -> Duration| {
        runs.sort_by_key(key);
        key(&runs[runs.len() / 2])
    };
    let (cpu, wall) = (of(&mut runs, |run| run.cpu), of(&mut runs, |run| run.wall));
    Used { cpu, wall, memory: runs.iter().map(|run| run.memory).fold(0.0, f64::max) }
}

/// Runs several commands in turn, `runs` times, after one round that warms the page cache.
fn in_turn(commands: &[Vec<&OsStr>], runs: usize) -> Result<Vec<Used>, Box<dyn Error>> {
    let mut all = vec![Vec::new(); commands.len()];
    for round in 0..=runs {
        for (command, results) in commands.iter().zip(&mut all) {
            let used = used(command[0], &command[1..])?;
            if round > 0 {
                results.push(used);
            }
        }
    }
    Ok(all.into_iter().map(median).collect())
}

fn row(name: &str, used: Used, floor: Used) {
    let (cpu, wall) = (used.cpu.as_secs_f64(), used.wall.as_secs_f64());
    let ratio = cpu / floor.cpu.as_secs_f64();
    println!("| {name} | {ratio:.2} | {cpu:.3} | {wall:.3} | {:.0} |", used.memory);
}

fn heading(title: &str) {
    println!("\n## {title}\n\n| | CPU / floor | CPU s | wall s | peak MiB |\n|---|---|---|---|---|");
}

/// The floor of `check` and tokenvet with several sets of options, on one input; the first result is the floor's.
fn compare(input: &Path, options: &[(&str, Vec<&OsStr>)], runs: usize) -> Result<Vec<Used>, Box<dyn Error>> {
    beside("floor", "check", input, options, runs)
}

/// A floor and a command with several sets of options, on one input; the first result is the floor's.
fn beside(
    floor: &str,
    command: &str,
    input: &Path,
    options: &[(&str, Vec<&OsStr>)],
    runs: usize,
) -> Result<Vec<Used>, Box<dyn Error>> {
    let this = std::env::current_exe()?;
    let measured = std::env::var_os("TOKENVET_RELEASE_BINARY");
    let program = measured.as_deref().unwrap_or(env!("CARGO_BIN_EXE_tokenvet").as_ref());
    let mut commands = vec![vec![this.as_os_str(), floor.as_ref(), input.as_os_str()]];
    for (_, options) in options {
        let mut command = vec![program, command.as_ref()];
        command.extend(options);
        command.push(input.as_os_str());
        commands.push(command);
    }
    let results = in_turn(&commands, runs)?;
    row("floor", results[0], results[0]);
    for ((name, _), used) in options.iter().zip(&results[1..]) {
        row(name, *used, results[0]);
    }
    Ok(results)
}

fn options<'o>(texts: &[&'o str]) -> Vec<&'o OsStr> {
    texts.iter().map(|text| OsStr::new(*text)).collect()
}

/// Prints the whole report; `shrink` divides the size of the data.
fn report(shrink: usize) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("workload-{shrink}"));
    fs::create_dir_all(&folder)?;
    let at = |name: &str| folder.join(name);
    workload::client_files(&at("many"), 20_000 / shrink)?;
    workload::client_files(&at("few"), 2_000 / shrink)?;
    let jsonl = || options(&["--format", "jsonl"]);

    heading("Client files of 2 KB");
    println!("| {} files | | | | |", 2_000 / shrink);
    let few = compare(&at("few"), &[("jsonl", jsonl())], RUNS)?;
    println!("| {} files | | | | |", 20_000 / shrink);
    let one_thread = options(&["--format", "jsonl", "--threads", "1"]);
    let human = options(&["--format", "human"]);
    let many = compare(&at("many"), &[("jsonl", jsonl()), ("one thread", one_thread), ("human", human)], RUNS)?;
    let growth = |few: Used, many: Used| many.cpu.as_secs_f64() / few.cpu.as_secs_f64();
    println!(
        "\nTen times the files: {:.1} times the CPU (floor {:.1}).",
        growth(few[1], many[1]),
        growth(few[0], many[0])
    );

    rules(&at("many"), &folder)?;
    parity(&at("few"), &at("many"), &folder)?;
    lists(&folder, shrink)?;
    exports(&folder, shrink)?;

    scans(&folder, shrink)?;

    heading("Start to exit: one file of 2 KB");
    let one = at("few").join("vo-000/client-00000.json");
    compare(&one, &[("jsonl", jsonl()), ("human", options(&["--format", "human"]))], 4 * RUNS + 1)?;
    Ok(())
}

/// Tokens alone, and tokens in a log; ten times the tokens, and ten times the log.
fn scans(folder: &Path, shrink: usize) -> Result<(), Box<dyn Error>> {
    let jsonl = || options(&["--no-config", "--format", "jsonl", "--threads", "1"]);
    let growth = |few: &[Used], many: &[Used]| many[1].cpu.as_secs_f64() / few[1].cpu.as_secs_f64();
    let at = |name: &str| folder.join(name);
    let (few, many) = (at("few.tokens"), at("many.tokens"));
    heading("Distinct tokens, beside a search for their pattern");
    workload::tokens(&few, 5_000 / shrink)?;
    workload::tokens(&many, 50_000 / shrink)?;
    println!("| {} tokens | | | | |", 5_000 / shrink);
    let one = beside("search", "scan", &few, &[("scan", jsonl())], RUNS)?;
    println!("| {} tokens | | | | |", 50_000 / shrink);
    let ten = beside("search", "scan", &many, &[("scan", jsonl())], RUNS)?;
    println!("\nTen times the tokens: {:.1} times the CPU.", growth(&one, &ten));
    heading("A log with the fewer of these tokens, beside the same search");
    let mut used = Vec::new();
    for megabytes in [20, 200] {
        let (path, bytes) = (at(&format!("{megabytes}.log")), megabytes * 1_000_000 / shrink as u64);
        workload::log(&path, bytes, &few)?;
        println!("| {} MB | | | | |", bytes / 1_000_000);
        used.push(beside("search", "scan", &path, &[("scan", jsonl())], 3)?);
    }
    println!(
        "\nTen times the log: {:.1} times the CPU, {:.2} times the memory.",
        growth(&used[0], &used[1]),
        used[1][1].memory / used[0][1].memory
    );
    Ok(())
}

/// What rules cost: few, all, and all with two hundred more that never apply.
fn rules(files: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    const FEW: &str = "client-redirect-not-https,client-redirect-wildcard,client-implicit-grant,client-password-grant,\
                       client-access-token-over-maximum,client-without-contacts";
    let idle = workload::idle_rules(&folder.join("idle"), 200)?;
    let format = options(&["--format", "jsonl"]);
    let mut few = format.clone();
    for id in FEW.split(',') {
        few.extend([OsStr::new("--only"), OsStr::new(id)]);
    }
    let mut more = format.clone();
    more.extend([OsStr::new("--rules"), idle.as_os_str()]);
    heading("Rules, on the many client files");
    let results = compare(files, &[("6 rules", few), ("all rules", format), ("200 idle rules more", more)], RUNS)?;
    let idle = results[3].cpu.as_secs_f64() / results[2].cpu.as_secs_f64();
    println!("\n200 rules that do not apply: {:.0} % more CPU.", (idle - 1.0) * 100.0);
    Ok(())
}

/// Ten everyday rules, and two hundred like them: what a rule costs, and what more files cost.
fn parity(few: &Path, many: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    heading("Ten plain rules, and two hundred like them");
    let sets = [10, 100, 200].map(|count| workload::parity_rules(&folder.join(format!("parity-{count}")), count));
    let [ten, hundred, all] = sets;
    let sets = [ten?, hundred?, all?];
    let only = |set: usize| {
        let mut options = options(&["--format", "jsonl", "--no-config", "--only", "parity-*", "--rules"]);
        options.push(sets[set].as_os_str());
        options
    };
    let rows = || [("10 rules", only(0)), ("100 rules", only(1)), ("200 rules", only(2))];
    println!("| a tenth of the files | | | | |");
    let tenth = compare(few, &rows(), RUNS)?;
    println!("| all files | | | | |");
    let whole = compare(many, &rows(), RUNS)?;
    let ratio = |a: Used, b: Used| a.cpu.as_secs_f64() / b.cpu.as_secs_f64();
    println!("\n200 rules: {:.2} times the CPU of 10.", ratio(whole[3], whole[1]));
    println!(
        "Ten times the files: {:.1} times the CPU, {:.2} times the memory.",
        ratio(whole[3], tenth[3]),
        whole[3].memory / tenth[3].memory
    );
    Ok(())
}

/// A bare list of clients, which is judged while it is read, and one of ten times its length.
fn lists(folder: &Path, shrink: usize) -> Result<(), Box<dyn Error>> {
    let rules = workload::parity_rules(&folder.join("parity-200"), 200)?;
    let mut used = Vec::new();
    for megabytes in [10, 100] {
        let path = folder.join(format!("list-{megabytes}.json"));
        let bytes = megabytes * 1_000_000 / shrink as u64;
        workload::list(&path, bytes)?;
        heading(&format!("One list of {} MB", bytes / 1_000_000));
        let mut parity = options(&["--format", "jsonl", "--no-config", "--only", "parity-*", "--rules"]);
        parity.push(rules.as_os_str());
        let results = compare(&path, &[("200 rules", parity), ("all rules", options(&["--format", "jsonl"]))], 3)?;
        println!("\n200 rules: {:.0} MB per CPU second.", bytes as f64 / 1e6 / results[1].cpu.as_secs_f64());
        used.push(results[1]);
    }
    println!(
        "Ten times the list: {:.1} times the CPU, {:.2} times the memory.",
        used[1].cpu.as_secs_f64() / used[0].cpu.as_secs_f64(),
        used[1].memory / used[0].memory
    );
    Ok(())
}

/// Large exports, a client a line and printed over many lines.
fn exports(folder: &Path, shrink: usize) -> Result<(), Box<dyn Error>> {
    for (megabytes, lines, printed) in [(20, true, ""), (100, true, ""), (100, false, ", printed")] {
        let path = folder.join(format!("export-{megabytes}-{lines}.json"));
        let bytes = megabytes * 1_000_000 / shrink as u64;
        workload::export(&path, bytes, lines)?;
        heading(&format!("One export of {} MB{printed}", bytes / 1_000_000));
        let formats = ["jsonl", "human", "json"].map(|format| (format, options(&["--format", format])));
        compare(&path, &formats, 3)?;
    }
    Ok(())
}

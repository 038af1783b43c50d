//! Measures an audit with fifty nights of history against a floor: `check` over the same files. Both run in turn as
//! processes of their own. Read the ratios; the seconds belong to the machine.
//!
//! `cargo bench --bench audit`, with `-- --quick` for a tenth of the clients.

#![allow(clippy::print_stdout)] // the report

#[allow(dead_code)] // the other benches use the rest of it
mod workload;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4;

/// Audits before the one that is measured.
const NIGHTS: usize = 50;
/// Runs of each side; the median counts.
const RUNS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => report(&[2_000, 20_000]),
        ["--quick"] => report(&[200, 2_000]),
        _ => Err("give nothing or --quick".into()),
    }
}

/// What one process used.
#[derive(Clone, Copy)]
struct Used {
    /// User and system time.
    cpu: Duration,
    wall: Duration,
    /// Largest resident set, in MiB.
    memory: f64,
}

fn used(command: &mut Command) -> Result<Used, Box<dyn Error>> {
    let started = Instant::now();
    let result = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?.wait4()?;
    // 1 is "there are findings", or "something got worse".
    if !matches!(result.status.code(), Some(0 | 1)) {
        return Err(format!("{command:?} ended with {}", result.status).into());
    }
    let memory = result.rusage.maxrss as f64 / f64::from(1 << 20);
    Ok(Used { cpu: result.rusage.utime + result.rusage.stime, wall: started.elapsed(), memory })
}

fn median(mut runs: Vec<Used>) -> Used {
    runs.sort_by_key(|run| run.cpu);
    let memory = runs.iter().map(|run| run.memory).fold(0.0, f64::max);
    Used { memory, ..runs[runs.len() / 2] }
}

/// A site with one folder of clients, whose secrets all end soon.
struct Site {
    folder: PathBuf,
    clients: Vec<(PathBuf, String)>,
    night: usize,
}

impl Site {
    fn new(clients: usize) -> Result<Self, Box<dyn Error>> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("audit-{clients}"));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let mut site = Site { folder, clients: Vec::new(), night: 0 };
        let mut dice = workload::Dice::new(1);
        for number in 0..clients {
            let below = site.folder.join(format!("clients/vo-{:03}", number / 100));
            fs::create_dir_all(&below)?;
            let ends = 1_790_000_000 + number * 60;
            let text = workload::client(&mut dice, number);
            let text = text.replacen('{', &format!("{{\n  \"client_secret_expires_at\": {ends},"), 1);
            let path = below.join(format!("client-{number:05}.json"));
            fs::write(&path, &text)?;
            site.clients.push((path, text));
        }
        fs::write(site.folder.join("site.yaml"), "audit: { paths: [clients] }\n")?;
        Ok(site)
    }

    /// Changes one client in fifty, and takes one away or brings it back.
    fn change(&self) -> Result<(), Box<dyn Error>> {
        let tonight = |number: &usize| number % NIGHTS == self.night % NIGHTS;
        for (_, (path, text)) in self.clients.iter().enumerate().filter(|(number, _)| tonight(number)) {
            fs::write(path, text.replace(": 3600", ": 86400").replace("storage.read:/", "storage.modify:/"))?;
        }
        let (path, text) = &self.clients[self.night / 2];
        match self.night % 2 {
            0 => fs::remove_file(path)?,
            _ => fs::write(path, text)?,
        }
        Ok(())
    }

    fn audit(&mut self) -> Result<Used, Box<dyn Error>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenvet"));
        command.current_dir(&self.folder).args(["audit", "site.yaml", "--state", "state"]);
        command.args(["--output", "prometheus=out.prom", "--notify", "mail.txt", "--expiring", "1000d"]);
        let now = 1_789_000_000 + self.night as i64 * 86_400;
        self.night += 1;
        used(command.args(["--now", &jiff::Timestamp::from_second(now)?.to_string()]))
    }

    fn check(&self) -> Result<Used, Box<dyn Error>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenvet"));
        used(command.current_dir(&self.folder).args(["check", "clients", "--config", "site.yaml", "--format", "jsonl"]))
    }
}

/// Makes the history and measures the night after it, for each number of clients.
fn report(sizes: &[usize]) -> Result<(), Box<dyn Error>> {
    println!("| clients | | CPU / check | CPU s | wall s | peak MiB | state MiB |\n|---|---|---|---|---|---|---|");
    let mut last: Option<Used> = None;
    for clients in sizes {
        let mut site = Site::new(*clients)?;
        let first = site.audit()?;
        while site.night < NIGHTS {
            site.change()?;
            site.audit()?;
        }
        let (mut audits, mut checks) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            site.change()?;
            checks.push(site.check()?);
            audits.push(site.audit()?);
        }
        let (audit, check) = (median(audits), median(checks));
        let state = fs::metadata(site.folder.join("state/audit.sqlite3"))?.len() as f64 / f64::from(1 << 20);
        let row = |name: &str, used: Used| {
            let (cpu, wall) = (used.cpu.as_secs_f64(), used.wall.as_secs_f64());
            let ratio = cpu / check.cpu.as_secs_f64();
            println!("| {clients} | {name} | {ratio:.2} | {cpu:.3} | {wall:.3} | {:.0} | {state:.0} |", used.memory);
        };
        row("check", check);
        row("first audit", first);
        row(&format!("audit after {NIGHTS} nights"), audit);
        if let Some(before) = last {
            println!(
                "\nTen times the clients: {:.1} times the CPU, {:.1} times the memory.",
                audit.cpu.as_secs_f64() / before.cpu.as_secs_f64(),
                audit.memory / before.memory
            );
        }
        last = Some(audit);
    }
    Ok(())
}

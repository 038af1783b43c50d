//! What audits remember, in one SQLite file.
//!
//! An audit holds the lock of its folder from the beginning to the end and writes once, in one transaction. The journal
//! is a rollback journal: there is one writer and nobody who reads meanwhile, it works on network file systems, and
//! between audits the state is a single file that can be copied. A process that is killed, or a disk that runs full,
//! leaves the state of the audit before.

mod schema;

use crate::audit::inventory::Entry;
use crate::audit::{Memory, Observed, Remembered, Report, Role, Run, Source};
use crate::model::Quantity;
use crate::rule::Severity;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, params};
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The database in the folder.
pub const FILE: &str = "audit.sqlite3";
/// What a new one is called until it is complete.
const UNBORN: &str = "audit.sqlite3.new";
/// The lock in the folder.
pub const LOCK: &str = "lock";
/// `PRAGMA application_id` of our files: "tkvt".
const APPLICATION: i32 = 0x746b_7674;

/// Why the state cannot be used. Messages name the file and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Somebody else is at it.
    #[error("{folder}: another audit is at work with this state ({holder}); wait for its end")]
    Locked {
        /// The folder.
        folder: String,
        /// Process, host and time, as the other one wrote them.
        holder: String,
    },
    /// A later version wrote it.
    #[error(
        "{file}: a newer tokenvet wrote this state (form {found}; this one knows {known}); use that version, or another \
         folder with --state"
    )]
    Newer {
        /// The file.
        file: String,
        /// Its version.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// It belongs to another program.
    #[error("{0}: this SQLite file belongs to another program; give --state a folder of its own")]
    Foreign(String),
    /// It is no SQLite file, or it was damaged.
    #[error("{0}: the state is damaged; put a copy from a backup in its place, or move it away to begin anew")]
    Damaged(String),
    /// No space is left.
    #[error("{0}: no space is left on this disk; the state is still the one of the audit before")]
    Full(String),
    /// Everything else.
    #[error("{file}: {what}")]
    Other {
        /// The file or folder.
        file: String,
        /// What went wrong.
        what: String,
    },
}

/// The state, held by this process alone.
#[derive(Debug)]
pub struct State {
    connection: Connection,
    file: PathBuf,
    /// Held until the process ends, however it ends.
    _lock: File,
}

/// A new state that is written but does not count yet.
#[derive(Debug)]
pub struct Pending<'s> {
    transaction: Transaction<'s>,
    file: PathBuf,
}

impl State {
    /// Opens the state in a folder, which is made when it is not there, and locks it. `holder` is what others are told
    /// of this process.
    pub fn open(folder: &Path, holder: &str) -> Result<Self, StateError> {
        make(folder)?;
        let lock = lock(folder, holder)?;
        let file = folder.join(FILE);
        match fs::symlink_metadata(&file) {
            // To SQLite that is a new one.
            Ok(metadata) if metadata.is_file() && metadata.len() == 0 => {
                Err(StateError::Damaged(file.display().to_string()))
            }
            Ok(_) => State::prepared(file, lock),
            Err(_) => {
                // A new one has its name once it is complete: an empty file was never one of ours.
                let unborn = folder.join(UNBORN);
                for old in [&unborn, &folder.join(format!("{UNBORN}-journal"))] {
                    match fs::remove_file(old) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(old, &error)),
                        _ => {}
                    }
                }
                let State { connection, _lock: lock, .. } = State::prepared(unborn.clone(), lock)?;
                connection.close().map_err(|(_, error)| failure(&unborn, &error))?;
                fs::rename(&unborn, &file).map_err(|error| io(&file, &error))?;
                State::prepared(file, lock)
            }
        }
    }

    fn prepared(file: PathBuf, lock: File) -> Result<Self, StateError> {
        // What audits find is nobody else's business.
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        private(&mut options).open(&file).map_err(|error| io(&file, &error))?;
        let connection = Connection::open(&file).map_err(|error| failure(&file, &error))?;
        let mut state = State { connection, file, _lock: lock };
        state.prepare().map_err(|error| failure(&state.file, &error))??;
        Ok(state)
    }

    /// Settings, and the tables of the newest form.
    fn prepare(&mut self) -> rusqlite::Result<Result<(), StateError>> {
        let connection = &mut self.connection;
        let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let (application, version) = (number("application_id")?, number("user_version")?);
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let file = self.file.display().to_string();
        if application != APPLICATION && (application != 0 || tables > 0) {
            return Ok(Err(StateError::Foreign(file)));
        }
        let known = schema::MIGRATIONS.len() as i32;
        if version > known {
            return Ok(Err(StateError::Newer { file, found: version, known }));
        }
        if tables == 0 {
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        // The transaction is durable, with its journal's end, before a commit returns.
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        connection.pragma_update(None, "synchronous", "EXTRA")?;
        // A file from elsewhere must not make SQLite call anything.
        connection.pragma_update(None, "trusted_schema", false)?;
        if version < known {
            let transaction = connection.transaction()?;
            for step in &schema::MIGRATIONS[version.max(0) as usize..] {
                transaction.execute_batch(step)?;
            }
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", known)?;
            transaction.commit()?;
        }
        Ok(Ok(()))
    }

    /// All that is remembered.
    pub fn memory(&self) -> Result<Memory, StateError> {
        read(&self.connection).map_err(|error| failure(&self.file, &error))
    }

    /// The report of the last audit; `None` before the first.
    pub fn last_report(&self) -> Result<Option<Report>, StateError> {
        let text: Option<String> = self
            .connection
            .query_row("SELECT report FROM last_report", [], |row| row.get(0))
            .optional()
            .map_err(|error| failure(&self.file, &error))?;
        let read = |text: String| serde_json::from_str(&text);
        text.map(read).transpose().map_err(|_| StateError::Damaged(self.file.display().to_string()))
    }

    /// Writes what is to be remembered, as far as it differs from what is. All of it is on the disk when this returns, but
    /// it counts only from [`Pending::commit`] on.
    pub fn write(&mut self, before: &Memory, next: &Memory, report: &Report) -> Result<Pending<'_>, StateError> {
        let file = self.file.clone();
        let transaction = self.connection.transaction().map_err(|error| failure(&file, &error))?;
        match write(&transaction, before, next, report) {
            Ok(()) => Ok(Pending { transaction, file }),
            Err(error) => Err(failure(&file, &error)),
        }
    }

    /// Gives space that is no longer needed back to the file system. That it fails does no harm.
    pub fn shrink(&self) {
        let _ = self.connection.execute_batch("PRAGMA incremental_vacuum");
    }
}

impl Pending<'_> {
    /// Makes it count.
    pub fn commit(self) -> Result<(), StateError> {
        self.transaction.commit().map_err(|error| failure(&self.file, &error))
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

fn make(folder: &Path) -> Result<(), StateError> {
    use std::os::unix::fs::DirBuilderExt;
    if folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| io(folder, &error))
}

/// Locks the folder for as long as the file is open. The kernel lets go of it when the process ends, however it ends.
fn lock(folder: &Path, holder: &str) -> Result<File, StateError> {
    let path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let mut file = private(&mut options).open(&path).map_err(|error| io(&path, &error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            let _ = (&mut file).take(200).read_to_string(&mut text);
            let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
            let holder = if text.is_empty() { "it did not say who it is".into() } else { text };
            return Err(StateError::Locked { folder: folder.display().to_string(), holder });
        }
        Err(error) => return Err(io(&path, &error.into())),
    }
    // Who holds it is for people only, so a full disk is no reason to stop here.
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{holder}"));
    Ok(file)
}

fn io(path: &Path, error: &std::io::Error) -> StateError {
    use std::io::ErrorKind;
    let file = path.display().to_string();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StateError::Full(file),
        ErrorKind::PermissionDenied => {
            StateError::Other { file, what: "no permission; the folder belongs to the user that audits".into() }
        }
        ErrorKind::ReadOnlyFilesystem => {
            StateError::Other { file, what: "the file system is read-only; --state needs a folder to write in".into() }
        }
        _ => StateError::Other { file, what: error.to_string() },
    }
}

fn failure(path: &Path, error: &rusqlite::Error) -> StateError {
    let file = path.display().to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StateError::Full(file),
        // SQLite reports a limit on the size of files, and some full disks, as failed writes.
        Some(ErrorCode::SystemIoFailure) => StateError::Other {
            file,
            what: "reading or writing failed (a full disk, a quota, or broken storage); the state is still the one of \
                   the audit before"
                .into(),
        },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StateError::Damaged(file),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            StateError::Other { file, what: "cannot be written; the folder belongs to the user that audits".into() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StateError::Other { file, what: "another program has it open; close it and try again".into() }
        }
        // What is in it does not fit what we write: a row that somebody changed.
        None => StateError::Damaged(file),
        Some(_) => StateError::Other { file, what: error.to_string() },
    }
}

fn read(connection: &Connection) -> rusqlite::Result<Memory> {
    let mut memory = Memory::default();
    let mut statement = connection.prepare("SELECT at, tool, policy, complete, trend FROM runs ORDER BY at, id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let trend: String = row.get(4)?;
        let trend = serde_json::from_str(&trend).map_err(|_| rusqlite::Error::InvalidQuery)?;
        let (at, tool, policy, complete) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        memory.runs.push(Run { at, tool, policy, complete, trend });
    }
    let mut statement = connection.prepare("SELECT name, role, service, last_seen, lost FROM sources")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let role: String = row.get(1)?;
        let role = if role == Role::Logs.name() { Role::Logs } else { Role::File };
        let source = Source { role, service: row.get(2)?, last_seen: row.get(3)?, lost: row.get(4)? };
        memory.sources.insert(row.get(0)?, source);
    }
    let mut statement = connection.prepare(
        "SELECT fingerprint, source, rule, profile, severity, path, line, kind, name, message, value, bound, suppressed, \
         first_seen, last_seen, closed FROM findings",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let severity = match row.get::<_, i64>(4)? {
            2.. => Severity::Error,
            1 => Severity::Warning,
            _ => Severity::Note,
        };
        let measure = match (row.get::<_, Option<i64>>(10)?, row.get::<_, Option<i64>>(11)?) {
            (Some(value), Some(bound)) => Some((of_column(value), bound)),
            _ => None,
        };
        let observed = Observed {
            rule: row.get(2)?,
            profile: row.get(3)?,
            severity,
            path: row.get(5)?,
            line: row.get(6)?,
            kind: row.get(7)?,
            name: row.get(8)?,
            message: row.get(9)?,
            measure,
            suppressed: row.get(12)?,
        };
        let finding = Remembered { observed, first_seen: row.get(13)?, last_seen: row.get(14)?, closed: row.get(15)? };
        memory.findings.insert((row.get(0)?, row.get(1)?), finding);
    }
    let mut statement = connection.prepare("SELECT kind, anchor, path, name, record FROM inventory")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record: String = row.get(4)?;
        let record = serde_json::from_str(&record).map_err(|_| rusqlite::Error::InvalidQuery)?;
        let (kind, anchor, path): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let key = (kind.clone(), anchor.clone(), path.clone());
        memory.inventory.insert(key, Entry { kind, anchor, path, name: row.get(3)?, record, grown: vec![] });
    }
    let mut statement = connection.prepare("SELECT kind, anchor, path, field, seconds FROM lifetimes")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let of = memory.accepted.of.entry((row.get(0)?, row.get(1)?, row.get(2)?)).or_default();
        of.insert(row.get(3)?, of_column(row.get(4)?));
    }
    Ok(memory)
}

fn write(transaction: &Transaction<'_>, before: &Memory, next: &Memory, report: &Report) -> rusqlite::Result<()> {
    runs(transaction, before, next)?;
    sources(transaction, before, next)?;
    findings(transaction, before, next)?;
    inventory(transaction, before, next)?;
    lifetimes(transaction, before, next)?;
    of_run(transaction, report)?;
    let text = serde_json::to_string(report).map_err(|_| rusqlite::Error::InvalidQuery)?;
    transaction.execute("DELETE FROM last_report", [])?;
    transaction.execute("INSERT INTO last_report (report) VALUES (?1)", [text])?;
    // Everything goes to the disk now: if it is full, that shows before anything is told.
    transaction.cache_flush()
}

fn runs(transaction: &Transaction<'_>, before: &Memory, next: &Memory) -> rusqlite::Result<()> {
    let oldest = next.runs.first().map_or(i64::MAX, |run| run.at);
    transaction.execute("DELETE FROM waivers WHERE run IN (SELECT id FROM runs WHERE at < ?1)", [oldest])?;
    transaction.execute("DELETE FROM errors WHERE run IN (SELECT id FROM runs WHERE at < ?1)", [oldest])?;
    transaction.execute("DELETE FROM runs WHERE at < ?1", [oldest])?;
    debug_assert!(next.runs.len() <= before.runs.len() + 1);
    let Some(run) = next.runs.last() else { return Ok(()) };
    // Of a clock that was ahead: those audits were before this one.
    transaction.execute("UPDATE runs SET at = ?1 WHERE at > ?1", [run.at])?;
    let trend = serde_json::to_string(&run.trend).map_err(|_| rusqlite::Error::InvalidQuery)?;
    transaction.execute(
        "INSERT INTO runs (at, tool, policy, complete, trend) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![run.at, run.tool, run.policy, run.complete, trend],
    )?;
    Ok(())
}

/// What belongs to the run that was written last.
fn of_run(transaction: &Transaction<'_>, report: &Report) -> rusqlite::Result<()> {
    let run = transaction.query_row("SELECT max(id) FROM runs", [], |row| row.get::<_, i64>(0))?;
    let mut insert = transaction.prepare("INSERT INTO errors (run, path, message) VALUES (?1, ?2, ?3)")?;
    for problem in &report.errors {
        insert.execute(params![run, problem.path, problem.message])?;
    }
    let mut insert = transaction
        .prepare("INSERT INTO waivers (run, rule, owner, path, ends, used) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for waiver in &report.waivers {
        insert.execute(params![run, waiver.rule, waiver.owner, waiver.path, waiver.ends, waiver.used])?;
    }
    Ok(())
}

fn sources(transaction: &Transaction<'_>, before: &Memory, next: &Memory) -> rusqlite::Result<()> {
    let mut put = transaction
        .prepare("INSERT OR REPLACE INTO sources (name, role, service, last_seen, lost) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (name, source) in next.sources.iter().filter(|(name, source)| before.sources.get(*name) != Some(source)) {
        put.execute(params![name, source.role.name(), source.service, source.last_seen, source.lost])?;
    }
    let mut delete = transaction.prepare("DELETE FROM sources WHERE name = ?1")?;
    for name in gone(&before.sources, &next.sources) {
        delete.execute([name])?;
    }
    Ok(())
}

fn findings(transaction: &Transaction<'_>, before: &Memory, next: &Memory) -> rusqlite::Result<()> {
    let mut put = transaction.prepare(
        "INSERT OR REPLACE INTO findings (fingerprint, source, rule, profile, severity, path, line, kind, name, message, \
         value, bound, suppressed, first_seen, last_seen, closed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    // Of what is as it was, only the day changes.
    let mut touch = transaction.prepare("UPDATE findings SET last_seen = ?3 WHERE fingerprint = ?1 AND source = ?2")?;
    for (key, finding) in &next.findings {
        let Remembered { observed, first_seen, last_seen, closed } = finding;
        match before.findings.get(key) {
            Some(known) if known == finding => continue,
            Some(known) if Remembered { last_seen: *last_seen, ..known.clone() } == *finding => {
                touch.execute(params![key.0, key.1, last_seen])?;
                continue;
            }
            Some(_) | None => {}
        }
        put.execute(params![
            key.0,
            key.1,
            observed.rule,
            observed.profile,
            observed.severity as i64,
            observed.path,
            observed.line,
            observed.kind,
            observed.name,
            observed.message,
            observed.measure.map(|(value, _)| in_column(value)),
            observed.measure.map(|(_, bound)| bound),
            observed.suppressed,
            first_seen,
            last_seen,
            closed
        ])?;
    }
    let mut delete = transaction.prepare("DELETE FROM findings WHERE fingerprint = ?1 AND source = ?2")?;
    for (fingerprint, source) in gone(&before.findings, &next.findings) {
        delete.execute([fingerprint, source])?;
    }
    Ok(())
}

fn inventory(transaction: &Transaction<'_>, before: &Memory, next: &Memory) -> rusqlite::Result<()> {
    let mut put = transaction
        .prepare("INSERT OR REPLACE INTO inventory (kind, anchor, path, name, record) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (key, entry) in next.inventory.iter().filter(|(key, entry)| before.inventory.get(*key) != Some(entry)) {
        let record = serde_json::to_string(&entry.record).map_err(|_| rusqlite::Error::InvalidQuery)?;
        put.execute(params![key.0, key.1, key.2, entry.name, record])?;
    }
    let mut delete = transaction.prepare("DELETE FROM inventory WHERE kind = ?1 AND anchor = ?2 AND path = ?3")?;
    for (kind, anchor, path) in gone(&before.inventory, &next.inventory) {
        delete.execute([kind, anchor, path])?;
    }
    Ok(())
}

/// The number of a column: the largest stands for no limit.
fn in_column(quantity: Quantity) -> i64 {
    quantity.number().unwrap_or(i64::MAX)
}

fn of_column(number: i64) -> Quantity {
    Some(number).filter(|number| *number != i64::MAX).into()
}

fn lifetimes(transaction: &Transaction<'_>, before: &Memory, next: &Memory) -> rusqlite::Result<()> {
    let (before, next) = (&before.accepted.of, &next.accepted.of);
    let mut put = transaction
        .prepare("INSERT OR REPLACE INTO lifetimes (kind, anchor, path, field, seconds) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (key, of) in next.iter().filter(|(key, of)| before.get(*key) != Some(of)) {
        for (field, seconds) in of {
            put.execute(params![key.0, key.1, key.2, field, in_column(*seconds)])?;
        }
    }
    let mut delete =
        transaction.prepare("DELETE FROM lifetimes WHERE kind = ?1 AND anchor = ?2 AND path = ?3 AND field = ?4")?;
    for (key, of) in before {
        let kept = next.get(key);
        for field in of.keys().filter(|field| kept.is_none_or(|kept| !kept.contains_key(*field))) {
            delete.execute([&key.0, &key.1, &key.2, field])?;
        }
    }
    Ok(())
}

fn gone<'m, K: Ord, V>(before: &'m BTreeMap<K, V>, next: &'m BTreeMap<K, V>) -> impl Iterator<Item = &'m K> {
    before.keys().filter(|key| !next.contains_key(*key))
}

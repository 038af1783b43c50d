//! The progress line of long runs, on standard error and only when that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Read};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Runs shorter than this show nothing.
const QUIET: Duration = Duration::from_millis(500);

/// Files and bytes done, how fast, and how long the rest will take. Threads may share it.
pub(super) struct Progress {
    started: Instant,
    files: u64,
    /// Bytes as they lie there, compressed ones too; 0 when nobody looks.
    bytes: u64,
    done_files: AtomicU64,
    done_bytes: AtomicU64,
    visible: bool,
    bar: OnceLock<ProgressBar>,
}

impl Progress {
    /// Nothing is drawn before half a second has gone. The number of bytes is only asked for when somebody looks.
    pub(super) fn new(files: usize, bytes: impl FnOnce() -> u64) -> Self {
        let visible = io::stderr().is_terminal();
        Progress {
            started: Instant::now(),
            files: files as u64,
            bytes: if visible { bytes() } else { 0 },
            done_files: AtomicU64::new(0),
            done_bytes: AtomicU64::new(0),
            visible,
            bar: OnceLock::new(),
        }
    }

    /// Counts files that are finished.
    pub(super) fn advance(&self, files: usize) {
        self.done_files.fetch_add(files as u64, Ordering::Relaxed);
        self.draw();
    }

    /// Counts bytes that were read; they are only asked for when somebody looks.
    pub(super) fn read(&self, bytes: impl FnOnce() -> u64) {
        if self.visible {
            self.done_bytes.fetch_add(bytes(), Ordering::Relaxed);
            self.draw();
        }
    }

    /// A reader whose bytes are counted as it reads.
    pub(super) fn counted<R: Read>(&self, from: R) -> Counted<'_, R> {
        Counted { from, progress: self }
    }

    fn draw(&self) {
        if !self.visible || self.started.elapsed() < QUIET {
            return;
        }
        let done = self.done_bytes.load(Ordering::Relaxed);
        let bar = self.bar.get_or_init(|| self.line());
        bar.set_position(done);
        bar.set_message(format!("{}/{} files", self.done_files.load(Ordering::Relaxed), self.files));
    }

    fn line(&self) -> ProgressBar {
        // Standard input has no length.
        let (length, template) = match self.bytes {
            0 => (None, "{msg}, {decimal_bytes}, {decimal_bytes_per_sec}, {elapsed}"),
            bytes => (Some(bytes), "{msg}, {decimal_bytes}/{decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left"),
        };
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.with_elapsed(self.started.elapsed()).with_style(style)
    }

    /// Takes the line away while something writes, so that both can share a terminal.
    pub(super) fn pause<T>(&self, write: impl FnOnce() -> T) -> T {
        match self.bar.get() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the line away for good.
    pub(super) fn end(self) {
        if let Some(bar) = self.bar.into_inner() {
            bar.finish_and_clear();
        }
    }
}

/// A reader whose bytes are counted.
pub(super) struct Counted<'p, R> {
    from: R,
    progress: &'p Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        self.progress.read(|| read as u64);
        Ok(read)
    }
}

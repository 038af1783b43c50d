//! The progress line of long runs, on standard error and only when that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

/// Runs shorter than this show nothing.
const QUIET: Duration = Duration::from_millis(500);

/// Files done of all files, and how many a second.
pub(super) struct Progress {
    started: Instant,
    files: usize,
    done: usize,
    visible: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Nothing is drawn before half a second has gone.
    pub(super) fn new(files: usize) -> Self {
        Progress { started: Instant::now(), files, done: 0, visible: io::stderr().is_terminal(), bar: None }
    }

    /// Counts files that are finished.
    pub(super) fn advance(&mut self, files: usize) {
        self.done += files;
        if self.visible && self.bar.is_none() && self.started.elapsed() >= QUIET {
            let bar = ProgressBar::with_draw_target(Some(self.files as u64), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{pos}/{len} files, {per_sec}, {elapsed}");
            self.bar = Some(
                bar.with_elapsed(self.started.elapsed())
                    .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())),
            );
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done as u64);
        }
    }

    /// Takes the line away while something writes, so that both can share a terminal.
    pub(super) fn pause<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the line away for good.
    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

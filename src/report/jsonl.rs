//! `jsonl`: one object a line, written as soon as a file is finished. The objects are the elements of the arrays of
//! `json` with a `type` before them; the last line has the type `run` and holds what remains.

use super::json::{SCHEMA_VERSION, Tool, write_line};
use super::{
    Checked, DocumentRef, FileError, Finding, NotJudged, OnlyChanged, PolicyFrom, ProfileRef, Reporter, Run, Summary,
    WorkflowRef,
};
use serde::Serialize;
use std::io;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Document(&'a DocumentRef),
    Finding(&'a Finding),
    NotJudged(&'a NotJudged),
    Error(&'a FileError),
    Run {
        schema_version: &'a str,
        tool: Tool<'a>,
        now: &'a str,
        policy_digest: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        policy_from: Option<&'a PolicyFrom>,
        #[serde(skip_serializing_if = "Option::is_none")]
        only_changed: Option<&'a OnlyChanged>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        notes: &'a [String],
        profiles: &'a [ProfileRef],
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        workflows: &'a [WorkflowRef],
        skipped: u64,
        summary: &'a Summary,
    },
}

/// Writes `jsonl`.
#[derive(Debug)]
pub struct Jsonl<W: io::Write> {
    out: W,
    /// Room for one line.
    room: Vec<u8>,
}

impl<W: io::Write> Jsonl<W> {
    /// A report to this writer.
    pub fn new(out: W) -> Self {
        Jsonl { out, room: Vec::new() }
    }

    fn lines<'l>(&mut self, lines: impl Iterator<Item = Line<'l>>) -> io::Result<()> {
        for line in lines {
            write_line(&mut self.out, &mut self.room, &line)?;
        }
        Ok(())
    }
}

impl<W: io::Write> Reporter for Jsonl<W> {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        self.lines(checked.documents.iter().map(Line::Document))?;
        self.lines(checked.findings.iter().map(Line::Finding))?;
        self.lines(checked.not_judged.iter().map(Line::NotJudged))?;
        self.lines(checked.errors.iter().map(Line::Error))
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        self.lines(run.findings.iter().map(Line::Finding))?;
        self.lines(run.errors.iter().map(Line::Error))?;
        let closing = Line::Run {
            schema_version: SCHEMA_VERSION,
            tool: Tool::this(),
            now: &run.now,
            policy_digest: run.policy_digest.as_deref(),
            policy_from: run.policy_from.as_ref(),
            only_changed: run.only_changed.as_ref(),
            notes: &run.notes,
            profiles: &run.profiles,
            workflows: &run.workflows,
            skipped: run.skipped,
            summary: &run.summary,
        };
        write_line(&mut self.out, &mut self.room, &closing)?;
        self.out.flush()
    }

    fn quotes(&self) -> bool {
        false
    }
}

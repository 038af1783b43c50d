//! A scan that several processes share: each scans some of its texts, and their shard reports are merged.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyIterator};
use std::io::{self, Read};
use tokenvet::scan::find::Finder;
use tokenvet::scan::fingerprint::Fingerprints;
use tokenvet::scan::judge::Judge;
use tokenvet::scan::tally::Limits;
use tokenvet::shard::scan::Scan;
use tokenvet::shard::{MOST, Part, Terms, Trouble, Work};

/// What all shard reports of a scan of these texts have in common, as a shard report without shards; `names` are sorted,
/// `now` is RFC 3339. There is a shard for each text.
#[pyfunction]
pub(crate) fn terms<'py>(py: Python<'py>, names: Vec<String>, now: &str) -> PyResult<Bound<'py, PyBytes>> {
    let shards = u32::try_from(names.len()).ok().filter(|shards| *shards <= MOST);
    let shards = shards.ok_or_else(|| PyValueError::new_err(format!("at most {MOST} texts can be shared out")))?;
    let terms = Terms::of_texts(shards, now, names.iter().map(String::as_str));
    Ok(PyBytes::new(py, Part::empty(&terms).text().as_bytes()))
}

/// Scans the text of this number (from 0) and name. `chunks` are its bytes, piece by piece; `packed` says that it may be
/// compressed or an archive. `now` is in seconds since 1970. The shard report.
#[pyfunction]
pub(crate) fn scan_part<'py>(
    py: Python<'py>,
    terms: PyBackedBytes,
    index: u32,
    name: String,
    chunks: Bound<'py, PyIterator>,
    packed: bool,
    now: i64,
) -> PyResult<Bound<'py, PyBytes>> {
    let plan = crate::plan()?;
    let mut chunks = Chunks { chunks: chunks.unbind(), left: None, failed: None };
    let scanned = crate::released(py, || {
        let run = Part::read(&terms).map_err(|trouble| trouble.to_string())?.run;
        let finder = Finder::new()?;
        let mut scan = Scan::new(&finder, Limits::of(Limits::TOKENS, now), Fingerprints::default());
        let number = u64::from(index);
        let done = match packed {
            true => scan.input(number, &name, &mut chunks),
            false => scan.text(number, &name, &mut chunks).map(|_| ()),
        };
        done.map_err(|error| error.to_string())?;
        let work = Work::Scan(scan.into_work(&Judge::new(now, None), &plan));
        Ok::<_, String>(Part::new(run, index + 1, work).text())
    })?;
    // What went wrong on Python's side says more than that the text ended early.
    if let Some(error) = chunks.failed {
        return Err(error);
    }
    scanned.map(|text| PyBytes::new(py, text.as_bytes())).map_err(PyValueError::new_err)
}

/// Puts shard reports together to one. An error has the number of the report that is wrong, from 0.
#[pyfunction]
pub(crate) fn merge_parts<'py>(
    py: Python<'py>,
    terms: PyBackedBytes,
    parts: Vec<PyBackedBytes>,
) -> PyResult<Bound<'py, PyBytes>> {
    let merged = crate::released(py, || {
        let mut all = Part::read(&terms)?;
        parts.iter().try_for_each(|part| all.merge(Part::read(part)?))?;
        Ok::<_, Trouble>(all.text())
    })?;
    merged.map(|text| PyBytes::new(py, text.as_bytes())).map_err(|trouble| PyValueError::new_err(trouble.to_string()))
}

/// A text that a Python iterator hands out in pieces.
struct Chunks {
    chunks: Py<PyIterator>,
    /// The piece at work, and how much of it was read.
    left: Option<(PyBackedBytes, usize)>,
    failed: Option<PyErr>,
}

impl Chunks {
    fn next(&self) -> PyResult<Option<PyBackedBytes>> {
        Python::attach(|py| {
            let next = self.chunks.bind(py).clone().next().transpose()?;
            next.map(|chunk| Ok(chunk.cast_into::<PyBytes>()?.into())).transpose()
        })
    }
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some((chunk, at)) = &mut self.left
                && *at < chunk.len()
            {
                let length = into.len().min(chunk.len() - *at);
                into[..length].copy_from_slice(&chunk[*at..*at + length]);
                *at += length;
                return Ok(length);
            }
            match self.next() {
                Ok(Some(chunk)) => self.left = Some((chunk, 0)),
                Ok(None) => return Ok(0),
                Err(error) => {
                    self.failed = Some(error);
                    return Err(io::Error::other("the texts ended early"));
                }
            }
        }
    }
}

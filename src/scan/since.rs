//! A text without the lines that are older than asked for.
//!
//! Lines left out become blanks, so that offsets and line numbers of all others stay as they are. A line that does not say
//! when it was written belongs to the one before it; entries of a journal are left out as a whole.

use super::member::{Form, JOURNAL_EXPORT};
use super::when::{LOOK, latest};
use std::io::{self, Read};

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// A reader that blanks old lines.
pub struct Since<R> {
    from: R,
    form: Form,
    /// Lines that are certainly older than this are left out, in seconds since 1970.
    since: i64,
    now: i64,
    buffer: Vec<u8>,
    /// What is handed out next, up to where lines are decided, and where the bytes end.
    at: usize,
    decided: usize,
    end: usize,
    ended: bool,
    /// The text at `decided` is the middle of a line.
    within: bool,
    /// Bytes of a journal's binary field that are still to come.
    binary: u64,
    /// The line, or the entry, is left out.
    old: bool,
    left_out: u64,
    kept: u64,
}

impl<R: Read> Since<R> {
    /// Leaves out what is older than `since`; both times are in seconds since 1970.
    pub fn new(from: R, form: Form, since: i64, now: i64) -> Self {
        Since {
            from,
            form,
            since,
            now,
            buffer: vec![0; CHUNK],
            at: 0,
            decided: 0,
            end: 0,
            ended: false,
            within: false,
            binary: 0,
            old: false,
            left_out: 0,
            kept: 0,
        }
    }

    /// Bytes that were left out so far.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Was all of what was read left out?
    pub fn left_out_all(&self) -> bool {
        self.left_out > 0 && self.kept == 0
    }

    /// Decides what the buffer holds, as far as that is possible.
    fn decide(&mut self) {
        while self.decided < self.end {
            let rest = &self.buffer[self.decided..self.end];
            if self.binary > 0 {
                let length = usize::try_from(self.binary).unwrap_or(usize::MAX).min(rest.len());
                self.binary -= length as u64;
                self.pass(length);
                continue;
            }
            let line_end = memchr::memchr(b'\n', rest);
            if !self.within {
                // A journal's binary field has its length behind the line.
                let needed = line_end.map_or(LOOK, |end| if self.is_binary(&rest[..end]) { end + 9 } else { 0 });
                if rest.len() < needed && !self.ended {
                    return;
                }
                self.begin(line_end);
            }
            let length = line_end.map_or(self.end - self.decided, |end| end + 1);
            self.within = line_end.is_none();
            self.pass(length);
        }
    }

    /// Is this line the name of a field whose value follows in binary form?
    fn is_binary(&self, line: &[u8]) -> bool {
        self.form == Form::JournalExport && !line.is_empty() && !line.contains(&b'=')
    }

    /// Looks at the line that begins.
    fn begin(&mut self, line_end: Option<usize>) {
        let rest = &self.buffer[self.decided..self.end];
        let line = &rest[..line_end.unwrap_or(rest.len())];
        match self.form {
            Form::Text => {
                if let Some(latest) = latest(line, self.now) {
                    self.old = latest < self.since;
                }
            }
            Form::JournalExport => {
                // An entry without its time is kept.
                self.old &= !line.starts_with(JOURNAL_EXPORT);
                let time = line.strip_prefix(b"__REALTIME_TIMESTAMP=").and_then(|micros| str::from_utf8(micros).ok());
                if let Some(micros) = time.and_then(|micros| micros.parse::<i64>().ok()) {
                    self.old = micros / 1_000_000 < self.since;
                }
                if let Some(end) = line_end.filter(|_| self.is_binary(line)) {
                    let length = rest.get(end + 1..end + 9).and_then(|length| length.try_into().ok());
                    // The length itself, the value and the line break behind it.
                    self.binary = length.map_or(0, |length| u64::from_le_bytes(length).saturating_add(9));
                }
            }
        }
    }

    /// Lets these bytes through, blank when they are old.
    fn pass(&mut self, length: usize) {
        let bytes = &mut self.buffer[self.decided..self.decided + length];
        if self.old {
            self.left_out += length as u64;
            bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        } else {
            self.kept += length as u64;
        }
        self.decided += length;
    }
}

impl<R: Read> Read for Since<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.decided {
            if self.ended {
                return Ok(0);
            }
            self.buffer.copy_within(self.at..self.end, 0);
            (self.end, self.at, self.decided) = (self.end - self.at, 0, 0);
            match self.from.read(&mut self.buffer[self.end..])? {
                0 => self.ended = true,
                read => self.end += read,
            }
            self.decide();
        }
        let read = into.len().min(self.decided - self.at);
        into[..read].copy_from_slice(&self.buffer[self.at..self.at + read]);
        self.at += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::testing::Slow;

    const SINCE: i64 = 1_795_300_000;

    /// What remains of a text, whatever the pieces it arrives in.
    fn remaining(text: &[u8], form: Form) -> (Vec<u8>, u64) {
        let read = |step| {
            let mut since = Since::new(Slow(text, step), form, SINCE, SINCE);
            let mut remaining = Vec::new();
            since.read_to_end(&mut remaining).expect("memory");
            assert_eq!(since.left_out_all(), !text.is_empty() && since.left_out() == text.len() as u64);
            (remaining, since.left_out())
        };
        let at_once = read(usize::MAX);
        for step in [1, 7, 5000] {
            assert!(read(step) == at_once, "steps of {step}");
        }
        assert_eq!(at_once.0.len(), text.len(), "offsets stay");
        at_once
    }

    #[test]
    fn old_lines_are_blank_and_all_others_stay_in_their_place() {
        let text = "no time\n1795200000 old\n  of it\n1795310000 new\n  of it\n\n1795200001 old\nlast";
        let (left, out) = remaining(text.as_bytes(), Form::Text);
        let kept: Vec<&str> = str::from_utf8(&left).expect("text").lines().map(str::trim_end).collect();
        assert_eq!(kept, ["no time", "", "", "1795310000 new", "  of it", "", "", ""]);
        assert_eq!(out, "1795200000 old\n  of it\n1795200001 old\nlast".len() as u64);
        let long = format!("1795200000 {}\n1795310000 {}", "x".repeat(600_000), "y".repeat(600_000));
        let (left, out) = remaining(long.as_bytes(), Form::Text);
        assert_eq!(out, 600_012);
        assert_eq!(remaining(b"1795200000 old\nof it\n", Form::Text).1, 21);
        assert_eq!(left.iter().filter(|byte| **byte == b'y').count(), 600_000);
    }

    #[test]
    fn entries_of_a_journal_are_left_out_whole_whatever_their_fields_hold() {
        let entry = |time: i64, message: &[u8]| {
            let mut entry = format!("__CURSOR=s={time}\n__REALTIME_TIMESTAMP={time}000000\nMESSAGE\n").into_bytes();
            entry.extend((message.len() as u64).to_le_bytes());
            entry.extend(message);
            entry.extend(b"\n_PID=1\n\n");
            entry
        };
        let forged = b"new\n__REALTIME_TIMESTAMP=1\n\n__CURSOR=x\nkept \xff";
        let text = [entry(SINCE - 5, b"old\nold 2"), entry(SINCE + 5, forged), entry(SINCE - 1, b"old 3")].concat();
        let (left, _) = remaining(&text, Form::JournalExport);
        let has = |needle: &[u8]| left.windows(needle.len()).any(|at| at == needle);
        assert!(has(forged) && !has(b"old"), "{}", String::from_utf8_lossy(&left));
    }
}

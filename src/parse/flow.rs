//! Large JSON lists that are read while they are judged: of the text only a stretch is in memory at a time, of the values
//! one element. However long the list is, it takes the memory of its largest element and of a [`WINDOW`].
//!
//! [`Flow::open`] reads the beginning as a [`Document`] of its own: the list with its first elements, by which a format is
//! recognised. [`Document::next_element`] reads the others, one after another, as [`Document::element`] would.

use super::json::{self, Head, Step};
use super::{Document, ParseError, Syntax};
use crate::source::{MAX_SOURCE_BYTES, Source, Span};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, OnceLock};

/// Bytes of text that are read at a time (512 KiB); more when an element is longer.
const WINDOW: usize = 512 << 10;

/// An input that was looked into: the bytes that were read, and the reader of what follows.
pub type Rest = (Vec<u8>, Box<dyn Read + Send>);

/// What a reader turned out to hold.
#[expect(clippy::large_enum_variant, reason = "one is made for a file")]
pub enum Opened {
    /// A list, with its beginning.
    List(Document),
    /// Something else, or a list that is broken at its beginning: the bytes that were read; the rest is in the reader.
    Other(Vec<u8>, Box<dyn Read + Send>),
}

/// The part of a list that is still to be read.
pub struct Flow {
    input: Box<dyn Read + Send>,
    /// Nothing more comes from the input.
    at_end: bool,
    /// Bytes behind the window that begin a character.
    cut: Vec<u8>,
    /// The text in memory.
    window: Arc<Source>,
    /// Where in it the next separator is looked for.
    at: usize,
    /// Elements read so far.
    index: usize,
    /// The list is read to its end, or as far as it can be.
    done: bool,
    error: Option<(Arc<Source>, ParseError)>,
}

impl std::fmt::Debug for Flow {
    // Never the text: it may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").field("index", &self.index).field("done", &self.done).finish_non_exhaustive()
    }
}

impl Flow {
    /// Reads the beginning. `frame` is an empty source with the name and what else is known of the file.
    pub fn open(frame: &Source, input: Box<dyn Read + Send>) -> io::Result<Opened> {
        let window = Arc::new(frame.part("", Default::default()));
        let (cut, error) = (Vec::new(), None);
        let mut flow = Flow { input, at_end: false, cut, window, at: 0, index: 0, done: false, error };
        loop {
            flow.fill()?;
            let text = flow.window.text();
            if flow.at_end {
                // All of it is in memory already.
                let (bytes, rest) = flow.give_back();
                return Ok(Opened::Other(bytes, rest));
            }
            match json::read_head(text) {
                Ok(Some(Head { tree, next, elements })) if next + json::CERTAIN <= text.len() => {
                    (flow.at, flow.index) = (next, elements);
                    let document = Document::new(Arc::clone(&flow.window), Syntax::Json, tree);
                    return Ok(Opened::List(Document { flow: Some(Box::new(Mutex::new(flow))), ..document }));
                }
                Ok(Some(_)) => {}
                Err(error) if error.span.end as usize + json::CERTAIN > text.len() => {}
                Ok(None) | Err(_) => {
                    let (bytes, rest) = flow.give_back();
                    return Ok(Opened::Other(bytes, rest));
                }
            }
        }
    }

    /// Puts what is not read yet to the front and reads on behind it.
    fn fill(&mut self) -> io::Result<()> {
        let text = self.window.text();
        let (read, kept) = text.split_at(self.at);
        // An element that does not fit needs more room.
        let room = if self.at == 0 { text.len().max(WINDOW) } else { WINDOW };
        let mut bytes = Vec::with_capacity(kept.len() + self.cut.len() + room);
        bytes.extend_from_slice(kept.as_bytes());
        bytes.append(&mut self.cut);
        let got = Read::by_ref(&mut self.input).take(room as u64).read_to_end(&mut bytes)?;
        self.at_end = got < room;
        let origin = self.window.origin().behind(read);
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let broken = error.utf8_error().error_len().is_some() || self.at_end;
                let mut bytes = error.into_bytes();
                self.cut = bytes.split_off(valid);
                let text = String::from_utf8(bytes).unwrap_or_default();
                if broken {
                    let message = format!("byte 0x{:02x} is not valid UTF-8; convert the file to UTF-8", self.cut[0]);
                    self.at_end = true;
                    self.window = Arc::new(self.window.part(text, origin));
                    self.at = 0;
                    let error = ParseError::at(valid, message);
                    self.error = Some((Arc::clone(&self.window), error));
                    return Ok(());
                }
                text
            }
        };
        self.window = Arc::new(self.window.part(text, origin));
        self.at = 0;
        Ok(())
    }

    fn fail(&mut self, error: ParseError) {
        self.done = true;
        // What ends the text early says more than that it ends.
        self.error.get_or_insert((Arc::clone(&self.window), error));
    }

    fn next(&mut self) -> Option<Document> {
        while !self.done {
            let text = self.window.text();
            let step = json::next_element(text, self.at);
            let reached = match &step {
                Ok(Step::Element { end, .. }) => *end,
                Ok(Step::End) => text.len(),
                Err(error) => error.span.end as usize,
            };
            // Near the end of what is in memory nothing is certain before more was read.
            if reached + json::CERTAIN > text.len() && !self.at_end {
                if text.len() as u64 >= MAX_SOURCE_BYTES {
                    self.fail(ParseError::at(self.at, "an element of more than 1 GiB; split the file"));
                } else if let Err(error) = self.fill() {
                    self.fail(ParseError::at(self.at, format!("the file cannot be read further: {error}")));
                }
                continue;
            }
            match step {
                Ok(Step::Element { tree, end }) => {
                    self.at = end;
                    self.index += 1;
                    return Some(Document {
                        source: Arc::clone(&self.window),
                        syntax: Syntax::Json,
                        tree,
                        prefix: format!("/{}", self.index - 1),
                        decoded: None,
                        ordinals: OnceLock::new(),
                        flow: None,
                    });
                }
                Ok(Step::End) => self.done = true,
                Err(error) => self.fail(error),
            }
        }
        None
    }
}

impl Flow {
    fn give_back(self) -> (Vec<u8>, Box<dyn Read + Send>) {
        let mut bytes = self.window.text().as_bytes().to_vec();
        bytes.extend_from_slice(&self.cut);
        (bytes, self.input)
    }
}

impl Document {
    /// What was read so far, when no element was asked for yet, and the rest.
    pub(crate) fn give_back(self) -> (Vec<u8>, Box<dyn Read + Send>) {
        match self.flow.and_then(|flow| flow.into_inner().ok()) {
            Some(flow) => flow.give_back(),
            None => (self.source.text().as_bytes().to_vec(), Box::new(io::empty())),
        }
    }

    /// The next element of the list at the root, when the list is read while it is judged; `None` behind the last.
    pub fn next_element(&self) -> Option<Document> {
        // A panic elsewhere leaves nothing to go on with.
        self.flow.as_ref()?.lock().ok()?.next()
    }

    /// What kept the list from being read to its end, and the stretch of text it is located in.
    pub fn flow_error(&self) -> Option<(Arc<Source>, ParseError)> {
        let mut flow = self.flow.as_ref()?.lock().ok()?;
        if !flow.done && flow.error.is_none() {
            let at = flow.at;
            flow.fail(ParseError { message: "only the first elements were read".into(), span: Span::new(at, at) });
        }
        flow.error.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Drops(Vec<u8>, usize);

    impl Read for Drops {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let many = self.1.min(self.0.len()).min(into.len());
            into[..many].copy_from_slice(&self.0[..many]);
            self.0.drain(..many);
            Ok(many)
        }
    }

    fn open(text: &[u8]) -> Opened {
        let frame = Source::from_text("list", "");
        Flow::open(&frame, Box::new(Drops(text.to_vec(), 7777))).expect("no device fails")
    }

    fn list(text: &[u8]) -> Document {
        match open(text) {
            Opened::List(document) => document,
            Opened::Other(..) => panic!("a list is expected"),
        }
    }

    #[test]
    fn elements_stand_where_they_stand_in_the_whole_text() {
        let element = |n: usize| match n % 5 {
            0 => format!("{{\"n\": {n}, \"ü\": [\"{}\", {{}}]}}", "é€".repeat(n % 700)),
            1 => format!("{{\"n\":{n},\n\"text\":\"{}\"}}", "x\\n\\u00fc".repeat(n % 300)),
            2 => format!("{n}"),
            3 => format!("\"{}\"", "y".repeat(n % 90)),
            _ => format!("[{n}, [true, null]]"),
        };
        let elements: Vec<String> = (0..9000).map(element).collect();
        for between in [",", " ,\n ", ",\r\n"] {
            let text = format!("\u{feff} [{}\n]\n ", elements.join(between));
            assert!(text.len() > 4 * WINDOW);
            let whole = Source::from_text("list", text.as_str());
            let document = list(text.as_bytes());
            let mut seen = document.root().items().count();
            assert!(seen < 100);
            let mut from = 0;
            while let Some(read) = document.next_element() {
                assert_eq!(read.pointer(crate::parse::NodeId::ROOT), format!("/{seen}"));
                let span = read.root().span();
                assert_eq!(read.source.slice(span), elements[seen]);
                let offset = read.source.origin().byte as usize + span.start as usize;
                assert!(text[offset..].starts_with(&elements[seen]) && offset >= from);
                if seen.is_multiple_of(7) {
                    assert_eq!(read.source.position(span.start as usize), whole.position(offset));
                }
                (seen, from) = (seen + 1, offset + span.len());
            }
            assert!(seen == elements.len() && document.flow_error().is_none());
        }
    }

    #[test]
    fn what_breaks_a_list_is_located() {
        let elements: Vec<String> = (0..20_000).map(|n| format!("{{\"n\": {n}, \"text\": \"é{:60}\"}}", "")).collect();
        let text = format!("[{}]", elements.join(",\n"));
        let at = |text: &[u8]| {
            let document = list(text);
            let mut read = document.root().items().count();
            while document.next_element().is_some() {
                read += 1;
            }
            let (source, error) = document.flow_error().expect("broken");
            (read, source.origin().byte as usize + error.span.end as usize, error.message)
        };
        let (read, offset, message) = at(&text.as_bytes()[..text.len() - 30]);
        assert_eq!((read, offset), (19_999, text.len() - 30));
        assert!(message.contains("cut off"), "{message}");
        let (read, offset, message) = at(&text.as_bytes()[..text.len() - 1]);
        assert_eq!((read, offset), (20_000, text.len() - 1));
        assert!(message.contains("cut off"), "{message}");
        let (read, offset, message) = at(format!("{text} x").as_bytes());
        assert_eq!((read, offset), (20_000, text.len() + 1));
        assert!(message.contains("text follows"), "{message}");
        let middle = text[..text.len() / 2].rfind('é').expect("one");
        let mut broken = text.clone().into_bytes();
        broken[middle + 1] = b'x';
        let (read, offset, message) = at(&broken);
        assert!(message.contains("0xc3 is not valid UTF-8"), "{message}");
        assert_eq!((read, offset), (text[..middle].matches('{').count() - 1, middle));
        let broken = text.replacen("{\"n\": 15000", "{\"n\": 015000", 1);
        let (read, _, message) = at(broken.as_bytes());
        assert_eq!(read, 15_000);
        assert!(message.contains("leading zeros"), "{message}");
    }

    #[test]
    fn an_element_may_be_longer_than_what_is_read_at_a_time() {
        let long = format!("\"{}\"", "z".repeat(5 * WINDOW));
        let first: Vec<String> = (0..20).map(|n| format!("{{\"n\":{n}}}")).collect();
        let document = list(format!("[{},{long},{{}}]", first.join(",")).as_bytes());
        let rest: Vec<usize> = std::iter::from_fn(|| document.next_element()).map(|d| d.root().span().len()).collect();
        assert_eq!(rest[rest.len() - 2..], [long.len(), 2]);
        assert!(document.flow_error().is_none());
    }

    #[test]
    fn what_is_no_list_is_given_back_whole() {
        for text in ["{\"Resources\": []}", "", "- a\n- b\n", "[section]\na = 1\n", "[1, 2,]"] {
            let Opened::Other(mut bytes, mut rest) = open(text.as_bytes()) else { panic!("{text}") };
            rest.read_to_end(&mut bytes).expect("no device fails");
            assert_eq!(bytes, text.as_bytes());
        }
    }
}

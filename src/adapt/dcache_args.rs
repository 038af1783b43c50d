//! Values that dCache reads like a command line: providers of the OIDC plug-in, audience lists, lines of map files.

use crate::model::At;
use std::borrow::Cow;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word<'t> {
    /// Offset of its first byte.
    start: usize,
    /// The option's name, when it is one (`-profile=wlcg`), without the dash.
    pub(super) option: Option<Cow<'t, str>>,
    /// The word, or the option's value (empty where it has none), without quotes and escapes.
    pub(super) text: Cow<'t, str>,
}

impl Word<'_> {
    /// Where it stands in the value at a place, given the value's text.
    pub(super) fn at(&self, value: At, text: &str) -> At {
        let before = text[..self.start].split(|c: char| c.is_ascii_whitespace() || c == ',');
        value.word(before.filter(|word| !word.is_empty()).count())
    }
}

/// Splits a text as dCache's `Args` does: blanks separate, both kinds of quotes and backslashes keep them, an unquoted
/// dash in front makes an option until a lone `--`, and a quote that is never closed reaches to the end.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut scanner = Scanner { text, at: 0 };
    let mut found = Vec::new();
    let mut options = true;
    loop {
        scanner.blanks();
        let start = scanner.at;
        let Some(first) = scanner.peek() else { return found };
        if first != '-' || !options {
            let text = scanner.element(false);
            found.push(Word { start, option: None, text });
            continue;
        }
        scanner.at += 1;
        let name = scanner.element(true);
        let value = scanner.peek() == Some('=');
        if name.is_empty() {
            found.push(Word { start, option: None, text: Cow::Borrowed("-") });
        } else if value {
            scanner.at += 1;
            let text = scanner.element(false);
            found.push(Word { start, option: Some(name), text });
        } else if name == "-" {
            options = false;
        } else {
            found.push(Word { start, option: Some(name), text: Cow::Borrowed("") });
        }
    }
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// The word that starts here, up to a blank, in an option's name up to `=` as well.
    fn element(&mut self, name: bool) -> Cow<'t, str> {
        let start = self.at;
        let mut plain = true;
        let mut word = String::new();
        while let Some(c) = self.peek() {
            if c.is_whitespace() || (name && c == '=' && self.at > start) {
                break;
            }
            plain &= !matches!(c, '\'' | '"' | '\\');
            self.piece(c, &mut word);
        }
        match plain {
            true => Cow::Borrowed(&self.text[start..self.at]),
            false => Cow::Owned(word),
        }
    }

    /// A character, an escape or a quoted string.
    fn piece(&mut self, c: char, word: &mut String) {
        match c {
            '\\' => self.escape(word),
            '\'' | '"' => {
                self.at += 1;
                while let Some(inner) = self.peek() {
                    if inner == c {
                        self.at += 1;
                        return;
                    }
                    if inner == '\\' && c == '"' {
                        self.escape(word);
                    } else {
                        self.at += inner.len_utf8();
                        word.push(inner);
                    }
                }
            }
            c => {
                self.at += c.len_utf8();
                word.push(c);
            }
        }
    }

    fn escape(&mut self, word: &mut String) {
        self.at += 1;
        let Some(c) = self.peek() else { return };
        self.at += c.len_utf8();
        if !matches!(c, '\'' | '"' | ' ' | '-' | '=' | '\\') {
            word.push('\\');
        }
        word.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_dcache_splits_them() {
        for (text, expected, remark) in [
            ("https://a/ -profile=wlcg", vec!["https://a/", "-profile=wlcg"], "an option"),
            ("a -id=\"uid:1 gid:2\" b", vec!["a", "-id=uid:1 gid:2", "b"], "quotes within a word"),
            ("-id=uid:1 gid:2", vec!["-id=uid:1", "gid:2"], "without quotes the rest is another word"),
            ("'a b' \"c\\\"d\"", vec!["a b", "c\"d"], "both quotes"),
            ("a\\ b \\-x \\n", vec!["a b", "-x", "\\n"], "escapes"),
            ("-v - -- -x", vec!["-v=", "-", "-x"], "a lone dash, and the end of options"),
            ("a \"b c", vec!["a", "b c"], "a quote that is never closed"),
            ("a\\", vec!["a"], "a backslash at the end"),
            ("-=x", vec!["-=x="], "an option's name may start with ="),
            ("\u{e9} -\u{e9}=\u{fc}", vec!["\u{e9}", "-\u{e9}=\u{fc}"], "characters of several bytes"),
            ("  ", vec![], "blank"),
        ] {
            let got: Vec<String> = words(text)
                .iter()
                .map(|word| match &word.option {
                    Some(option) => format!("-{option}={}", word.text),
                    None => word.text.to_string(),
                })
                .collect();
            assert_eq!(got, expected, "{remark}");
        }
    }
}

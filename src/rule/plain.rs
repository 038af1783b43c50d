//! Reads the everyday part of the expression language straight from its text. The library's parser takes longer over a
//! dozen of expressions than a run takes for everything else; what is not read here for certain is left to it, so every
//! doubt ends in `None`.

use super::condition::Pattern;
use super::quick::{Comparison, MOST_BOUND, Quick};
use crate::model::FieldSpec;

/// Deepest nesting of expressions that is read.
const MOST_NESTED: usize = 24;
/// Words of the lexer.
const KEYWORDS: [&str; 4] = ["true", "false", "null", "in"];
/// Names that the language keeps for itself, and the roots of fields.
const NO_VARIABLES: [&str; 19] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "self",
    "other",
];

/// An expression that was read.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) quick: Quick,
    /// Fields of `self` in the order in which they are read: index, and whether `has()` guards the name somewhere.
    pub(super) fields: Vec<(usize, bool)>,
    /// Most lists that are searched at a time.
    pub(super) nesting: usize,
}

/// Reads an expression; `in_each` allows `item`.
pub(super) fn read(source: &str, specs: &'static [FieldSpec], in_each: bool) -> Option<Plain> {
    let mut reader = Reader { rest: source, specs, in_each, bound: vec![], depth: 0, fields: vec![], nesting: 0 };
    let quick = reader.expression()?;
    reader.space();
    reader.rest.is_empty().then_some(Plain { quick, fields: reader.fields, nesting: reader.nesting })
}

struct Reader<'a> {
    rest: &'a str,
    specs: &'static [FieldSpec],
    in_each: bool,
    /// Names that stand for the element at hand of a list, outermost first.
    bound: Vec<&'a str>,
    depth: usize,
    fields: Vec<(usize, bool)>,
    nesting: usize,
}

impl<'a> Reader<'a> {
    fn expression(&mut self) -> Option<Quick> {
        self.depth += 1;
        if self.depth > MOST_NESTED {
            return None;
        }
        let any = self.terms("||", Quick::Either, |reader| reader.terms("&&", Quick::Both, Self::relation))?;
        self.depth -= 1;
        Some(any)
    }

    /// Parts with an operator between them.
    fn terms(
        &mut self,
        operator: &str,
        join: fn(Box<Quick>, Box<Quick>) -> Quick,
        part: impl Fn(&mut Self) -> Option<Quick>,
    ) -> Option<Quick> {
        let mut terms = vec![part(self)?];
        while self.eat(operator) {
            terms.push(part(self)?);
        }
        Some(balanced(terms, join))
    }

    fn relation(&mut self) -> Option<Quick> {
        let mut left = self.sum()?;
        loop {
            left = if let Some(how) = self.comparison() {
                Quick::Compare(how, Box::new(left), Box::new(self.sum()?))
            } else if self.word() == Some("in") {
                self.rest = &self.rest[2..];
                Quick::OneOf(Box::new(left), self.choices()?)
            } else {
                return Some(left);
            };
        }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let operators = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        operators.into_iter().find(|(operator, _)| self.eat(operator)).map(|(_, how)| how)
    }

    /// Texts between brackets.
    fn choices(&mut self) -> Option<Vec<Quick>> {
        self.expect("[")?;
        let mut choices = vec![Quick::Text(self.text()?)];
        while self.eat(",") {
            choices.push(Quick::Text(self.text()?));
        }
        self.expect("]")?;
        Some(choices)
    }

    fn sum(&mut self) -> Option<Quick> {
        let mut left = self.unary()?;
        loop {
            left = if self.eat("+") {
                Quick::Plus(Box::new(left), Box::new(self.unary()?))
            } else if self.eat("-") {
                Quick::Minus(Box::new(left), Box::new(self.unary()?))
            } else {
                return Some(left);
            };
        }
    }

    fn unary(&mut self) -> Option<Quick> {
        if self.eat("!") { Some(Quick::Not(Box::new(self.member()?))) } else { self.member() }
    }

    /// A value, and at most one call on it: calls give no values that have some.
    fn member(&mut self) -> Option<Quick> {
        if let Some(path) = self.path() {
            self.space();
            let (name, method) = match self.rest.starts_with('(') {
                true => path.rsplit_once('.').map(|(name, method)| (name, Some(method)))?,
                false => (path, None),
            };
            let field = Quick::Field(self.field(name, false)?);
            return match method {
                Some(method) => self.call(field, method),
                None => self.called(field),
            };
        }
        let value = self.primary()?;
        self.called(value)
    }

    fn called(&mut self, value: Quick) -> Option<Quick> {
        if !self.eat(".") {
            return Some(value);
        }
        let method = self.word()?;
        self.rest = &self.rest[method.len()..];
        self.call(value, method)
    }

    fn call(&mut self, value: Quick, method: &str) -> Option<Quick> {
        self.expect("(")?;
        let value = Box::new(value);
        let call = match method {
            "size" => Quick::Size(value),
            "matches" => Quick::Matches(value, Pattern::new(&self.text()?)),
            "contains" => Quick::Contains(value, self.text()?),
            "startsWith" => Quick::StartsWith(value, self.text()?),
            "endsWith" => Quick::EndsWith(value, self.text()?),
            "exists" => self.search(value, true)?,
            "all" => self.search(value, false)?,
            _ => return None,
        };
        self.expect(")")?;
        Some(call)
    }

    /// What stands between the brackets of `exists` and `all`.
    fn search(&mut self, list: Box<Quick>, wanted: bool) -> Option<Quick> {
        let name = self.word().filter(|name| !KEYWORDS.contains(name) && !NO_VARIABLES.contains(name))?;
        self.rest = &self.rest[name.len()..];
        self.expect(",")?;
        self.bound.push(name);
        if self.bound.len() > MOST_BOUND {
            return None;
        }
        self.nesting = self.nesting.max(self.bound.len());
        let of_element = Box::new(self.expression()?);
        self.bound.pop();
        Some(Quick::Any { list, of_element, wanted })
    }

    fn primary(&mut self) -> Option<Quick> {
        self.space();
        let word = match self.rest.bytes().next()? {
            b'(' => return self.in_brackets(Self::expression),
            b'\'' | b'"' => return self.text().map(Quick::Text),
            b'-' | b'0'..=b'9' => return self.number().map(Quick::Int),
            _ => self.word()?,
        };
        let behind = &self.rest[word.len()..];
        if matches!(word, "r" | "R") && behind.starts_with(['\'', '"']) {
            return self.text().map(Quick::Text);
        }
        self.rest = behind;
        self.space();
        if self.rest.starts_with('(') {
            return match word {
                "has" => self.in_brackets(|reader| {
                    let path = reader.path()?;
                    Some(Quick::Has(reader.field(path, true)?))
                }),
                "size" => Some(Quick::Size(Box::new(self.in_brackets(Self::expression)?))),
                _ => None,
            };
        }
        match (self.bound.iter().rposition(|known| *known == word), word) {
            (Some(depth), _) => Some(Quick::Element(depth)),
            (None, "true") => Some(Quick::Bool(true)),
            (None, "false") => Some(Quick::Bool(false)),
            (None, "now") => Some(Quick::Now),
            (None, "limit") => Some(Quick::Limit),
            (None, "environment") => Some(Quick::Environment),
            (None, "item") if self.in_each => Some(Quick::Item),
            (None, _) => None,
        }
    }

    fn in_brackets(&mut self, inside: impl Fn(&mut Self) -> Option<Quick>) -> Option<Quick> {
        self.expect("(")?;
        let inside = inside(self)?;
        self.expect(")")?;
        Some(inside)
    }

    /// Notes that a field is read.
    fn field(&mut self, name: &str, tested: bool) -> Option<usize> {
        let index = self.specs.iter().position(|spec| spec.name == name)?;
        match self.fields.iter_mut().find(|(known, _)| *known == index) {
            Some((_, guarded)) => *guarded |= tested,
            None => self.fields.push((index, tested)),
        }
        Some(index)
    }

    /// What stands behind `self.`, written without space.
    fn path(&mut self) -> Option<&'a str> {
        self.space();
        let behind = self.rest.strip_prefix("self.")?;
        let path = &behind[..length(behind, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))];
        self.rest = &behind[path.len()..];
        Some(path)
    }

    /// The word that comes next; it stays there.
    fn word(&mut self) -> Option<&'a str> {
        self.space();
        let word = &self.rest[..length(self.rest, |byte| byte.is_ascii_alphanumeric() || byte == b'_')];
        word.starts_with(|first: char| !first.is_ascii_digit()).then_some(word)
    }

    /// A text in one pair of quotes; with escapes only where `r` says that there are none.
    fn text(&mut self) -> Option<String> {
        self.space();
        let raw = self.rest.strip_prefix(['r', 'R']);
        let behind = raw.unwrap_or(self.rest);
        let quote = behind.bytes().next().filter(|quote| matches!(quote, b'\'' | b'"'))?;
        let text = &behind[1..];
        let end = text
            .bytes()
            .position(|byte| byte == quote || matches!(byte, b'\n' | b'\r') || (byte == b'\\' && raw.is_none()))?;
        let ends_well = text.as_bytes()[end] == quote && !(end == 0 && text.as_bytes().get(1) == Some(&quote));
        self.rest = &text[end + 1..];
        ends_well.then(|| text[..end].to_string())
    }

    fn number(&mut self) -> Option<i64> {
        let sign = usize::from(self.rest.starts_with('-'));
        let end = sign + length(&self.rest[sign..], |byte| byte.is_ascii_digit());
        let number = self.rest[..end].parse().ok()?;
        self.rest = &self.rest[end..];
        let goes_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        (!self.rest.starts_with(goes_on)).then_some(number)
    }

    fn expect(&mut self, sign: &str) -> Option<()> {
        self.eat(sign).then_some(())
    }

    fn eat(&mut self, sign: &str) -> bool {
        self.space();
        let behind = self.rest.strip_prefix(sign);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']);
    }
}

/// How many bytes at the beginning are as wanted, which are ASCII.
fn length(text: &str, wanted: impl Fn(u8) -> bool) -> usize {
    text.bytes().position(|byte| !wanted(byte)).unwrap_or(text.len())
}

/// One expression of many, as flat as can be: evaluation goes down its levels.
fn balanced(mut terms: Vec<Quick>, join: fn(Box<Quick>, Box<Quick>) -> Quick) -> Quick {
    match terms.len() {
        0 | 1 => terms.pop().unwrap_or(Quick::Bool(true)),
        many => {
            let behind = terms.split_off(many.div_ceil(2));
            join(Box::new(balanced(terms, join)), Box::new(balanced(behind, join)))
        }
    }
}

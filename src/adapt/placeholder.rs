//! Variables inside configuration values: Spring's `${NAME:default}` and the shell form of compose and env files.

use super::read::is_placeholder;
use std::borrow::Cow;
use std::cell::Cell;

/// Whose rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `${name:default}`; the default may hold `:` and further placeholders. `${X:-1}` has the default `-1`.
    Spring,
    /// `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME:-default}`; `$$` is a dollar sign.
    Shell,
}

/// Deepest nesting of placeholders; real files have two levels.
const MAX_DEPTH: u32 = 16;
/// Placeholders resolved for one value, and the length of the result in bytes: a few doubling definitions would
/// otherwise grow without bound.
const MAX_STEPS: u32 = 512;
const MAX_LENGTH: usize = 1 << 16;

/// The value with every variable replaced by what `lookup` knows, else by its default. `None` when a variable has
/// neither, or when another template engine still has to fill something in.
pub(super) fn resolve<'t>(
    text: &'t str,
    dialect: Dialect,
    lookup: &dyn Fn(&str) -> Option<Cow<'t, str>>,
) -> Option<Cow<'t, str>> {
    let value = if text.contains('$') {
        let mut expander = Expander { dialect, lookup, steps: Cell::new(0), out: String::new() };
        expander.expand(text, 0)?;
        Cow::Owned(expander.out)
    } else {
        Cow::Borrowed(text)
    };
    // Spring leaves `$NAME` alone, so where one is left it is meant for envsubst.
    let open = is_placeholder(&value) || (dialect == Dialect::Spring && has_bare_variable(&value));
    (!open).then_some(value)
}

struct Expander<'a, 't> {
    dialect: Dialect,
    lookup: &'a dyn Fn(&str) -> Option<Cow<'t, str>>,
    steps: Cell<u32>,
    out: String,
}

impl Expander<'_, '_> {
    fn expand(&mut self, mut text: &str, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        while let Some(dollar) = text.find('$') {
            self.push(&text[..dollar])?;
            let rest = &text[dollar + 1..];
            if let Some(inner) = rest.strip_prefix('{') {
                let end = closing_brace(inner)?;
                self.variable(&inner[..end], depth)?;
                text = &inner[end + 1..];
            } else if self.dialect == Dialect::Shell {
                let name = rest.len() - rest.trim_start_matches(is_name_char).len();
                if name > 0 {
                    self.replace(&rest[..name], None, depth)?;
                    text = &rest[name..];
                } else {
                    self.push("$")?;
                    text = rest.strip_prefix('$').unwrap_or(rest);
                }
            } else {
                self.push("$")?;
                text = rest;
            }
        }
        self.push(text)
    }

    /// What stands between the braces.
    fn variable(&mut self, inner: &str, depth: u32) -> Option<()> {
        match self.dialect {
            Dialect::Spring => match inner.split_once(':') {
                _ if inner.starts_with("${") => None, // a computed name
                Some((name, default)) => self.replace(name.trim(), Some(default), depth),
                None => self.replace(inner.trim(), None, depth),
            },
            Dialect::Shell => {
                let rest = inner.trim_start_matches(is_name_char);
                let name = &inner[..inner.len() - rest.len()];
                match (rest, rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-'))) {
                    ("", _) => self.replace(name, None, depth),
                    (_, Some(default)) => self.replace(name, Some(default), depth),
                    _ => None, // `:?` and `:+` depend on the caller's environment
                }
            }
        }
    }

    fn replace(&mut self, name: &str, default: Option<&str>, depth: u32) -> Option<()> {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MAX_STEPS {
            return None;
        }
        match ((self.lookup)(name), default) {
            (Some(value), _) => self.expand(&value, depth + 1),
            (None, Some(default)) => self.expand(default, depth + 1),
            (None, None) => None,
        }
    }

    fn push(&mut self, text: &str) -> Option<()> {
        self.out.push_str(text);
        (self.out.len() <= MAX_LENGTH).then_some(())
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Offset of the `}` that closes the placeholder whose inside starts here.
fn closing_brace(inner: &str) -> Option<usize> {
    let mut depth = 0u32;
    let bytes = inner.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if index > 0 && bytes[index - 1] == b'$' => depth += 1,
            b'}' if depth == 0 => return Some(index),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// True for `…$NAME…` with a name of at least two capitals, as envsubst templates write it.
fn has_bare_variable(text: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        let name = text.as_bytes()[at + 1..].iter().take(2);
        name.clone().count() == 2 && name.clone().all(|b| b.is_ascii_uppercase() || *b == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, dialect: Dialect) -> Option<String> {
        let lookup = |name: &str| match name {
            "iam.host" | "HOST" => Some(Cow::Borrowed("iam.example.org")),
            "loop" => Some(Cow::Borrowed("${loop}")),
            "wide" => Some(Cow::Borrowed("${wide2}${wide2}${wide2}${wide2}${wide2}${wide2}${wide2}${wide2}")),
            "wide2" => Some(Cow::Borrowed("${wide3}${wide3}${wide3}${wide3}${wide3}${wide3}${wide3}${wide3}")),
            "wide3" => Some(Cow::Borrowed("${iam.host}${iam.host}${iam.host}${iam.host}${iam.host}${iam.host}")),
            _ => None,
        };
        resolve(text, dialect, &lookup).map(Cow::into_owned)
    }

    #[test]
    fn variables_become_their_value_or_default() {
        use Dialect::{Shell, Spring};
        for (text, dialect, expected, remark) in [
            ("plain", Spring, Some("plain"), "no variable"),
            ("${A:3600}", Spring, Some("3600"), "default"),
            ("${A:}", Spring, Some(""), "empty default"),
            ("${A:http://${iam.host}:8080/}", Spring, Some("http://iam.example.org:8080/"), "nested, with colons"),
            ("${A:${B:${C:x}}}", Spring, Some("x"), "defaults of defaults"),
            ("${A:-1}", Spring, Some("-1"), "Spring takes the minus as part of the value"),
            ("${A:-1}", Shell, Some("1"), "the shell does not"),
            ("${A-1}", Shell, Some("1"), "shell default without colon"),
            ("${A}", Spring, None, "neither value nor default"),
            ("${A:?needed}", Shell, None, "must come from the environment"),
            ("$HOST/x", Shell, Some("iam.example.org/x"), "bare variable"),
            ("a$$b", Shell, Some("a$b"), "escaped dollar"),
            ("https://x-$BUILD_NUMBER.example.org", Spring, None, "envsubst template"),
            ("pa$s", Spring, Some("pa$s"), "a dollar sign that is no variable"),
            ("${A:{{ .Values.x }}}", Spring, None, "another template engine"),
            ("${A", Spring, None, "never closed"),
            ("${${A}:x}", Spring, None, "computed name"),
            ("${loop}", Spring, None, "refers to itself"),
            ("${wide}${wide}", Spring, None, "grows too much"),
        ] {
            assert_eq!(run(text, dialect).as_deref(), expected, "{remark}: {text}");
        }
    }
}

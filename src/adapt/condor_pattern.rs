//! What a regular expression of an HTCondor map file lets through. It is matched against `iss,sub`.
//!
//! Only plain shapes are understood: literal text, dots, classes, groups without alternatives. Everything else gives
//! nothing, and the line is not judged.

/// What one side of the comma asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// Nothing: anything matches.
    Any,
    /// This text.
    Text(String),
    /// Some pattern that is more than a text.
    Pattern,
}

/// What an expression lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) issuer: Part,
    pub(super) subject: Part,
    /// It starts where the issuer starts and has the comma where the issuer ends.
    pub(super) issuer_anchored: bool,
    /// It matches issuers on other hosts than the one it names.
    pub(super) other_hosts: bool,
    /// It ends where the subject ends.
    pub(super) subject_anchored: bool,
    /// A dot of the issuer stands for any character.
    pub(super) loose_dots: bool,
    /// A dot of the subject does.
    pub(super) loose_subject_dots: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Start,
    End,
    Char(char),
    Dot,
    /// A class that leaves out what it names.
    Wide,
    Class,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    Once,
    /// `*` or `+`.
    Many,
    /// `?` or counted.
    Other,
}

type Atom = (Kind, Repeat);

/// Is the atom "whatever comes here"?
fn is_wild(atom: &Atom) -> bool {
    matches!(atom, (Kind::Dot | Kind::Wide, Repeat::Many))
}

/// Reads an expression; `None` for one that is not understood.
pub(super) fn shape(pattern: &str) -> Option<Shape> {
    let atoms = atoms(pattern)?;
    let mut body: &[Atom] = &atoms;
    let mut starts = false;
    while let [(Kind::Start, _), rest @ ..] = body {
        (starts, body) = (true, rest);
    }
    let mut ends = false;
    while let [rest @ .., (Kind::End, _)] = body {
        (ends, body) = (true, rest);
    }
    if body.iter().any(|(kind, _)| matches!(kind, Kind::Start | Kind::End)) {
        return None;
    }
    let comma = body.iter().position(|atom| *atom == (Kind::Char(','), Repeat::Once));
    if starts && ends && comma.is_none() && !body.is_empty() && !body.iter().any(is_wild) {
        // Nothing but a dot or a class could be the comma, and then it is about other issuers than it seems.
        return None;
    }
    let (issuer, subject) = match comma {
        Some(comma) => (&body[..comma], &body[comma + 1..]),
        None => (body, &[][..]),
    };
    let named = without_wild_ends(issuer);
    let opens = starts && issuer.first().is_none_or(|first| !is_wild(first));
    let closes = comma.is_some() && issuer.last().is_none_or(|last| !is_wild(last));
    let name = text(named);
    let closed_host =
        name.as_deref().is_some_and(|name| name.split_once("://").is_some_and(|(_, rest)| rest.contains('/')));
    // Wildcards alone are the subject's when there is no comma. A scheme with anything behind it names nobody either.
    let any = named.is_empty() || (!closes && name.as_deref().is_some_and(|name| "https://".starts_with(name)));
    let subject_named = without_wild_ends(subject);
    Some(Shape {
        issuer: match (any, name) {
            (true, _) => Part::Any,
            (false, Some(name)) => Part::Text(name),
            (false, None) => Part::Pattern,
        },
        subject: match (subject_named.is_empty(), subject_named.len() == subject.len(), text(subject)) {
            (true, ..) => Part::Any,
            (false, true, Some(text)) => Part::Text(text),
            (false, ..) => Part::Pattern,
        },
        issuer_anchored: !any && opens && closes,
        other_hosts: !any && (!opens || (!closes && !closed_host)),
        subject_anchored: ends,
        loose_dots: named.contains(&(Kind::Dot, Repeat::Once)),
        loose_subject_dots: subject_named.contains(&(Kind::Dot, Repeat::Once)),
    })
}

/// True for an expression that ends where its text does and has no room for the comma behind the issuer.
pub(super) fn matches_nobody(pattern: &str) -> bool {
    let Some(atoms) = atoms(pattern) else { return false };
    match &atoms[..] {
        [(Kind::Start, _), body @ .., (Kind::End, _)] => {
            body.iter().all(|(kind, _)| matches!(kind, Kind::Char(c) if *c != ','))
        }
        _ => false,
    }
}

fn without_wild_ends(mut atoms: &[Atom]) -> &[Atom] {
    while let [first, rest @ ..] = atoms
        && is_wild(first)
    {
        atoms = rest;
    }
    while let [rest @ .., last] = atoms
        && is_wild(last)
    {
        atoms = rest;
    }
    atoms
}

/// The text that atoms stand for, single dots taken for the dots that were meant.
fn text(atoms: &[Atom]) -> Option<String> {
    let letter = |atom: &Atom| match atom {
        (Kind::Char(c), Repeat::Once) => Some(*c),
        (Kind::Dot, Repeat::Once) => Some('.'),
        _ => None,
    };
    atoms.iter().map(letter).collect()
}

fn atoms(pattern: &str) -> Option<Vec<Atom>> {
    let mut chars = pattern.chars().peekable();
    let mut atoms: Vec<Atom> = Vec::new();
    // How many atoms stood before each group that is open.
    let mut groups: Vec<usize> = Vec::new();
    while let Some(c) = chars.next() {
        let kind = match c {
            '^' => Kind::Start,
            '$' => Kind::End,
            '.' => Kind::Dot,
            '[' => class(&mut chars)?,
            '\\' => escape(chars.next()?)?,
            '(' => {
                if chars.next_if_eq(&'?').is_some() {
                    chars.next_if_eq(&':')?;
                }
                groups.push(atoms.len());
                continue;
            }
            ')' => {
                let start = groups.pop()?;
                match repeat(&mut chars) {
                    Repeat::Once => continue,
                    // A repeated group of one wildcard is a wildcard; other groups are not understood.
                    Repeat::Many | Repeat::Other if atoms[start..].iter().all(is_wild) => continue,
                    Repeat::Many | Repeat::Other => return None,
                }
            }
            '|' | '*' | '+' | '?' => return None,
            c => Kind::Char(c),
        };
        let repeat = match kind {
            Kind::Start | Kind::End => Repeat::Once,
            Kind::Char(_) | Kind::Dot | Kind::Wide | Kind::Class => repeat(&mut chars),
        };
        atoms.push((kind, repeat));
    }
    groups.is_empty().then_some(atoms)
}

type Chars<'p> = std::iter::Peekable<std::str::Chars<'p>>;

/// A quantifier, where there is one.
fn repeat(chars: &mut Chars<'_>) -> Repeat {
    let found = match chars.peek() {
        Some('*' | '+') => Repeat::Many,
        Some('?') => Repeat::Other,
        Some('{') => {
            let counted: String = chars.clone().take(12).take_while(|&c| c != '}').collect();
            if !counted[1..].starts_with(|c: char| c.is_ascii_digit()) {
                return Repeat::Once;
            }
            chars.nth(counted.chars().count());
            return Repeat::Other;
        }
        _ => return Repeat::Once,
    };
    chars.next();
    // Lazy or possessive makes no difference to what matches in the end.
    chars.next_if(|c| matches!(c, '?' | '+'));
    found
}

/// A class, its bracket already read; one of a single character is that character.
fn class(chars: &mut Chars<'_>) -> Option<Kind> {
    let mut members: Vec<char> = Vec::new();
    loop {
        match chars.next()? {
            ']' if !members.is_empty() => break,
            '[' if chars.peek() == Some(&':') => return None,
            '\\' => members.push(chars.next()?),
            c => members.push(c),
        }
    }
    Some(match members[..] {
        [c] if c != '^' && !c.is_ascii_alphanumeric() => Kind::Char(c),
        ['^', ..] => Kind::Wide,
        _ => Kind::Class,
    })
}

fn escape(c: char) -> Option<Kind> {
    match c {
        'A' => Some(Kind::Start),
        'z' | 'Z' => Some(Kind::End),
        'd' | 'w' | 's' => Some(Kind::Class),
        'D' | 'W' | 'S' => Some(Kind::Wide),
        c if c.is_ascii_alphanumeric() => None,
        c => Some(Kind::Char(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_for_what_they_let_through() {
        // Issuer, subject, and of: anchored, other hosts, subject anchored, loose dots, those of the subject.
        for (pattern, issuer, subject, flags, remark) in [
            (r"^https://a\.example\.org,", "https://a.example.org", "*", "a---", "all of an issuer"),
            (r"^https://a\.example\.org/,.*", "https://a.example.org/", "*", "a---", "the same in words"),
            (r"^https\:\/\/a\.example\.org,x\-1$", "https://a.example.org", "x-1", "a-s-", "needless escapes"),
            (r"^https://a[.]example[.]org,x$", "https://a.example.org", "x", "a-s-", "dots in brackets"),
            (r"\Ahttps://a\.b,x\z", "https://a.b", "x", "a-s-", "other anchors"),
            (r"^https://a.example.org,x", "https://a.example.org", "x", "a--d", "dots, no end"),
            (r"^https://a\.example\.org", "https://a.example.org", "*", "-h--", "no comma"),
            (r"^https://a\.example\.org.*", "https://a.example.org", "*", "-h--", "no comma, spelt out"),
            (r"^https://a\.example\.org.*,x$", "https://a.example.org", "x", "-hs-", "anything before the comma"),
            (r"^https://a\.example\.org/", "https://a.example.org/", "*", "----", "no comma, but the host is closed"),
            (r"^https://a\.example\.org/vo", "https://a.example.org/vo", "*", "----", "no comma, within the path"),
            (r"https://a\.example\.org,", "https://a.example.org", "*", "-h--", "no start"),
            (r".*https://a\.example\.org,", "https://a.example.org", "*", "-h--", "anything before"),
            (r"^.*https://a\.example\.org,x$", "https://a.example.org", "x", "-hs-", "anything before, spelt out"),
            (r"^https://[a-z]+\.example\.org/,", "?", "*", "a---", "several issuers"),
            (r".*", "*", "*", "----", "everything"),
            (r"^.*,.*$", "*", "*", "--s-", "everything in two parts"),
            (r"(.*)", "*", "*", "----", "everything, caught"),
            (r"^https://[^,]*,x$", "*", "x", "--s-", "every issuer that is reached by https"),
            (r"^https://.*", "*", "*", "----", "the same without a subject"),
            (r"^(.+),x$", "*", "x", "--s-", "a subject of anybody's issuer"),
            (r"^https://a\.b,(.*)@b$", "https://a.b", "?", "a-s-", "a pattern for subjects"),
            (r"^https://a\.b,X-(.*)@b.c$", "https://a.b", "?", "a-se", "a dot in the subject"),
            (r"^https://a\.b,(.+)$", "https://a.b", "*", "a-s-", "all subjects, caught"),
            (r"^https://a\.b,[^,]*$", "https://a.b", "*", "a-s-", "a class for all"),
            (r"^https://a\.b:[0-9]+,[0-9]+$", "?", "?", "a-s-", "classes are no wildcards"),
            (r"^https://a\.b{1},x", "?", "x", "a---", "counted"),
            (r"^https://a\.b,x{", "https://a.b", "x{", "a---", "a brace that counts nothing"),
            ("", "*", "*", "----", "empty"),
        ] {
            let shape = shape(pattern).expect(remark);
            let part = |part: &Part| match part {
                Part::Any => "*".to_string(),
                Part::Text(text) => text.clone(),
                Part::Pattern => "?".to_string(),
            };
            let flag = |set: bool, letter: char| if set { letter } else { '-' };
            let got: String = [
                flag(shape.issuer_anchored, 'a'),
                flag(shape.other_hosts, 'h'),
                flag(shape.subject_anchored, 's'),
                match (shape.loose_dots, shape.loose_subject_dots) {
                    (true, _) => 'd',
                    (false, true) => 'e',
                    (false, false) => '-',
                },
            ]
            .into_iter()
            .collect();
            assert_eq!(
                (part(&shape.issuer), part(&shape.subject), got.as_str()),
                (issuer.into(), subject.into(), flags),
                "{remark}"
            );
        }
    }

    #[test]
    fn an_issuer_with_an_end_leaves_no_room_for_the_subject() {
        for (pattern, nobody, remark) in [
            (r"^https://a\.b/$", true, "the end behind the issuer"),
            (r"\Ahttps://a\.b/?\z", true, "other anchors, a slash that may be there"),
            (r"^https://a\.b/,$", false, "an empty subject"),
            (r"^https://a\.b/", false, "no end"),
            (r"https://a\.b/$", false, "the end of a subject"),
            (r"^https://a\.b.*$", false, "anything behind it"),
            (r"^https://a.b/$", false, "a dot that may be the comma"),
            (r"^https://a\.b,?$", false, "a comma that may be there"),
            (r"^(https://a\.b|x)$", false, "not understood"),
        ] {
            assert_eq!(matches_nobody(pattern), nobody, "{remark}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_judged() {
        for pattern in [
            "a|b",
            "(?i)a",
            "(?=a)",
            "a(b|c)",
            "(ab)?c",
            r"a\bc",
            r"\Qa\E",
            r"(a)\1",
            "a^b",
            "a$b",
            "*a",
            "(a",
            "a)",
            "[a",
            r"a\",
            "[[:alpha:]]",
            r"^https://a\.b/$",
            "^https://a.b/$",
        ] {
            assert_eq!(shape(pattern), None, "{pattern}");
        }
        assert!(shape(&"(".repeat(1 << 20)).is_none());
    }
}

//! Words of commands that are printed to be copied.

/// Can a text stand in a command as it is?
pub(crate) fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+=,".contains(c);
    !text.is_empty() && text.chars().all(plain)
}

/// A word for a shell. Whoever puts it first makes sure that it does not begin as an option does.
pub(crate) fn quoted(text: &str) -> String {
    match is_plain(text) {
        true => text.into(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// An option with its value, which is none itself whatever it begins with.
pub(crate) fn option(name: &str, value: &str) -> String {
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!("{name}{between}{}", quoted(value))
}

/// A path as an argument, which is no option either.
pub(crate) fn path(path: &str) -> String {
    match path.starts_with('-') {
        true => quoted(&format!("./{path}")),
        false => quoted(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_an_option_or_more_than_a_word() {
        for (value, as_option, as_path) in [
            ("a-1", "--sub a-1", "a-1"),
            ("", "--sub ''", "''"),
            ("--help", "--sub=--help", "./--help"),
            ("-rf /", "--sub='-rf /'", "'./-rf /'"),
            ("a'; rm -rf /", r"--sub 'a'\''; rm -rf /'", r"'a'\''; rm -rf /'"),
            ("$(x)", "--sub '$(x)'", "'$(x)'"),
            ("~x", "--sub '~x'", "'~x'"),
        ] {
            assert_eq!((option("--sub", value), path(value)), (as_option.into(), as_path.into()));
        }
    }
}

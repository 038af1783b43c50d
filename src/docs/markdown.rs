//! Pages as Markdown for `docs/`.

use super::{Block, Cell, Page};

/// The page as Markdown with its heading at `level` (1 for a page of its own). `rules` is the way to the folder of rule
/// pages from where the text will stand (empty within it).
pub fn markdown(page: &Page, level: usize, rules: &str) -> String {
    let mut out = format!("{} {}\n", "#".repeat(level), escaped(&page.title));
    paragraphs(&mut out, &page.lead);
    for section in &page.sections {
        out.push_str(&format!("\n{} {}\n", "#".repeat(level + 1), escaped(&section.title)));
        for block in &section.blocks {
            match block {
                Block::Text(text) => paragraphs(&mut out, text),
                Block::List(items) => {
                    out.push('\n');
                    items.iter().for_each(|item| out.push_str(&format!("- {}\n", escaped(item.trim()))));
                }
                Block::Table(head, rows) => table(&mut out, head, rows, rules),
                Block::File(text) => {
                    let fence = if text.contains("```") { "````" } else { "```" };
                    out.push_str(&format!("\n{fence}\n{}\n{fence}\n", text.trim_end()));
                }
            }
        }
    }
    out
}

fn paragraphs(out: &mut String, text: &str) {
    for paragraph in text.trim().split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let words: Vec<&str> = paragraph.split_whitespace().collect();
        out.push_str(&format!("\n{}\n", escaped(&words.join(" "))));
    }
}

fn table(out: &mut String, head: &[&str], rows: &[Vec<Cell>], rules: &str) {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push('\n');
    out.push_str(&line(head.iter().map(|title| title.to_string()).collect()));
    out.push_str(&line(head.iter().map(|_| "---".to_string()).collect()));
    for row in rows {
        out.push_str(&line(row.iter().map(|cell| show(cell, rules)).collect()));
    }
}

fn show(cell: &Cell, rules: &str) -> String {
    match cell {
        Cell::Text(text) => escaped(text),
        Cell::Code(text) if text.is_empty() => String::new(),
        Cell::Code(text) => format!("`{}`", text.replace('|', "\\|").replace('`', "'")),
        Cell::Rule(id) => format!("[{id}]({rules}{id}.md)"),
    }
}

/// Text that Markdown shows as it is written. Spans between backticks stay code.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let paired = text.matches('`').count().is_multiple_of(2);
    let mut code = false;
    let mut previous = ' ';
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        match c {
            '`' if paired => {
                code = !code;
                out.push(c);
            }
            '|' => out.push_str("\\|"),
            _ if code => out.push(c),
            // An underscore within a word marks nothing.
            '_' if word(previous) && rest.clone().next().is_some_and(word) => out.push(c),
            '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '#' | '-' | '+' if out.is_empty() => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
        previous = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_shows_what_is_written() {
        for (text, shown) in [
            ("plain text, https://iam.example.org/", "plain text, https://iam.example.org/"),
            ("redirect_uris, _mark_ and <host>", "redirect_uris, \\_mark\\_ and \\<host\\>"),
            ("`code_*` a*", "`code_*` a\\*"),
            ("one ` backtick", "one \\` backtick"),
            ("- no list", "\\- no list"),
            ("a | b", "a \\| b"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }
}

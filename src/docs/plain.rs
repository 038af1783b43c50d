//! Pages as plain text for a terminal.

use super::{Block, Cell, Page};
use crate::report::text::{visible, wrapped};

/// Columns of running text.
const WIDTH: usize = 92;
/// Widest column of a table but the last, which is wrapped.
const CELL: usize = 48;
/// The last column keeps this width, if need be beyond [`WIDTH`].
const NARROWEST: usize = 36;

/// The page as text.
pub fn plain(page: &Page) -> String {
    let mut out = format!("{}\n", page.title);
    paragraphs(&mut out, &page.lead, "");
    for section in &page.sections {
        out.push_str(&format!("\n{}\n", section.title));
        for block in &section.blocks {
            match block {
                Block::Text(text) => paragraphs(&mut out, text, "  "),
                Block::List(items) => items.iter().for_each(|item| hanging(&mut out, "  ", "    ", item)),
                Block::Table(head, rows) => table(&mut out, head, rows),
                Block::File(text) => {
                    text.lines().for_each(|line| out.push_str(&format!("  {}\n", visible(line))));
                }
            }
        }
    }
    out
}

fn paragraphs(out: &mut String, text: &str, indent: &str) {
    for paragraph in text.trim().split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        hanging(out, indent, indent, paragraph);
    }
}

fn hanging(out: &mut String, first: &str, rest: &str, text: &str) {
    for (index, line) in wrapped(text, WIDTH - rest.len()).into_iter().enumerate() {
        out.push_str(&format!("{}{}\n", if index == 0 { first } else { rest }, visible(&line)));
    }
}

/// Columns aligned under their headings, the last one wrapped. Columns without content are left out.
fn table(out: &mut String, head: &[&'static str], rows: &[Vec<Cell>]) {
    let heading: Vec<Cell> = head.iter().map(|title| Cell::Text(title.to_string())).collect();
    let width = |column: usize| {
        let widths = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text().chars().count());
        let widest = widths.max().unwrap_or(0).min(CELL);
        if widest == 0 { 0 } else { widest.max(head[column].len()) }
    };
    let widths: Vec<usize> = (0..head.len().saturating_sub(1)).map(width).collect();
    for row in std::iter::once(&heading).chain(rows) {
        let Some((last, leading)) = row.split_last() else { continue };
        let mut line = String::new();
        for (cell, width) in leading.iter().zip(&widths).filter(|(_, width)| **width > 0) {
            line.push_str(&format!("  {:<width$}", visible(cell.text())));
        }
        line.push_str("  ");
        let used = line.chars().count();
        let lines = wrapped(last.text(), WIDTH.saturating_sub(used).max(NARROWEST));
        for (index, text) in lines.into_iter().enumerate() {
            let lead = if index == 0 { line.clone() } else { " ".repeat(used) };
            out.push_str(format!("{lead}{}", visible(&text)).trim_end());
            out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Section;
    use super::*;

    #[test]
    fn text_is_wrapped_and_tables_are_aligned() {
        let cell = |text: &str| Cell::Text(text.to_string());
        let page = Page {
            title: "a-rule".into(),
            lead: "What\nis wrong".into(),
            sections: vec![Section {
                title: "Part".into(),
                blocks: vec![
                    Block::Text("One.\n\nTwo.".into()),
                    Block::List(vec!["item".into()]),
                    Block::Table(vec!["a", "b"], vec![vec![cell("x"), cell("1")], vec![cell("long"), cell("2")]]),
                    Block::File("{\n  \u{1b}\n}".into()),
                ],
            }],
        };
        let expected = "a-rule\nWhat is wrong\n\nPart\n  One.\n  Two.\n  item\n  a     b\n  x     1\n  long  2\n  {\n    \\u{1b}\n  }\n";
        assert_eq!(plain(&page), expected);
    }
}

//! The only way text gets into the page: tags and attribute names are words of this program, and everything else is
//! escaped on its way. There is no call that writes text as it is.

use super::glossary::Spotter;
use crate::report::text;

/// An attribute: a name of ours, and a value that is escaped.
pub(super) type Attr<'a> = (&'static str, &'a str);

/// The page as far as it is written. It is well-formed XML as well, so that any reader can be used to check it.
#[derive(Default)]
pub(super) struct Doc {
    out: String,
    /// Notes which terms of the glossary readers meet.
    pub(super) spotter: Spotter,
}

/// Elements that begin a line, for whoever reads the page's source.
const BLOCKS: &[&str] = &[
    "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "footer", "article", "details",
    "summary", "div", "p", "ul", "ol", "li", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "table", "caption", "thead",
    "tbody", "tr", "td", "th", "pre", "svg",
];

impl Doc {
    /// A page with nothing but its document type.
    pub(super) fn new() -> Self {
        Doc { out: "<!DOCTYPE html>".into(), spotter: Spotter::default() }
    }

    /// The finished page.
    pub(super) fn into_text(mut self) -> String {
        self.out.push('\n');
        self.out
    }

    /// An element with what `inside` writes.
    pub(super) fn node(&mut self, tag: &'static str, attrs: &[Attr<'_>], inside: impl FnOnce(&mut Self)) {
        self.start(tag, attrs);
        self.out.push('>');
        inside(self);
        self.end(tag);
    }

    /// An element with a text.
    pub(super) fn leaf(&mut self, tag: &'static str, attrs: &[Attr<'_>], text: &str) {
        self.node(tag, attrs, |doc| doc.text(text));
    }

    /// An element that holds nothing.
    pub(super) fn void(&mut self, tag: &'static str, attrs: &[Attr<'_>]) {
        self.start(tag, attrs);
        self.out.push_str("/>");
    }

    /// A text. What a terminal or a reader's eye would be misled by (controls, marks for the direction of writing) is
    /// written as `\u{…}`.
    pub(super) fn text(&mut self, text: &str) {
        self.spotter.look(text);
        self.escaped(text);
    }

    /// A style sheet of ours, which is markup-free.
    pub(super) fn style(&mut self, sheet: &'static str) {
        self.out.push_str("\n<style>");
        self.out.push_str(sheet);
        self.out.push_str("</style>");
    }

    /// A link to an element of this page.
    pub(super) fn jump(&mut self, id: &str, class: &str, inside: impl FnOnce(&mut Self)) {
        self.out.push_str("<a href=\"#");
        self.escaped(id);
        self.out.push('"');
        self.attribute(("class", class));
        self.out.push('>');
        inside(self);
        self.end("a");
    }

    /// A link to another site, which is only followed when somebody clicks on it. What is no plain web address is text.
    pub(super) fn link(&mut self, url: &str, words: &str) {
        let web = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
        if !web || url.contains(|c: char| c.is_whitespace() || text::is_unsafe(c)) {
            return self.text(words);
        }
        self.out.push_str("<a rel=\"noreferrer noopener\" href=\"");
        self.escaped(url);
        self.out.push_str("\">");
        self.text(words);
        self.end("a");
    }

    fn start(&mut self, tag: &'static str, attrs: &[Attr<'_>]) {
        if BLOCKS.contains(&tag) {
            self.out.push('\n');
        }
        self.out.push('<');
        self.out.push_str(tag);
        attrs.iter().for_each(|attr| self.attribute(*attr));
    }

    /// Attributes without value are left out.
    fn attribute(&mut self, (name, value): Attr<'_>) {
        debug_assert!(!matches!(name, "href" | "src" | "style") && !name.starts_with("on"), "{name}");
        if value.is_empty() {
            return;
        }
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        self.escaped(value);
        self.out.push('"');
    }

    fn end(&mut self, tag: &'static str) {
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
    }

    fn escaped(&mut self, text: &str) {
        for c in text::visible(text).chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                c => self.out.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_values_are_inert() {
        for (text, written, why) in [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;", "an element"),
            ("\" onclick=\"x", "&quot; onclick=&quot;x", "another attribute"),
            ("' x='", "&#39; x=&#39;", "with the other quotes"),
            ("&lt;b&gt;", "&amp;lt;b&amp;gt;", "a reference is text, too"),
            ("a\u{202e}b\u{0}\u{1b}\n", "a\\u{202e}b\\u{0}\\u{1b}\\u{a}", "what misleads the eye or a terminal"),
            ("ümläut 漢字", "ümläut 漢字", "other scripts stay"),
        ] {
            let mut doc = Doc::default();
            doc.leaf("b", &[("title", text)], text);
            assert_eq!(doc.out, format!("<b title=\"{written}\">{written}</b>"), "{why}");
        }
    }

    #[test]
    fn only_web_addresses_are_links() {
        for (url, link) in [
            ("https://example.org/?a=1&b=2#c", true),
            ("http://example.org/", true),
            ("javascript:alert(1)", false),
            ("JAVASCRIPT:alert(1)", false),
            (" https://example.org/", false),
            ("https://example.org/\njavascript:x", false),
            ("data:text/html,x", false),
            ("//example.org", false),
            ("file:///etc/passwd", false),
            ("", false),
        ] {
            let mut doc = Doc::default();
            doc.link(url, "words");
            assert_eq!(doc.out.contains("href"), link, "{url:?}");
            assert!(doc.out.contains("words"), "{url:?}");
        }
    }
}

//! Lines of `eos vid set map -oauth2` in scripts: which addresses EOS asks whose token it is.
//!
//! The key is the address of an issuer's userinfo endpoint, with `@` and an audience behind it where the audience is to be
//! compared. EOS asks that address; it reads no issuer from the token's configuration.

use super::{Adapter, Kind, Sample, Sink, is_placeholder};
use crate::model::{At, Field, Service, Target, TargetKind, Trust};
use crate::parse::words::WordsDialect;
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct EosVid;

const KIND: &str = "eos-vid";
const PRODUCT: &str = "eos";
const SYNTAX: Syntax = Syntax::Words(WordsDialect::EosVid);

impl Adapter for EosVid {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "Commands eos vid that say by which userinfo addresses EOS maps tokens to accounts",
            targets: &[TargetKind::Service, TargetKind::Trust],
        }]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let oauth = |line: &str| line.contains("vid set map") && line.contains("-oauth2");
        sample
            .lines()
            .any(|line| (line.starts_with("eos ") || line.starts_with("vid ")) && oauth(line))
            .then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        (document.syntax == SYNTAX).then_some(KIND)
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let service = Service {
            product: Field::text(PRODUCT, None),
            tokens: Field::bool(true, None),
            audiences: Field::unknown("each key names its own", None),
            any_issuer: Field::bool(false, None),
            ..Service::default()
        };
        sink.target(&[document], Target::new(TargetKind::Service, "EOS mapping of tokens", service));
        for line in document.root().items() {
            let words: Vec<Cursor<'_>> = line.items().collect();
            let texts: Vec<&str> = words.iter().filter_map(|word| word.as_str()).collect();
            let maps = texts.windows(3).any(|words| words == ["vid", "set", "map"]) && texts.contains(&"-oauth2");
            let key = words.iter().find_map(|word| Some((*word, word.as_str()?.strip_prefix("key:")?)));
            if let (true, Some((at, key))) = (maps, key) {
                let target = Target { at: At::node(at.id), ..Target::new(TargetKind::Trust, key, trust(at, key)) };
                sink.target(&[document], target);
            }
        }
    }
}

fn trust<'d>(cursor: Cursor<'d>, key: &'d str) -> Trust<'d> {
    let at = At::node(cursor.id);
    let variable = key.contains('$') || is_placeholder(key);
    // The scheme ends before the host, where an @ would belong to the host.
    let (address, audience) = match key.rsplit_once('@') {
        Some((address, audience)) if !audience.contains('/') || audience.contains("://") => (address, Some(audience)),
        _ => (key, None),
    };
    let checked = match (variable, audience) {
        (true, None) => Field::unknown("a variable stands in its place", at),
        (_, audience) => Field::bool(audience.is_some(), at),
    };
    Trust {
        product: Field::text(PRODUCT, None),
        issuer: Field::unknown("the address of its userinfo endpoint stands here", at),
        alias: Field::text(address, at),
        audiences: audience.map_or_else(Field::default, |audience| Field::list(vec![Field::text(audience, at)], at)),
        audience_checked: checked,
        any_audience: Field::bool(audience.is_none(), at),
        rights_without_scope: Field::bool(true, at),
        active: Field::bool(true, None),
        ..Trust::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::collect;

    #[test]
    fn an_audience_stands_behind_the_key() {
        for (key, alias, audience, checked, remark) in [
            ("https://a.example/userinfo", "https://a.example/userinfo", "", "false", "none"),
            ("https://a.example/userinfo@eos", "https://a.example/userinfo", "eos", "true", "a word"),
            ("https://a.example/u@https://eos.example", "https://a.example/u", "https://eos.example", "true", "a URL"),
        ] {
            let text = format!("#!/bin/bash\neos vid enable oauth2\neos -b vid set map -oauth2 key:{key} vuid:0\n");
            assert_eq!(EosVid.syntax(&Sample::new("t.sh", &text)), Some(SYNTAX), "{remark}");
            let collected = collect(&text, SYNTAX);
            let trust = &collected.targets[1];
            let got = (trust.get("alias"), trust.get("audiences"), trust.get("audience_checked"));
            assert_eq!(got, (alias, audience, checked), "{remark}");
        }
    }
}

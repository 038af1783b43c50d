//! The variables of WLCG's JWT compliance tests: which storage elements are tested, with tokens of which issuer.

use super::{Adapter, Kind, Sink};
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct Compliance;

const KIND: &str = "compliance-endpoints";

impl Adapter for Compliance {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "endpoints of the WLCG JWT compliance tests (variables.yaml); names services and holds no setting of theirs, so \
                  nothing to judge",
            targets: &[],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let endpoint = |at: Cursor<'_>| ["type", "endpoint", "paths"].iter().all(|key| at.has(key));
        let endpoints = document.root().get("endpoints").filter(|at| at.is_map())?;
        let all = endpoints.items().next().is_some() && endpoints.items().all(endpoint);
        (document.syntax == Syntax::Yaml && all).then_some(KIND)
    }

    fn adapt(&self, _document: &Document, _kind: &'static str, _sink: &mut dyn Sink) {}
}

#[cfg(test)]
mod tests {
    use super::KIND;
    use crate::adapt::testing::collect;
    use crate::parse::Syntax;

    #[test]
    fn endpoints_are_recognised_and_hold_nothing_to_judge() {
        let text = "oauth:\n  token:\n    issuer: https://vo.example.org/\nendpoints:\n  se:\n    type: StoRM\n    \
                    endpoint: https://se.example.org:8443\n    paths: {vo: /vo}\n";
        let got = collect(text, Syntax::Yaml);
        assert_eq!((got.kinds.as_slice(), got.targets.len()), (&[KIND][..], 0));
        for other in ["endpoints: {}\n", "endpoints:\n  a: {url: x}\n", "endpoints: [1]\n"] {
            assert!(!collect(other, Syntax::Yaml).kinds.contains(&KIND), "{other}");
        }
    }
}

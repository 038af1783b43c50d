//! Reports: one file per output format. Renderers receive finished findings and a masked view; they never see
//! source text and never decide the exit code.

mod finding;

pub use finding::*;

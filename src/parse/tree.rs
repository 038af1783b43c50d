//! The tree every reader builds: nodes in one vector, linked by index, each with its byte span.

use crate::source::Span;

/// Index of a node in its [`Tree`]. The root is [`NodeId::ROOT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The root of every tree.
    pub const ROOT: NodeId = NodeId(0);
    const NONE: u32 = u32::MAX;
}

/// Text of a string or key: a slice of the source where it stands there literally, else the decoded text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The source bytes under the span are the text.
    Raw(Span),
    /// The text after escapes, folding or anchors were resolved.
    Owned(Box<str>),
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// `null` (YAML: also `~` and the empty scalar).
    Null,
    /// A boolean.
    Bool(bool),
    /// A number; its exact text is the slice under the node's span.
    Number,
    /// A string.
    Text(Text),
    /// A list.
    Seq,
    /// A mapping. Repeated keys are all kept, in order.
    Map,
    /// An element of a large top-level list that was skipped; [`super::Document::element`] reads it on demand.
    Skipped,
}

/// The key of a member. Most stand in the source as they are, and a box for each would cost more than the rest.
#[derive(Clone, Debug, Default)]
pub(super) enum Key {
    #[default]
    None,
    /// The text is the span less this many bytes at either end (its quotes).
    Raw(Span, u32),
    /// Text and span have less to do with each other.
    Boxed(Box<(Text, Span)>),
}

impl Key {
    fn new(text: Text, span: Span) -> Self {
        match text {
            Text::Raw(raw) if raw == span => Key::Raw(span, 0),
            Text::Raw(raw) if raw.start == span.start + 1 && raw.end + 1 == span.end => Key::Raw(span, 1),
            Text::Raw(_) | Text::Owned(_) => Key::Boxed(Box::new((text, span))),
        }
    }

    /// The text, `None` without a key. A key that does not lie in the source is empty.
    #[inline]
    pub(super) fn text<'t>(&'t self, source: &'t str) -> Option<&'t str> {
        let slice = |span: Span| source.get(span.range()).unwrap_or("");
        match self {
            Key::None => None,
            Key::Raw(span, quote) => Some(slice(Span { start: span.start + quote, end: span.end - quote })),
            Key::Boxed(boxed) => Some(match &boxed.0 {
                Text::Raw(span) => slice(*span),
                Text::Owned(text) => text,
            }),
        }
    }

    /// Is there a key of this text?
    #[inline]
    pub(super) fn is(&self, name: &str, source: &str) -> bool {
        match self {
            Key::None => false,
            Key::Raw(span, quote) => {
                let range = (span.start + quote) as usize..(span.end - quote) as usize;
                range.len() == name.len() && source.as_bytes().get(range) == Some(name.as_bytes())
            }
            Key::Boxed(_) => self.text(source) == Some(name),
        }
    }

    /// Where it stands, quotes included.
    pub(super) fn span(&self) -> Option<Span> {
        match self {
            Key::None => None,
            Key::Raw(span, _) => Some(*span),
            Key::Boxed(boxed) => Some(boxed.1),
        }
    }
}

/// One node: value span, optional key, links.
#[derive(Clone, Debug)]
pub struct Node {
    /// Span of the value (quotes and brackets included).
    pub span: Span,
    /// What it is.
    pub data: Data,
    pub(super) key: Key,
    /// Of the key; made when the mapping is closed.
    hash: KeyHash,
    pub(super) parent: u32,
    pub(super) first: u32,
    pub(super) next: u32,
}

/// Something readable but suspicious that a reader met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is.
    pub kind: NoteKind,
    /// The node it is about (for a duplicate key the later member).
    pub node: NodeId,
    /// The other node involved (for a duplicate key the earlier member).
    pub other: Option<NodeId>,
}

/// Kinds of [`Note`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoteKind {
    /// A mapping holds the same key twice (after escapes are resolved).
    DuplicateKey,
    /// A plain YAML scalar that YAML 1.1 and 1.2 readers understand differently (`no`, `010`, `12:30`, `1_000`).
    AmbiguousScalar,
    /// A string holds a lone UTF-16 surrogate escape; it was read as U+FFFD.
    LoneSurrogate,
    /// The rest of a line that is too long for its product, which reads it as an entry of its own.
    CutLine,
    /// An indented line that its product reads as another value of the key before.
    Continuation,
}

/// Nodes of one document.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub(super) nodes: Vec<Node>,
    /// What the reader noticed, in document order.
    pub notes: Vec<Note>,
    /// Spans of comments, in document order, without their line ending.
    pub comments: Vec<Span>,
    root_keys: Option<KeyFilter>,
    /// Some mapping has, or may have, a key twice.
    twins: bool,
}

/// What tells nearly all keys apart without looking at their text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct KeyHash(u32);

impl KeyHash {
    /// Of a node whose mapping is not closed, or was closed by [`TreeBuilder::close_repeating`].
    const NONE: KeyHash = KeyHash(0);

    #[inline]
    fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let (head, tail) = match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(head), Some(tail)) => (u32::from_le_bytes(*head), u32::from_le_bytes(*tail)),
            _ => (bytes.iter().fold(0, |all, &byte| all << 8 | u32::from(byte)), 0),
        };
        let mixed =
            (head ^ tail.rotate_left(13)).wrapping_mul(0x9e37_79b1) ^ (bytes.len() as u32).wrapping_mul(0x85eb_ca6b);
        KeyHash((mixed ^ mixed >> 16) | 1)
    }
}

/// Which keys a mapping may have. Recognisers ask each document for hundreds of members that it does not have.
#[derive(Clone, Copy, Debug, Default)]
struct KeyFilter([u64; 16]);

impl KeyFilter {
    #[inline]
    fn place(hash: KeyHash) -> (usize, u64) {
        ((hash.0 >> 7 & 15) as usize, 1 << (hash.0 >> 1 & 63))
    }

    /// Adds a key; true when it was there already, or looks like another.
    #[inline]
    fn add(&mut self, hash: KeyHash) -> bool {
        let (word, bit) = Self::place(hash);
        let seen = self.0[word] & bit != 0;
        self.0[word] |= bit;
        seen
    }

    #[inline]
    fn may_have(&self, hash: KeyHash) -> bool {
        let (word, bit) = Self::place(hash);
        self.0[word] & bit != 0
    }
}

impl Tree {
    /// The node with this id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The last member of this name, `None` also when the node is no mapping.
    pub(super) fn member(&self, map: NodeId, name: &str, source: &str) -> Option<NodeId> {
        let hash = KeyHash::of(name);
        if map == NodeId::ROOT && self.root_keys.as_ref().is_some_and(|filter| !filter.may_have(hash)) {
            return None;
        }
        let node = self.node(map);
        if node.data != Data::Map {
            return None;
        }
        let (mut next, mut found) = (node.first, None);
        while let Some(node) = self.nodes.get(next as usize) {
            if (node.hash == hash || node.hash == KeyHash::NONE) && node.key.is(name, source) {
                found = Some(NodeId(next));
                // Hardly a document has another, which only the rest of the members would tell.
                if !self.twins {
                    break;
                }
            }
            next = node.next;
        }
        found
    }

    /// True when some mapping has, or may have, a key twice.
    pub(super) fn may_repeat_keys(&self) -> bool {
        self.twins
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// True when nothing was read.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Children of a list or mapping, in document order.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let mut next = self.node(id).first;
        std::iter::from_fn(move || {
            let id = NodeId(next);
            (next != NodeId::NONE).then(|| {
                next = self.node(id).next;
                id
            })
        })
    }

    /// The parent, `None` for the root.
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        let parent = self.node(id).parent;
        (parent != NodeId::NONE).then_some(NodeId(parent))
    }

    /// Every node, in document order.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        (0..self.nodes.len() as u32).map(NodeId)
    }
}

/// Builds a [`Tree`] from events: `open`/`close` around containers, `leaf` for scalars, `key` before a member.
///
/// The caller keeps calls balanced and checks depth; duplicate keys are noticed by [`TreeBuilder::close`].
#[derive(Default)]
pub struct TreeBuilder {
    tree: Tree,
    open: Vec<(u32, u32)>, // (container, last child or NONE)
    key: Key,
}

impl TreeBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty builder with room for this many nodes.
    pub fn with_capacity(nodes: usize) -> Self {
        let mut builder = Self::default();
        builder.tree.nodes.reserve(nodes.min(1 << 16));
        builder
    }

    /// Number of containers open now.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Gives the next node a key.
    pub fn key(&mut self, text: Text, span: Span) {
        self.key = Key::new(text, span);
    }

    fn push(&mut self, data: Data, span: Span) -> u32 {
        let id = self.tree.nodes.len() as u32;
        let parent = match self.open.last_mut() {
            None => NodeId::NONE,
            Some((parent, last)) => {
                if *last == NodeId::NONE {
                    self.tree.nodes[*parent as usize].first = id;
                } else {
                    self.tree.nodes[*last as usize].next = id;
                }
                *last = id;
                *parent
            }
        };
        let key = std::mem::take(&mut self.key);
        self.tree.nodes.push(Node {
            span,
            data,
            key,
            hash: KeyHash::NONE,
            parent,
            first: NodeId::NONE,
            next: NodeId::NONE,
        });
        id
    }

    /// Adds a scalar (or a skipped element).
    pub fn leaf(&mut self, data: Data, span: Span) -> NodeId {
        NodeId(self.push(data, span))
    }

    /// Opens a list (`Data::Seq`) or mapping (`Data::Map`) that starts at `start`.
    pub fn open(&mut self, data: Data, start: usize) -> NodeId {
        let id = self.push(data, Span::new(start, start));
        self.open.push((id, NodeId::NONE));
        NodeId(id)
    }

    /// Closes the innermost container like [`TreeBuilder::close`]; its keys may be repeated.
    pub fn close_repeating(&mut self, end: usize) {
        self.tree.twins = true;
        if let Some((id, _)) = self.open.pop() {
            self.tree.nodes[id as usize].span.end = end as u32;
        }
    }

    /// Closes the innermost container, which ends at `end`; notes the duplicate keys of a mapping.
    pub fn close(&mut self, end: usize, source: &str) {
        let Some((id, _)) = self.open.pop() else { return };
        let node = &mut self.tree.nodes[id as usize];
        node.span.end = end as u32;
        if node.data == Data::Map {
            let mut filter = KeyFilter::default();
            let (mut next, mut several) = (node.first, false);
            while let Some(member) = self.tree.nodes.get_mut(next as usize) {
                member.hash = KeyHash::of(member.key.text(source).unwrap_or(""));
                several |= filter.add(member.hash);
                next = member.next;
            }
            if several {
                self.note_duplicates(NodeId(id), source);
            }
            if NodeId(id) == NodeId::ROOT {
                self.tree.root_keys = Some(filter);
            }
        }
    }

    fn note_duplicates(&mut self, map: NodeId, source: &str) {
        let tree = &self.tree;
        let name = |id: NodeId| tree.node(id).key.text(source).unwrap_or("");
        let children: Vec<(NodeId, KeyHash)> = tree.children(map).map(|id| (id, tree.node(id).hash)).collect();
        let mut found = Vec::new();
        if children.len() <= 64 {
            for (index, &(later, hash)) in children.iter().enumerate() {
                let same = |earlier: &&(NodeId, KeyHash)| earlier.1 == hash && name(earlier.0) == name(later);
                found.extend(children[..index].iter().find(same).map(|&(earlier, _)| (later, earlier)));
            }
        } else {
            let mut seen = std::collections::HashMap::with_capacity(children.len());
            for &(later, _) in &children {
                match seen.entry(name(later)) {
                    std::collections::hash_map::Entry::Occupied(first) => found.push((later, *first.get())),
                    std::collections::hash_map::Entry::Vacant(slot) => {
                        slot.insert(later);
                    }
                }
            }
        }
        self.tree.twins |= !found.is_empty();
        let note = |(node, other)| Note { kind: NoteKind::DuplicateKey, node, other: Some(other) };
        self.tree.notes.extend(found.into_iter().map(note));
    }

    /// Records something noticed about a node.
    pub fn note(&mut self, kind: NoteKind, node: NodeId) {
        self.tree.notes.push(Note { kind, node, other: None });
    }

    /// Records a comment.
    pub fn comment(&mut self, span: Span) {
        self.tree.comments.push(span);
    }

    /// The finished tree; notes are put in document order.
    pub fn finish(mut self) -> Tree {
        self.tree.notes.sort_by_key(|note| note.node);
        self.tree
    }

    /// The tree built so far, for readers that resolve aliases or merge keys against it.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}

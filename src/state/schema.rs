//! The tables, as the steps that lead from each form to the next. A step that was released is never changed.

/// `user_version` counts how many of them a file has seen.
pub(super) const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,          -- seconds since 1970
  tool TEXT NOT NULL,
  policy TEXT,                  -- SHA-256
  complete INTEGER NOT NULL,
  trend TEXT NOT NULL           -- JSON
);
CREATE TABLE sources (
  name TEXT PRIMARY KEY,        -- a file, or the logs of a service
  role TEXT NOT NULL,
  service TEXT,
  last_seen INTEGER NOT NULL,
  lost INTEGER
) WITHOUT ROWID;
CREATE TABLE findings (
  fingerprint TEXT NOT NULL,
  source TEXT NOT NULL,
  rule TEXT NOT NULL,
  profile TEXT NOT NULL,
  severity INTEGER NOT NULL,    -- 0 note, 1 warning, 2 error
  path TEXT NOT NULL,
  line INTEGER NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  message TEXT NOT NULL,
  value INTEGER,                -- the number that misses the bound
  bound INTEGER,
  suppressed INTEGER NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  closed INTEGER,
  PRIMARY KEY (fingerprint, source)
) WITHOUT ROWID;
CREATE TABLE inventory (
  kind TEXT NOT NULL,
  anchor TEXT NOT NULL,
  path TEXT NOT NULL,
  name TEXT NOT NULL,
  record TEXT NOT NULL,         -- JSON, without secrets
  PRIMARY KEY (kind, anchor, path)
) WITHOUT ROWID;
CREATE TABLE lifetimes (
  kind TEXT NOT NULL,
  anchor TEXT NOT NULL,
  field TEXT NOT NULL,
  seconds INTEGER NOT NULL,     -- accepted; the largest number for no end
  PRIMARY KEY (kind, anchor, field)
) WITHOUT ROWID;
CREATE TABLE errors (
  run INTEGER NOT NULL,
  path TEXT NOT NULL,
  message TEXT NOT NULL
);
CREATE TABLE waivers (
  run INTEGER NOT NULL,
  rule TEXT NOT NULL,
  owner TEXT NOT NULL,
  path TEXT NOT NULL,
  ends TEXT,                    -- RFC 3339
  used INTEGER NOT NULL
);
CREATE INDEX waivers_of_run ON waivers (run);
CREATE INDEX errors_of_run ON errors (run);
CREATE TABLE last_report (report TEXT NOT NULL);
",
    "
CREATE TABLE lifetimes_of_files (
  kind TEXT NOT NULL,
  anchor TEXT NOT NULL,
  path TEXT NOT NULL,
  field TEXT NOT NULL,
  seconds INTEGER NOT NULL,     -- accepted; the largest number for no end
  PRIMARY KEY (kind, anchor, path, field)
) WITHOUT ROWID;
INSERT INTO lifetimes_of_files
  SELECT kind, anchor, path, field, seconds FROM lifetimes JOIN inventory USING (kind, anchor);
DROP TABLE lifetimes;
ALTER TABLE lifetimes_of_files RENAME TO lifetimes;
",
];

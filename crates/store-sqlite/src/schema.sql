-- The log. Rows are appended at the right edge and nowhere else; there is no other index, because every further one
-- is paid for before an event is acknowledged. An id holds its row's sequence, so it needs none.
CREATE TABLE events (
  sequence   INTEGER PRIMARY KEY,
  id         BLOB NOT NULL,
  received   INTEGER NOT NULL,           -- nanoseconds since 1970, like every time in this file
  source     INTEGER NOT NULL,           -- sources.id
  provenance INTEGER NOT NULL,           -- provenances.id
  dedupe     BLOB,                       -- 16 bytes for each key that it was the first with; NULL for none
  checksum   INTEGER NOT NULL,           -- CRC-32 of the rest: a flipped bit is reported, never served
  peer       TEXT,
  event_type TEXT,
  method     TEXT NOT NULL,
  target     TEXT NOT NULL,
  headers    BLOB NOT NULL,              -- `name: value` lines
  body       BLOB NOT NULL
) STRICT;

CREATE TABLE sources     (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE provenances (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;   -- JSON

-- Consumers. A destination that keeps up is one row: it is done with everything up to `position` but what `owed`
-- lists. NULL: never subscribed.
CREATE TABLE destinations (
  id       INTEGER PRIMARY KEY,
  name     TEXT NOT NULL UNIQUE,
  active   INTEGER NOT NULL DEFAULT 0,
  position INTEGER,
  owed     BLOB NOT NULL DEFAULT x''     -- sequences as LEB128 differences
) STRICT;

-- Deliveries that are more than a place in the log: tried in vain, given up, called off, replayed.
CREATE TABLE exceptions (
  sequence    INTEGER NOT NULL,
  destination INTEGER NOT NULL,
  round       INTEGER NOT NULL,
  state       TEXT NOT NULL,
  attempts    INTEGER NOT NULL,
  due         INTEGER,                   -- of a pending or waiting one; NULL otherwise
  reason      TEXT,                      -- of a dead one
  PRIMARY KEY (sequence, destination, round)
) STRICT, WITHOUT ROWID;
CREATE INDEX exceptions_due ON exceptions (destination, due) WHERE due IS NOT NULL;

CREATE TABLE attempts (
  sequence    INTEGER NOT NULL,
  destination INTEGER NOT NULL,
  round       INTEGER NOT NULL,
  number      INTEGER NOT NULL,
  started     INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  outcome     TEXT NOT NULL,             -- delivered, refused, failed, skipped
  status      INTEGER,
  detail      TEXT,
  PRIMARY KEY (sequence, destination, round, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE refusals (
  sequence   INTEGER PRIMARY KEY,
  at         INTEGER NOT NULL,
  source     TEXT,
  request_id TEXT NOT NULL,
  peer       TEXT,
  method     TEXT NOT NULL,
  path       TEXT NOT NULL,
  status     INTEGER NOT NULL,
  code       TEXT NOT NULL,
  reason     TEXT NOT NULL,
  body_bytes INTEGER NOT NULL
) STRICT;

CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE meta  (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- Keys of events that are no longer in reach of the log's tail, sorted, in blocks that lie by key prefix.
CREATE TABLE dedupe_runs (
  id      INTEGER PRIMARY KEY,
  live    INTEGER NOT NULL,              -- 0 while it is written or removed
  bits    INTEGER NOT NULL,              -- it has 2^bits blocks
  keys    INTEGER NOT NULL,
  newest  INTEGER NOT NULL,              -- when the newest event in it was received
  through INTEGER NOT NULL               -- it and older runs hold every key up to this sequence
) STRICT;
CREATE TABLE dedupe_blocks  (id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;    -- run << 24 | block
CREATE TABLE dedupe_filters (id INTEGER PRIMARY KEY, bits BLOB NOT NULL) STRICT;       -- run << 24 | part
-- Keys of events that retention removed before they came into a run.
CREATE TABLE dedupe_tail (
  sequence INTEGER PRIMARY KEY,
  received INTEGER NOT NULL,
  dedupe   BLOB NOT NULL,
  id       BLOB NOT NULL
) STRICT;

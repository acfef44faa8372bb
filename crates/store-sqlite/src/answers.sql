-- What senders were answered where a destination answers itself: one row per relayed event.
CREATE TABLE answers (
  sequence    INTEGER PRIMARY KEY,
  destination TEXT NOT NULL,
  asked       INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  status      INTEGER NOT NULL,
  failure     TEXT,
  repeat_of   BLOB,
  up          INTEGER,                   -- of a WebSocket that ended: bytes to the destination,
  down        INTEGER,                   -- bytes from it,
  ended       TEXT,                      -- and why
  headers     BLOB NOT NULL,             -- `name: value` lines
  body        BLOB NOT NULL
) STRICT;

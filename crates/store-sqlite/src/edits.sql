-- What operators sent in the place of what was received: one row per edited replay. The wide columns come last.
CREATE TABLE edits (
  sequence INTEGER NOT NULL,
  round    INTEGER NOT NULL,             -- of the replay; an event's rounds are numbered across its destinations
  editor   TEXT NOT NULL,
  edited   INTEGER NOT NULL,
  checksum INTEGER NOT NULL,             -- CRC-32 of the rest, as of an event's
  headers  BLOB NOT NULL,                -- `name: value` lines
  body     BLOB NOT NULL,
  PRIMARY KEY (sequence, round)
) STRICT;

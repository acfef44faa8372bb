-- Which key an encrypted row is sealed with: seals.id; NULL for a row that is plain.
ALTER TABLE events   ADD COLUMN sealed INTEGER;
ALTER TABLE answers  ADD COLUMN sealed INTEGER;
ALTER TABLE attempts ADD COLUMN sealed INTEGER;
ALTER TABLE edits    ADD COLUMN sealed INTEGER;

-- The keys that rows were sealed with: no keys, but what tells one from another.
CREATE TABLE seals (
  id          INTEGER PRIMARY KEY,
  fingerprint BLOB NOT NULL UNIQUE,
  first       INTEGER NOT NULL,          -- where in the log it was first used
  through     INTEGER                    -- where it was used last; NULL while it is in use
) STRICT;

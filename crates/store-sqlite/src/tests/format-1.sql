-- A store of format 1: one event delivered, one given up, one owed, one of X with its duplicate key.
PRAGMA page_size=8192; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;
PRAGMA application_id=1214990451;
PRAGMA user_version=1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE events (
  sequence   INTEGER PRIMARY KEY,
  id         BLOB NOT NULL,
  received   INTEGER NOT NULL,           -- nanoseconds since 1970, like every time in this file
  source     INTEGER NOT NULL,           -- sources.id
  provenance INTEGER NOT NULL,           -- provenances.id
  dedupe     BLOB,                       -- 16 bytes; NULL where repeats are events of their own
  checksum   INTEGER NOT NULL,           -- CRC-32 of the rest: a flipped bit is reported, never served
  peer       TEXT,
  event_type TEXT,
  method     TEXT NOT NULL,
  target     TEXT NOT NULL,
  headers    BLOB NOT NULL,              -- `name: value` lines
  body       BLOB NOT NULL
) STRICT;
INSERT INTO events VALUES(1,X'01a20320a20070008000000000787877',1795348800000000000,1,1,NULL,4108687063,NULL,NULL,'POST','/in',X'636f6e74656e742d747970653a20746578742f706c61696e0d0a',X'64656c697665726564');
INSERT INTO events VALUES(2,X'01a20320a20070008000000000b8a459',1795348800000000000,1,1,NULL,3810059300,NULL,NULL,'POST','/in',X'636f6e74656e742d747970653a20746578742f706c61696e0d0a',X'64656164');
INSERT INTO events VALUES(3,X'01a20320a20070008000000000c99d2f',1795348800000000000,1,1,NULL,962931273,NULL,NULL,'POST','/in',X'636f6e74656e742d747970653a20746578742f706c61696e0d0a',X'6f776564');
INSERT INTO events VALUES(4,X'01a20320a20070008000000001069168',1795348800000000000,2,2,X'4da1c3dc41afe0b8bad82edeb976dccd',2957405895,NULL,'tweet_create_events','POST','/x',X'782d747769747465722d776562686f6f6b732d7369676e61747572653a207368613235363d55446d33557449325276736246494b77667243545a71344a4362733461642f3570716d2f43677362534c773d0d0a',X'7b22666f725f757365725f6964223a2231222c2274776565745f6372656174655f6576656e7473223a5b7b2269645f737472223a2231227d5d7d');
CREATE TABLE sources     (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO sources VALUES(1,'inbox');
INSERT INTO sources VALUES(2,'x');
CREATE TABLE provenances (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO provenances VALUES(1,'{"provider":"none","scheme":null}');
INSERT INTO provenances VALUES(2,'{"provider":"x","scheme":"x-post-hmac-sha256","key":"consumer_secret"}');
CREATE TABLE destinations (
  id       INTEGER PRIMARY KEY,
  name     TEXT NOT NULL UNIQUE,
  active   INTEGER NOT NULL DEFAULT 0,
  position INTEGER,
  owed     BLOB NOT NULL DEFAULT x''     -- sequences as LEB128 differences
) STRICT;
INSERT INTO destinations VALUES(1,'app',1,4,X'03');
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
INSERT INTO exceptions VALUES(2,1,0,'dead',2,NULL,'exhausted');
CREATE TABLE attempts (
  sequence    INTEGER NOT NULL,
  destination INTEGER NOT NULL,
  round       INTEGER NOT NULL,
  number      INTEGER NOT NULL,
  started     INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  outcome     TEXT NOT NULL,             -- delivered, refused, failed
  status      INTEGER,
  detail      TEXT,
  PRIMARY KEY (sequence, destination, round, number)
) STRICT, WITHOUT ROWID;
INSERT INTO attempts VALUES(1,1,0,1,1795348800000000000,12,'delivered',204,NULL);
INSERT INTO attempts VALUES(2,1,0,1,1795348800000000000,12,'refused',500,'no');
INSERT INTO attempts VALUES(2,1,0,2,1795348805000000000,12,'refused',500,'no');
INSERT INTO attempts VALUES(4,1,0,1,1795348800000000000,12,'delivered',204,NULL);
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
INSERT INTO refusals VALUES(1,1795348805000000000,NULL,'req_1',NULL,'GET','/',404,'http.not_found','no such path',0);
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO state VALUES('circuit/app',X'636c6f736564',1);
CREATE TABLE meta  (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('longest_window',3153600000000000000);
CREATE TABLE dedupe_runs (
  id      INTEGER PRIMARY KEY,
  live    INTEGER NOT NULL,              -- 0 while it is written or removed
  bits    INTEGER NOT NULL,              -- it has 2^bits blocks
  keys    INTEGER NOT NULL,
  newest  INTEGER NOT NULL,              -- when the newest event in it was received
  through INTEGER NOT NULL               -- it and older runs hold every key up to this sequence
) STRICT;
CREATE TABLE dedupe_blocks  (id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
CREATE TABLE dedupe_filters (id INTEGER PRIMARY KEY, bits BLOB NOT NULL) STRICT;
CREATE TABLE dedupe_tail (
  sequence INTEGER PRIMARY KEY,
  received INTEGER NOT NULL,
  dedupe   BLOB NOT NULL,
  id       BLOB NOT NULL
) STRICT;
CREATE INDEX exceptions_due ON exceptions (destination, due) WHERE due IS NOT NULL;
COMMIT;

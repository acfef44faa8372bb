-- A store of format 2, as its program left it: the one of format 1, opened by it, and a relayed event with its answer.
PRAGMA page_size=8192; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;
PRAGMA application_id=1214990451;
PRAGMA user_version=2;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
INSERT INTO "answers" VALUES(5,'app',1795342687014077844,1,200,NULL,NULL,NULL,NULL,NULL,X'7365727665723A2042617365485454502F302E3620507974686F6E2F332E31312E370D0A646174653A2053756E2C203232204E6F7620323032362031303A31383A303720474D540D0A636F6E74656E742D747970653A20746578742F786D6C0D0A',X'3C526573706F6E73652F3E');
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
INSERT INTO "attempts" VALUES(1,1,0,1,1795348800000000000,12,'delivered',204,NULL);
INSERT INTO "attempts" VALUES(2,1,0,1,1795348800000000000,12,'refused',500,'no');
INSERT INTO "attempts" VALUES(2,1,0,2,1795348805000000000,12,'refused',500,'no');
INSERT INTO "attempts" VALUES(3,1,0,1,1795342685027208236,1,'delivered',200,NULL);
INSERT INTO "attempts" VALUES(4,1,0,1,1795348800000000000,12,'delivered',204,NULL);
CREATE TABLE dedupe_blocks  (id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
CREATE TABLE dedupe_filters (id INTEGER PRIMARY KEY, bits BLOB NOT NULL) STRICT;
CREATE TABLE dedupe_runs (
  id      INTEGER PRIMARY KEY,
  live    INTEGER NOT NULL,              -- 0 while it is written or removed
  bits    INTEGER NOT NULL,              -- it has 2^bits blocks
  keys    INTEGER NOT NULL,
  newest  INTEGER NOT NULL,              -- when the newest event in it was received
  through INTEGER NOT NULL               -- it and older runs hold every key up to this sequence
) STRICT;
CREATE TABLE dedupe_tail (
  sequence INTEGER PRIMARY KEY,
  received INTEGER NOT NULL,
  dedupe   BLOB NOT NULL,
  id       BLOB NOT NULL
) STRICT;
CREATE TABLE destinations (
  id       INTEGER PRIMARY KEY,
  name     TEXT NOT NULL UNIQUE,
  active   INTEGER NOT NULL DEFAULT 0,
  position INTEGER,
  owed     BLOB NOT NULL DEFAULT x''     -- sequences as LEB128 differences
) STRICT;
INSERT INTO "destinations" VALUES(1,'app',1,5,X'');
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
INSERT INTO "events" VALUES(1,X'01A20320A20070008000000000787877',1795348800000000000,1,1,NULL,4108687063,NULL,NULL,'POST','/in',X'636F6E74656E742D747970653A20746578742F706C61696E0D0A',X'64656C697665726564');
INSERT INTO "events" VALUES(2,X'01A20320A20070008000000000B8A459',1795348800000000000,1,1,NULL,3810059300,NULL,NULL,'POST','/in',X'636F6E74656E742D747970653A20746578742F706C61696E0D0A',X'64656164');
INSERT INTO "events" VALUES(3,X'01A20320A20070008000000000C99D2F',1795348800000000000,1,1,NULL,962931273,NULL,NULL,'POST','/in',X'636F6E74656E742D747970653A20746578742F706C61696E0D0A',X'6F776564');
INSERT INTO "events" VALUES(4,X'01A20320A20070008000000001069168',1795348800000000000,2,2,X'4DA1C3DC41AFE0B8BAD82EDEB976DCCD',2957405895,NULL,'tweet_create_events','POST','/x',X'782D747769747465722D776562686F6F6B732D7369676E61747572653A207368613235363D55446D33557449325276736246494B77667243545A71344A4362733461642F3570716D2F43677362534C773D0D0A',X'7B22666F725F757365725F6964223A2231222C2274776565745F6372656174655F6576656E7473223A5B7B2269645F737472223A2231227D5D7D');
INSERT INTO "events" VALUES(5,X'01A20320A2007000800000000146497C',1795342687001702470,1,1,NULL,179486038,'127.0.0.1',NULL,'POST','/in',X'686F73743A203132372E302E302E313A31383733330D0A757365722D6167656E743A206375726C2F372E38382E310D0A6163636570743A202A2F2A0D0A636F6E74656E742D6C656E6774683A20360D0A636F6E74656E742D747970653A206170706C69636174696F6E2F782D7777772D666F726D2D75726C656E636F6465640D0A',X'612063616C6C');
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
INSERT INTO "exceptions" VALUES(2,1,0,'dead',2,NULL,'exhausted');
CREATE TABLE meta  (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('longest_window',3153600000000000000);
CREATE TABLE provenances (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO "provenances" VALUES(1,'{"provider":"none","scheme":null}');
INSERT INTO "provenances" VALUES(2,'{"provider":"x","scheme":"x-post-hmac-sha256","key":"consumer_secret"}');
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
INSERT INTO "refusals" VALUES(1,1795348805000000000,NULL,'req_1',NULL,'GET','/',404,'http.not_found','no such path',0);
CREATE TABLE sources     (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO "sources" VALUES(1,'inbox');
INSERT INTO "sources" VALUES(2,'x');
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "state" VALUES('circuit/app',X'636C6F736564',1);
CREATE INDEX exceptions_due ON exceptions (destination, due) WHERE due IS NOT NULL;
COMMIT;

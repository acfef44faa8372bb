-- A store of format 3, as its program left it: a relayed event with its answer, one delivered and one refused, whose
-- replay was edited, one of X with the keys of its elements.
PRAGMA page_size=8192; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;
PRAGMA application_id=1214990451;
PRAGMA user_version=3;
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
INSERT INTO "answers" VALUES(1,'app',1795348276730302771,23,201,NULL,NULL,NULL,NULL,NULL,X'7365727665723A2042617365485454502F302E3620507974686F6E2F332E31312E370D0A646174653A2053756E2C203232204E6F7620323032362031313A35313A313620474D540D0A636F6E74656E742D747970653A20746578742F786D6C0D0A',X'3C526573706F6E73652F3E');
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
INSERT INTO "attempts" VALUES(2,1,0,1,1795348276806401241,20,'delivered',201,NULL);
INSERT INTO "attempts" VALUES(2,2,0,1,1795348276806128249,0,'failed',NULL,'no connection to 127.0.0.1:1: Connection refused (os error 111)');
INSERT INTO "attempts" VALUES(3,1,0,1,1795348276952640045,5,'refused',409,'no: dead');
INSERT INTO "attempts" VALUES(3,1,1,1,1795348278658905198,14,'delivered',201,NULL);
INSERT INTO "attempts" VALUES(3,2,0,1,1795348276952269139,0,'failed',NULL,'no connection to 127.0.0.1:1: Connection refused (os error 111)');
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
INSERT INTO "destinations" VALUES(1,'app',1,4,X'');
INSERT INTO "destinations" VALUES(2,'closed',1,4,X'');
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
INSERT INTO "edits" VALUES(3,1,'root',1795348278644751608,2019283776,X'',X'656469746564206279746573');
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
INSERT INTO "events" VALUES(1,X'01A20318A5F27000800000000048E80D',1795348276661060913,2,1,NULL,3459776539,'127.0.0.1',NULL,'POST','/relayed?q=1',X'686F73743A20680D0A636F6E74656E742D747970653A20746578742F706C61696E0D0A636F6E6E656374696F6E3A20636C6F73650D0A636F6E74656E742D6C656E6774683A20370D0A',X'72656C61796564');
INSERT INTO "events" VALUES(2,X'01A20318A636700080000000009D0E87',1795348276761975284,1,1,NULL,2371269588,'127.0.0.1',NULL,'POST','/in',X'686F73743A20680D0A636F6E6E656374696F6E3A20636C6F73650D0A636F6E74656E742D6C656E6774683A20390D0A',X'64656C697665726564');
INSERT INTO "events" VALUES(3,X'01A20318A6A570008000000000F5046D',1795348276832574268,1,1,NULL,4150127125,'127.0.0.1',NULL,'POST','/in',X'686F73743A20680D0A636F6E6E656374696F6E3A20636C6F73650D0A636F6E74656E742D6C656E6774683A20340D0A',X'64656164');
INSERT INTO "events" VALUES(4,X'01A20318A72D700080000000013EB124',1795348276966189612,3,2,X'356AEA1EC32651D74DD73B5FB22923E47E5BA0EA3135AB74DD6D83FB18EA1A7435B6E10D6247CBA684115647A9216F45',3678361391,'127.0.0.1','tweet_create_events','POST','/x',X'686F73743A20680D0A782D747769747465722D776562686F6F6B732D7369676E61747572653A207368613235363D316539325A5655773065723936596554736B36634A4D316249384D5568375942725458707668586962656F3D0D0A636F6E6E656374696F6E3A20636C6F73650D0A636F6E74656E742D6C656E6774683A2037330D0A',X'7B22666F725F757365725F6964223A2231222C2274776565745F6372656174655F6576656E7473223A5B7B2269645F737472223A2231227D2C7B2269645F737472223A2232227D5D7D');
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
INSERT INTO "exceptions" VALUES(2,2,0,'waiting',1,1795348282196869150,NULL);
INSERT INTO "exceptions" VALUES(3,1,0,'waiting',1,1795348281953190352,NULL);
INSERT INTO "exceptions" VALUES(3,1,1,'delivered',1,NULL,NULL);
INSERT INTO "exceptions" VALUES(3,2,0,'waiting',1,1795348282065798208,NULL);
CREATE TABLE meta  (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('longest_window',604800000000000);
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
INSERT INTO "refusals" VALUES(1,1795348277078394262,'x','req_f72f3c6992920b3c','127.0.0.1','POST','/x',403,'sig.missing','no `x-twitter-webhooks-signature` header: the request is not signed: there is no `x-twitter-webhooks-signature`: the request is not from the provider, or a proxy drops headers that it does not know',73);
CREATE TABLE sources     (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO "sources" VALUES(1,'inbox');
INSERT INTO "sources" VALUES(2,'relayed');
INSERT INTO "sources" VALUES(3,'x');
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX exceptions_due ON exceptions (destination, due) WHERE due IS NOT NULL;
COMMIT;

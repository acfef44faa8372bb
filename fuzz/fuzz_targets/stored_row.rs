#![no_main]

hookhouse_fuzz::fuzz!(hookhouse_store_sqlite::fuzzing::TARGETS, "stored_row");

#![no_main]

hookhouse_fuzz::fuzz!(hookhouse_server::fuzzing::TARGETS, "authorization");

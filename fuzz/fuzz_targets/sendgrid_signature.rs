#![no_main]

hookhouse_fuzz::fuzz!(hookhouse_verify::fuzzing::TARGETS, "sendgrid_signature");

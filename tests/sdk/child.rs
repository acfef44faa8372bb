//! A judge in a process of its own: a line of JSON for every request, a line back with its verdict.

use std::io::{BufRead, BufReader, Write};
use std::process::Command;

use serde_json::Value;

/// Has every request judged by one process.
pub(crate) fn ask(mut judge: Command, questions: &[Value]) -> Vec<Value> {
    let mut child = judge.spawn().unwrap_or_else(|error| panic!("{judge:?} does not start: {error}"));
    let mut input = child.stdin.take().expect("stdin is piped");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("the judge ended early; its last words are above").expect("a pipe");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{judge:?} wrote no JSON: {line}"))
    };
    let answers = std::thread::scope(|scope| {
        // Written beside reading: neither pipe holds everything.
        scope.spawn(move || {
            for question in questions {
                if writeln!(input, "{question}").is_err() {
                    return;
                }
            }
        });
        questions.iter().map(|_| next()).collect()
    });
    let status = child.wait().expect("it is our child");
    assert!(status.success(), "{judge:?} ended with {status}");
    answers
}

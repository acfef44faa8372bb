//! Thousands of generated requests, judged by us and by the official SDKs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::case::{Case, Ours};
use super::child;
use super::deviations::{DEVIATIONS, Deviation, Judge, NODE_VERSION, PYTHON_VERSION, We};
use super::generator::Generator;
use super::installed;
use super::scenarios::{SCENARIOS, genuine};
use super::url::Url;

/// How many requests a run makes, at least.
const REQUESTS: usize = 15_000;
/// Set to the seed of a run that failed, it makes the same requests again.
const SEED_VARIABLE: &str = "HOOKHOUSE_SDK_SEED";

#[test]
fn the_sdks_and_the_verifier_agree_apart_from_the_list() {
    let seed = match std::env::var(SEED_VARIABLE) {
        Ok(seed) => seed.parse().expect("the seed is a number"),
        Err(_) => rand::random::<u32>().into(),
    };
    println!("{SEED_VARIABLE}={seed}");
    let cases = cases(seed);
    let questions: Vec<Value> = cases.iter().map(|(_, case)| case.question()).collect();
    let (ours, python, node) = std::thread::scope(|scope| {
        let python = scope.spawn(|| child::ask(installed::python("judge.py"), &questions));
        let node = scope.spawn(|| child::ask(installed::node("judge.js"), &questions));
        let ours: Vec<Ours> = cases.iter().map(|(_, case)| case.judge()).collect();
        (ours, python.join().expect("the Python SDK judges"), node.join().expect("the Node.js SDK judges"))
    });
    for (answers, version) in [(&python, PYTHON_VERSION), (&node, NODE_VERSION)] {
        assert_eq!(
            answers[0]["version"], version,
            "the list of deviations is about another version: review it"
        );
    }
    let report = Report::compare(&cases, &ours, &python, &node);
    println!("{} requests: {} accepted and {} refused by all", cases.len(), report.accepted, report.refused);
    for ((id, judge), count) in &report.deviated {
        println!("{count:6} {id} ({judge})");
    }
    assert!(
        report.wrong.is_empty(),
        "{} of {} requests; {SEED_VARIABLE}={seed} makes them again:\n\n{}",
        report.wrong.len(),
        cases.len(),
        report.wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n\n")
    );
    for Deviation { id, judges, .. } in DEVIATIONS {
        for judge in *judges {
            let seen = report.deviated.contains_key(&(*id, format!("{judge:?}")));
            assert!(seen, "{id}: {judge:?} does not differ any more; take it off the list");
        }
    }
    // Neither a verifier that accepts everything nor one that accepts nothing would agree with the SDKs so often.
    assert!(report.accepted * 8 > cases.len() && report.refused * 8 > cases.len());
}

fn cases(seed: u64) -> Vec<(&'static str, Case)> {
    let mut generator = Generator::new(seed);
    let mut cases = Vec::with_capacity(REQUESTS);
    while cases.len() < REQUESTS {
        for (name, make) in SCENARIOS {
            cases.push((*name, make(&mut generator)));
            cases.push(("as Twilio makes it", genuine(&mut generator)));
        }
    }
    cases
}

/// What the comparison found.
#[derive(Default)]
struct Report {
    accepted: usize,
    refused: usize,
    /// How often each deviation was seen, by its id and the judge.
    deviated: BTreeMap<(&'static str, String), usize>,
    /// Differences that nothing explains, and explanations of what is no difference.
    wrong: Vec<String>,
}

impl Report {
    fn compare(cases: &[(&'static str, Case)], ours: &[Ours], python: &[Value], node: &[Value]) -> Self {
        let mut report = Self::default();
        for (n, ((scenario, case), ours)) in cases.iter().zip(ours).enumerate() {
            let verdicts = [
                (Judge::Python, python[n]["python"].as_bool()),
                (Judge::Validate, node[n]["validate"].as_bool()),
                (Judge::Webhook, node[n]["webhook"].as_bool()),
            ];
            // A handshake is no business of the middleware.
            let verdicts = verdicts.into_iter().filter_map(|(judge, verdict)| Some((judge, verdict?)));
            let verdicts: Vec<(Judge, bool)> = verdicts.collect();
            let found = report.judge(case, ours, &verdicts);
            report.wrong.extend(found.into_iter().map(|found| {
                let said = (&python[n], &node[n]);
                format!("{scenario}: {found}\n{ours:?}\n{said:?}\n{case:?}")
            }));
        }
        report
    }

    /// Compares the verdicts on one request, and says what is wrong with them.
    fn judge(&mut self, case: &Case, ours: &Ours, verdicts: &[(Judge, bool)]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut letters = Vec::new();
        for (judge, accepts) in verdicts {
            let entries = DEVIATIONS.iter().filter(|entry| {
                entry.judges.contains(judge)
                    && (entry.we != We::Refuse) == ours.accepts
                    && (entry.covers)(case, ours, *judge)
            });
            let entries: Vec<&Deviation> = entries.collect();
            let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
            if *accepts == ours.accepts {
                if !entries.is_empty() {
                    wrong.push(format!("{judge:?} agrees, against {ids:?}"));
                }
                continue;
            }
            if entries.is_empty() {
                wrong.push(format!("{judge:?} differs, and nothing on the list says why"));
            }
            for entry in entries {
                *self.deviated.entry((entry.id, format!("{judge:?}"))).or_default() += 1;
                letters.extend(match entry.we {
                    We::AcceptBy(letter) => Some(letter),
                    We::Accept | We::Refuse => None,
                });
            }
        }
        let accepting = verdicts.iter().filter(|(_, accepts)| *accepts).count();
        if ours.accepts && accepting == 0 {
            wrong.extend(unexcused(case, ours, &letters));
        }
        self.accepted += usize::from(ours.accepts && accepting == verdicts.len());
        self.refused += usize::from(!ours.accepts && accepting == 0);
        wrong
    }
}

/// Why we may not accept what every SDK refuses. We may by a spelling that a deviation names by its letter, or because
/// it is, but for its port, signed exactly as Twilio's rules say, and each of the SDKs has a fault of its own.
fn unexcused(case: &Case, ours: &Ours, letters: &[char]) -> Option<String> {
    let needed = |note: &str| match note {
        "exact" | "port removed" | "port added" => None,
        "with user info" if case.told_user_info => None,
        "with user info" => Some('C'),
        "root slash removed" => Some('D'),
        "slash added" | "query as parameters" | "https for wss" => Some('E'),
        "' unescaped" | "@ and : unescaped" | "space as %20" => Some('F'),
        other => panic!("an unknown variant: {other}"),
    };
    let spelled: Vec<char> = ours.because.split(", ").filter_map(needed).collect();
    if let Some(letter) = spelled.iter().find(|letter| !letters.contains(letter)) {
        return Some(format!("nothing on the list names the spelling {letter} that we accepted"));
    }
    let signed = Url::split(&case.signed.url);
    let exact = [case.exact(), case.told()].iter().any(|url| Url::split(url).is_but_for_port(&signed));
    let whole = exact && case.parameters() == case.signed.parameters;
    (spelled.is_empty() && !whole).then(|| "every SDK refuses it, and it is not as Twilio signs".to_owned())
}

//! What other chores measured, out of the summaries that they leave in the target folder: `cargo xtask fuzz` runs for as long as
//! anybody likes, `cargo xtask mutants` for hours. A row says from which day its figures are.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use serde_json::Value;

/// What the fuzzers did when they last ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fuzzed {
    /// Inputs, of all of them together.
    pub executions: u64,
    /// Fuzzers that ran.
    pub targets: usize,
    /// Fuzzers that found something.
    pub failed: u64,
    /// When.
    pub day: String,
}

/// What became of the changes that were made to the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutated {
    /// Changes that a test noticed.
    pub caught: u64,
    /// Changes that none did.
    pub missed: u64,
    /// Modules that were changed.
    pub modules: usize,
    /// Modules that there are to change.
    pub of: u64,
    /// When.
    pub day: String,
}

/// Reads what `cargo xtask fuzz` left; `None` where it left nothing.
///
/// # Errors
/// When that cannot be understood.
pub fn fuzzed(target: &Path) -> anyhow::Result<Option<Fuzzed>> {
    let Some((summary, day)) = summary(&target.join("fuzz/summary.json"))? else { return Ok(None) };
    let targets = summary["targets"].as_array().map_or(0, Vec::len);
    let (executions, failed) = (number(&summary, "executions")?, number(&summary, "failed")?);
    Ok(Some(Fuzzed { executions, targets, failed, day }))
}

/// Reads what `cargo xtask mutants` left; `None` where it left nothing.
///
/// # Errors
/// When that cannot be understood.
pub fn mutated(target: &Path) -> anyhow::Result<Option<Mutated>> {
    let Some((summary, day)) = summary(&target.join("mutants/summary.json"))? else { return Ok(None) };
    let modules = summary["modules"].as_array().map_or(0, Vec::len);
    let (caught, missed) = (number(&summary, "caught")?, number(&summary, "missed")?);
    Ok(Some(Mutated { caught, missed, modules, of: number(&summary, "of")?, day }))
}

/// A summary, and the day on which it was written.
fn summary(file: &Path) -> anyhow::Result<Option<(Value, String)>> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("cannot read {}", file.display()))?,
    };
    let value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    let written = Timestamp::try_from(fs::metadata(file)?.modified()?)?;
    Ok(Some((value, written.strftime("%Y-%m-%d").to_string())))
}

fn number(summary: &Value, key: &str) -> anyhow::Result<u64> {
    summary[key].as_u64().with_context(|| format!("the summary has no number `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(name: &str, text: &str) -> tempfile::TempDir {
        let target = tempfile::tempdir().unwrap();
        fs::create_dir(target.path().join(name)).unwrap();
        fs::write(target.path().join(name).join("summary.json"), text).unwrap();
        target
    }

    #[test]
    fn what_was_left_is_read_and_nothing_is_nothing() {
        let target =
            left("fuzz", r#"{"executions": 120, "failed": 1, "targets": [{"name":"a"},{"name":"b"}]}"#);
        let fuzzed = fuzzed(target.path()).unwrap().unwrap();
        assert_eq!((fuzzed.executions, fuzzed.targets, fuzzed.failed), (120, 2, 1));
        assert_eq!(mutated(target.path()).unwrap(), None);
        let target = left("mutants", r#"{"caught": 95, "missed": 5, "of": 9, "modules": [{"name":"crc"}]}"#);
        let mutated = mutated(target.path()).unwrap().unwrap();
        assert_eq!((mutated.caught, mutated.missed, mutated.modules, mutated.of), (95, 5, 1, 9));
        assert_eq!(mutated.day.len(), 10);
    }

    #[test]
    fn half_a_summary_is_no_figure() {
        assert!(fuzzed(left("fuzz", "{\"executions\": 1").path()).is_err());
        assert!(fuzzed(left("fuzz", "{\"executions\": 1}").path()).is_err());
    }
}

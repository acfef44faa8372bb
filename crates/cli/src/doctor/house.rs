//! The server itself, and the machine it stands on: whether it runs, its store, its disk, its files, its limits.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hookhouse_core::EventStore;
use hookhouse_core::store::StoreStatus;
use hookhouse_server::admin::Token;
use hookhouse_server::admin::view::Status;
use hookhouse_server::config::Config;
use hookhouse_server::store::{self, Encryption};
use http::Method;

use super::check::{Check, Topic};
use super::hook::clock;
use crate::admin::Client;
use crate::exit::Failure;
use crate::output::size;

/// Descriptors beside those of senders: the store's files, the admin listener, the resolver.
const OWN_DESCRIPTORS: u64 = 256;

/// What the running server answers.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) checks: Vec<Check>,
    pub(super) status: Option<Status>,
}

/// Asks the running server how it is.
pub(super) async fn running(client: &Client) -> Answers {
    let mut checks = Vec::new();
    let topic = Topic::new("server");
    let ready = client.exchange(Method::GET, "/readyz", None).await;
    checks.push(match ready {
        Ok((status, _)) if status.is_success() => topic.ok("it runs, and takes events"),
        Ok((status, body)) => {
            let problem: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
            let detail = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str());
            let why = detail.map_or_else(|| format!("it answered {status}"), str::to_owned);
            topic.problem(
                format!("it runs, and does not take events: {why}"),
                "see its log, and the checks `store` and `disk`",
            )
        }
        Err(failure) => topic.problem(format!("it does not answer: {failure}"), "see its log"),
    });
    let status = match client.status().await {
        Ok(status) => {
            checks.push(clock(Topic::of("clock", "server"), "the server's", status.now));
            checks.push(health(&status.store));
            Some(status)
        }
        Err(failure) => {
            checks.push(Topic::new("api").problem(
                format!("the admin API does not say how the server is: {failure}"),
                "see that the token is the server's own, and that its version is this one's",
            ));
            None
        }
    };
    Answers { checks, status }
}

/// How the store of a server that does not run is.
pub(super) async fn stopped(folder: &Path, keys: &Encryption) -> (Vec<Check>, Option<StoreStatus>) {
    let not = Topic::new("server").problem(
        format!("no server answers for {}", folder.display()),
        "start it: `hookhouse serve`, or its unit; its log says why it ended",
    );
    if !folder.is_dir() {
        return (vec![not], None);
    }
    let topic = Topic::new("store");
    let unreadable = |topic: Topic, why: String| {
        topic.problem(
            format!("it cannot be read: {why}"),
            "see who owns its files, and whether another server has it",
        )
    };
    let opened: Result<std::sync::Arc<dyn EventStore>, _> = store::open_read_only(folder, keys);
    match opened {
        Err(error) => (vec![not, unreadable(topic, error.to_string())], None),
        Ok(store) => match store.status().await {
            Err(error) => (vec![not, unreadable(topic, error.to_string())], None),
            Ok(status) => {
                let found = format!("{} events, {}", status.events, amount(status.bytes));
                (vec![not, topic.ok(found)], Some(status))
            }
        },
    }
}

fn health(status: &StoreStatus) -> Check {
    let topic = Topic::new("store");
    let found = format!("{} events, {}", status.events, amount(status.bytes));
    if !status.writable {
        let why = status.problem.as_deref().unwrap_or("it takes no events");
        return topic.problem(
            format!("{found}; {why}"),
            "make room where the store lies, or move the destinations on that hold events up; senders get 503 until then",
        );
    }
    if status.refusals_dropped > 0 {
        return topic.warning(
            format!(
                "{found}; {} refusals were not recorded, because there were too many",
                status.refusals_dropped
            ),
            "somebody sends a flood of bad requests: see `hookhouse events ls --refused`, and `allow_ips`",
        );
    }
    topic.ok(found)
}

/// The free space beside what the store may still want.
pub(super) fn disk(config: &Config, status: &StoreStatus) -> Option<Check> {
    let free = status.free_bytes?;
    let topic = Topic::new("disk");
    let reserve = config.store.reserve;
    let found = format!("{} are free; below {} nothing is taken", amount(free), amount(reserve));
    if free <= reserve {
        return Some(topic.problem(found, "make room: senders get 503 until there is some"));
    }
    let room = config.store.retention_size.map(|most| most.saturating_sub(status.bytes));
    Some(match room {
        Some(room) if room > free - reserve => topic.warning(
            format!("{found}, and `retention.size` lets the store grow by {}", amount(room)),
            "lower `retention.size`, or give the store a larger disk",
        ),
        None if free < reserve.saturating_mul(10) => {
            topic.warning(found, "make room, or set `retention = { size = … }`")
        }
        _ => topic.ok(found),
    })
}

/// Who may read the store and its secrets.
pub(super) fn permissions(folder: &Path) -> Option<Check> {
    let topic = Topic::new("files");
    let mode = |path: &Path| Some(std::fs::metadata(path).ok()?.permissions().mode() & 0o777);
    let own = mode(folder)?;
    if own & 0o077 != 0 {
        return Some(topic.problem(
            format!("others on this machine may enter {} (mode {own:03o})", folder.display()),
            format!("`chmod 700 {}`: events and tokens lie there", folder.display()),
        ));
    }
    for name in [Token::FILE, "runtime.json", "dev-secrets.json"] {
        let file = folder.join(name);
        if let Some(mode) = mode(&file).filter(|mode| mode & 0o077 != 0) {
            return Some(topic.warning(
                format!("others would be allowed to read {} (mode {mode:03o})", file.display()),
                format!("`chmod 600 {}`", file.display()),
            ));
        }
    }
    Some(topic.ok(format!("{} is its owner's alone", folder.display())))
}

/// The descriptors that the server may open, beside the connections that it is to serve.
pub(super) async fn descriptors(config: &Config, client: Option<&Client>) -> Option<Check> {
    let most = match client {
        Some(client) => most_of_server(client).await.ok().flatten()?,
        None => most_of_shell()?,
    };
    let destinations: usize = config.destinations.iter().map(|destination| destination.concurrency).sum();
    let connections = config.server.limits.connections;
    let wanted = (connections as u64).saturating_add(destinations as u64).saturating_add(OWN_DESCRIPTORS);
    let whose = if client.is_some() { "the server" } else { "a server that is started here" };
    let topic = Topic::new("descriptors");
    let found = format!("{whose} may open {most} descriptors, and {connections} connections want {wanted}");
    Some(if most < wanted {
        topic.warning(
            found,
            format!("set `LimitNOFILE={wanted}` in the unit (or `ulimit -n`), or lower `limits.connections`"),
        )
    } else {
        topic.ok(found)
    })
}

async fn most_of_server(client: &Client) -> Result<Option<u64>, Failure> {
    let (_, page) = client.exchange(Method::GET, "/metrics", None).await?;
    let page = String::from_utf8_lossy(&page);
    let value = page.lines().find_map(|line| line.strip_prefix("process_max_fds "));
    Ok(value.and_then(|value| value.trim().parse::<f64>().ok()).map(|value| value as u64))
}

fn most_of_shell() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn amount(bytes: u64) -> String {
    size(usize::try_from(bytes).unwrap_or(usize::MAX))
}

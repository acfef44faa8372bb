//! `hookhouse db copy`: from the embedded store to a cluster.

use std::path::PathBuf;

use crate::Global;
use crate::exit::{Code, Failure, Outcome};

/// Copy the store of a stopped server to a NATS JetStream cluster: events, deliveries, and where each destination stands
///
/// The configuration is that of the gateways to come: its `[store]` says which cluster, under which prefix, and who we are
/// to it. The cluster must have no events yet, and no gateway may run on it. What was delivered is not delivered again;
/// what waits, is owed or was given up goes on there. Events get new ids. A copy that breaks off is begun again with the
/// same command, and goes on where it was. The store that is copied stays as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of the store, or the configuration of its server where the store is encrypted
    #[arg(long, value_name = "DIR|FILE")]
    from: PathBuf,
    /// The cluster's servers, in the place of those that the configuration names
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    to: Vec<String>,
}

#[cfg(not(feature = "jetstream"))]
pub(super) fn run(args: Args, _: &Global) -> Outcome {
    let to = if args.to.is_empty() { "a cluster".to_owned() } else { args.to.join(", ") };
    Err(Failure::new(
        Code::Usage,
        format!(
            "{} cannot be copied to {to}: this binary was built without the store on a cluster (the feature `jetstream`)",
            args.from.display()
        ),
    ))
}

#[cfg(feature = "jetstream")]
pub(super) fn run(args: Args, global: &Global) -> Outcome {
    use hookhouse_server::config;
    use hookhouse_server::store::{Copied, CopyError, Told, copy};

    use crate::admin::block_on;
    use crate::locate;
    use crate::output::Out;

    let file = locate::required_config(global)?;
    let mut to = config::store_settings(&file).map_err(|error| Failure::new(Code::Configuration, error))?;
    let Some(cluster) = &mut to.cluster else {
        return Err(Failure::new(
            Code::Configuration,
            format!("{} names no cluster: `url = [\"nats://host:4222\"]` in [store]", file.display()),
        ));
    };
    if !args.to.is_empty() {
        cluster.servers = args.to;
    }
    let (folder, keys) = from(args.from)?;
    let mut watcher = super::Watcher::new();
    watcher.see(Told::Stage("copying events"));
    let copied = block_on(async {
        let mut told = |done, of| drop(watcher.see(Told::Progress { done, of }));
        Ok(copy(&folder, &keys, &to, &mut told).await)
    })?;
    drop(watcher);
    let copied = copied.map_err(|error| match error {
        CopyError::From(error) => super::unreadable(error),
        other => {
            Failure::new(Code::Failure, format!("{other}; what is copied stays: the same command goes on"))
        }
    })?;
    Out::one(global.output, &copied, |copied: &Copied| describe(copied))?;
    Ok(())
}

/// The folder to copy, and what opens it.
#[cfg(feature = "jetstream")]
fn from(named: PathBuf) -> Result<(PathBuf, hookhouse_server::store::Encryption), Failure> {
    use hookhouse_server::config;
    use hookhouse_server::store::Encryption;

    if named.is_dir() {
        return Ok((named, Encryption::default()));
    }
    let store = config::store_settings(&named).map_err(|error| Failure::new(Code::Configuration, error))?;
    Ok((store.path, store.encryption))
}

#[cfg(feature = "jetstream")]
fn describe(copied: &hookhouse_server::store::Copied) -> String {
    use std::fmt::Write as _;

    let mut text = format!("{} events", copied.events);
    if copied.resumed > 0 {
        // Writing to a text cannot fail.
        let _ = write!(text, ", of which {} were there from before", copied.resumed);
    }
    let open: Vec<_> = copied.deliveries.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let open = if open.is_empty() { "none".to_owned() } else { open.join(", ") };
    let _ = write!(text, "\ndeliveries that are not done with: {open}");
    let _ = write!(text, "\n{} tries, {} answers", copied.attempts, copied.answers);
    for (name, start) in &copied.destinations {
        let _ = write!(text, "\n  {name:<16} goes on at place {start} of the log");
    }
    text + "\nrefusals stay where they were; the first gateway may be started now"
}

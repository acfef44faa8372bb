//! `hookhouse replay`: deliver stored events again.

use hookhouse_core::store::Order;
use hookhouse_core::{DestinationName, EventId};
use hookhouse_server::admin::view::ReplayRequest;

use crate::Global;
use crate::admin::{Client, Reader, block_on};
use crate::events::Which;
use crate::exit::{Code, Failure, Outcome};
use crate::locate;
use crate::output::Out;

/// Each replay is a delivery of its own, with attempts and a state of its own.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The events
    ids: Vec<EventId>,
    #[command(flatten)]
    which: Which,
    /// Only to this destination [default: wherever the event's source delivers]
    #[arg(long, value_name = "DESTINATION")]
    to: Option<DestinationName>,
    /// Only count what would be replayed
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    let Which { source, event_type, since, until } = &args.which;
    let filtered = source.is_some() || event_type.is_some() || since.is_some() || until.is_some();
    if args.ids.is_empty() && !filtered {
        return Err(Failure::new(
            Code::Usage,
            "name events, or say which with --source, --type, --since or --until",
        ));
    }
    if !args.ids.is_empty() && filtered {
        return Err(Failure::new(Code::Usage, "name events or say which, not both"));
    }
    let folder = locate::store_folder(global)?;
    block_on(async {
        let client = Client::require(&folder).await?;
        let ids = if args.ids.is_empty() { select(&folder, &args.which).await? } else { args.ids };
        if args.dry_run {
            anstream::eprintln!("{} event(s) would be replayed", ids.len());
            return Ok(());
        }
        let request = ReplayRequest { destination: args.to };
        let mut out = Out::new(global.output);
        let (mut replayed, mut failure) = (0_usize, None);
        for id in &ids {
            match client.replay(*id, &request).await {
                Ok(done) => {
                    replayed += 1;
                    for delivery in done.deliveries {
                        out.entry(&delivery, ToString::to_string)?;
                    }
                }
                Err(error) => failure = Some(error),
            }
            if ids.len() >= 1_000 && replayed.is_multiple_of(1_000) {
                anstream::eprintln!("{replayed} of {} replayed", ids.len());
            }
        }
        out.finish()?;
        anstream::eprintln!("{replayed} of {} event(s) replayed", ids.len());
        match failure {
            None => Ok(()),
            Some(failure) if replayed == 0 => Err(failure),
            Some(failure) => {
                failure.report();
                Err(Failure::silent(Code::Partial))
            }
        }
    })
}

/// The events that a filter means, as of now, the oldest first.
async fn select(folder: &std::path::Path, which: &Which) -> Result<Vec<EventId>, Failure> {
    let reader = Reader::open(folder).await?;
    let mut query = which.query(Order::OldestFirst, 1_000);
    let mut ids = Vec::new();
    loop {
        let page = reader.events(&query, false).await?;
        ids.extend(page.data.into_iter().map(|event| event.id));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return Ok(ids);
        }
    }
}

//! `hookhouse dev`: receive webhooks on this machine, without any configuration.

mod demo;
pub(crate) mod house;
mod keys;
pub(crate) mod secrets;
pub(crate) mod stand_in;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anstyle::{AnsiColor, Style};
use hookhouse_core::{Clock, Observer, SystemClock};
use hookhouse_server::care::Pace;
use hookhouse_server::{Bound, Lifecycle, Running, ServeError, Wiring, store};
use tokio::net::TcpListener;

use crate::Global;
use crate::dev::stand_in::StandIn;
use crate::exit::{Code, Failure, Outcome};
use crate::locate::DEV_FOLDER;
use crate::output::{Format, Pages};
use crate::terminal::{Manner, Terminal};

const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const LINK: Style = AnsiColor::Cyan.on_default();

/// How many ports after a taken one are tried.
const PORTS: u16 = 50;

/// Receive webhooks on this machine, without any configuration
///
/// Listens on loopback only. Serves /webhooks and /webhooks/twitter (X), /webhooks/twilio (Twilio) and /webhooks/inbox
/// (anything). Secrets come from CONSUMER_SECRET (or TWITTER_CONSUMER_SECRET) and TWILIO_AUTH_TOKEN; one that is not
/// set is made up once, kept, and shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Deliver events to this URL, on this machine or elsewhere
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,
    /// What providers call, where a tunnel is in front: Twilio signs it
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Print bodies too, JSON laid out
    #[arg(long)]
    bodies: bool,
    /// Send a challenge and a signed event of each provider to yourself, and show what becomes of them
    #[arg(long)]
    demo: bool,
    /// End after the demo: with 0 only if every event was acknowledged and delivered
    #[arg(long, requires = "demo")]
    exit: bool,
    /// The port to receive on; a taken one means the next free one
    #[arg(long, default_value_t = 8080, value_name = "PORT")]
    port: u16,
    /// The port of the admin listener; a taken one means the next free one
    #[arg(long, default_value_t = 4040, value_name = "PORT")]
    admin_port: u16,
    /// The port of the stand-in of X's platform; a taken one means the next free one
    #[arg(long, default_value_t = 4050, value_name = "PORT")]
    x_port: u16,
    /// Where events and secrets are kept
    #[arg(long, default_value = DEV_FOLDER, value_name = "FOLDER")]
    data: PathBuf,
    /// What the program itself logs, as RUST_LOG takes it
    #[arg(long, env = "HOOKHOUSE_LOG", default_value = "warn", value_name = "FILTER")]
    log: String,
}

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    let _rest = crate::log::start(&args.log).map_err(|error| Failure::with_code(error, Code::Usage))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(args, global.output))
}

async fn serve(args: Args, format: Format) -> Outcome {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let lifecycle = Lifecycle::default();
    lifecycle.stop_on_signals()?;

    let ingress = next_free(args.port).await?;
    let admin = next_free(args.admin_port).await?;
    let (address, admin_address) = (ingress.local_addr()?, admin.local_addr()?);
    let demo = if args.demo { Some(demo::Demo::prepare(args.forward_to.is_none()).await?) } else { None };
    let forward_to = args.forward_to.clone().or_else(|| demo.as_ref().and_then(demo::Demo::receiver));

    let secrets = secrets::Secrets::keep(&args.data)?;
    // With a public URL it is X itself that calls.
    let stand_in = match &args.public_url {
        None => Some(StandIn::start(&args.data, args.x_port, &secrets.x.secret).await?),
        Some(_) => None,
    };
    let config = house::config(&house::Plan {
        folder: &args.data,
        ingress: address,
        admin: admin_address,
        public_url: args.public_url.as_deref(),
        forward_to: forward_to.as_deref(),
        secrets: &secrets,
        x: stand_in.as_ref().map(|(_, stand_in)| stand_in),
    })?;
    let store = store::open(&config.store, config.largest_body(), Arc::clone(&clock)).await?;
    let ui = format!("http://{admin_address}");
    let (bodies, pages) = (Arc::new(AtomicBool::new(args.bodies)), Pages::below(ui.clone()));
    let manner = Manner { format, bodies: Arc::clone(&bodies), pages: pages.clone() };
    let terminal = Terminal::start(manner)?;
    let observer: Arc<dyn Observer> = match &demo {
        Some(demo) => demo.watch(Arc::clone(&terminal) as _),
        None => Arc::clone(&terminal) as _,
    };
    let bound = Bound::of(ingress, admin);
    let kept = Arc::clone(&store);
    let wiring =
        Wiring { config, bound, store, clock, observer, lifecycle: lifecycle.clone(), pace: Pace::default() };
    let running = hookhouse_server::start(wiring).await?;

    announce(&args, &running, &secrets, address, forward_to.as_deref());
    if let Some((_, stand_in)) = stand_in.as_ref().filter(|_| !args.demo) {
        introduce(stand_in);
    }
    let keyboard = keys::Keyboard::open().filter(|_| format == Format::Human && !args.exit);
    if let Some(keyboard) = keyboard {
        anstream::eprintln!("\n  {FAINT}{}{FAINT:#}", keys::HELP);
        let (lifecycle, sources) = (lifecycle.clone(), running.sources.clone());
        let house = keys::House { lifecycle: lifecycle.clone(), store: kept, sources, bodies, pages, ui };
        lifecycle.tracker.spawn(keyboard.serve(house));
    }
    let outcome = match demo {
        Some(demo) => {
            let outcome = demo.play(&running, address).await;
            if args.exit {
                lifecycle.soft.cancel();
            } else {
                anstream::eprintln!("\n● Waiting for requests… (Ctrl-C ends)");
            }
            outcome
        }
        None => Ok(()),
    };
    let finished = running.finish().await;
    if let Some((platform, _)) = stand_in {
        platform.stop().await;
    }
    terminal.finish();
    finished?;
    if args.exit { outcome } else { Ok(()) }
}

/// The port, or the next free one after it. Loopback only: nothing here asks for a login.
async fn next_free(port: u16) -> Result<TcpListener, Failure> {
    let mut first: Option<ServeError> = None;
    for port in port..=port.saturating_add(PORTS) {
        match hookhouse_server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
            Ok(listener) => {
                if first.is_some() {
                    anstream::eprintln!("a port is taken: using {port} instead");
                }
                return Ok(listener);
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.map_or_else(|| Failure::new(Code::Failure, "no free port"), Failure::from))
}

fn announce(
    args: &Args,
    running: &Running,
    secrets: &secrets::Secrets,
    address: SocketAddr,
    forward_to: Option<&str>,
) {
    anstream::eprintln!(
        "{BOLD}hookhouse {}{BOLD:#} {FAINT}· dev · data in {} (kept){FAINT:#}\n",
        env!("CARGO_PKG_VERSION"),
        args.data.display()
    );
    let base = args.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    for source in &running.sources {
        let what = match source.provider.as_str() {
            "none" => "anything; nothing proves who sent it",
            "twilio" => "Twilio",
            _ => "X",
        };
        anstream::eprintln!(
            "  {:<8} {LINK}{base}{}{LINK:#}  {FAINT}{what}{FAINT:#}",
            source.name,
            source.path
        );
    }
    anstream::eprintln!(
        "  {:<8} {LINK}http://{}{LINK:#}  {FAINT}what arrived, in a browser{FAINT:#}",
        "ui",
        running.admin
    );
    match forward_to {
        Some(url) => anstream::eprintln!("  {:<8} {LINK}{url}{LINK:#}", "forward"),
        None => anstream::eprintln!(
            "  {:<8} {FAINT}nowhere: --forward-to URL delivers to your application{FAINT:#}",
            "forward"
        ),
    }
    anstream::eprintln!();
    for line in secrets.describe() {
        anstream::eprintln!("  {line}");
    }
    if !args.demo {
        anstream::eprintln!(
            "\nTry it     hookhouse trigger x post.create\n           hookhouse trigger twilio message.received\n           \
             curl -d '{{\"hello\":\"world\"}}' http://{address}/webhooks/inbox\n\n● Waiting for requests… (Ctrl-C ends)"
        );
    }
}

/// What can be done with the stand-in of X.
fn introduce(stand_in: &StandIn) {
    anstream::eprintln!(
        "\nX, without an account: a stand-in of its platform listens on {LINK}http://{}{LINK:#}\n           \
         hookhouse x webhooks register x && hookhouse x subscriptions add\n           \
         hookhouse emulate x act --user {} post \"Hello\"",
        stand_in.address,
        stand_in.user,
    );
}

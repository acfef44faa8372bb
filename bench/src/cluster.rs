//! What an event costs where gateways share a cluster: one, two and four of them on the same three servers.
//!
//! A machine with two processors shows no throughput of seven processes; what it shows is how much processor time an
//! event takes, in the gateways and in the servers, and whether that grows with the number of gateways.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Args;
use crate::compare::Supply;
use crate::contender::{self, Contender};
use crate::load::{self, Pace, Traffic};
use crate::report::{Table, median, ms};
use crate::usage::Usage;

/// How many gateways.
const GATEWAYS: [usize; 3] = [1, 2, 4];
/// Connections in all, and events per round.
const CONNECTIONS: u16 = 32;
const EVENTS: u32 = 20_000;
/// Where `cargo xtask test` installs the server.
const SERVER: &str = "target/nats/bin/nats-server";

const HEADS: [&str; 7] =
    ["gateways", "accepted/s", "p50 ms", "p99 ms", "CPU µs, gateways", "CPU µs, servers", "CPU µs, together"];

/// Three servers that sync before they acknowledge.
struct Servers {
    _folder: TempDir,
    clients: Vec<SocketAddr>,
    monitors: Vec<SocketAddr>,
    processes: Vec<Child>,
}

impl Servers {
    async fn start() -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let free = || (0..3).map(|_| contender::free_address()).collect::<anyhow::Result<Vec<_>>>();
        let (clients, monitors, routes) = (free()?, free()?, free()?);
        let known: Vec<_> = routes.iter().map(|route| format!("\"nats://{route}\"")).collect();
        let mut processes = Vec::new();
        for (n, ((client, monitor), route)) in clients.iter().zip(&monitors).zip(&routes).enumerate() {
            let config = format!(
                "server_name: n{n}\nlisten: \"{client}\"\nhttp: \"{monitor}\"\nmax_payload: 8MB\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: always }}\n\
                 cluster {{ name: bench, listen: \"{route}\", routes: [{}] }}\n",
                folder.path().join(format!("n{n}")).display(),
                known.join(", "),
            );
            let file = folder.path().join(format!("n{n}.conf"));
            std::fs::write(&file, config)?;
            let started = contender::command(Path::new(SERVER)).arg("-c").arg(file).spawn();
            processes.push(started.context(SERVER)?);
        }
        let this = Self { _folder: folder, clients, monitors, processes };
        for monitor in &this.monitors {
            wait_until_healthy(*monitor).await?;
        }
        Ok(this)
    }

    /// What gateways are told, each set of them in streams of its own.
    fn store(&self, gateways: usize) -> String {
        let urls = |scheme: &str, all: &[SocketAddr]| -> Vec<String> {
            all.iter().map(|address| format!("{scheme}://{address}")).collect()
        };
        format!(
            "path = \"store\"\nurl = {:?}\nmonitor = {:?}\nprefix = \"bench{gateways}\"\nretention = {{ size = \"2GB\" }}\n",
            urls("nats", &self.clients),
            urls("http", &self.monitors),
        )
    }

    fn cpu(&self) -> anyhow::Result<f64> {
        self.processes.iter().map(|process| Ok(Usage::of(process.id())?.cpu)).sum()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // It may have ended by itself.
            drop(process.kill());
            drop(process.wait());
        }
    }
}

async fn wait_until_healthy(monitor: SocketAddr) -> anyhow::Result<()> {
    for _ in 0..600 {
        let asked = async {
            let mut stream = TcpStream::connect(monitor).await?;
            stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            anyhow::Ok(answer)
        };
        if asked.await.is_ok_and(|answer| answer.contains(" 200 ")) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("nats-server at {monitor} is not healthy after 30 s")
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<Table> {
    let servers = Servers::start().await?;
    let (connections, count) = (args.connections.unwrap_or(CONNECTIONS), args.events.unwrap_or(EVENTS));
    let title =
        format!("X's events, acknowledged by gateways on three servers, {connections} connections in all");
    let mut table = Table::new(title, &HEADS);
    let mut supply = Supply::default();
    for gateways in GATEWAYS {
        let mut houses = Vec::new();
        for _ in 0..gateways {
            let mut house = Contender::gateway(&args.hookhouse, Traffic::X, &servers.store(gateways))?;
            house.wait_until_it_serves().await?;
            houses.push(house);
        }
        let share = u32::try_from(gateways)?;
        let each = Pace { connections: (connections / u16::try_from(gateways)?).max(1), ..args.pace(1) };
        let mut rounds: Vec<[f64; 5]> = Vec::new();
        // The first one warms up.
        for round in 0..=args.rounds {
            let loads = (0..gateways)
                .map(|_| supply.take(Traffic::X, count / share))
                .collect::<anyhow::Result<Vec<_>>>()?;
            let before = (cpu(&houses)?, servers.cpu()?);
            let running =
                houses.iter().zip(&loads).map(|(house, load)| load::run(house.address(), load, each));
            let measured = futures_util::future::try_join_all(running).await?;
            let after = (cpu(&houses)?, servers.cpu()?);
            let refused: usize = measured.iter().map(|one| one.refused).sum();
            anyhow::ensure!(refused == 0, "{refused} events were refused");
            let events = measured.iter().map(|one| one.count).sum::<usize>() as f64;
            let slowest =
                |of: fn(&load::Measured) -> Duration| measured.iter().map(of).max().unwrap_or_default();
            if round > 0 {
                rounds.push([
                    measured.iter().map(|one| one.per_second).sum(),
                    ms(slowest(|one| one.p50)),
                    ms(slowest(|one| one.p99)),
                    (after.0 - before.0) * 1e6 / events,
                    (after.1 - before.1) * 1e6 / events,
                ]);
            }
        }
        let medians: [f64; 5] =
            std::array::from_fn(|at| median(rounds.iter().filter_map(|row| row.get(at).copied()).collect()));
        let [per_second, p50, p99, ours, theirs] = medians;
        table.rows.push(vec![
            gateways.to_string(),
            format!("{per_second:.0}"),
            format!("{p50:.2}"),
            format!("{p99:.2}"),
            format!("{ours:.1}"),
            format!("{theirs:.1}"),
            format!("{:.1}", ours + theirs),
        ]);
    }
    Ok(table)
}

fn cpu(houses: &[Contender]) -> anyhow::Result<f64> {
    houses.iter().map(|house| Ok(Usage::of(house.process())?.cpu)).sum()
}

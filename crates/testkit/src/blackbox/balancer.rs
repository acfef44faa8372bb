//! A load balancer: each connection goes to the next server that takes it.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Takes connections until it is dropped.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    servers: Mutex<Vec<SocketAddr>>,
    next: AtomicUsize,
    stop: AtomicBool,
}

impl Balancer {
    /// One on any free port of this machine.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn start(servers: &[SocketAddr]) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), servers)
    }

    /// One at an address.
    ///
    /// # Panics
    /// When the address is not to be had.
    #[must_use]
    pub fn start_at(address: SocketAddr, servers: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind(address).expect("the address is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::<Shared>::default();
        shared.set(servers);
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.stop.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), shared) = (client, Arc::clone(&accepting)) else { continue };
                std::thread::spawn(move || {
                    // Whoever breaks off, it is between client and server.
                    let _ = shared.join(client);
                });
            }
        });
        Self { address, shared }
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections go to these from now on; those that are open stay.
    pub fn set(&self, servers: &[SocketAddr]) {
        self.shared.set(servers);
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes whoever accepts.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

impl Shared {
    fn set(&self, servers: &[SocketAddr]) {
        *self.servers.lock().expect("nobody panics with it") = servers.to_vec();
    }

    fn join(&self, client: TcpStream) -> io::Result<()> {
        let servers = self.servers.lock().expect("nobody panics with it").clone();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let taken = (0..servers.len())
            .find_map(|n| TcpStream::connect(servers.get((first + n) % servers.len())?).ok());
        let server = taken.ok_or(io::ErrorKind::ConnectionRefused)?;
        for socket in [&client, &server] {
            socket.set_nodelay(true)?;
        }
        let (from, to) = (client.try_clone()?, server.try_clone()?);
        let upward = std::thread::spawn(move || pass(from, to));
        pass(server, client);
        upward.join().map_err(|_| io::Error::other("a direction panicked"))
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    // The end of one direction is passed on, whatever it was.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

//! Sockets that were open before this process: from a service manager, or from the server that it takes over from.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;

use crate::config::Listen;
use crate::socket::Socket;

/// What a descriptor is called where nobody named it (sd_listen_fds_with_names(3)).
const UNNAMED: &str = "unknown";

/// Sockets that wait to be listened on. They stay open for as long as the process runs: what a reload takes out and the
/// next one wants back is still there, and connections wait in it meanwhile.
#[derive(Debug, Default)]
pub struct Inheritance {
    sockets: Vec<(Listen, OwnedFd)>,
    /// Where operators are listened for, if that was told.
    admin: Option<(Listen, OwnedFd)>,
}

impl Inheritance {
    /// What the service manager passed (sd_listen_fds(3)): `LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES`.
    ///
    /// It changes variables of the process, and so must run before there is a second thread.
    ///
    /// # Errors
    /// When a descriptor is no listening socket.
    pub fn from_service_manager() -> io::Result<Self> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for place in 0..passed.len() {
            let name = names.next().unwrap_or(UNNAMED).to_owned();
            let tcp = passed.take_tcp_listener(place);
            let descriptor = match tcp {
                Ok(found) => found.map(|listener: TcpListener| OwnedFd::from(listener)),
                Err(_) => {
                    passed.take_unix_listener(place)?.map(|listener: UnixListener| OwnedFd::from(listener))
                }
            };
            sockets.extend(descriptor.map(|descriptor| (Listen::Inherited(name), descriptor)));
        }
        Ok(Self { sockets, admin: None })
    }

    /// What another server passed, with where it listens.
    pub(crate) fn of(sockets: Vec<(Listen, OwnedFd)>, admin: Option<(Listen, OwnedFd)>) -> Self {
        Self { sockets, admin }
    }

    /// Adds another's, where there is nothing for the same place: a server and its service manager pass the same sockets.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        let known: Vec<_> = self.sockets.iter().map(|(listen, _)| listen.clone()).collect();
        self.sockets.extend(other.sockets.into_iter().filter(|(listen, _)| !known.contains(listen)));
        self.admin = self.admin.or(other.admin);
        self
    }

    /// What is left for reloads: the sockets of the service manager, who keeps them open too. What another server passed
    /// and nobody asked for is closed, so that nobody waits there in vain.
    pub(crate) fn for_reloads(mut self) -> Self {
        self.admin = None;
        self.sockets.retain(|(listen, _)| matches!(listen, Listen::Inherited(_)));
        self
    }
}

/// Opens sockets, those first that are there already.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    inheritance: &'a Inheritance,
    /// How often each place was asked for: port 0 can be asked for twice, and is two sockets.
    asked: HashMap<&'a Listen, usize>,
}

impl<'a> Opening<'a> {
    pub(crate) fn from(inheritance: &'a Inheritance) -> Self {
        Self { inheritance, asked: HashMap::new() }
    }

    /// The socket for operators: the one that was told, if it is for the same place.
    ///
    /// # Errors
    /// When it is not to be had.
    pub(crate) fn open_admin(&mut self, listen: &'a Listen) -> io::Result<Socket> {
        match &self.inheritance.admin {
            Some((known, descriptor)) if known == listen => Socket::inherited(descriptor.try_clone()?),
            _ => self.open(listen)?.into_iter().next().ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }

    /// The sockets of a place: one, or as many as the service manager gave that name.
    ///
    /// # Errors
    /// When it is not to be had.
    pub(crate) fn open(&mut self, listen: &'a Listen) -> io::Result<Vec<Socket>> {
        let known = self.inheritance.sockets.iter().filter(|(known, _)| known == listen);
        let mut known = known.map(|(_, descriptor)| Socket::inherited(descriptor.try_clone()?));
        match listen {
            Listen::Inherited(name) => {
                let found = known.collect::<io::Result<Vec<_>>>()?;
                if found.is_empty() {
                    let words = format!("no descriptor called `{name}` was passed to this process");
                    return Err(io::Error::new(io::ErrorKind::NotFound, words));
                }
                Ok(found)
            }
            Listen::Tcp(address) => {
                let asked = self.asked.entry(listen).or_insert(0);
                let socket = match known.nth(*asked) {
                    Some(socket) => socket?,
                    None => Socket::tcp(*address)?,
                };
                *asked += 1;
                Ok(vec![socket])
            }
            Listen::Unix(path) => {
                let socket = match known.next() {
                    Some(socket) => socket?,
                    None => Socket::unix(path)?,
                };
                Ok(vec![socket])
            }
        }
    }
}

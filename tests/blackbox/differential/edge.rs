//! The proxies, as they come from Debian, each with little more than an address: no rule of ours makes them stricter.
//!
//! Each marks every request it sends with an id of its own in `X-Edge`, in the place of whatever has that name, and keeps
//! its connections to us for the next request.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use hookhouse_testkit::blackbox::eventually;
use tempfile::TempDir;

/// A proxy that runs until it is dropped.
pub(super) struct Edge {
    pub(super) address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl Edge {
    pub(super) fn nginx(house: SocketAddr) -> Self {
        Self::start("nginx", NGINX, house, |nginx, folder| {
            nginx.args(["-e", "stderr", "-p", folder, "-c", "proxy.conf"]);
        })
    }

    pub(super) fn haproxy(house: SocketAddr) -> Self {
        Self::start("haproxy", HAPROXY, house, |haproxy, folder| {
            haproxy.args(["-db", "-q", "-f", &format!("{folder}/proxy.conf")]);
        })
    }

    fn start(program: &str, config: &str, house: SocketAddr, arguments: fn(&mut Command, &str)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().to_str().expect("UTF-8").to_owned();
        let address = own_address();
        let config = config
            .replace("@address", &address.to_string())
            .replace("@house", &house.to_string())
            .replace("@folder", &path);
        std::fs::write(folder.path().join("proxy.conf"), config).expect("the folder is ours");
        let mut command = Command::new(program);
        arguments(&mut command, &path);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut process = process.expect("it is installed (`cargo xtask test` does so on Debian)");
        eventually(program, || {
            let ended = process.try_wait().expect("it is our child");
            assert!(ended.is_none(), "{program} ended: {ended:?}");
            TcpStream::connect(address).ok()
        });
        Self { address, process, _folder: folder }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// They cannot choose a port by themselves, so every one has a loopback address of its own and the same port.
fn own_address() -> SocketAddr {
    static COUNT: AtomicU8 = AtomicU8::new(0);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    SocketAddr::from((Ipv4Addr::new(127, 210 + (count % 40), high, low.max(1)), 8480))
}

const NGINX: &str = "
daemon off; master_process off; pid @folder/pid; error_log stderr crit;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path @folder/body; proxy_temp_path @folder/proxy; fastcgi_temp_path @folder/fastcgi;
    uwsgi_temp_path @folder/uwsgi; scgi_temp_path @folder/scgi;
    upstream house { server @house; keepalive 4; }
    server {
        listen @address;
        location / {
            proxy_pass http://house;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_set_header Host $http_host;
            proxy_set_header X-Edge $request_id;
        }
    }
}
";

const HAPROXY: &str = "
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 60s
frontend senders
    bind @address
    http-request set-header X-Edge %[uuid()]
    default_backend house
backend house
    http-reuse always
    server house @house
";

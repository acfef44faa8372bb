//! nginx in front of a house, and a client outside: TLS ends at nginx, and scheme, host, port and path change there.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use hookhouse_testkit::blackbox::{Answer, PATIENCE, eventually};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

/// The name that the certificate is for.
pub(super) const HOST: &str = "hooks.example.com";
/// The port that is called.
pub(super) const PORT: u16 = 8443;

/// Where nginx keeps what is too long for its memory: not in the system's folders.
pub(super) const TEMPORARY: &str = "client_body_temp_path @folder/body; proxy_temp_path @folder/proxy; \
    fastcgi_temp_path @folder/fastcgi; uwsgi_temp_path @folder/uwsgi; scgi_temp_path @folder/scgi;";

/// A connection from outside.
pub(super) type Outside = StreamOwned<ClientConnection, TcpStream>;

/// An nginx that runs until it is dropped.
pub(super) struct Edge {
    folder: TempDir,
    process: Child,
    address: SocketAddr,
    trust: Arc<ClientConfig>,
}

impl Edge {
    /// Starts nginx with these blocks beside `events`. In them `@address` is where to listen, `@tls` the lines that
    /// name the certificate, and `@house` the house.
    pub(super) fn start(blocks: &str, house: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certified = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
        write(folder.path(), "cert.pem", &certified.cert.pem());
        write(folder.path(), "key.pem", &certified.signing_key.serialize_pem());
        let mut roots = RootCertStore::empty();
        roots.add(certified.cert.der().clone()).expect("it is a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trust = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let address = own_address();
        let here = |name: &str| folder.path().join(name).display().to_string();
        let tls = format!("ssl_certificate {}; ssl_certificate_key {};", here("cert.pem"), here("key.pem"));
        let blocks = blocks
            .replace("@address", &address.to_string())
            .replace("@tls", &tls)
            .replace("@house", &house.to_string())
            .replace("@folder", &folder.path().display().to_string());
        write(
            folder.path(),
            "nginx.conf",
            &format!(
                "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
                 daemon off; master_process off; pid {}; error_log stderr warn;\n\
                 events {{ worker_connections 256; }}\n{blocks}",
                here("pid")
            ),
        );
        let mut process = nginx(folder.path())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("nginx is installed (`cargo xtask test` does so on Debian)");
        eventually("nginx", || {
            let ended = process.try_wait().expect("it is our child");
            assert!(ended.is_none(), "nginx ended: {ended:?}");
            TcpStream::connect(address).ok()
        });
        Self { folder, process, address, trust: Arc::new(trust) }
    }

    /// Connects as a provider does.
    pub(super) fn connect(&self) -> Outside {
        let socket = TcpStream::connect(self.address).expect("nginx accepts connections");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket has timeouts");
        let name = ServerName::try_from(HOST).expect("a host name");
        let client = ClientConnection::new(Arc::clone(&self.trust), name).expect("a TLS client");
        StreamOwned::new(client, socket)
    }

    /// Sends a request that says `Connection: close`, and reads to the end. `None` where nothing comes back.
    pub(super) fn ask(&self, request: &[u8]) -> Option<Answer> {
        let mut stream = self.connect();
        stream.write_all(request).ok()?;
        let mut bytes = Vec::new();
        // How a peer that knows no TLS close ends does not matter: the answer says how long it is.
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).expect("a head is ASCII");
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
        let pairs = lines.filter_map(|line| line.split_once(": "));
        let headers = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some(Answer { status, headers, body: bytes[end + 4..].to_vec() })
    }

    /// What curl needs to come here, and to believe the certificate.
    pub(super) fn curl(&self) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--resolve", &format!("{HOST}:{PORT}:{}", self.address.ip()), "--cacert"])
            .arg(self.folder.path().join("cert.pem"));
        curl
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a request, and reads the head of the answer: what follows belongs to the connection.
pub(super) fn head(stream: &mut Outside, request: &[u8]) -> String {
    stream.write_all(request).expect("nginx reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("a head is ASCII")
}

/// nginx with the configuration of a folder.
pub(super) fn nginx(folder: &Path) -> Command {
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-p"]).arg(folder).args(["-c", "nginx.conf"]);
    command.stdin(Stdio::null());
    command
}

/// nginx cannot choose a port by itself, so every nginx has a loopback address of its own and the same port.
fn own_address() -> SocketAddr {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    SocketAddr::from((Ipv4Addr::new(127, 100 + (count % 100), high, low.max(1)), PORT))
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the folder is ours");
}

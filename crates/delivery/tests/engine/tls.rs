//! Destinations over TLS: the name in the certificate counts, and HTTP/1.1 is what is spoken.

use std::sync::Arc;

use hookhouse_core::EventStore;
use hookhouse_delivery::{Destination, Guard};
use hookhouse_testkit::receiver::Receiver;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::world::{Host, World, destination, error_of};

/// An authority of our own, and a server with a certificate from it.
fn authority(name: &str) -> (RootCertStore, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (roots, TlsAcceptor::from(Arc::new(config)))
}

fn over_tls(world: &World, acceptor: TlsAcceptor) -> Arc<Receiver> {
    let receiver = Arc::new(Receiver::in_memory());
    world.network.name("app.example", &[&["10.0.0.1:443"]]);
    world.network.put("10.0.0.1:443", Host::Tls(acceptor, Arc::clone(&receiver)));
    receiver
}

async fn attempt(world: &World, roots: RootCertStore, url: &str) -> crate::world::Running {
    let app = destination("app", url);
    world.subscribe(std::slice::from_ref(&app)).await;
    let store = Arc::clone(&world.store) as Arc<dyn EventStore>;
    let running = world.start_on(store, &[Destination { ..app }], Guard::default(), roots);
    world.event("hi").await;
    running
}

#[tokio::test(start_paused = true)]
async fn an_event_arrives_where_the_certificate_is_the_hosts() {
    let world = World::new();
    let (roots, acceptor) = authority("app.example");
    let receiver = over_tls(&world, acceptor);
    let running = attempt(&world, roots, "https://app.example/hooks").await;
    world.delivered(1).await;
    let request = receiver.wait_for(1).await.remove(0);
    assert_eq!((request.target.as_str(), request.header("host")), ("/hooks", Some("app.example")));
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_certificate_for_another_host_or_of_another_authority_is_refused() {
    let (roots, _) = authority("app.example");
    let (other_roots, other_name) = authority("other.example");
    for (roots, acceptor) in [(roots, authority("app.example").1), (other_roots, other_name)] {
        let world = World::new();
        let receiver = over_tls(&world, acceptor);
        let running = attempt(&world, roots, "https://app.example/hooks").await;
        let (attempt, _) = world.one_attempt().await;
        assert!(
            error_of(&attempt).starts_with("no TLS with `app.example`: invalid peer certificate"),
            "{attempt:?}"
        );
        assert!(receiver.received().is_empty());
        running.abort().await;
    }
}

/// The event does not go out in the clear because the other end speaks no TLS.
#[tokio::test(start_paused = true)]
async fn a_plain_server_gets_no_event_from_an_https_destination() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:443");
    world.network.name("app.example", &[&["10.0.0.1:443"]]);
    let running = attempt(&world, RootCertStore::empty(), "https://app.example/hooks").await;
    let (attempt, _) = world.one_attempt().await;
    assert!(error_of(&attempt).starts_with("no TLS with `app.example`"), "{attempt:?}");
    assert!(receiver.received().is_empty());
    running.abort().await;
}

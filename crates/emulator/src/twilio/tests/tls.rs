//! TLS, and Twilio's numbers for what goes wrong with it.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// An authority, and a server with a certificate from it.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    fn certificate(&self, name: &str, expired: bool) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        let leaf = params.signed_by(&key, &self.0).unwrap();
        (leaf.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

fn acceptor((certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>)) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Places a call to `https://localhost`, where this acceptor is; `None` is a port that speaks no TLS.
async fn call_over(acceptor: Option<TlsAcceptor>, roots: RootCertStore) -> (Told, Receiver) {
    let application = Receiver::in_memory();
    application.always(twiml("<Response/>"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = call_to(&format!("https://localhost:{}/voice#rc=0", listener.local_addr().unwrap().port()));
    let signer = Signer::Twilio { algorithm: Algorithm::HmacSha1, shared_key: None };
    let twilio = Twilio::new(client(roots)).signed_by(signer, Secret::new(TOKEN).unwrap());
    let serve = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            match &acceptor {
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        application.serve(stream);
                    }
                }
                None => drop(
                    tokio::io::copy(&mut &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &mut { stream }).await,
                ),
            }
        }
    };
    let told = tokio::select! {
        told = call(&twilio, &place) => told,
        () = serve => unreachable!("a server does not stop by itself"),
    };
    (told, application)
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_taken() {
    let authority = Authority::new();
    let (told, application) =
        call_over(Some(acceptor(authority.certificate("localhost", false))), authority.roots()).await;
    assert_eq!(told.codes(), [0_u32; 0], "{told:?}");
    let request = &application.received()[0];
    let spelling = verified(request, &format!("https://{}", request.header("host").unwrap()));
    assert_eq!(spelling.as_deref(), Some("port removed"));
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_has_a_number() {
    let authority = Authority::new();
    let right = || acceptor(authority.certificate("localhost", false));
    for (acceptor, roots, code) in [
        (Some(acceptor(authority.certificate("other.example", false))), authority.roots(), 11235),
        (Some(acceptor(authority.certificate("localhost", true))), authority.roots(), 11236),
        (Some(right()), RootCertStore::empty(), 11237),
        (None, authority.roots(), 11220),
    ] {
        let (told, application) = call_over(acceptor, roots).await;
        assert_eq!((told.codes(), told.outcome.reached), (vec![code], false), "{told:?}");
        assert!(application.received().is_empty());
    }
}

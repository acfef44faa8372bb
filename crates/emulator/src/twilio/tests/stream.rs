//! Media Streams, and the ways in which they end.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use data_encoding::BASE64;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;

/// What the application does once it has heard `start`.
#[derive(Debug, Clone, Copy)]
enum Manners {
    Close,
    Cut,
    Garbage,
    Binary,
    Speak,
    Listen,
}

async fn agree(stream: &mut TcpStream) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).await.unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref());
    let agreed = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(agreed.as_bytes()).await.unwrap();
}

/// Takes one stream.
async fn take(listener: &TcpListener, manners: Manners) {
    let (mut stream, _) = listener.accept().await.unwrap();
    agree(&mut stream).await;
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    for expected in ["\"connected\"", "\"start\""] {
        let message = socket.next().await.unwrap().unwrap();
        assert!(message.to_text().unwrap().contains(expected), "{message:?}");
    }
    match manners {
        Manners::Close => socket.close(None).await.unwrap(),
        Manners::Cut => return,
        // Reserved bits are set.
        Manners::Garbage => socket.get_mut().write_all(&[0xf1, 0]).await.unwrap(),
        Manners::Binary => socket.send(Frame::binary(vec![0_u8; 160])).await.unwrap(),
        Manners::Speak => socket.send(Frame::text("{\"event\":\"clear\"}")).await.unwrap(),
        Manners::Listen => {}
    }
    while let Some(Ok(_)) = socket.next().await {}
}

async fn streamed(verb: &str, manners: Manners) -> Told {
    let application = application().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/media", listener.local_addr().unwrap());
    application.always(twiml(&format!("<Response><{verb}><Stream url=\"{url}\"/></{verb}></Response>")));
    let plan = Call { media_frames: 3, ..call_to(&application.url("/")) };
    let twilio = twilio();
    let (told, ()) = tokio::join!(call(&twilio, &plan), take(&listener, manners));
    told
}

#[tokio::test]
async fn each_end_of_a_stream_is_told() {
    for (verb, manners, codes, end) in [
        ("Connect", Manners::Listen, vec![0], "Twilio stopped it"),
        ("Connect", Manners::Close, vec![0], "the application closed it"),
        ("Connect", Manners::Cut, vec![0, 31903], "it broke"),
        ("Connect", Manners::Garbage, vec![0, 31924], "it broke"),
        ("Connect", Manners::Binary, vec![0, 31950], "Twilio stopped it"),
        ("Connect", Manners::Speak, vec![0, 31951], "Twilio stopped it"),
        ("Start", Manners::Listen, vec![0], "Twilio stopped it"),
        ("Start", Manners::Speak, vec![0, 31924], "Twilio stopped it"),
    ] {
        let told = streamed(verb, manners).await;
        assert_eq!(told.codes(), codes, "{verb} {manners:?}: {told:?}");
        let closed = told.steps.iter().find_map(|step| match step {
            Step::StreamClosed { end, .. } => Some(end.as_str()),
            _ => None,
        });
        assert_eq!(closed, Some(end), "{verb} {manners:?}");
    }
}

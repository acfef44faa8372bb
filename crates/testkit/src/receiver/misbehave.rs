//! What is done to the bare connection, once a request was read.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::behaviour::Behaviour;

/// Does it, until the client goes.
pub(super) async fn misbehave<Io>(mut io: Io, behaviour: Behaviour, reset: fn(&Io))
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    // Errors mean that the client has gone, which ends every misbehaviour.
    let _: io::Result<()> = match behaviour {
        Behaviour::Answer(_) | Behaviour::Close => Ok(()),
        Behaviour::Reset => {
            reset(&io);
            Ok(())
        }
        Behaviour::Hang => hang(&mut io).await,
        Behaviour::RawThenHang(bytes) => match io.write_all(&bytes).await {
            Ok(()) => hang(&mut io).await,
            gone => gone,
        },
        Behaviour::Raw(bytes) => raw(&mut io, &bytes).await,
        Behaviour::Trickle { status, every } => {
            trickle(&mut io, status, every).await.map(|never| match never {})
        }
        Behaviour::Endless { status } => endless(&mut io, status).await.map(|never| match never {}),
    };
}

/// Swallows what comes until the client goes.
async fn hang(io: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    tokio::io::copy(io, &mut tokio::io::sink()).await.map(drop)
}

async fn raw(io: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    io.write_all(bytes).await?;
    io.shutdown().await
}

async fn trickle(io: &mut (impl AsyncWrite + Unpin), status: u16, every: Duration) -> io::Result<Infallible> {
    io.write_all(format!("HTTP/1.1 {status} Slow\r\ncontent-length: 1000000\r\n\r\n").as_bytes()).await?;
    loop {
        io.write_all(b".").await?;
        io.flush().await?;
        tokio::time::sleep(every).await;
    }
}

async fn endless(io: &mut (impl AsyncWrite + Unpin), status: u16) -> io::Result<Infallible> {
    io.write_all(format!("HTTP/1.1 {status} Endless\r\ncontent-length: 10737418240\r\n\r\n").as_bytes())
        .await?;
    loop {
        io.write_all(&[b'.'; 8 * 1024]).await?;
    }
}

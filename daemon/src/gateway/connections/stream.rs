//! The bytes of one connection, as its protocol reads them: what was read to tell the protocol comes first.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::activity::Activity;

/// How an HTTP/2 connection begins.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Which protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.1, or 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Reads until it is clear which protocol it is, without TLS to say so. The bytes are to be read again.
pub(super) async fn protocol(io: &mut (impl AsyncRead + Unpin)) -> io::Result<(Protocol, Vec<u8>)> {
    let mut read = Vec::with_capacity(PREFACE.len());
    while read.len() < PREFACE.len() {
        let mut rest = (&mut *io).take((PREFACE.len() - read.len()) as u64);
        let more = rest.read_buf(&mut read).await?;
        if more == 0 || !PREFACE.starts_with(&read) {
            return Ok((Protocol::Http1, read));
        }
    }
    Ok((Protocol::Http2, read))
}

/// A connection's bytes.
pub(super) struct Stream<Io> {
    first: Vec<u8>,
    given: usize,
    io: Io,
    /// Hears of what is read where that begins a head: on HTTP/1. On HTTP/2 it may be any frame.
    heads: Option<Arc<Activity>>,
}

impl<Io> Stream<Io> {
    /// `first`, and then what `io` has.
    pub(super) fn new(first: Vec<u8>, io: Io, protocol: Protocol, activity: &Arc<Activity>) -> Self {
        let heads = (protocol == Protocol::Http1).then(|| Arc::clone(activity));
        Self { first, given: 0, io, heads }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Stream<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(rest) = this.first.get(this.given..).filter(|rest| !rest.is_empty()) {
            let most = rest.len().min(buffer.remaining());
            buffer.put_slice(rest.get(..most).unwrap_or_default());
            this.given += most;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.io).poll_read(context, buffer);
        if let Some(heads) = &this.heads
            && buffer.filled().len() > before
        {
            heads.received();
        }
        read
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Stream<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_preface_alone_is_http2_and_no_byte_is_lost() {
        for (sent, expected) in [
            (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore"[..], Protocol::Http2),
            (b"PRI * HTTP/1.1\r\n\r\n", Protocol::Http1),
            (b"POST / HTTP/1.1\r\n\r\n", Protocol::Http1),
            (b"P", Protocol::Http1),
            (b"", Protocol::Http1),
        ] {
            let mut io = sent;
            let (found, mut all) = protocol(&mut io).await.unwrap();
            assert_eq!(found, expected, "{}", sent.escape_ascii());
            all.extend_from_slice(io);
            assert_eq!(all, sent);
        }
    }
}

//! As much of HTTP/1.1 as a [`super::trap::Trap`] has to understand.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use super::trap::{Fate, Point, Shared};

/// A request or an answer, byte by byte.
struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
}

/// Carries requests there and answers back until somebody ends it.
pub(super) fn serve(shared: &Arc<Shared>, mut client: TcpStream, mut server: TcpStream) {
    while exchange(shared, &mut client, &mut server).is_some() {}
    drop(client.shutdown(Shutdown::Both));
    drop(server.shutdown(Shutdown::Both));
}

fn exchange(shared: &Shared, client: &mut TcpStream, server: &mut TcpStream) -> Option<()> {
    let request = Message::read(client)?;
    let text = request.text();
    shared.note(&text);
    let (first, second) = request.body.split_at(request.body.len() / 2);
    for (point, part) in [(Point::Before, &request.head[..]), (Point::Head, first), (Point::Middle, second)] {
        goes_on(shared, client, &text, point)?;
        server.write_all(part).ok()?;
    }
    let answer = Message::read(server)?;
    goes_on(shared, client, &text, Point::After)?;
    client.write_all(&answer.head).ok()?;
    client.write_all(&answer.body).ok()
}

fn goes_on(shared: &Shared, client: &mut TcpStream, text: &str, point: Point) -> Option<()> {
    match shared.at(text, point) {
        None => Some(()),
        Some(Fate::Answered(answer)) => {
            drop(client.write_all(answer.as_bytes()));
            None
        }
        Some(Fate::Cut | Fate::Held) => None,
    }
}

impl Message {
    fn read(from: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            if let Some(message) = Self::complete(&bytes) {
                return Some(message);
            }
            let length = from.read(&mut buffer).ok().filter(|length| *length > 0)?;
            bytes.extend_from_slice(buffer.get(..length)?);
        }
    }

    /// The message, if these bytes are all of it.
    fn complete(bytes: &[u8]) -> Option<Self> {
        let end = find(bytes, b"\r\n\r\n")? + 4;
        let (head, body) = bytes.split_at(end);
        let text = String::from_utf8_lossy(head).to_lowercase();
        let is_whole = match text.split_once("content-length:") {
            Some((_, rest)) => body.len() >= rest.lines().next()?.trim().parse().ok()?,
            None if text.contains("transfer-encoding: chunked") => ends_chunked(body)?,
            None => true,
        };
        is_whole.then(|| Self { head: head.to_vec(), body: body.to_vec() })
    }

    /// The request in words, as far as it is text: its address is decoded.
    fn text(&self) -> String {
        let (head, body) = (String::from_utf8_lossy(&self.head), String::from_utf8_lossy(&self.body));
        format!("{} {body}", head.lines().next().unwrap_or_default())
    }
}

/// Whether the last chunk is there.
fn ends_chunked(mut body: &[u8]) -> Option<bool> {
    loop {
        let end = find(body, b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(body.get(..end)?).ok()?.trim(), 16).ok()?;
        body = body.get(end + 2 + size + 2..)?;
        if size == 0 {
            return Some(true);
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}

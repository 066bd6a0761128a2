//! As much of Postgres's protocol as a [`super::trap::Trap`] has to understand: which statement is executed.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

use super::trap::{Point, Shared};

/// Codes of first messages that are not the start of a session: they ask for encryption.
const ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// Carries messages both ways until somebody ends it.
pub(super) fn serve(shared: &Arc<Shared>, client: TcpStream, server: TcpStream) {
    let executing: Arc<Mutex<Option<String>>> = Arc::default();
    let [mut from, mut to] = [server.try_clone(), client.try_clone()].map(|stream| stream.expect("a socket"));
    let (answering, answered) = (Arc::clone(shared), Arc::clone(&executing));
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let sql = answered.lock().expect("nobody panicked").take();
            let is_cut = sql.is_some_and(|sql| answering.at(&sql, Point::After).is_some());
            if is_cut || to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    });
    let (mut client, mut server) = (client, server);
    while carry_one_session(shared, &mut client, &mut server, &executing).is_some() {}
    drop(client.shutdown(Shutdown::Both));
    drop(server.shutdown(Shutdown::Both));
}

fn carry_one_session(
    shared: &Shared,
    client: &mut TcpStream,
    server: &mut TcpStream,
    executing: &Mutex<Option<String>>,
) -> Option<()> {
    let mut is_encryption_asked = true;
    while is_encryption_asked {
        let first = read(client, 0)?;
        let code = first.get(4..8).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes)?;
        is_encryption_asked = ENCRYPTION.contains(&code);
        server.write_all(&first).ok()?;
    }
    let mut prepared: HashMap<Vec<u8>, String> = HashMap::new();
    loop {
        let message = read(client, 1)?;
        let (kind, content) = (*message.first()?, message.get(5..)?);
        let mut texts = content.split(|byte| *byte == 0);
        let (first, second) = (texts.next()?, texts.next());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let sql = match kind {
            b'P' => {
                prepared.insert(first.to_vec(), text(second?));
                None
            }
            b'B' => prepared.get(second?).cloned(),
            b'Q' => Some(text(first)),
            _ => None,
        };
        if let Some(sql) = sql {
            shared.note(&sql);
            if shared.at(&sql, Point::Before).is_some() {
                return None;
            }
            *executing.lock().expect("nobody panicked") = Some(sql);
        }
        server.write_all(&message).ok()?;
    }
}

/// One message whose length stands after so many bytes.
fn read(from: &mut TcpStream, at: usize) -> Option<Vec<u8>> {
    let mut message = vec![0; at + 4];
    from.read_exact(&mut message).ok()?;
    let length = u32::from_be_bytes(message.get(at..)?.try_into().ok()?) as usize;
    message.resize(at + length, 0);
    from.read_exact(message.get_mut(at + 4..)?).ok()?;
    Some(message)
}

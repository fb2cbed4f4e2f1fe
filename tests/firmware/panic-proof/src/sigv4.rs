//! dunlin-sigv4: a presigned target, from any input, written through a window.

use crate::opaque::{bytes, keep, memory, number, text};
use dunlin_octet::{Count, Text, Window};
use dunlin_sigv4::{Credentials, Payload, Presign, Token, UnixTime, presign};

pub fn all() {
    let credentials = Credentials {
        access_key_id: text(),
        secret_access_key: text(),
        session_token: (number() > 0).then(text),
    };
    let at = UnixTime::parse_iso8601(text()).unwrap_or(UnixTime::from_secs(bytes().len() as u64));
    let request = Presign::iot(credentials, text(), text(), at);
    write(&request);
    let (expires, payload) = (u32::try_from(number()).ok(), Payload::Unsigned);
    let (path, service) = (text(), text());
    write(&Presign { token: Token::Signed, expires, payload, path, service, ..request });
}

fn write(request: &Presign<'_>) {
    match presign(request) {
        Ok(presigned) => {
            let mut array = [0; 64];
            let mut window = Window::new(memory(&mut array), number());
            presigned.write(&mut window);
            keep((window.filled(), Count::of(&presigned), presigned.signature()));
        }
        Err(invalid) => crate::opaque::show(&invalid),
    }
}

//! dunlin-sigv4: a signed target and signed headers, from any input, written through a window.

use crate::opaque::{bytes, keep, memory, number, text};
use dunlin_octet::{Count, Sink, Text, Window};
use dunlin_sigv4::{
    Credentials, InvalidInput, Key, Pairs, Payload, PayloadHash, Request, Token, UnixTime,
};

pub fn all() {
    let credentials = Credentials {
        access_key_id: text(),
        secret_access_key: text(),
        session_token: (number() > 0).then(text),
    };
    let at = UnixTime::parse_iso8601(text()).unwrap_or(UnixTime::from_secs(bytes().len() as u64));
    let mut key = Key::new();
    let iot = Request::iot(credentials, text(), text(), at);
    sign(&iot, &mut key);
    let pairs = [(text(), text()), (text(), text()), (text(), text())];
    let (query, headers) = pairs.split_at_checked(number()).unwrap_or((&pairs, &[]));
    let mut hash = PayloadHash::new();
    hash.put(bytes());
    let service = Request::new(credentials, text(), text(), text(), at);
    let (query, headers) = (Pairs::of(query), Pairs::of(headers));
    sign(&Request { query, headers, payload: hash.finish(), path: text(), ..service }, &mut key);
    let (payload, method) = (Payload::of(&text()), text());
    sign(&Request { token: Token::Appended, payload, method, ..service }, &mut key);
    sign(&Request { payload: Payload::Unsigned, ..service }, &mut key);
}

fn sign(request: &Request<'_>, key: &mut Key) {
    match request.presign(key, u32::try_from(number()).ok()) {
        Ok(signed) => {
            write(&signed);
            keep(signed.signature());
        }
        Err(invalid) => refused(invalid),
    }
    match request.authorize(key) {
        Ok(signed) => {
            write(&signed);
            write(&signed.authorization());
            keep(signed.signature());
        }
        Err(invalid) => refused(invalid),
    }
}

fn write(text: &dyn Text) {
    let mut array = [0; 64];
    let mut window = Window::new(memory(&mut array), number());
    text.write(&mut window);
    keep((window.filled(), Count::of(&text)));
}

fn refused(invalid: InvalidInput) {
    crate::opaque::show(&invalid);
}

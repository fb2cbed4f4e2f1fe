//! dunlin-ws: the upgrade at both ends, frames in and out.

use crate::opaque::{bytes, keep, memory, number, show, text};
use dunlin_octet::{Inbox, Text, Writer};
use dunlin_ws::{
    Acceptance, CloseCode, Deframer, Field, Header, Opcode, Refusal, Request, Role, Upgrade,
};

pub fn all() {
    upgrade(&mut [0; 64]);
    acceptance(&mut [0; 64]);
    for role in [Role::Client, Role::Server] {
        deframe(role, &mut [0; 64]);
    }
    encode(&mut [0; 64]);
}

fn upgrade(array: &mut [u8]) {
    let fields = [Field { name: text(), value: text() }];
    let target: &'static (dyn Text + Sync) = const { &"/mqtt" };
    let request = match Request::new(text(), target, &fields) {
        Ok(request) => request,
        Err(invalid) => return show(&invalid),
    };
    let mut upgrade = Upgrade::new(request, text(), [7; 16]);
    let mut inbox = Inbox::new(memory(array));
    keep(upgrade.poll_transmit(memory(&mut [0; 64])));
    while inbox.receive(bytes()) > 0 {
        match upgrade.poll(&mut inbox) {
            Ok(done) => keep(done),
            Err(error) => show(&error),
        }
    }
    show(&upgrade.handle_eof(&mut inbox));
    if let Some(refusal) = Refusal::parse(inbox.stream()) {
        show(&refusal.status());
        keep((refusal.status().is_retryable(), refusal.field(text()), refusal.body()));
    }
}

fn acceptance(array: &mut [u8]) {
    let mut acceptance = Acceptance::new(text());
    let mut inbox = Inbox::new(memory(array));
    while inbox.receive(bytes()) > 0 {
        match acceptance.poll(&mut inbox) {
            Ok(done) => keep(done),
            Err(error) => show(&error),
        }
    }
    keep((acceptance.poll_transmit(memory(&mut [0; 64])), acceptance.is_agreed()));
    show(&acceptance.handle_eof());
}

fn deframe(role: Role, array: &mut [u8]) {
    let mut deframer = Deframer::new(role);
    let mut inbox = Inbox::new(memory(array));
    while inbox.receive(bytes()) > 0 {
        match deframer.poll(&mut inbox) {
            Ok(incoming) => keep((incoming, deframer.control())),
            Err(error) => {
                show(&error);
                show(&error.close_code());
            }
        }
        inbox.consume(number());
    }
}

fn encode(array: &mut [u8]) {
    if let Ok(decoded) = Header::decode(bytes()) {
        keep(decoded);
    }
    let mask = (number() > 0).then_some([1, 2, 3, 4]);
    let header = Header { fin: number() > 1, opcode: Opcode::Binary, mask, len: number() as u64 };
    keep((header.encoded_len(), header.encode(&mut Writer::new(memory(array)))));
    keep(CloseCode::new(number() as u16));
}

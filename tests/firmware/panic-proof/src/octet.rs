//! dunlin-octet: cursors, sinks, the receive buffer, moves and masks.

use crate::opaque::{bytes, keep, memory, number, text};
use dunlin_octet::{
    Count, Inbox, Reader, Sink, Text, Window, Writer, copy, copy_masked, mask, shift,
};

pub fn all() {
    reader();
    writer(&mut [0; 64]);
    sinks(&mut [0; 64]);
    inbox(&mut [0; 64]);
    moves(&mut [0; 64]);
}

fn reader() {
    let mut reader = Reader::new(bytes());
    keep((reader.u8(), reader.u16(), reader.u32(), reader.u64()));
    keep((reader.take(number()), reader.len(), reader.is_empty(), reader.rest()));
}

fn writer(array: &mut [u8]) {
    let mut writer = Writer::new(memory(array));
    keep((writer.put_u8(1), writer.put_u16(2), writer.put_u32(3), writer.put_slice(bytes())));
    keep(writer.reserve(number()));
    writer.put(bytes());
    keep((writer.room(), writer.len(), writer.is_empty()));
    keep(writer.written());
    keep(writer.finish());
}

fn sinks(array: &mut [u8]) {
    let mut window = Window::new(memory(array), number());
    bytes().write(&mut window);
    text().write(&mut window);
    keep((window.filled(), window.overflowed(), Count::of(text())));
}

fn inbox(array: &mut [u8]) {
    let mut inbox = Inbox::new(memory(array));
    keep(inbox.spare());
    inbox.commit(number());
    keep(inbox.receive(bytes()));
    inbox.skip(number());
    inbox.accept(number());
    inbox.accept_masked(number(), [1, 2, 3, 4], number());
    keep((inbox.capacity(), inbox.grow(number())));
    keep(inbox.raw_mut());
    keep((inbox.raw(), inbox.stream()));
    inbox.consume(number());
}

fn moves(array: &mut [u8]) {
    let memory = memory(array);
    keep(copy(bytes(), memory));
    keep(copy_masked(bytes(), memory, [1, 2, 3, 4], number()));
    mask(memory, [1, 2, 3, 4], number());
    shift(memory, number(), number(), number());
}

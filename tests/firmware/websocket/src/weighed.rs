//! What is weighed: each thing that a WebSocket client does, once.

use dunlin_octet::{Inbox, Text, Writer, copy_masked};
use dunlin_ws::{Deframer, Header, Incoming, Malformed, Opcode, Request, Upgrade, UpgradeError};

/// Makes the request.
#[inline(never)]
pub fn request<'r>(host: &'r str, nonce: [u8; 16]) -> Result<Upgrade<'r>, UpgradeError> {
    let target: &'static (dyn Text + Sync) = const { &"/mqtt" };
    let request = Request::new(host, target, &[]).map_err(UpgradeError::Request)?;
    Ok(Upgrade::new(request, "mqtt", nonce))
}

/// Writes the request out.
#[inline(never)]
pub fn write(upgrade: &mut Upgrade<'_>, out: &mut [u8]) -> usize {
    upgrade.poll_transmit(out)
}

/// Reads the answer.
#[inline(never)]
pub fn read(upgrade: &mut Upgrade<'_>, inbox: &mut Inbox<&mut [u8]>) -> Result<bool, UpgradeError> {
    upgrade.poll(inbox)
}

/// Takes bytes in.
#[inline(never)]
pub fn receive(inbox: &mut Inbox<&mut [u8]>, bytes: &[u8]) -> usize {
    inbox.receive(bytes)
}

/// Takes frames apart.
#[inline(never)]
pub fn deframe(
    deframer: &mut Deframer,
    inbox: &mut Inbox<&mut [u8]>,
) -> Result<Option<Incoming>, Malformed> {
    deframer.poll(inbox)
}

/// Puts a frame, if there is room.
#[inline(never)]
pub fn frame(out: &mut Writer<'_>, opcode: Opcode, key: [u8; 4], payload: &[u8]) {
    let header = Header { fin: true, opcode, mask: Some(key), len: payload.len() as u64 };
    if header.encode(out).is_ok()
        && let Ok(place) = out.reserve(payload.len())
    {
        copy_masked(payload, place, key, 0);
    }
}

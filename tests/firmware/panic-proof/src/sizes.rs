//! How large the core's main types are on this target, for `cargo x size`.

use crate::opaque::keep;

/// Makes the linker keep the table.
pub fn keep_table() {
    keep(&TABLE);
}

/// A name filled up with zeros, and a size; `cargo x size` reads the section.
#[repr(C)]
struct Entry {
    name: [u8; 28],
    size: u32,
}

#[unsafe(link_section = ".dunlin.sizes")]
static TABLE: [Entry; 9] = [
    entry::<dunlin_octet::Inbox<&mut [u8]>>("octet Inbox"),
    entry::<dunlin_ws::Upgrade<'_>>("ws Upgrade"),
    entry::<dunlin_ws::Deframer>("ws Deframer"),
    entry::<dunlin_sigv4::Key>("sigv4 Key"),
    entry::<dunlin_sigv4::Request<'_>>("sigv4 Request"),
    entry::<dunlin_sigv4::Presigned<'_>>("sigv4 Presigned"),
    entry::<crate::mqtt::Small<'_>>("mqtt Session, 4 in flight"),
    entry::<dunlin::Session<&mut [u8], 8>>("mqtt Session, 8 in flight"),
    entry::<dunlin::Connection<'_, &mut [u8]>>("client Connection"),
];

const fn entry<T>(name: &str) -> Entry {
    let mut filled = [0; 28];
    let (place, _) = filled.split_at_mut(name.len());
    place.copy_from_slice(name.as_bytes());
    Entry { name: filled, size: size_of::<T>() as u32 }
}

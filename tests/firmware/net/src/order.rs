//! What a run is about, as the host says it.

use crate::host;
use dunlin_embassy::dunlin::Version;
use static_cell::ConstStaticCell;

/// Longest of all arguments together, in bytes: a root has some 400, in two digits each.
const LINE_MAX: usize = 2048;

/// Longest root, in bytes.
const ROOT_MAX: usize = 768;

/// What a run is about.
pub struct Order {
    pub scenario: &'static str,
    pub version: Version,
    /// Of the broker, or of what stands before it.
    pub port: u16,
    pub seed: u64,
    /// What TLS is to be spoken with, if it is.
    pub tls: Option<Tls>,
    /// Where credentials come from, if they have to be fetched.
    pub pool: Option<Pool>,
    /// The port of a second broker, if there is one.
    pub cloud: Option<u16>,
}

/// Who the server has to prove to be, and by whose word.
pub struct Tls {
    pub host: &'static str,
    /// A certificate in DER.
    pub roots: [&'static [u8]; 1],
}

/// An identity pool.
pub struct Pool {
    /// Of the service, in the clear.
    pub port: u16,
    pub name: &'static str,
}

impl Order {
    /// `SCENARIO VERSION PORT SEED`, and whatever else the scenario needs: `tls=HOST:ROOT`, the root in
    /// hexadecimal digits, `pool=PORT:NAME`, and `cloud=PORT`.
    pub fn read() -> Option<Self> {
        static LINE: ConstStaticCell<[u8; LINE_MAX]> = ConstStaticCell::new([0; LINE_MAX]);
        let mut words = host::arguments(LINE.take());
        let mut order = Self {
            scenario: words.next()?,
            version: if words.next()? == "5" { Version::V5 } else { Version::V3 },
            port: words.next()?.parse().ok()?,
            seed: words.next()?.parse().ok()?,
            tls: None,
            pool: None,
            cloud: None,
        };
        for word in words {
            match word.split_once('=')? {
                ("tls", tls) => order.tls = Some(Tls::read(tls)?),
                ("pool", pool) => {
                    let (port, name) = pool.split_once(':')?;
                    order.pool = Some(Pool { port: port.parse().ok()?, name });
                }
                ("cloud", port) => order.cloud = Some(port.parse().ok()?),
                _ => return None,
            }
        }
        Some(order)
    }
}

impl Tls {
    fn read(text: &'static str) -> Option<Self> {
        static ROOT: ConstStaticCell<[u8; ROOT_MAX]> = ConstStaticCell::new([0; ROOT_MAX]);
        let (host, digits) = text.split_once(':')?;
        let root = ROOT.take().get_mut(..digits.len() / 2)?;
        for (byte, pair) in root.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self { host, roots: [root] })
    }
}

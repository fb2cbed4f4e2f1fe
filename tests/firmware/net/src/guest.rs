//! A guest of an identity pool, who asks for credentials in the clear: the service is on this machine.

use crate::{host, order::Pool};
use dunlin_aws::UnixTime;
use dunlin_embassy::{TcpConnector, Unavailable};
use embassy_net::Stack;
use shared::cognito::{ANSWER_MAX, Identity, Kept, fetch_credentials, fetch_identity, host_of};
use static_cell::ConstStaticCell;

/// Fetches an identity once, and credentials for it whenever they are asked for.
pub struct Guest {
    pool: &'static Pool,
    door: TcpConnector<'static>,
    answer: &'static mut [u8; ANSWER_MAX],
    identity: Option<Identity>,
}

impl Guest {
    /// To be called once, for there is memory for one.
    pub fn new(stack: Stack<'static>, pool: &'static Pool) -> Self {
        static RX: ConstStaticCell<[u8; 2048]> = ConstStaticCell::new([0; 2048]);
        static TX: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
        static ANSWER: ConstStaticCell<[u8; ANSWER_MAX]> = ConstStaticCell::new([0; ANSWER_MAX]);
        let door = TcpConnector::new(stack, host::ADDRESS, pool.port, RX.take(), TX.take());
        Self { pool, door, answer: ANSWER.take(), identity: None }
    }

    pub async fn credentials(&mut self, now: UnixTime) -> Result<Kept, Unavailable> {
        let Self { pool, door, answer, identity } = self;
        let (host, answer) = (host_of(pool.name).ok_or(Unavailable)?, answer.as_mut());
        let identity = match identity {
            Some(identity) => identity,
            none => none.insert(fetch_identity(&host, pool.name, door, answer).await?),
        };
        host::say(format_args!("identity {identity}"));
        fetch_credentials(&host, identity, now, door, answer).await
    }
}

//! A build without messages that are longer than the receive buffer: all are refused.

use super::{Connection, intake::Ready};
use crate::{Error, Session, mqtt};
use dunlin_mqtt::FixedHeader;
use dunlin_octet::Buffer;

#[derive(Clone, Copy, Debug)]
pub(super) enum Long {}

impl<B: Buffer, A: Buffer> Connection<'_, B, A> {
    pub(super) fn find_long(&mut self, _: FixedHeader, _: usize) -> Result<(), Error> {
        Err(mqtt::Misbehaved::PacketTooLarge.into())
    }

    pub(super) const fn advance_long<S: Buffer, const N: usize>(
        &mut self,
        _: &mut Session<S, N>,
    ) -> Result<Option<Ready>, Error> {
        Ok(None)
    }
}

//! The WebSocket of a build without any: there is none, and what would be done with one is left out.

use crate::{Entropy, Error, opening::Request, timers::Timers, transmit::Transmit, ws};
use core::{convert::Infallible, marker::PhantomData};
use dunlin_octet::{Buffer, Inbox};

#[derive(Debug)]
pub(in crate::connection) struct WebSocket<'o>(Infallible, PhantomData<&'o ()>);

impl<'o> WebSocket<'o> {
    pub(in crate::connection) const fn new(request: Request<'o>, _: &mut dyn Entropy) -> Self {
        match request.never {}
    }

    pub(in crate::connection) const fn is_upgrading(&self) -> bool {
        match self.0 {}
    }

    pub(in crate::connection) const fn poll_transmit(&mut self, _: &mut [u8]) -> Option<usize> {
        match self.0 {}
    }

    pub(in crate::connection) const fn handle_eof<B: Buffer>(
        &mut self,
        _: &mut Inbox<B>,
    ) -> Option<ws::UpgradeError> {
        match self.0 {}
    }

    pub(in crate::connection) const fn close_reason(&self) -> &[u8] {
        match self.0 {}
    }

    pub(in crate::connection) const fn deframe<B: Buffer>(
        &mut self,
        _: &mut Inbox<B>,
        _: &mut Transmit,
        _: &mut Timers,
    ) -> Result<bool, Error> {
        match self.0 {}
    }
}

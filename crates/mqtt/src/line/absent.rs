//! A build without QoS 2: its second half has no answers.

use crate::ack::Answer;
use core::marker::PhantomData;
use dunlin_octet::Places;

#[derive(Debug)]
pub(crate) struct Line<const N: usize, P = [Option<Answer>; N]>(PhantomData<P>);

impl<const N: usize, P: Places<Option<Answer>>> Line<N, P> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }

    pub(crate) const fn is_full(&self) -> bool {
        false
    }

    pub(crate) const fn clear(&mut self) {}

    pub(crate) const fn push(&mut self, _: Answer) {}

    pub(crate) const fn push_once(&mut self, _: Answer) {}

    pub(crate) const fn pop(&mut self) -> Option<Answer> {
        None
    }
}

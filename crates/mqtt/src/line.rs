//! Answers that wait in line.

use crate::ack::Answer;
use dunlin_octet::Places;

/// A queue of up to `N` answers.
#[derive(Debug)]
pub(crate) struct Line<const N: usize, P = [Option<Answer>; N]> {
    answers: P,
    /// As many answers as there are slots: less than 65,535.
    first: u16,
    len: u16,
}

impl<const N: usize, P: Places<Option<Answer>>> Line<N, P> {
    pub(crate) const fn new() -> Self {
        Self { answers: P::EMPTY, first: 0, len: 0 }
    }

    pub(crate) fn is_full(&self) -> bool {
        usize::from(self.len) >= N
    }

    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }

    /// Puts `answer` at the end, if there is room.
    pub(crate) fn push(&mut self, answer: Answer) {
        let place = self.place(self.len.into());
        if !self.is_full()
            && let Some(place) = self.answers.reach(place)
        {
            *place = Some(answer);
            self.len = self.len.saturating_add(1);
        }
    }

    /// The same, unless one for the same exchange waits there already.
    pub(crate) fn push_once(&mut self, answer: Answer) {
        let waits = (0..usize::from(self.len)).any(|behind| {
            let waiting = self.answers.made().get(self.place(behind)).copied().flatten();
            waiting.is_some_and(|waiting| waiting.packet_id == answer.packet_id)
        });
        if !waits {
            self.push(answer);
        }
    }

    /// Takes the one in front.
    pub(crate) fn pop(&mut self) -> Option<Answer> {
        if self.len == 0 {
            return None;
        }
        let answer = self.answers.made().get(usize::from(self.first)).copied().flatten();
        self.first = u16::try_from(self.place(1)).unwrap_or(0);
        self.len = self.len.saturating_sub(1);
        answer
    }

    /// Where the answer is that stands so many behind the first.
    fn place(&self, behind: usize) -> usize {
        usize::from(self.first).saturating_add(behind).checked_rem(N).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PacketId;

    #[test]
    fn answers_leave_in_the_order_they_came() {
        let id = |id| Answer::new(PacketId::new(id).unwrap(), id % 2 == 0);
        let mut line = <Line<2>>::new();
        for round in 1..=5 {
            line.push(id(round));
            line.push(id(round + 10));
            assert!(line.is_full());
            line.push(id(99));
            assert_eq!(line.pop(), Some(id(round)));
            assert_eq!(line.pop(), Some(id(round + 10)));
            assert_eq!(line.pop(), None);
        }
        line.push_once(id(1));
        line.push_once(id(1));
        line.push_once(id(2));
        assert_eq!((line.pop(), line.pop(), line.pop()), (Some(id(1)), Some(id(2)), None));
        line.push(id(1));
        line.clear();
        assert_eq!(line.pop(), None);
    }
}

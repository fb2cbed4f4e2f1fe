//! Where the next connection goes, when servers name others to be used, or do not answer.

use crate::{ENDPOINT_STABLE, Error, Options, ServerReference, Url};
use std::time::Duration;

/// How many references are followed without a connection, so that servers that name one another are not
/// followed for ever while somebody waits for the first connection.
const FOLLOWED_MAX: u32 = 4;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The place that the server has named.
    Named,
    /// An endpoint that has not failed since the last one that did not: there is nothing to wait for.
    Untried,
    /// Where it has been tried before.
    Again,
}

/// Where the next connection goes.
pub(super) struct Redirect {
    policy: ServerReference,
    /// Where to go when nothing else is known: all endpoints, in order.
    homes: Vec<Url>,
    /// Which of them.
    at: usize,
    /// How many attempts have failed since the last wait.
    failed: usize,
    /// Where the server has sent us for now.
    away: Option<Url>,
    followed: u32,
}

impl Redirect {
    pub(super) fn new(options: &Options) -> Self {
        let homes = options.endpoints().cloned().collect();
        let policy = options.server_reference;
        Self { policy, homes, at: 0, failed: 0, away: None, followed: 0 }
    }

    pub(super) fn url(&self) -> &Url {
        self.away.as_ref().unwrap_or(&self.homes[self.at])
    }

    /// A connection has ended, which stood for so long, if it came about.
    pub(super) fn handle_ended(&mut self, error: &Error, stood: Option<Duration>) -> Next {
        if stood.is_some() {
            self.followed = 0;
        }
        let reference = error.reference().filter(|_| self.policy == ServerReference::Follow);
        let other = reference.and_then(|(to, moved)| Some((self.url().at_reference(to)?, moved)));
        if let Some((url, moved)) = other
            && self.followed < FOLLOWED_MAX
        {
            self.followed += 1;
            if moved {
                self.homes[self.at] = url;
                self.away = None;
            } else {
                self.away = Some(url);
            }
            return Next::Named;
        }
        let was_away = self.away.is_some();
        // Somewhere else it did not work: back to where it is known to have.
        if stood.is_none() {
            self.away = None;
            self.followed = 0;
        }
        if !was_away {
            self.at = match stood {
                Some(stood) if stood >= ENDPOINT_STABLE => 0,
                _ => (self.at + 1) % self.homes.len(),
            };
        }
        self.failed = if stood.is_some() { self.homes.len() } else { self.failed + 1 };
        if self.failed < self.homes.len() {
            return Next::Untried;
        }
        self.failed = 0;
        Next::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_drive::dunlin::{self, Closed, ReasonCode, Refused};

    const LONG: Duration = ENDPOINT_STABLE;
    const SHORT: Duration = Duration::from_millis(1);

    fn ended(reason: ReasonCode, to: &str, connected: bool) -> Error {
        let error = if connected {
            dunlin::Error::Closed(Closed::Disconnected(reason))
        } else {
            dunlin::Error::Refused(Refused::Connect(reason))
        };
        let server_reference = Some(to.to_owned());
        Error::Ended { error, io: None, said: String::new(), server_reference, cause: None }
    }

    fn redirect(policy: ServerReference) -> Redirect {
        Redirect::new(&Options::parse("ws://home").unwrap().server_reference(policy))
    }

    #[test]
    fn reference_is_followed_for_now_or_for_good_and_only_when_allowed() {
        let (now, good) = (ReasonCode::USE_ANOTHER_SERVER, ReasonCode::SERVER_MOVED);
        for connected in [true, false] {
            let mut redirect = redirect(ServerReference::Follow);
            let stood = connected.then_some(LONG);
            assert_eq!(redirect.handle_ended(&ended(now, "a:1", connected), stood), Next::Named);
            assert_eq!(redirect.url().host_header(), "a:1");
            assert_eq!(redirect.handle_ended(&Error::Closed, Some(LONG)), Next::Again);
            assert_eq!(redirect.url().host(), "a");
            assert_eq!(redirect.handle_ended(&Error::Closed, None), Next::Again);
            assert_eq!(redirect.url().host(), "home");
            assert_eq!(redirect.handle_ended(&ended(good, "b", connected), stood), Next::Named);
            assert_eq!(redirect.handle_ended(&Error::Closed, None), Next::Again);
            assert_eq!(redirect.url().host(), "b");
        }
        let mut ignoring = redirect(ServerReference::Ignore);
        for reason in [now, good] {
            assert_eq!(ignoring.handle_ended(&ended(reason, "a", true), Some(LONG)), Next::Again);
            assert_eq!(ignoring.url().host(), "home");
        }
    }

    #[test]
    fn servers_that_name_one_another_are_not_followed_for_ever() {
        let mut redirect = redirect(ServerReference::Follow);
        let mut next =
            |to| redirect.handle_ended(&ended(ReasonCode::SERVER_MOVED, to, false), None);
        assert_eq!(["a", "b", "a", "b"].map(&mut next), [Next::Named; 4]);
        assert_eq!(next("a"), Next::Again);
    }

    #[test]
    fn reference_behind_a_connection_is_followed_however_many_came_before() {
        let mut redirect = redirect(ServerReference::Follow);
        for _ in 0..=FOLLOWED_MAX {
            let moved = ended(ReasonCode::SERVER_MOVED, "a", true);
            assert_eq!(redirect.handle_ended(&moved, Some(SHORT)), Next::Named);
        }
    }

    #[test]
    fn reference_without_a_server_or_beside_another_reason_is_none() {
        let mut redirect = redirect(ServerReference::Follow);
        for (reason, to) in [(ReasonCode::SERVER_MOVED, "a/b"), (ReasonCode::SERVER_BUSY, "a")] {
            assert_eq!(redirect.handle_ended(&ended(reason, to, true), Some(LONG)), Next::Again);
        }
        assert_eq!(redirect.url().host(), "home");
    }

    /// Three endpoints, `a`, `b` and `c`.
    fn three() -> Redirect {
        let [b, c] = ["ws://b", "ws://c"].map(|url| url.parse().unwrap());
        Redirect::new(&Options::parse("ws://a").unwrap().or_at(b).or_at(c))
    }

    #[test]
    fn endpoints_that_fail_are_followed_by_the_next_at_once_until_all_have() {
        let mut redirect = three();
        let mut tried = String::new();
        let next = [(); 6].map(|()| {
            tried.push_str(redirect.url().host());
            redirect.handle_ended(&Error::Closed, None)
        });
        assert_eq!(tried, "abcabc");
        let round = [Next::Untried, Next::Untried, Next::Again];
        assert_eq!(next, [round, round].concat()[..]);
    }

    #[test]
    fn connection_that_stood_begins_with_the_first_endpoint_and_a_short_one_goes_on() {
        let mut redirect = three();
        assert_eq!(redirect.handle_ended(&Error::Closed, None), Next::Untried);
        assert_eq!(redirect.handle_ended(&Error::Closed, Some(SHORT)), Next::Again);
        assert_eq!(redirect.url().host(), "c");
        assert_eq!(redirect.handle_ended(&Error::Closed, Some(LONG)), Next::Again);
        assert_eq!(redirect.url().host(), "a");
        // Each of them has its chance before the next wait.
        let round = [(); 3].map(|()| redirect.handle_ended(&Error::Closed, None));
        assert_eq!(round, [Next::Untried, Next::Untried, Next::Again]);
    }

    #[test]
    fn endpoint_that_has_moved_keeps_its_place_among_the_others() {
        let options = Options::parse("ws://a").unwrap().or_at("ws://b".parse().unwrap());
        let mut redirect = Redirect::new(&options.server_reference(ServerReference::Follow));
        let moved = ended(ReasonCode::SERVER_MOVED, "new", false);
        assert_eq!(redirect.handle_ended(&moved, None), Next::Named);
        let mut tried = String::new();
        for _ in 0..3 {
            tried.push_str(redirect.url().host());
            redirect.handle_ended(&Error::Closed, None);
        }
        assert_eq!(tried, "newbnew");
    }
}

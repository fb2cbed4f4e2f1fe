//! Where the next connection goes, when servers name others to be used.

use crate::{Error, Options, ServerReference, Url};

/// How many references are followed without a connection, so that servers that name one another are not
/// followed for ever while somebody waits for the first connection.
const FOLLOWED_MAX: u32 = 4;

/// Where the next connection goes.
pub(super) struct Redirect {
    policy: ServerReference,
    /// Where to go when nothing else is known.
    home: Url,
    /// Where the server has sent us for now.
    away: Option<Url>,
    followed: u32,
}

impl Redirect {
    pub(super) fn new(options: &Options) -> Self {
        let home = options.url.clone();
        Self { policy: options.server_reference, home, away: None, followed: 0 }
    }

    pub(super) fn url(&self) -> &Url {
        self.away.as_ref().unwrap_or(&self.home)
    }

    /// A connection has ended; says whether the next one goes where the server has sent us.
    pub(super) fn handle_ended(&mut self, error: &Error, connected: bool) -> bool {
        if connected {
            self.followed = 0;
        }
        let reference = error.reference().filter(|_| self.policy == ServerReference::Follow);
        let other = reference.and_then(|(to, moved)| Some((self.url().at_reference(to)?, moved)));
        match other {
            Some((url, moved)) if self.followed < FOLLOWED_MAX => {
                self.followed += 1;
                if moved {
                    self.home = url;
                    self.away = None;
                } else {
                    self.away = Some(url);
                }
                true
            }
            _ => {
                // Somewhere else it did not work: back to where it is known to have.
                if !connected {
                    self.away = None;
                    self.followed = 0;
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_drive::dunlin::{self, Closed, ReasonCode, Refused};

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
            assert!(redirect.handle_ended(&ended(now, "a:1", connected), connected));
            assert_eq!(redirect.url().host_header(), "a:1");
            assert!(!redirect.handle_ended(&Error::Closed, true));
            assert_eq!(redirect.url().host(), "a");
            assert!(!redirect.handle_ended(&Error::Closed, false));
            assert_eq!(redirect.url().host(), "home");
            assert!(redirect.handle_ended(&ended(good, "b", connected), connected));
            assert!(!redirect.handle_ended(&Error::Closed, false));
            assert_eq!(redirect.url().host(), "b");
        }
        let mut ignoring = redirect(ServerReference::Ignore);
        for reason in [now, good] {
            assert!(!ignoring.handle_ended(&ended(reason, "a", true), true));
            assert_eq!(ignoring.url().host(), "home");
        }
    }

    #[test]
    fn servers_that_name_one_another_are_not_followed_for_ever() {
        let mut redirect = redirect(ServerReference::Follow);
        let mut next =
            |to| redirect.handle_ended(&ended(ReasonCode::SERVER_MOVED, to, false), false);
        assert!(["a", "b", "a", "b"].into_iter().all(&mut next));
        assert!(!next("a"));
    }

    #[test]
    fn reference_without_a_server_or_beside_another_reason_is_none() {
        let mut redirect = redirect(ServerReference::Follow);
        assert!(!redirect.handle_ended(&ended(ReasonCode::SERVER_MOVED, "a/b", true), true));
        assert!(!redirect.handle_ended(&ended(ReasonCode::SERVER_BUSY, "a", true), true));
        assert_eq!(redirect.url().host(), "home");
    }
}

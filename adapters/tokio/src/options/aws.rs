//! What options say of AWS IoT Core.

use super::{Lists, Options, Persistence};
use crate::{
    Error,
    aws::{Clock, Collected, Mode, Signing},
};
use core::time::Duration;
use dunlin_aws::{
    Access, Authorizer, Breach, Guard, InvalidAuthorizer, Limiter, TOPIC_ALIASES_MAX, UnixTime,
    keep_alive_s, session_expiry_s,
};
use dunlin_drive::dunlin::{Version, octet::Text};

/// When a connection to AWS IoT Core is renewed, unless told otherwise: it would be cut after a day.
pub const AWS_RENEW_AFTER_DEFAULT: Duration = Duration::from_secs(23 * 3_600 + 1_800);

impl Options {
    /// Signs each upgrade request for AWS IoT Core, afresh at each connect, and keeps to its rules
    /// ([`Options::aws_iot`]).
    #[must_use]
    pub fn aws(self, signing: Signing) -> Self {
        Self { aws: Some(signing), ..self.aws_iot() }
    }

    /// Keeps to the rules of AWS IoT Core, whose ways to say no are silence and a closed socket.
    ///
    /// For those that do not sign: with a custom authorizer or a client certificate. What it would drop
    /// the connection for is refused before it is sent; keep alive, session expiry and topic aliases are
    /// brought into its range; no more than 100 messages of QoS 1 are under way; one client identifier
    /// connects once a second; the connection is renewed before it is a day old; and errors say why it may
    /// have hung up. On port 443 without WebSocket,
    /// the ALPN protocol that it needs there is offered, unless others are.
    #[must_use]
    pub fn aws_iot(self) -> Self {
        let renew_after = self.renew_after.or(Some(AWS_RENEW_AFTER_DEFAULT));
        Self { iot: Some(self.iot.unwrap_or_default()), renew_after, ..self }
    }

    /// Asks a custom authorizer: in the header fields of the upgrade request or, without WebSocket, in
    /// the user name, behind the one that is there.
    pub fn aws_authorizer(self, authorizer: &Authorizer<'_>) -> Result<Self, InvalidAuthorizer> {
        let options = self.aws_iot();
        if options.url.scheme().is_websocket() {
            return Ok(authorizer
                .fields()
                .fold(options, |options, field| options.field(field.name, field.value)));
        }
        let user_name = options.user_name.clone().unwrap_or_default();
        let mut asking = Vec::new();
        authorizer.user_name(&user_name)?.write(&mut Collected(&mut asking));
        // All its parts are text.
        let asking = String::from_utf8_lossy(&asking).into_owned();
        Ok(Self { user_name: Some(asking), authorizes: true, ..options })
    }

    /// Publishes no faster than AWS IoT Core takes from one connection, 100 messages and 512 KiB a
    /// second, or than another [`Limiter`] says.
    ///
    /// [`Client::publish`](crate::Client::publish) waits, [`Client::enqueue`](crate::Client::enqueue)
    /// says how long to wait.
    #[must_use]
    pub fn aws_limiter(self, limiter: Limiter) -> Self {
        let options = self.aws_iot();
        let mode = options.iot.map(|mode| Mode { limiter: Some(limiter), ..mode });
        Self { iot: mode, ..options }
    }

    /// Dates signatures by this clock, which other clients may have as well.
    #[must_use]
    pub fn aws_clock(self, clock: Clock) -> Self {
        let options = self.aws_iot();
        let mode = options.iot.map(|mode| Mode { clock, ..mode });
        Self { iot: mode, ..options }
    }

    /// The way into AWS IoT Core; `None` for other brokers.
    pub(crate) fn access(&self) -> Option<Access> {
        self.iot.as_ref()?;
        let https = self.url.port() == Access::Authorizer.port();
        Some(match self.url.scheme().is_websocket() {
            true if self.is_signed() => Access::Signed,
            true => Access::AuthorizerOverWebSocket,
            false if self.authorizes => Access::Authorizer,
            false if https => Access::CertificateOnHttps,
            false => Access::Certificate,
        })
    }

    /// What time it is, by the clock that signatures are dated by.
    pub(crate) fn now(&self) -> UnixTime {
        self.iot.as_ref().map_or_else(crate::aws::now, |mode| mode.clock.now())
    }

    /// What is connected with: everything in the range of AWS IoT Core, or why it cannot be.
    pub(crate) fn fitted(self) -> (Self, Result<(), Error>) {
        let fitted = self.within_range();
        let fits = fitted.check_connect().map_err(Error::Aws);
        (fitted, fits)
    }

    /// With everything in the range of AWS IoT Core.
    fn within_range(mut self) -> Self {
        let Some(access) = self.access() else { return self };
        self.keep_alive_s = keep_alive_s(self.keep_alive_s);
        self.aliases_in = self.aliases_in.min(TOPIC_ALIASES_MAX);
        let for_ever = self.version == Version::V5 && self.persistence == Persistence::Kept;
        let expiry_s = self.wants.session_expiry_s.or(for_ever.then_some(u32::MAX));
        self.wants.session_expiry_s = expiry_s.map(session_expiry_s);
        if let Some(alpn) = access.alpn().filter(|_| self.url.port() == access.port())
            && !self.tls.offers_alpn()
            && let Ok(tls) = self.tls.clone().with_alpn(&[alpn])
        {
            self.tls = tls;
        }
        self
    }

    /// Whether AWS IoT Core takes such a CONNECT.
    fn check_connect(&self) -> Result<(), Breach> {
        if self.iot.is_none() {
            return Ok(());
        }
        let client_id = self.client_id.as_deref().unwrap_or_default();
        let lists = Lists::new(self, None);
        Guard.check_connect(&lists.connect(self, client_id, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Qos;
    use dunlin_aws::Rule;

    fn options(url: &str) -> Options {
        Options::parse(url).unwrap().aws_iot()
    }

    #[test]
    fn values_are_brought_into_the_range_of_aws_iot() {
        let wide = options("wss://h/mqtt")
            .version(Version::V5)
            .keep_alive_s(0)
            .session_expiry_s(u32::MAX)
            .topic_aliases(16, 0);
        let within = wide.within_range();
        assert_eq!((within.keep_alive_s, within.aliases_in), (1_200, 8));
        assert_eq!(within.wants.session_expiry_s, Some(604_800));
        let kept = options("wss://h/mqtt").version(Version::V5).persistence(Persistence::Kept);
        assert_eq!(kept.within_range().wants.session_expiry_s, Some(604_800));
        let other = Options::parse("wss://h/mqtt").unwrap().keep_alive_s(0).within_range();
        assert_eq!((other.keep_alive_s, other.renew_after), (0, None));
    }

    /// With five minutes for what is under way, and for a clock of AWS's own.
    #[test]
    fn connection_is_renewed_before_aws_iot_cuts_it() {
        let signed = Signing::new("AKID", "secret", None, "us-east-1");
        let options = Options::parse("wss://h/mqtt").unwrap().aws(signed);
        let day = Duration::from_millis(dunlin_aws::CONNECTION_MAX_MS);
        assert!(options.renew_after.unwrap() + Duration::from_secs(300) < day);
        let sooner = Options::parse("wss://h/mqtt").unwrap().renew_after(Duration::from_secs(9));
        assert_eq!(sooner.aws_iot().renew_after, Some(Duration::from_secs(9)));
    }

    #[test]
    fn way_in_follows_from_url_and_proof() {
        let authorizer = Authorizer::new().with_name("auth").unwrap();
        let with = |url| options(url).aws_authorizer(&authorizer).unwrap();
        let signing = Signing::new("AKID", "secret", None, "us-east-1");
        for (options, access) in [
            (options("wss://h/mqtt").aws(signing), Access::Signed),
            (with("wss://h/mqtt"), Access::AuthorizerOverWebSocket),
            (with("mqtts://h:443"), Access::Authorizer),
            (options("mqtts://h"), Access::Certificate),
            (options("mqtts://h:443"), Access::CertificateOnHttps),
        ] {
            assert_eq!(options.access(), Some(access));
            let offers = access.alpn().is_some();
            assert_eq!(options.within_range().tls.offers_alpn(), offers, "{access:?}");
        }
        assert_eq!(Options::parse("wss://h/mqtt").unwrap().access(), None);
    }

    #[test]
    fn authorizer_goes_into_fields_or_behind_the_user_name() {
        let authorizer = Authorizer::new().with_name("auth").unwrap();
        let authorizer = authorizer.with_token("key", "a/b").unwrap();
        let fields = options("wss://h/mqtt").aws_authorizer(&authorizer).unwrap().fields;
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-amz-customauthorizer-name", "key"]);
        let named = options("mqtts://h:443").credentials("me", None);
        let named = named.aws_authorizer(&authorizer).unwrap();
        let user_name = named.user_name.unwrap();
        assert_eq!(user_name, "me?x-amz-customauthorizer-name=auth&key=a%2Fb");
        let odd = options("mqtts://h:443").credentials("a?b", None);
        assert!(matches!(odd.aws_authorizer(&authorizer), Err(InvalidAuthorizer::UserName)));
    }

    #[test]
    fn connect_that_aws_iot_would_drop_is_refused() {
        let check = |options: Options| options.check_connect().map_err(|breach| breach.rule);
        assert_eq!(check(options("wss://h/mqtt").client_id("c")), Ok(()));
        let reserved = options("wss://h/mqtt").client_id("$GEN/1");
        assert_eq!(check(reserved), Err(Rule::ClientIdReserved));
        let will =
            crate::Will { topic: "a".to_owned(), qos: Qos::ExactlyOnce, ..crate::Will::default() };
        assert_eq!(check(options("wss://h/mqtt").will(will)), Err(Rule::Qos));
        let other = Options::parse("wss://h/mqtt").unwrap().client_id("$c");
        assert_eq!(check(other), Ok(()));
    }
}

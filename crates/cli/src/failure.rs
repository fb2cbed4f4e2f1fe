//! Why the command failed, as one line and an exit code.

use dunlin_tokio::{
    Error, InvalidProxy, PublishError, ReasonCode, SharingError, SubscribeError, TlsOptionsError,
    UrlError,
    dunlin::{self, Closed, Refused, Stage, mqtt},
};
use std::io::Write as _;

/// How the command ends when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Other = 1,
    Usage = 2,
    Connect = 3,
    Refused = 4,
    Lost = 5,
    Input = 6,
    TimedOut = 27,
    Interrupted = 130,
    Terminated = 143,
}

impl Code {
    /// All of them, as `dunlin --help` lists them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Other,
        Self::Usage,
        Self::Connect,
        Self::Refused,
        Self::Lost,
        Self::Input,
        Self::TimedOut,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// What it means, for `dunlin --help`.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Other => "anything else",
            Self::Usage => "the command line is wrong",
            Self::Connect => "no connection: name, network, TLS, or no broker there",
            Self::Refused => "the server said no: to the upgrade, the user, or a subscription",
            Self::Lost => "the connection was lost, or a message not acknowledged",
            Self::Input => "a file, standard input or output, or a variable cannot be used",
            Self::TimedOut => "the time of sub -W is over",
            Self::Interrupted => "ended by SIGINT",
            Self::Terminated => "ended by SIGTERM",
        }
    }
}

/// A failure: what failed, a colon, and what to do next. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: Code,
    /// `None` when whoever reads would learn nothing new: a signal, a closed pipe.
    text: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: Some(text.into()) }
    }

    /// Ends without a word.
    pub(crate) const fn silent(code: Code) -> Self {
        Self { code, text: None }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Code::Usage, text)
    }

    /// A connection that did not come about.
    pub(crate) fn connecting(error: &Error) -> Self {
        Self::new(code_of(error, Code::Connect), error.to_string())
    }

    /// A connection that stood.
    pub(crate) fn connected(error: &Error) -> Self {
        Self::new(code_of(error, Code::Lost), error.to_string())
    }

    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    /// One line on standard error.
    pub(crate) fn show(&self) {
        if let Some(text) = &self.text {
            note(text);
        }
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }
}

/// Says something on standard error, as one line whatever is in it.
pub(crate) fn note(text: &str) {
    let line = crate::escape::line(text);
    // Standard error may be closed; there is nobody left to tell.
    let _ = writeln!(std::io::stderr().lock(), "dunlin: {line}");
}

/// The exit code of a connection's end; `otherwise` when the server did not clearly say no.
fn code_of(error: &Error, otherwise: Code) -> Code {
    match error {
        Error::Connect(_) => Code::Connect,
        Error::Request(_) | Error::Open(_) | Error::Sign(_) | Error::Aws(_) => Code::Usage,
        Error::Upgrade(_) | Error::Authentication(_) => Code::Refused,
        Error::Credentials(error) => crate::aws::code_of(error),
        Error::Ended { error, .. } => match error {
            dunlin::Error::Refused(Refused::Upgrade(_) | Refused::Connect(_)) => Code::Refused,
            // It was there, heard who we are, and hung up.
            dunlin::Error::Closed(Closed::Eof(Stage::Connack)) => Code::Refused,
            // Another client has its identifier: nothing was refused to this one.
            dunlin::Error::Closed(Closed::Disconnected(ReasonCode::SESSION_TAKEN_OVER)) => {
                otherwise
            }
            dunlin::Error::Closed(Closed::Disconnected(reason)) if !reason.is_retryable() => {
                Code::Refused
            }
            _ => otherwise,
        },
        _ => otherwise,
    }
}

impl From<UrlError> for Failure {
    fn from(error: UrlError) -> Self {
        Self::usage(format!("--url: {error}"))
    }
}

impl From<InvalidProxy> for Failure {
    fn from(error: InvalidProxy) -> Self {
        Self::usage(format!("--proxy: {error}"))
    }
}

impl From<TlsOptionsError> for Failure {
    fn from(error: TlsOptionsError) -> Self {
        Self::new(Code::Input, format!("--ca: {error}"))
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match &error {
            PublishError::Rejected(rejected) => {
                let code = match rejected {
                    mqtt::PublishError::Topic(_)
                    | mqtt::PublishError::Qos
                    | mqtt::PublishError::Properties(_) => Code::Usage,
                    mqtt::PublishError::Limit(_) => Code::Refused,
                    mqtt::PublishError::TooLarge => Code::Input,
                    _ => Code::Lost,
                };
                Self::new(code, format!("cannot publish: {rejected}"))
            }
            PublishError::Refused { .. } => Self::new(Code::Refused, error.to_string()),
            PublishError::Aws(breach) => Self::usage(format!("cannot publish: {breach}")),
            PublishError::Closed(ended) => Self::new(code_of(ended, Code::Lost), error.to_string()),
            _ => Self::new(Code::Lost, error.to_string()),
        }
    }
}

impl From<SubscribeError> for Failure {
    fn from(error: SubscribeError) -> Self {
        let code = match &error {
            SubscribeError::Rejected(mqtt::SubscribeError::Limit(_)) => Code::Refused,
            SubscribeError::Rejected(_) | SubscribeError::Aws(_) => Code::Usage,
            SubscribeError::Refused { .. } => Code::Refused,
            SubscribeError::Closed(ended) => code_of(ended, Code::Lost),
            _ => Code::Lost,
        };
        match error {
            SubscribeError::Rejected(rejected) => {
                Self::new(code, format!("cannot subscribe: {rejected}"))
            }
            error => Self::new(code, error.to_string()),
        }
    }
}

impl From<SharingError> for Failure {
    fn from(error: SharingError) -> Self {
        match error {
            SharingError::Subscribe(error) => error.into(),
            SharingError::Publish(error) => error.into(),
            silent => Self::new(Code::Refused, silent.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_tokio::ConnectError;
    use std::{io, sync::Arc};

    fn ended(error: dunlin::Error) -> Error {
        Error::Ended { error, io: None, said: String::new(), server_reference: None, cause: None }
    }

    #[test]
    fn codes_are_those_of_the_help() {
        let codes = Code::ALL.map(|code| code as i32);
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 27, 130, 143]);
    }

    #[test]
    fn unknown_host_is_a_connection_that_cannot_be_made() {
        let source = io::Error::other("cause");
        let error = Error::Connect(Arc::new(ConnectError::Resolve { host: "h".into(), source }));
        assert_eq!(Failure::connecting(&error).code(), Code::Connect);
        assert_eq!(Failure::connected(&error).code(), Code::Connect);
    }

    #[test]
    fn refused_connack_is_a_refusal_whenever_it_comes() {
        let error = ended(dunlin::Error::Refused(Refused::Connect(ReasonCode::NOT_AUTHORIZED)));
        for failure in [Failure::connecting(&error), Failure::connected(&error)] {
            assert_eq!(failure.code(), Code::Refused);
            assert!(failure.text().contains(": check user name"), "{}", failure.text());
        }
    }

    #[test]
    fn end_without_a_word_depends_on_how_far_it_had_come() {
        let end = |stage| ended(dunlin::Error::Closed(Closed::Eof(stage)));
        assert_eq!(Failure::connecting(&end(Stage::Upgrade)).code(), Code::Connect);
        assert_eq!(Failure::connecting(&end(Stage::Connack)).code(), Code::Refused);
        assert_eq!(Failure::connected(&end(Stage::Open)).code(), Code::Lost);
    }

    #[test]
    fn good_bye_of_the_server_is_a_refusal_where_it_will_not_change_its_mind() {
        let end = |reason| ended(dunlin::Error::Closed(Closed::Disconnected(reason)));
        for (reason, code) in [
            (ReasonCode::NOT_AUTHORIZED, Code::Refused),
            (ReasonCode::PACKET_TOO_LARGE, Code::Refused),
            (ReasonCode::SESSION_TAKEN_OVER, Code::Lost),
            (ReasonCode::SERVER_SHUTTING_DOWN, Code::Lost),
        ] {
            assert_eq!(Failure::connected(&end(reason)).code(), code, "{reason}");
        }
    }

    #[test]
    fn rejected_message_names_the_side_at_fault() {
        let code = |error| Failure::from(PublishError::Rejected(error)).code();
        assert_eq!(code(mqtt::PublishError::Topic(mqtt::TopicError::Empty)), Code::Usage);
        assert_eq!(code(mqtt::PublishError::TooLarge), Code::Input);
        assert_eq!(code(mqtt::PublishError::OutboxFull), Code::Lost);
        let limit = mqtt::PublishError::Limit(ReasonCode::PACKET_TOO_LARGE);
        assert_eq!(code(limit), Code::Refused);
    }
}

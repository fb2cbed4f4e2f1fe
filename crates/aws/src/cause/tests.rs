use super::*;
use dunlin::ws::{Refusal, Status};
use std::{collections::BTreeSet, format, string::ToString};

fn status(code: u16) -> Status {
    Refusal::parse(format!("HTTP/1.1 {code} x\r\n\r\n").as_bytes()).unwrap().status()
}

fn refused(code: u16, error_type: Option<&str>, clock_ahead_s: Option<i64>) -> Option<Cause> {
    let error = Error::Refused(Refused::Upgrade(status(code)));
    diagnose(&Seen { error_type, clock_ahead_s, ..Seen::new(error) })
}

#[test]
fn refused_upgrade_is_told_by_status_type_and_clock() {
    let forbidden = Some("ForbiddenException:");
    for (cause, code, error_type, ahead_s) in [
        (Cause::Signature, 403, forbidden, Some(300)),
        (Cause::Signature, 403, forbidden, Some(-300)),
        (Cause::Clock { ahead_s: 301 }, 403, forbidden, Some(301)),
        (Cause::Clock { ahead_s: -301 }, 403, None, Some(-301)),
        (Cause::Clock { ahead_s: 900 }, 426, None, Some(900)),
        (Cause::Expired, 426, None, None),
        (Cause::Expired, 403, Some("ExpiredTokenException:"), Some(0)),
        (Cause::UnknownKey, 403, Some("UnrecognizedClientException"), Some(0)),
        (Cause::Throttled, 400, Some("ThrottlingException"), None),
        (Cause::Throttled, 429, None, None),
        (Cause::Unavailable, 503, None, None),
        (Cause::Path, 404, None, None),
        (Cause::Path, 200, None, None),
        (Cause::Path, 302, None, None),
    ] {
        assert_eq!(refused(code, error_type, ahead_s), Some(cause), "{code} {error_type:?}");
    }
}

#[test]
fn refused_authorizer_is_told_from_a_refused_signature() {
    let error = Error::Refused(Refused::Upgrade(status(403)));
    for (access, cause) in
        [(Access::AuthorizerOverWebSocket, Cause::Authorizer), (Access::Signed, Cause::Signature)]
    {
        let seen = Seen { access: Some(access), ..Seen::new(error) };
        assert_eq!(diagnose(&seen), Some(cause));
    }
}

#[test]
fn closed_connection_is_told_by_what_went_before() {
    let eof = |stage| Seen::new(Error::Closed(Closed::Eof(stage)));
    let open = eof(Stage::Open);
    for (cause, seen) in [
        (Cause::ConnectDropped, eof(Stage::Connack)),
        (Cause::ConnectUnanswered, Seen::new(Error::TimedOut(Stage::Connack))),
        (Cause::ClientCertificate, eof(Stage::Upgrade)),
        (Cause::Silent, Seen::new(Error::TimedOut(Stage::Pingresp))),
        (Cause::SubscribeDropped, Seen { subscribing_ms: Some(ANSWER_MAX_MS), ..open }),
        (Cause::PublishDropped, Seen { publishing_ms: Some(0), ..open }),
        (
            Cause::PublishDropped,
            Seen { publishing_ms: Some(9), subscribing_ms: Some(ANSWER_MAX_MS + 1), ..open },
        ),
        (Cause::CommandDropped, Seen { publishing_ms: Some(9), subscribing_ms: Some(8), ..open }),
        (Cause::DayOver, Seen { stood_ms: CONNECTION_MAX_MS, ..open }),
        (Cause::DayOver, Seen { stood_ms: CONNECTION_MAX_MS - DAY_MARGIN_MS, ..open }),
        (Cause::DayOver, Seen { stood_ms: CONNECTION_MAX_MS, publishing_ms: Some(0), ..open }),
        (Cause::ClosedSoon, Seen { short_lives: 2, stood_ms: 59_999, ..open }),
        (Cause::Unexplained, Seen { short_lives: 2, stood_ms: 60_000, ..open }),
        (Cause::Unexplained, Seen { short_lives: 1, ..open }),
        (Cause::Unexplained, open),
    ] {
        assert_eq!(diagnose(&seen), Some(cause), "{seen:?}");
    }
    for closed in [Closed::Local, Closed::Abandoned] {
        assert_eq!(diagnose(&Seen::new(Error::Closed(closed))), None);
    }
}

/// The error itself says what is wrong, and the path is not.
#[test]
fn server_that_speaks_tls_where_the_url_does_not_has_no_cause_of_its_own() {
    let upgrade = |error| Error::Malformed(dunlin::Malformed::Upgrade(error));
    assert_eq!(diagnose(&Seen::new(upgrade(UpgradeError::Tls))), None);
    assert_eq!(diagnose(&Seen::new(upgrade(UpgradeError::NoResponse))), Some(Cause::Path));
}

/// Whoever publishes all the time is always cut off behind a message.
#[test]
fn connection_closed_upon_a_command_points_to_the_client_id_as_well() {
    for cause in [Cause::SubscribeDropped, Cause::PublishDropped, Cause::CommandDropped] {
        assert!(cause.to_string().contains("another client uses this client id"), "{cause}");
    }
}

#[test]
fn reason_that_aws_gives_is_believed() {
    let subscribing_ms = Some(1);
    for (reason, cause) in [
        (ReasonCode::SESSION_TAKEN_OVER, Cause::TakenOver),
        (ReasonCode::KEEP_ALIVE_TIMEOUT, Cause::KeepAlive),
        (ReasonCode::MAXIMUM_CONNECT_TIME, Cause::DayOver),
        (ReasonCode::QUOTA_EXCEEDED, Cause::Throttled),
        (ReasonCode::SERVER_BUSY, Cause::Unavailable),
        (ReasonCode::NOT_AUTHORIZED, Cause::SubscribeDropped),
    ] {
        let error = Error::Closed(Closed::Disconnected(reason));
        let seen = Seen { subscribing_ms, ..Seen::new(error) };
        assert_eq!(diagnose(&seen), Some(cause), "{reason}");
    }
    let refused = Error::Refused(Refused::Connect(ReasonCode::NOT_AUTHORIZED));
    assert_eq!(diagnose(&Seen::new(refused)), Some(Cause::ConnectRefused));
}

#[test]
fn each_cause_displayed_says_its_own_and_what_to_do() {
    let each = [
        Cause::Clock { ahead_s: 0 },
        Cause::Clock { ahead_s: 400 },
        Cause::Clock { ahead_s: i64::MIN },
        Cause::Signature,
        Cause::UnknownKey,
        Cause::Authorizer,
        Cause::Expired,
        Cause::Throttled,
        Cause::Unavailable,
        Cause::Path,
        Cause::ConnectDropped,
        Cause::ConnectUnanswered,
        Cause::ConnectRefused,
        Cause::SubscribeDropped,
        Cause::PublishDropped,
        Cause::CommandDropped,
        Cause::TakenOver,
        Cause::ClosedSoon,
        Cause::DayOver,
        Cause::KeepAlive,
        Cause::Silent,
        Cause::ServerCertificate,
        Cause::ClientCertificate,
        Cause::Host,
        Cause::Unexplained,
    ];
    let texts: BTreeSet<_> = each.iter().map(Cause::to_string).collect();
    assert_eq!(texts.len(), each.len());
    for text in texts {
        assert!(text.contains(": ") && !text.contains("  ") && !text.contains('\n'), "{text}");
    }
    assert!(Cause::Clock { ahead_s: -3_600 }.to_string().contains("3600 s behind the server's"));
}

#[test]
fn handshake_points_to_its_cause() {
    for (handshake, words) in [
        (Handshake::UnknownIssuer, "-ats"),
        (Handshake::WrongName, "describe-endpoint"),
        (Handshake::WrongTime, "set the clock"),
        (Handshake::Refused, "x-amzn-mqtt-ca"),
    ] {
        let text = Cause::of_handshake(handshake).to_string();
        assert!(text.contains(words), "{text}");
    }
}

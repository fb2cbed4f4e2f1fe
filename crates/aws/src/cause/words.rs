//! What a person reads of a cause: what happened, and what to look at next.

use super::Cause;
use core::fmt;

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Clock { ahead_s: 0 } => f.write_str(
                "this machine's clock is wrong, or the certificate is: set the clock and try again",
            ),
            Self::Clock { ahead_s } => write!(
                f,
                "this machine's clock is {} s {} the server's: set the clock and try again",
                ahead_s.unsigned_abs(),
                if ahead_s > 0 { "ahead of" } else { "behind" },
            ),
            cause => f.write_str(cause.words()),
        }
    }
}

impl Cause {
    const fn words(self) -> &'static str {
        match self {
            Self::Clock { .. } => "",
            Self::Signature => {
                "the signature was not accepted: check the secret access key, the region, the \
                 session token (temporary credentials need theirs, and expire), that the path is \
                 /mqtt, and that the identity may iot:Connect"
            }
            Self::UnknownKey => {
                "AWS does not know the access key: check AWS_ACCESS_KEY_ID and the region, and \
                 whether the key was deleted or made inactive"
            }
            Self::Authorizer => {
                "the custom authorizer did not let the client in: check its name, the token key, \
                 the token and its signature, and that it is active; without an authorizer, the \
                 request has to be signed"
            }
            Self::Expired => {
                "the credentials or the signed URL have expired: get new credentials, and sign \
                 again at each connect"
            }
            Self::Throttled => "AWS wants fewer requests: go slower, or ask for a higher quota",
            Self::Unavailable => {
                "AWS IoT is in trouble: try again later, and look at the AWS Health Dashboard"
            }
            Self::Path => {
                "this is not the MQTT gateway of AWS IoT: check that the host is the account's \
                 data endpoint (aws iot describe-endpoint --endpoint-type iot:Data-ATS), and that \
                 the path is /mqtt"
            }
            Self::Host => {
                "the certificate is for another host: use the full name of the account's data \
                 endpoint (aws iot describe-endpoint --endpoint-type iot:Data-ATS)"
            }
            Self::Silent => {
                "AWS does not answer any more: the network is gone, or a firewall on the way \
                 forgets idle connections"
            }
            Self::Unexplained => {
                "AWS gave no reason: check the network, whether another client uses the same \
                 client id, and whether the IoT policy allows what was done last"
            }
            cause => cause.words_of_connections(),
        }
    }

    /// Of those where identity, policy and client id matter.
    const fn words_of_connections(self) -> &'static str {
        match self {
            Self::ConnectDropped => {
                "AWS closed the connection upon CONNECT: check that an IoT policy with iot:Connect \
                 for this client id is attached to this identity or certificate, that the \
                 identity's IAM role allows it, too, that the certificate is active, and that no \
                 other client uses this client id"
            }
            Self::ConnectUnanswered => {
                "AWS neither answered CONNECT nor hung up: check that port and ALPN protocol go \
                 together (a certificate wants 8883, or 443 with x-amzn-mqtt-ca), and the network"
            }
            Self::ConnectRefused => {
                "AWS refused CONNECT: check that an IoT policy with iot:Connect for this client id \
                 is attached to this identity or certificate, that the identity's IAM role allows \
                 it, too, and what a custom authorizer says"
            }
            Self::SubscribeDropped => {
                "AWS closed the connection upon SUBSCRIBE: check that the IoT policy and the IAM \
                 role allow iot:Subscribe for topicfilter/ and iot:Receive for topic/ with this \
                 filter; if they do, whether another client uses this client id"
            }
            Self::PublishDropped => {
                "AWS closed the connection upon PUBLISH: check that the IoT policy and the IAM \
                 role allow iot:Publish for topic/ with this topic, and iot:RetainPublish if it is \
                 retained; if they do, whether another client uses this client id"
            }
            Self::CommandDropped => {
                "AWS closed the connection upon PUBLISH or SUBSCRIBE: check that the IoT policy \
                 and the IAM role allow iot:Publish and iot:Subscribe with these topics; if they do, \
                 whether another client uses this client id"
            }
            Self::TakenOver => {
                "another client has connected with the same client id, which ended this \
                 connection: give each client its own"
            }
            Self::ClosedSoon => {
                "AWS closes each connection soon after it stands: most likely another client has \
                 the same client id, and both take it from one another: give each its own; else \
                 check the IoT policy"
            }
            Self::DayOver => {
                "AWS ends each connection after 24 hours: nothing is wrong, connect again \
                 (renewing before that avoids it)"
            }
            Self::KeepAlive => {
                "AWS heard nothing for 1.5 times the keep alive: the network is slow, or this \
                 machine was asleep"
            }
            Self::ServerCertificate => {
                "the server's certificate is not trusted: use the endpoint with -ats in its name, \
                 and trust Amazon Root CA 1; or something on the way replaces certificates"
            }
            Self::ClientCertificate => {
                "AWS ended the handshake: check that the client certificate is registered, active \
                 and given with its key, and that the ALPN protocol is x-amzn-mqtt-ca for a \
                 certificate on port 443, mqtt for a custom authorizer there, and none otherwise"
            }
            _ => "",
        }
    }
}

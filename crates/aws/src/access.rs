//! The ways into AWS IoT Core: where to, over what, and where the proof of identity goes.

use crate::UnixTime;
use dunlin_sigv4::{Credentials, InvalidInput, Key, Presigned, Request};

/// A way into AWS IoT Core ("Protocols, port mappings, and authentication", AWS IoT Core developer
/// guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Access {
    /// MQTT over WebSocket, with a signed request target: [`signed_target`].
    Signed,
    /// MQTT over WebSocket, with a custom authorizer.
    AuthorizerOverWebSocket,
    /// MQTT over TLS, with a custom authorizer.
    Authorizer,
    /// MQTT over TLS, with a client certificate.
    Certificate,
    /// The same on the port of HTTPS, where nothing else gets out.
    CertificateOnHttps,
}

/// Where the proof of identity goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Proof {
    /// Into the target of the upgrade request.
    Target,
    /// Into the header fields of the upgrade request, or into its target.
    FieldsOrTarget,
    /// Into user name and password of CONNECT.
    UserName,
    /// Into the TLS handshake.
    Handshake,
}

impl Access {
    /// The scheme of a URL.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Signed | Self::AuthorizerOverWebSocket => "wss",
            Self::Authorizer | Self::Certificate | Self::CertificateOnHttps => "mqtts",
        }
    }

    /// The port.
    pub const fn port(self) -> u16 {
        match self {
            Self::Certificate => 8883,
            _ => 443,
        }
    }

    /// The protocol to offer in the TLS handshake (RFC 7301), where one is needed.
    pub const fn alpn(self) -> Option<&'static str> {
        match self {
            Self::Authorizer => Some("mqtt"),
            Self::CertificateOnHttps => Some("x-amzn-mqtt-ca"),
            Self::Signed | Self::AuthorizerOverWebSocket | Self::Certificate => None,
        }
    }

    /// Where the proof of identity goes.
    pub const fn proof(self) -> Proof {
        match self {
            Self::Signed => Proof::Target,
            Self::AuthorizerOverWebSocket => Proof::FieldsOrTarget,
            Self::Authorizer => Proof::UserName,
            Self::Certificate | Self::CertificateOnHttps => Proof::Handshake,
        }
    }
}

/// The target of an upgrade request at [`UPGRADE_PATH`], signed; anew for each attempt.
///
/// The session token is appended and not signed, and there is no X-Amz-Expires: AWS IoT Core refuses the
/// one, and pays no heed to the other. `host` is what the Host header will say, `at` the
/// [corrected](crate::ClockOffset) time. Keep `key` over connects.
pub fn signed_target<'a>(
    credentials: Credentials<'a>,
    region: &'a str,
    host: &'a str,
    at: UnixTime,
    key: &mut Key,
) -> Result<Presigned<'a>, InvalidInput> {
    Request::iot(credentials, region, host, at).presign(key, None)
}

/// Where AWS IoT Core takes upgrade requests.
pub const UPGRADE_PATH: &str = "/mqtt";

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin::octet::{Text, Writer};

    #[test]
    fn each_way_has_its_port_protocol_and_proof() {
        for (access, scheme, port, alpn, proof) in [
            (Access::Signed, "wss", 443, None, Proof::Target),
            (Access::AuthorizerOverWebSocket, "wss", 443, None, Proof::FieldsOrTarget),
            (Access::Authorizer, "mqtts", 443, Some("mqtt"), Proof::UserName),
            (Access::Certificate, "mqtts", 8883, None, Proof::Handshake),
            (Access::CertificateOnHttps, "mqtts", 443, Some("x-amzn-mqtt-ca"), Proof::Handshake),
        ] {
            let found = (access.scheme(), access.port(), access.alpn(), access.proof());
            assert_eq!(found, (scheme, port, alpn, proof), "{access:?}");
        }
    }

    /// A signature on which Amplify's signer, awscrt and botocore agree.
    #[test]
    fn target_has_no_expiry_and_a_token_that_is_not_signed() {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            session_token: Some("TOKEN/with+special=chars"),
        };
        let at = UnixTime::parse_iso8601("2024-01-02T03:04:05Z").unwrap();
        let host = "example-ats.iot.us-east-1.amazonaws.com";
        let target = signed_target(credentials, "us-east-1", host, at, &mut Key::new()).unwrap();
        let mut memory = [0; 512];
        let mut writer = Writer::new(&mut memory);
        target.write(&mut writer);
        let text = core::str::from_utf8(writer.written()).unwrap();
        assert!(text.starts_with("/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&"), "{text}");
        assert!(!text.contains("Expires"), "{text}");
        assert!(
            text.ends_with(
                "&X-Amz-Signature=\
                 66faa12ef25fa85ef6e921b378e8fbb6cd5b7a0dba6947bcdfa3d69c75d3a2d8\
                 &X-Amz-Security-Token=TOKEN%2Fwith%2Bspecial%3Dchars"
            ),
            "{text}"
        );
    }
}

//! Enhanced authentication (MQTT 5.0 §4.12).

use crate::{Buffer, Event, Properties, Property, ReasonCode, Session, mqtt::SendError};
use core::fmt;

/// The client's half of an authentication that takes several steps, such as SCRAM.
///
/// The data of each step is written to the front of `out`, and its length returned.
pub trait Authenticator {
    /// The name of the method ([`Property::AuthenticationMethod`]).
    fn method(&self) -> &str;

    /// Begins, for CONNECT or for another authentication on the same connection; `None` where the server
    /// speaks first.
    fn begin(&mut self, out: &mut [u8]) -> Result<Option<usize>, Denied>;

    /// Answers a step of the server's.
    fn answer(&mut self, challenge: &[u8], out: &mut [u8]) -> Result<usize, Denied>;

    /// The server says that it is done, and perhaps proves with `data` who it is.
    fn finish(&mut self, data: &[u8]) -> Result<(), Denied>;
}

/// The authenticator does not go on: the server is not who it should be, or its words make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Denied;

/// Why an authentication does not go on; the connection is to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AuthenticateError {
    /// The authenticator does not accept what the server says.
    Denied,
    /// The answer could not be sent.
    Send(SendError),
}

impl From<Denied> for AuthenticateError {
    fn from(Denied: Denied) -> Self {
        Self::Denied
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server's part of the authentication is not accepted")
    }
}

impl fmt::Display for AuthenticateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => Denied.fmt(f),
            Self::Send(error) => write!(f, "the authentication does not go on: {error}"),
        }
    }
}

impl core::error::Error for Denied {}
impl core::error::Error for AuthenticateError {}

/// Does what an event asks of the authentication, if it asks anything: to be called with each.
///
/// `scratch` is memory for one step of the method. CONNECT must have had the method, and the data of
/// [`Authenticator::begin`].
pub fn authenticate<B: Buffer, const N: usize>(
    session: &mut Session<B, N>,
    authenticator: &mut (impl Authenticator + ?Sized),
    event: &Event<'_>,
    scratch: &mut [u8],
) -> Result<(), AuthenticateError> {
    match event {
        Event::Authentication { reason: ReasonCode::CONTINUE_AUTHENTICATION, properties } => {
            let challenge = properties.authentication_data().unwrap_or_default();
            let len = authenticator.answer(challenge, scratch)?;
            let data = scratch.get(..len);
            send(session, authenticator.method(), ReasonCode::CONTINUE_AUTHENTICATION, data)
        }
        Event::Authentication { properties, .. } | Event::Connected { properties, .. } => {
            authenticator.finish(properties.authentication_data().unwrap_or_default())?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Begins another authentication on a connection that stands (MQTT 5.0 §4.12.1).
pub fn re_authenticate<B: Buffer, const N: usize>(
    session: &mut Session<B, N>,
    authenticator: &mut (impl Authenticator + ?Sized),
    scratch: &mut [u8],
) -> Result<(), AuthenticateError> {
    let len = authenticator.begin(scratch)?;
    let data = len.and_then(|len| scratch.get(..len));
    send(session, authenticator.method(), ReasonCode::RE_AUTHENTICATE, data)
}

fn send<B: Buffer, const N: usize>(
    session: &mut Session<B, N>,
    method: &str,
    reason: ReasonCode,
    data: Option<&[u8]>,
) -> Result<(), AuthenticateError> {
    let list = [
        Property::AuthenticationMethod(method),
        Property::AuthenticationData(data.unwrap_or_default()),
    ];
    let used = if data.is_some() { 2 } else { 1 };
    let properties = Properties::new(list.get(..used).unwrap_or_default());
    session.authenticate(reason, properties).map_err(AuthenticateError::Send)
}

//! The connection of `pub` and `sub`: made from options, watched, and ended with a good-bye.

use crate::{
    args::{Connection, OfConnect, Way},
    aws,
    credentials::{self, Lookup},
    failure::{Code, Failure, note},
    signals,
};
use dunlin_tokio::{Client, Error, Event, Options, TlsOptions, dunlin::mqtt};
use std::{cell::Cell, time::Duration};
use tokio::{sync::broadcast, time::timeout};

/// How long the good-bye may take: by then everything else is done, or is not going to be.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The largest packet, in bytes: what MQTT allows and its header.
pub(crate) const PACKET_MAX: usize = mqtt::PACKET_BODY_MAX + 5;

/// How often in a row a connection may be lost, or not come about again, without any progress.
const LOSSES_MAX: u32 = 4;

/// Options for the adapter; secrets come from `lookup`.
pub(crate) fn options(args: Connection, lookup: Lookup<'_>) -> Result<Options, Failure> {
    let from_url = args.url.password().map(<[u8]>::to_vec);
    let user_name = args.url.user_name().map(str::to_owned);
    let password = match args.password {
        Some(password) => Some(password.0.to_vec()),
        None => credentials::password(lookup).map(|password| password.to_vec()),
    };
    let mut options = Options::new(args.url).receive(PACKET_MAX);
    options = match (args.user_name, user_name) {
        // The URL's password is that of the URL's user.
        (Some(user_name), _) => options.credentials(user_name, password),
        (None, Some(user_name)) => options.credentials(user_name, password.or(from_url)),
        (None, None) => options,
    };
    options = options.version(args.version).persistence(args.persistence);
    options = with_properties(options, args.properties);
    if let Some(client_id) = args.client_id {
        options = options.client_id(client_id);
    }
    if let Some(keep_alive_s) = args.keep_alive_s {
        options = options.keep_alive_s(keep_alive_s);
    }
    let tls = args.ca.map_or_else(|| Ok(TlsOptions::platform()), TlsOptions::ca_file)?;
    options = options.tls(args.proof.tls(tls)?);
    options = args.proof.options(options)?;
    options = match args.way {
        Way::Straight => options,
        Way::Through(proxy) => options.proxy(proxy),
        Way::Environment => options.proxy_from_env().map_err(|error| {
            let text = format!("HTTPS_PROXY or ALL_PROXY: {error}, or go straight with --no-proxy");
            Failure::new(Code::Input, text)
        })?,
    };
    let host = options.url().host().to_owned();
    if let Some(signing) = aws::signing(args.region, args.aws, &host, lookup)? {
        options = options.aws(signing);
    }
    if let Some(will) = args.will {
        options = options.will(will);
    }
    Ok(options)
}

/// What CONNECT says in MQTT 5.0 alone.
fn with_properties(mut options: Options, properties: OfConnect) -> Options {
    if let Some(session_expiry_s) = properties.session_expiry_s {
        options = options.session_expiry_s(session_expiry_s);
    }
    if let Some(receive_maximum) = properties.receive_maximum {
        options = options.receive_maximum(receive_maximum);
    }
    if properties.no_problem_information {
        options = options.without_problem_information();
    }
    if properties.response_information {
        options = options.response_information();
    }
    let pairs = properties.user_properties.into_iter();
    pairs.fold(options, |options, (name, value)| options.user_property(name, value))
}

/// Connects, does `work`, and says good-bye, also when `limit` is reached or a signal comes.
pub(crate) async fn run(
    options: Options,
    limit: impl Future<Output = Failure>,
    work: impl AsyncFnOnce(&Client, Watch) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (client, events) = Client::start(options);
    let outcome = tokio::select! {
        biased;
        failure = signals::caught() => Err(failure),
        failure = limit => Err(failure),
        outcome = async {
            let mut watch = Watch { events };
            watch.connected().await?;
            work(&client, watch).await
        } => outcome,
    };
    // Nothing is owed to a server that does not answer.
    let _ = timeout(CLOSE_LIMIT, client.close()).await;
    outcome
}

/// Whether to go on after many losses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience<'a> {
    /// For ever, as long as trying can help.
    Endless,
    /// Until [`LOSSES_MAX`] losses in a row came without a change of this counter.
    WhileCounting(&'a Cell<u64>),
}

/// Follows what happens to a connection.
#[derive(Debug)]
pub(crate) struct Watch {
    events: broadcast::Receiver<Event>,
}

impl Watch {
    /// Waits for the first connection; an error is why it did not come about.
    async fn connected(&mut self) -> Result<(), Failure> {
        loop {
            match self.event().await {
                Event::Connected(_) => return Ok(()),
                Event::Disconnected { error, .. } | Event::Closed(error) => {
                    return Err(Failure::connecting(&error));
                }
                _ => {}
            }
        }
    }

    /// Watches a connection that stands: says that it is lost, and returns when it is lost for good.
    pub(crate) async fn lost(mut self, patience: Patience<'_>) -> Failure {
        let mut is_connected = true;
        let (mut losses, mut counted) = (0, None);
        loop {
            let error = match self.event().await {
                Event::Connected(_) => {
                    is_connected = true;
                    continue;
                }
                Event::Disconnected { error, .. } if error.is_retryable() => error,
                Event::Disconnected { error, .. } | Event::Closed(error) => {
                    return Failure::connected(&error);
                }
                _ => continue,
            };
            if let Patience::WhileCounting(count) = patience {
                losses = if counted == Some(count.get()) { losses + 1 } else { 1 };
                counted = Some(count.get());
                if losses >= LOSSES_MAX {
                    return given_up(&error);
                }
            }
            // Once for all the losses that one message brings about.
            if std::mem::take(&mut is_connected) && losses <= 1 {
                note(&format!("the connection is lost, connecting again: {error}"));
            }
        }
    }

    async fn event(&mut self) -> Event {
        loop {
            match self.events.recv().await {
                Ok(event) => return event,
                // What comes next tells enough.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                // The client has ended, and has said so before.
                Err(broadcast::error::RecvError::Closed) => return Event::Closed(Error::Closed),
            }
        }
    }
}

fn given_up(error: &Error) -> Failure {
    let text = format!("not acknowledged, and the connection was lost {LOSSES_MAX} times: {error}");
    Failure::new(Code::Lost, text)
}

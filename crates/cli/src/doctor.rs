//! `dunlin doctor`: each step on the way to a broker, with its verdict and what to do next.

mod amazon;
mod exchange;

use crate::{
    args::Doctor,
    escape,
    failure::{Code, Failure},
    output,
};
use dunlin_tokio::{
    Client, ConnectError, Error, Options, Stage as Way, Url,
    dunlin::{self, Closed, Malformed, Refused, Stage},
};
use std::time::{Duration, Instant};

/// How long the addresses of a host are waited for, once it has been reached.
const ADDRESSES_LIMIT: Duration = Duration::from_secs(5);

/// So many addresses are shown.
const ADDRESSES_SHOWN: usize = 4;

/// The steps, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Name,
    Tcp,
    Tls,
    Clock,
    Upgrade,
    Connack,
    Subscribe,
    Publish,
}

impl Step {
    const ALL: [Self; 8] = [
        Self::Name,
        Self::Tcp,
        Self::Tls,
        Self::Clock,
        Self::Upgrade,
        Self::Connack,
        Self::Subscribe,
        Self::Publish,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Clock => "clock",
            Self::Upgrade => "upgrade",
            Self::Connack => "connack",
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
        }
    }

    /// How the command ends when this is the first step that fails.
    const fn code(self) -> Code {
        match self {
            Self::Name | Self::Tcp | Self::Tls | Self::Clock => Code::Connect,
            Self::Upgrade | Self::Connack | Self::Subscribe | Self::Publish => Code::Refused,
        }
    }
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    /// It went well, and something about it may not go well for long.
    Warning,
    Failed,
    /// There is no such step here, or an earlier one has failed.
    Skipped,
}

/// Prints one line.
fn say(verdict: Verdict, what: &str, text: &str) -> Result<(), Failure> {
    let verdict = match verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "WARNING",
        Verdict::Failed => "FAILED",
        Verdict::Skipped => "-",
    };
    output::print(&format!("{verdict:<8} {what:<10} {}\n", escape::line(text)))
}

/// Says that a step has failed, and that those behind it were not tried.
fn failed(step: Step, code: Code, text: &str) -> Failure {
    let said = say(Verdict::Failed, step.name(), text).and_then(|()| {
        let behind = Step::ALL.into_iter().filter(|other| *other > step);
        behind.into_iter().try_for_each(|other| say(Verdict::Skipped, other.name(), "not tried"))
    });
    said.err().unwrap_or_else(|| Failure::silent(code))
}

/// Tries all steps; the first that fails is the exit code.
pub(crate) async fn run(doctor: &Doctor, options: Options) -> Result<(), Failure> {
    let url = options.url().clone();
    amazon::look_at(url.host(), doctor)?;
    let begin = Instant::now();
    let probe = options.probe().await.map_err(|error| unreachable(&error))?;
    let took = begin.elapsed().as_millis();
    say(Verdict::Ok, "name", &addresses(url.host(), url.port()).await)?;
    let peer = format!("{}:{}", url.host(), url.port());
    say(Verdict::Ok, "tcp", &format!("{peer} answers"))?;
    if url.scheme().is_tls() {
        let text = format!("certificate, name and date are right; {took} ms with all before it");
        say(Verdict::Ok, "tls", &text)?;
    } else {
        say(Verdict::Skipped, "tls", &format!("{}:// has none", url.scheme().as_str()))?;
    }
    amazon::judge_clock(&probe)?;
    let begin = Instant::now();
    let client = Client::connect(options).await.map_err(|error| refused(&error, &url))?;
    let took = begin.elapsed().as_millis();
    say_upgraded(&url)?;
    say(Verdict::Ok, "connack", &format!("the server has accepted; {took} ms"))?;
    let outcome = exchange::run(&client, &doctor.topic).await;
    client.close().await;
    outcome
}

/// What the system's resolver says; a proxy may know other ones.
async fn addresses(host: &str, port: u16) -> String {
    let looked_up = tokio::time::timeout(ADDRESSES_LIMIT, tokio::net::lookup_host((host, port)));
    let Ok(Ok(found)) = looked_up.await else {
        return format!("{host} is known to the proxy alone");
    };
    let all: Vec<String> = found.map(|address| address.ip().to_string()).collect();
    let shown = all.iter().take(ADDRESSES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let more = if all.len() > ADDRESSES_SHOWN { ", …" } else { "" };
    format!("{host} is {shown}{more}")
}

/// There is no way to the server.
fn unreachable(error: &ConnectError) -> Failure {
    let step = step_of(error);
    // What came before it went well.
    let before = Step::ALL.into_iter().filter(|other| *other < step);
    for step in before {
        if let Err(failure) = say(Verdict::Ok, step.name(), "") {
            return failure;
        }
    }
    failed(step, step.code(), &error.to_string())
}

const fn step_of(error: &ConnectError) -> Step {
    match error {
        ConnectError::Resolve { .. } | ConnectError::TimedOut { stage: Way::Resolve, .. } => {
            Step::Name
        }
        ConnectError::PlatformRoots { .. }
        | ConnectError::Tls { .. }
        | ConnectError::TimedOut { stage: Way::Tls, .. } => Step::Tls,
        _ => Step::Tcp,
    }
}

/// The upgrade is over, if there is one.
fn say_upgraded(url: &Url) -> Result<(), Failure> {
    if url.scheme().is_websocket() {
        say(Verdict::Ok, Step::Upgrade.name(), "the server speaks WebSocket here")
    } else {
        let text = format!("{}:// has none", url.scheme().as_str());
        say(Verdict::Skipped, Step::Upgrade.name(), &text)
    }
}

/// The way is there, and the server does not let us in.
fn refused(error: &Error, url: &Url) -> Failure {
    let step = match error {
        Error::Connect(error) => step_of(error),
        Error::Upgrade(_) | Error::Request(_) | Error::Sign(_) | Error::Credentials(_) => {
            Step::Upgrade
        }
        Error::Ended {
            error:
                dunlin::Error::Refused(Refused::Upgrade(_))
                | dunlin::Error::Malformed(Malformed::Upgrade(_))
                | dunlin::Error::TimedOut(Stage::Upgrade)
                | dunlin::Error::Closed(Closed::Eof(Stage::Upgrade)),
            ..
        } => Step::Upgrade,
        _ => Step::Connack,
    };
    if step > Step::Upgrade
        && let Err(failure) = say_upgraded(url)
    {
        return failure;
    }
    failed(step, Failure::connecting(error).code(), &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn failure_belongs_to_its_step_and_ends_with_its_code() {
        let io = || io::Error::other("cause");
        let timed_out = |stage| ConnectError::TimedOut { peer: "h:1".into(), stage, source: io() };
        for (error, step) in [
            (ConnectError::Resolve { host: "h".into(), source: io() }, Step::Name),
            (ConnectError::Refused { peer: "h:1".into(), source: io() }, Step::Tcp),
            (timed_out(Way::Resolve), Step::Name),
            (timed_out(Way::Tcp), Step::Tcp),
            (timed_out(Way::Proxy), Step::Tcp),
            (timed_out(Way::Tls), Step::Tls),
            (ConnectError::PlatformRoots { source: io() }, Step::Tls),
        ] {
            assert_eq!(step_of(&error), step, "{error}");
            assert_eq!(step.code(), Code::Connect);
        }
        assert!(Step::ALL.is_sorted());
    }
}

//! The cases of the Autobahn testsuite against `dunlin-ws`, in both roles and over two transports.
//!
//! A program and no test, for it takes a while and `cargo x autobahn` is to decide when. The cases are
//! run by kosoku, which judges what it sees on the wire; of Dunlin it shares nothing.
#![allow(
    clippy::alloc_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::std_instead_of_core,
    reason = "host code, which ends when it is wrong"
)]
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        reason = "a test may panic"
    )
)]

mod echo;
mod kosoku;
mod transport;
mod verdict;

use dunlin_ws::Role;
use echo::{Echo, Purpose, request};
use kosoku::Kosoku;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, io};
use tokio::net::TcpListener;
use tokio::time::timeout;
use transport::Transport;

const RUNS: [(Role, Transport); 4] = [
    (Role::Client, Transport::Std),
    (Role::Client, Transport::Tokio),
    (Role::Server, Transport::Std),
    (Role::Server, Transport::Tokio),
];

/// How long one run may take; a loaded machine needs a tenth of it.
const RUN_LIMIT: Duration = Duration::from_secs(180);

/// Anything that ends a run, to be shown to a person.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs everything, whatever fails on the way; the one argument is where the reports go.
#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [reports] = arguments.as_slice() else {
        eprintln!("autobahn: name the folder for the reports, and nothing else");
        return ExitCode::FAILURE;
    };
    let mut code = ExitCode::SUCCESS;
    for (role, transport) in RUNS {
        let name = format!("{role:?}-{transport:?}").to_lowercase();
        let start = Instant::now();
        let outcome = match timeout(RUN_LIMIT, run(role, transport, &reports.join(&name))).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no end within {} s", RUN_LIMIT.as_secs()).into()),
        };
        let seconds = start.elapsed().as_secs_f32();
        match outcome {
            Ok(summary) => println!("{name:<12}  {summary}  ({seconds:.1} s)"),
            Err(failure) => {
                println!("{name:<12}  FAILED  ({seconds:.1} s): {failure}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// One run, whose report goes to the folder `reports`; says how many cases came out how.
async fn run(role: Role, transport: Transport, reports: &Path) -> Result<String, Failure> {
    // What an earlier run has left must not be judged.
    match fs::remove_dir_all(reports) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => fs::create_dir_all(reports)?,
    }
    let ended = match role {
        Role::Client => against_server(transport, reports).await?,
        Role::Server => against_client(transport, reports).await?,
    };
    let index = reports.join("index.json");
    let index = fs::read_to_string(&index)
        .map_err(|error| format!("{}: {error}\n{ended}", index.display()))?;
    let summary = verdict::judge(&index)?;
    // It says in its own way whether all is well: both must agree.
    if ended.success { Ok(summary) } else { Err(format!("{summary}, but\n{ended}").into()) }
}

/// Kosoku serves the cases, and the echo asks for one after the other.
async fn against_server(transport: Transport, reports: &Path) -> Result<kosoku::Ended, Failure> {
    let mut kosoku = Kosoku::start("fuzzingserver", "127.0.0.1:0", reports)?;
    let server = kosoku.address().await?;
    let count = ask(transport, server, "/getCaseCount", Purpose::Listen).await?;
    let count = String::from_utf8(count)?;
    let count: u32 = count.parse().map_err(|error| format!("{count:?} cases: {error}"))?;
    for case in 1..=count {
        let target = format!("/runCase?case={case}&agent=dunlin");
        let run = ask(transport, server, &target, Purpose::Echo).await;
        run.map_err(|failure| format!("case {case} of {count}: {failure}"))?;
    }
    ask(transport, server, "/updateReports?agent=dunlin", Purpose::Echo).await?;
    kosoku.finish().await
}

/// One connection to `server`, to its end; returns what was not sent back.
async fn ask(
    transport: Transport,
    server: SocketAddr,
    target: &str,
    purpose: Purpose,
) -> Result<Vec<u8>, Failure> {
    let host = server.to_string();
    let mut echo = Echo::connect(request(&host, &target)?, purpose);
    let stream = transport.connect(server).await?;
    transport.run(stream, &mut echo).await?;
    Ok(echo.message().to_vec())
}

/// The echo serves, and Kosoku comes with one case after the other.
async fn against_client(transport: Transport, reports: &Path) -> Result<kosoku::Ended, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let kosoku = Kosoku::start("fuzzingclient", &address, reports)?;
    tokio::select! {
        ended = kosoku.finish() => ended,
        failure = serve(transport, listener) => Err(failure),
    }
}

/// Answers whoever comes, each beside the others, until one of them fails.
async fn serve(transport: Transport, listener: TcpListener) -> Failure {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let run = async move { transport.run(stream, &mut Echo::accept()).await };
                    connections.spawn(run);
                }
                Err(error) => return error.into(),
            },
            Some(ended) = connections.join_next() => match ended {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => return failure,
                Err(panicked) => return panicked.into(),
            },
        }
    }
}

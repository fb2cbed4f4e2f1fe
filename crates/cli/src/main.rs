//! The `dunlin` command: publish, subscribe, sign, and a broker to try it all with.
//!
//! Everything the network does is the Tokio adapter's; what is here is words: arguments, payloads
//! as text, and failures as one line and an exit code.
#![allow(
    clippy::alloc_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::std_instead_of_core,
    reason = "a host may allocate"
)]
#![cfg_attr(
    test,
    allow(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used,
        reason = "a test may panic"
    )
)]

mod args;
mod aws;
#[cfg(feature = "broker")]
mod broker;
mod credentials;
#[cfg(feature = "broker")]
mod demo;
mod doctor;
mod escape;
mod failure;
mod format;
mod help;
mod link;
mod output;
mod policy;
mod presign;
mod publish;
mod region;
mod signals;
mod subscribe;
#[cfg(feature = "broker")]
mod web;

use args::Command;
#[cfg(feature = "broker")]
use args::Demo;
use failure::{Code, Failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = args::parse(std::env::args_os().skip(1)).and_then(execute);
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    failure.show();
    // Not by returning: a thread that waits for standard input would be waited for.
    std::process::exit(failure.code() as i32)
}

fn execute(command: Command) -> Result<(), Failure> {
    match command {
        Command::Help(text) => output::print(&text),
        Command::Version => output::print(concat!("dunlin ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Presign(presign) => presign::run(&presign),
        Command::Policy(policy) => output::print(&policy::documents(&policy)),
        Command::Attach(attach) => block_on(aws::attach(attach, &credentials::environment)),
        Command::Identity(identity) => block_on(aws::identity(identity)),
        Command::Publish(publish) => {
            let options = link::options(publish.connection, &credentials::environment)?;
            let source = publish::Source::open(&publish.payload)?;
            block_on(publish::run(&publish.target, source, options))
        }
        Command::Subscribe(subscribe) => {
            let options = link::options(subscribe.connection, &credentials::environment)?;
            block_on(subscribe::run(&subscribe.wish, options))
        }
        Command::Doctor(both) => {
            let (doctor, connection) = *both;
            let options = link::options(connection, &credentials::environment)?;
            block_on(doctor::run(&doctor, options))
        }
        #[cfg(feature = "broker")]
        Command::Broker(ports) => block_on(broker::run(ports)),
        #[cfg(feature = "broker")]
        Command::Demo(Demo::Talk) => block_on(demo::run()),
        #[cfg(feature = "broker")]
        Command::Demo(Demo::Web { port }) => block_on(web::run(port)),
        #[cfg(not(feature = "broker"))]
        Command::Broker(_) | Command::Demo(_) => Err(Failure::new(
            Code::Other,
            "this build has no broker: build it with `--features broker`, which is the default",
        )),
    }
}

/// Runs on this thread alone: one client has no use for more.
fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        let text = format!("cannot start ({error}): check this machine's limits on open files");
        Failure::new(Code::Other, text)
    })?;
    let outcome = runtime.block_on(work);
    // Does not wait for a thread that reads standard input.
    runtime.shutdown_background();
    outcome
}

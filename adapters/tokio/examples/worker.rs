//! One of many workers that share what is to be done: start it as often as there is work for.
//!
//! ```sh
//! cargo run --example worker -- ws://127.0.0.1:8080/mqtt 5 builders 'jobs/+' builder-1
//! ```
//!
//! The arguments are a URL, the version of MQTT (3 or 5), the group, what it subscribes to, and this worker's
//! own name. Each message goes to one worker of the group, and is acknowledged when its work is done. What a
//! worker that dies had not acknowledged is kept by the server in its session, or given to another one:
//! started again under the same name, it goes on where it was.
#![allow(clippy::std_instead_of_core, clippy::arithmetic_side_effects, reason = "a host program")]

use dunlin_tokio::{Client, Options, Persistence, Qos, SharedFilter, Version};
use std::{env, error::Error, time::Duration};

/// How long the message may take that shows whether the server knows of groups.
const PROBE_LIMIT: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, version, group, filter, name] = &arguments[..] else {
        return Err("give a URL, 3 or 5, a group, a filter and a name".into());
    };
    let shared = SharedFilter::new(group, filter)?;
    let options = Options::parse(url)?.client_id(name).persistence(Persistence::Kept);
    let options = match &**version {
        "5" => options.version(Version::V5),
        _ => options,
    };
    // Some brokers grant what they do not have: better to hear of it now than to wait for ever.
    let scout = Client::connect(Options::parse(url)?).await?;
    scout.probe_sharing(&format!("workers/probe/{name}"), PROBE_LIMIT).await?;
    scout.close().await;
    let client = Client::connect(options).await?;
    let mut jobs = client.join(shared, Qos::AtLeastOnce).await?.kept().manual();
    println!("ready");
    while let Some(job) = jobs.next().await {
        let (job, done) = job?;
        let what = String::from_utf8_lossy(job.payload()).into_owned();
        println!("begin {what}");
        work().await;
        println!("end {what}");
        // An error: the connection is gone, and the job comes again, here or elsewhere.
        let _again = done.accept();
    }
    Ok(())
}

/// Stands for whatever takes its time.
async fn work() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

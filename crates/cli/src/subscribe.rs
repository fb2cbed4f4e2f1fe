//! `dunlin sub`.

use crate::{
    args::{Form, Wish},
    escape,
    failure::{Code, Failure},
    link::{self, Patience},
    output::{self, Reader},
};
use dunlin_tokio::{
    Client, Options, Overflow, Properties, Property, QUEUE_DEFAULT, Received, Subscription,
};
use std::{cell::Cell, time::Duration};
use tokio::{io::Stdout, time::sleep};

/// How long the message of `--probe` may take to come back.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// Subscribes and prints until enough has come, the time is over, or nobody reads.
pub(crate) async fn run(wish: &Wish, options: Options) -> Result<(), Failure> {
    let printed = Cell::new(0);
    let options = options.queue(QUEUE_DEFAULT, Overflow::Block);
    link::run(options, over(wish, &printed), async |client, watch| {
        tokio::select! {
            biased;
            outcome = follow(client, wish, &printed) => outcome,
            failure = watch.lost(Patience::Endless) => Err(failure),
        }
    })
    .await
}

async fn follow(client: &Client, wish: &Wish, printed: &Cell<u64>) -> Result<(), Failure> {
    if let Some(topic) = &wish.probe {
        client.probe_sharing(topic, PROBE_LIMIT).await?;
    }
    let filters: Vec<_> = wish.filters.iter().map(|filter| wish.of(filter)).collect();
    let properties = properties(wish);
    let subscribing = client.subscribe_with(&filters, Properties::new(&properties));
    let mut messages: Subscription = subscribing.await?;
    if wish.keeps {
        messages = messages.kept();
    }
    let mut stdout: Stdout = tokio::io::stdout();
    let mut bytes = Vec::new();
    while wish.count.is_none_or(|count| printed.get() < count) {
        let Some(message) = messages.next().await else { break };
        bytes.clear();
        format(&message?, &wish.form, &mut bytes);
        if output::write(&mut stdout, &bytes).await? == Reader::Gone {
            break;
        }
        printed.set(printed.get() + 1);
    }
    Ok(())
}

/// What SUBSCRIBE says beside its filters.
fn properties(wish: &Wish) -> Vec<Property<'_>> {
    let id = wish.properties.id.map(Property::SubscriptionIdentifier);
    let pairs = wish.properties.user_properties.iter();
    id.into_iter().chain(pairs.map(|(name, value)| Property::UserProperty((name, value)))).collect()
}

/// Ends when the time of `-W` is over; never without one.
async fn over(wish: &Wish, printed: &Cell<u64>) -> Failure {
    let Some(wait) = wish.wait else { return std::future::pending().await };
    sleep(wait).await;
    timed_out(wait, wish.count, printed.get())
}

fn timed_out(wait: Duration, count: Option<u64>, printed: u64) -> Failure {
    let of = count.map_or(String::new(), |count| format!(" of {count}"));
    let text = format!(
        "the {} s of -W are over, messages so far: {printed}{of}: check the filter, or wait longer",
        wait.as_secs()
    );
    Failure::new(Code::TimedOut, text)
}

/// One message as it is printed.
fn format(message: &Received, form: &Form, into: &mut Vec<u8>) {
    let mut text = String::new();
    match form {
        Form::Raw => return into.extend_from_slice(message.payload()),
        Form::Verbose => {
            escape::push(message.topic().as_bytes(), &mut text);
            text.push(' ');
        }
        Form::Pattern(format) => {
            format.push(message, &mut text);
            text.push('\n');
            return into.extend_from_slice(text.as_bytes());
        }
        Form::Line => {}
    }
    escape::push(message.payload(), &mut text);
    text.push('\n');
    into.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_is_over_says_how_far_it_came() {
        let failure = timed_out(Duration::from_secs(2), Some(3), 1);
        assert_eq!(failure.code(), Code::TimedOut);
        assert!(failure.text().starts_with("the 2 s of -W are over, messages so far: 1 of 3: "));
        let failure = timed_out(Duration::from_secs(2), None, 7);
        assert!(failure.text().contains(", messages so far: 7: "));
    }
}

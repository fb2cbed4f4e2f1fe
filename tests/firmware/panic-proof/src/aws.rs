//! dunlin-aws: the rules, the limits, the clock and the causes, from any input.

use crate::opaque::{bytes, keep, memory, number, show, text};
use dunlin::{Connect, Instant, Message, Properties, Qos, Subscription, octet::Window};
use dunlin::{Error, Stage, octet::Text};
use dunlin_aws::sigv4::{Credentials, Key};
use dunlin_aws::{
    Access, Authorizer, Cause, ClockOffset, ConnectTurns, Endpoint, Guard, Limiter, Seen, Sntp,
    UnixTime, diagnose,
};

pub fn all() {
    guard();
    limits();
    clock();
    upgrade();
    cause();
}

fn guard() {
    let message = Message::new(text(), bytes(), Qos::AtLeastOnce);
    let connect = Connect { will: Some(message), ..Connect::new(text()) };
    let wishes = [Subscription::new(text(), Qos::ExactlyOnce); 2];
    let wishes = wishes.get(..number()).unwrap_or(&[]);
    for outcome in [
        Guard.check_connect(&connect),
        Guard.check_message(&message),
        Guard.check_subscribe(wishes, Properties::NONE, number()),
    ] {
        if let Err(breach) = outcome {
            show(&breach);
        }
    }
    keep(dunlin_aws::brings_retained(text()));
    keep(Endpoint::parse(text()).map(|endpoint| endpoint.partition().name()));
}

fn limits() {
    let now = |number: usize| Instant::from_millis(number as u64);
    let mut limiter = Limiter::with_limits(number() as u32, number() as u32);
    keep(limiter.take(now(number()), number()));
    keep(limiter.take(now(number()), number()));
    let mut connects = ConnectTurns::<4>::new();
    keep(connects.reserve(now(number()), text()));
    keep(connects.reserve(now(number()), text()));
    let wanted = number() as u16;
    keep((dunlin_aws::keep_alive_s(wanted), dunlin_aws::session_expiry_s(number() as u32)));
}

fn clock() {
    let clock = UnixTime::from_secs(number() as u64);
    let mut offset = ClockOffset::new();
    keep(offset.learn_from_date(clock, Some(text())));
    let sntp = Sntp::new(&mut |nonce: &mut [u8]| nonce.fill(number() as u8));
    keep(sntp.request());
    match sntp.response(bytes()) {
        Ok(right) => offset.set(clock, right),
        Err(error) => show(&error),
    }
    keep(offset.correct(clock));
}

fn upgrade() {
    let credentials = Credentials {
        access_key_id: text(),
        secret_access_key: text(),
        session_token: (number() > 0).then(text),
    };
    let at = UnixTime::from_secs(number() as u64);
    match dunlin_aws::signed_target(credentials, text(), text(), at, &mut Key::new()) {
        Ok(target) => write(&target),
        Err(error) => show(&error),
    }
    let authorizer = Authorizer::new().with_name(text());
    match authorizer.and_then(|named| named.with_signed_token(text(), text(), text())) {
        Ok(authorizer) => {
            write(&authorizer.target());
            authorizer.fields().for_each(keep);
            match authorizer.user_name(text()) {
                Ok(user_name) => write(&user_name),
                Err(error) => show(&error),
            }
        }
        Err(error) => show(&error),
    }
    keep((Access::Signed.port(), Access::Authorizer.alpn()));
}

fn write(text: &dyn Text) {
    let mut array = [0; 64];
    let mut window = Window::new(memory(&mut array), number());
    text.write(&mut window);
    keep(window.filled());
}

fn cause() {
    let seen = Seen {
        error_type: Some(text()),
        clock_ahead_s: Some(number() as i64),
        subscribing_ms: Some(number() as u64),
        stood_ms: number() as u64,
        ..Seen::new(Error::TimedOut(Stage::Open))
    };
    show(&diagnose(&seen).unwrap_or(Cause::Clock { ahead_s: number() as i64 }));
}

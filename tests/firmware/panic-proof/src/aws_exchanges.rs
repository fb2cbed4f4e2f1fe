//! dunlin-aws: every exchange, from any input, its answer from any bytes.

use crate::opaque::{bytes, keep, memory, number, show, text};
use dunlin_aws::cognito::{GetCredentials, GetId, region_of};
use dunlin_aws::iot_credentials::RoleAlias;
use dunlin_aws::json::Quoted;
use dunlin_aws::policies::{Action, Signer, read_attached, read_endpoint};
use dunlin_aws::{Answer, AnswerError, Expiring, Issued, Lifetime, Reply, ServiceHost};
use dunlin_octet::{Count, Inbox, Text, Window};
use dunlin_sigv4::{Credentials, Key, UnixTime};

pub fn all() {
    let logins = [(text(), text()), (text(), text())];
    let logins = logins.get(..number()).unwrap_or_default();
    keep(GetId::new(text(), text()).map(|request| write(&request.logins(logins))));
    keep(GetCredentials::new(text(), text()).map(|request| {
        write(&request.logins(logins).custom_role(text()));
        write(&request);
    }));
    let role = RoleAlias::new(text(), text()).and_then(|request| request.thing(text()));
    keep(role.map(|request| write(&request)));
    write(&ServiceHost { service: text(), region: text() });
    write(&Quoted(text()));
    keep(region_of(text()));
    let credentials = Credentials {
        access_key_id: text(),
        secret_access_key: text(),
        session_token: (number() > 0).then(text),
    };
    let at = UnixTime::from_secs(bytes().len() as u64);
    let signer = Signer { credentials, region: text(), host: text(), at };
    for action in [
        Action::Attach { policy: text(), target: text() },
        Action::Detach { policy: text(), target: text() },
        Action::ListAttached { target: text() },
        Action::Create { policy: text(), document: text() },
        Action::DescribeEndpoint,
    ] {
        let mut array = [0; 64];
        match action.sign(&signer, &mut Key::new(), memory(&mut array)) {
            Ok(signed) => write(&signed),
            Err(error) => show(&error),
        }
        answer(action, at);
    }
    let mut array = [0; 64];
    keep_credentials(Expiring::new(memory(&mut array), &credentials, Lifetime::new(at, at)), at);
}

fn answer(action: Action<'_>, now: UnixTime) {
    let mut array = [0; 64];
    let mut inbox = Inbox::new(memory(&mut array));
    inbox.receive(bytes());
    let mut reply = Reply::new();
    if let Err(error) = reply.poll(&mut inbox).and_then(|_| reply.handle_eof(&mut inbox)) {
        show(&error);
    }
    let Some(answer) = Answer::parse(inbox.stream()) else { return };
    keep(answer.date());
    refused(action.read(&answer));
    if let Some(id) = refused(GetId::read(&answer)) {
        write(&id);
        keep(id.is(text()));
    }
    if let Some(attached) = refused(read_attached(&answer)) {
        attached.for_each(|name| write(&name));
    }
    if let Some(host) = refused(read_endpoint(&answer)) {
        write(&host);
    }
    for issued in [GetCredentials::read(&answer), RoleAlias::read(&answer)] {
        if let Some(issued) = refused::<Issued<'_>>(issued) {
            let mut array = [0; 64];
            keep((issued.is_empty(), issued.until()));
            keep_credentials(issued.keep(memory(&mut array), now), now);
        }
    }
}

fn keep_credentials(kept: Option<Expiring<&mut [u8]>>, now: UnixTime) {
    let Some(kept) = kept else { return };
    let credentials = kept.credentials();
    keep((credentials.access_key_id, credentials.secret_access_key, credentials.session_token));
    keep((kept.lifetime().is_due(now), kept.lifetime().is_over(now)));
}

fn refused<T>(outcome: Result<T, AnswerError<'_>>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            keep(error.is_retryable());
            show(&error);
            None
        }
    }
}

fn write(text: &dyn Text) {
    let mut array = [0; 64];
    let mut window = Window::new(memory(&mut array), number());
    text.write(&mut window);
    keep((window.filled(), Count::of(&text)));
}

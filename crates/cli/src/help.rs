//! What the command says about itself.

use crate::failure::Code;
use std::fmt::Write as _;

/// The options that `pub`, `sub` and `doctor` share.
macro_rules! connection {
    () => {
        "
Connection:
  --url URL            wss://host[:port]/path, or ws:// mqtts:// mqtt://; the path of a WebSocket
                       is /mqtt when left out
  -V 5|311             version of MQTT (311)
  -i ID                client identifier (a random one when left out)
  -c                   have the broker keep the session under -i ID when the command has ended
  -x SECS              keep it for so long, also without -c over lost connections; -V 5
  -k SECS              keep alive, 0 turns it off (45)
  -u USER              user name
  -P PASSWORD          password; other users of this machine see it in the list of processes:
                       better put it into DUNLIN_PASSWORD
  --ca FILE            trust the CAs in this PEM file, and no others
  --cert FILE --key FILE  show this certificate, and prove it with its key: PEM files
  --alpn NAME          offer this protocol in the TLS handshake
  --aws-iot            keep to the rules of AWS IoT Core, also where the host is not AWS's
  --authorizer NAME    ask a custom authorizer of AWS IoT Core
  --authorizer-token KEY=TOKEN  with this token, which other users see like a password
  --authorizer-signature BASE64  and its signature
  --proxy URL          go through http://, socks5:// or socks5h://[user:password@]host[:port];
                       socks5h has the proxy resolve the broker's name; left out, the proxy that
                       HTTPS_PROXY (for TLS) or ALL_PROXY names, except for hosts in NO_PROXY
  --no-proxy           go straight, whatever the environment says
  --aws                sign for AWS IoT Core, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and,
                       for temporary credentials, AWS_SESSION_TOKEN
  --aws-pool POOL      sign as a guest of this Cognito identity pool
  --aws-identity ID    as this identity of the pool, and not as a new one
  --aws-profile NAME   sign with a profile of the AWS tools
  --aws-region REGION  sign for this region, also without any of those; left out, for the one that
                       the host of the URL names, or else for that of the pool or profile
  --aws-endpoint-url URL  where Cognito is, for tests
  --will-topic TOPIC   have the broker publish a message there when this client is lost
  --will-payload TEXT  that message's payload (empty)
  --will-qos 0|1|2     its QoS (0)
  --will-retain        keep it for later subscribers
  -D PACKET NAME VALUE a property of MQTT 5; may be given several times, with -V 5:
     connect           receive-maximum, request-problem-information, request-response-information,
                       session-expiry-interval, user-property NAME VALUE
     will              will-delay-interval, and what publish has in dunlin pub
"
    };
}

/// `dunlin pub --help`; the first line is shown with usage errors.
pub(crate) const PUB: &str = concat!(
    "dunlin pub --url URL -t TOPIC (-m TEXT | -f FILE | -l | -s | -n) [options]

Publishes, waits until every message is acknowledged (-q 1, -q 2) or written (-q 0), and says
good-bye.
Connects again when the connection is lost, and gives up when that does not help.

Message:
  -t TOPIC             where to publish
  -m TEXT              the payload
  -f FILE              the file's bytes are the payload
  -l                   each line of standard input is a message
  -s                   all of standard input is one message
  -n                   an empty payload; with -r it deletes what the broker kept
  -q 0|1|2             QoS: at most once, at least once, exactly once (0)
  -r                   the broker keeps the message for later subscribers
",
    connection!(),
    "     publish           content-type, correlation-data, message-expiry-interval, response-topic,
                       payload-format-indicator, user-property NAME VALUE
"
);

/// `dunlin sub --help`; the first line is shown with usage errors.
pub(crate) const SUB: &str = concat!(
    "dunlin sub --url URL -t FILTER [-t FILTER ...] [-q 0|1|2] [-C COUNT] [-W SECONDS] [options]

Prints the payload of each message as a line, with control characters escaped: \\n, \\t, \\xNN for
any other and for bytes that are not UTF-8, and \\\\ for a backslash. Connects again when the
connection is lost, and says so.

Messages:
  -t FILTER            what to subscribe to: a/b, a/+/b, a/#; may be given several times
  -q 0|1|2             highest QoS: at most once, at least once, exactly once (0)
  --group NAME         share the messages with all who subscribe under this name: each goes to one
                       of them
  --probe TOPIC        first see that the broker delivers to groups: an empty message of this
                       command's own, to a topic that nobody else uses, must come back
  -C COUNT             end after that many messages
  -W SECONDS           end after that time, with exit code 27
  -v                   print the topic and a blank before the payload
  --raw                write the payloads' bytes as they are, and nothing else
  -F FORMAT            print this line: %t topic, %p payload, %x payload in hexadecimal, %l its
                       length, %q QoS, %r retain flag, %% a percent sign; of MQTT 5: %C content
                       type, %D correlation data, %E expiry, %F payload format, %P user properties,
                       %R response topic, %S subscription identifiers
  --no-local           not what this client itself publishes; -V 5
  --retain-as-published  keep the retain flag as it was published; -V 5
  --retain-handling always|new|never
                       whether kept messages come first: for a subscription, for a new one only,
                       or not at all; -V 5
",
    connection!(),
    "     subscribe         subscription-identifier, user-property NAME VALUE
"
);

/// `dunlin doctor --help`; the first line is shown with usage errors.
pub(crate) const DOCTOR: &str = concat!(
    "dunlin doctor --url URL [-t TOPIC] [options]

Tries each step on the way to a broker, and says what came of it and what to do next: the name, TCP,
TLS, the clock, the WebSocket upgrade, CONNACK, a subscription, and a message that comes back to it.
The first step that fails decides about the exit code.

  -t TOPIC             where the message goes (dunlin/doctor/ and something random)
",
    connection!(),
    "     publish           taken, and of no use here\n"
);

/// `dunlin presign --help`; the first line is shown with usage errors.
pub(crate) const PRESIGN: &str =
    "dunlin presign --endpoint HOST[:PORT] [--region REGION] [--at TIME] [--expires SECONDS]

Prints a wss:// URL for AWS IoT Core, signed with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for
temporary credentials, AWS_SESSION_TOKEN. Whoever has the URL can connect until it expires.

  --endpoint HOST[:PORT]  the account's endpoint
  --region REGION         its region, such as us-east-1, where the endpoint does not name it
  --at TIME               when it is signed, such as 2024-01-02T03:04:05Z (now)
  --expires SECONDS       how long it is valid; left out, the service decides
";

/// `dunlin attach-policy --help`; the first line is shown with usage errors.
pub(crate) const ATTACH: &str =
    "dunlin attach-policy --policy NAME --target IDENTITY [--region REGION] [--endpoint-url URL]

Attaches a policy of AWS IoT Core to a Cognito identity, a certificate or a group; one that is
attached already stays so. Signs with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary
credentials, AWS_SESSION_TOKEN: those of somebody who may do it. It may take a minute to show.

  --policy NAME        the policy, which `dunlin policy` helps to write
  --target IDENTITY    REGION:UUID, as `dunlin identity` prints it, or an ARN
  --region REGION      its region, where the target does not say it
  --endpoint-url URL   where the control plane is, for tests
";

/// `dunlin identity --help`; the first line is shown with usage errors.
pub(crate) const IDENTITY: &str = "dunlin identity --pool POOL [--endpoint-url URL]

Asks a Cognito identity pool for a new guest and prints its name, and on a second line when the
credentials end that it gets; these are not printed. Keep the name for --aws-identity.

  --pool POOL          the identity pool, REGION:UUID
  --endpoint-url URL   where Cognito is, for tests
";

/// `dunlin policy --help`; the first line is shown with usage errors.
pub(crate) const POLICY: &str =
    "dunlin policy (--endpoint HOST | --region REGION) --account NUMBER --topic FILTER
[--topic FILTER ...] [--client-id ID]

Prints a document that lets a client connect, publish and subscribe to these topics. It serves
twice: as the policy of the IAM role of the identities, and as the AWS IoT policy that is attached
to each.

  --endpoint HOST      the account's endpoint, whose region and partition are named in it
  --region REGION      its region, where the endpoint does not name it
  --account NUMBER     the account, 12 digits
  --topic FILTER       a/b, a/+/b, a/#, as it will be subscribed to; may be given several times
  --client-id ID       the one client identifier that may connect (any)
";

/// `dunlin broker --help`; the first line is shown with usage errors.
pub(crate) const BROKER: &str = "dunlin broker [--ws PORT] [--tcp PORT]

Runs a broker for tests on this machine's loopback address: MQTT 3.1.1 and 5, nothing kept on disk,
no passwords. Prints the URLs it listens on, one a line, and ends at SIGINT or SIGTERM.

  --ws PORT    port for MQTT over WebSocket, 0 for any (9001)
  --tcp PORT   port for MQTT over TCP, 0 for any (1883)
";

/// `dunlin demo --help`; the first line is shown with usage errors.
pub(crate) const DEMO: &str = "dunlin demo [--web [--port PORT]]

Starts a broker in this process, connects two clients over WebSocket, lets them talk in JSON, cuts
their connection once, and shows all of it. Ends by itself.

  --web        serve a page on this machine's loopback address instead: it shows providers, their
               states, subscriptions and messages as they come, publishes, and adds and removes
               providers; prints its URL and the broker's, and ends at SIGINT or SIGTERM
  --port PORT  the page's port, 0 for any (0)
";

const OVERVIEW: &str = "dunlin: MQTT over WebSocket, and through AWS IoT Core

  dunlin pub            publish: text, a file, or lines of standard input
  dunlin sub            subscribe and print what comes
  dunlin doctor         find out why a connection does not come about
  dunlin presign        print a signed URL for AWS IoT Core
  dunlin identity       ask Cognito for an identity
  dunlin attach-policy  let an identity through to AWS IoT Core
  dunlin policy         print the document of such a policy
  dunlin broker         run a broker for tests on this machine
  dunlin demo           two clients and a broker that talk, for a first look; --web shows a page

`dunlin COMMAND --help` lists its options, `dunlin --version` prints the version.

Exit codes:
    0  all went well
";

/// `dunlin --help`.
pub(crate) fn overview() -> String {
    let mut text = OVERVIEW.to_owned();
    for code in Code::ALL {
        // A string takes all that is written.
        let _ = writeln!(text, "  {:3}  {}", code as i32, code.meaning());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_a_terminal() {
        for text in [PUB, SUB, DOCTOR, PRESIGN, ATTACH, IDENTITY, POLICY, BROKER, DEMO, &overview()]
        {
            for line in text.lines() {
                assert!(line.chars().count() <= 100, "{line}");
            }
        }
    }

    #[test]
    fn help_begins_with_the_usage() {
        for (name, text) in [
            ("pub", PUB),
            ("sub", SUB),
            ("doctor", DOCTOR),
            ("presign", PRESIGN),
            ("attach-policy", ATTACH),
            ("identity", IDENTITY),
            ("policy", POLICY),
            ("broker", BROKER),
            ("demo", DEMO),
        ] {
            assert!(text.starts_with(&format!("dunlin {name}")), "{text}");
        }
    }
}

//! Command lines, right and wrong.

use super::*;
use crate::failure::Code;
use dunlin_tokio::Version;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn wrong(line: &str) -> Failure {
    let failure = parse(words(line)).expect_err(line);
    assert_eq!(failure.code(), Code::Usage, "{line}");
    assert!(!failure.text().contains('\n'), "{line}: {}", failure.text());
    failure
}

fn publishing(line: &str) -> Publish {
    match parse(words(line)) {
        Ok(Command::Publish(publish)) => *publish,
        other => panic!("{line}: {other:?}"),
    }
}

fn subscribing(line: &str) -> Subscribe {
    match parse(words(line)) {
        Ok(Command::Subscribe(subscribe)) => *subscribe,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn nothing_and_help_show_the_overview_with_every_exit_code() {
    for line in ["", "--help", "-h", "help"] {
        let Ok(Command::Help(text)) = parse(words(line)) else { panic!("{line}") };
        for code in Code::ALL {
            assert!(text.contains(&format!("{:3}  {}", code as i32, code.meaning())), "{text}");
        }
    }
    assert!(matches!(parse(words("--version")), Ok(Command::Version)));
}

#[test]
fn help_of_each_command_wins_over_what_is_missing() {
    let aws = ["presign", "attach-policy", "identity", "policy"];
    for name in ["pub", "sub", "doctor", "broker", "demo"].into_iter().chain(aws) {
        let Ok(Command::Help(text)) = parse(words(&format!("{name} --help"))) else {
            panic!("{name}")
        };
        assert!(text.starts_with(&format!("dunlin {name}")));
    }
    assert!(help::PUB.contains("DUNLIN_PASSWORD"));
}

#[test]
fn pub_reads_every_option() {
    let line = "pub --url wss://h -t a/b -m hi -q 1 -r -i me -k 7 -u ann -P pw --ca ca.pem \
                --aws-region eu-west-1 --will-topic w --will-payload bye --will-qos 1 \
                --will-retain --proxy socks5h://ann:pw@p";
    let Publish { connection, target, payload } = publishing(line);
    let properties = MessageProperties::default();
    let qos = Qos::AtLeastOnce;
    assert_eq!(target, Target { topic: "a/b".into(), qos, retain: true, properties });
    assert_eq!(connection.version, Version::V3);
    assert_eq!(payload, Payload::Text(b"hi".to_vec()));
    assert_eq!(connection.url.host(), "h");
    assert_eq!(connection.client_id.as_deref(), Some("me"));
    assert_eq!(connection.keep_alive_s, Some(7));
    assert_eq!(connection.user_name.as_deref(), Some("ann"));
    assert_eq!(&**connection.password.unwrap().0, b"pw");
    assert_eq!(connection.ca, Some("ca.pem".into()));
    let Way::Through(proxy) = connection.way else { panic!("{:?}", connection.way) };
    assert_eq!(proxy.to_string(), "socks5h://***@p:1080");
    assert_eq!(connection.region.as_deref(), Some("eu-west-1"));
    let will = connection.will.unwrap();
    assert_eq!((will.topic.as_str(), will.payload.as_slice()), ("w", &b"bye"[..]));
    assert_eq!((will.qos, will.retain), (Qos::AtLeastOnce, true));
}

#[test]
fn pub_takes_each_source_of_payloads() {
    for (option, payload) in [
        ("-m x", Payload::Text(b"x".to_vec())),
        ("-mx", Payload::Text(b"x".to_vec())),
        ("-m -f", Payload::Text(b"-f".to_vec())),
        ("-f x", Payload::File("x".into())),
        ("-l", Payload::Lines),
        ("-s", Payload::Input),
        ("-n", Payload::Empty),
    ] {
        let line = format!("pub --url=ws://h -t a {option}");
        let publish = publishing(&line);
        assert_eq!(publish.payload, payload, "{line}");
        assert_eq!(publish.target.qos, Qos::AtMostOnce);
    }
}

#[cfg(unix)]
#[test]
fn pub_payload_may_be_any_bytes() {
    use std::os::unix::ffi::OsStringExt;
    let mut line = words("pub --url ws://h -t a -m");
    line.push(OsString::from_vec(vec![0xff, 0x01]));
    let Ok(Command::Publish(publish)) = parse(line) else { panic!() };
    assert_eq!(publish.payload, Payload::Text(vec![0xff, 0x01]));
}

#[test]
fn sub_reads_every_option() {
    let line = "sub --url ws://h -t a/# -t b -q 1 -C 3 -W 9 -v -k 0";
    let Subscribe { connection, wish } = subscribing(line);
    assert_eq!(connection.keep_alive_s, Some(0));
    assert_eq!(wish.filters, ["a/#", "b"]);
    assert_eq!((wish.qos, wish.count), (Qos::AtLeastOnce, Some(3)));
    assert_eq!((wish.wait, wish.form), (Some(Duration::from_secs(9)), Form::Verbose));
    assert_eq!(subscribing("sub --url ws://h -t a --raw").wish.form, Form::Raw);
}

#[test]
fn group_is_put_before_each_filter_and_must_be_a_name() {
    let wish = subscribing("sub --url ws://h -t a/# -t b --group g --probe p/q").wish;
    assert_eq!(wish.filters, ["$share/g/a/#", "$share/g/b"]);
    assert_eq!(wish.probe.as_deref(), Some("p/q"));
    for wrong in ["--group a/b", "--group +", "--group g#", "--probe p/#"] {
        let failure = parse(words(&format!("sub --url ws://h -t a {wrong}"))).unwrap_err();
        assert_eq!(failure.code(), Code::Usage, "{wrong}");
    }
}

#[test]
fn pub_reads_every_property() {
    let line = "pub --url ws://h -t a -n -V 5 -x 60 -P pw --will-topic w \
                -D publish content-type text -D publish user-property a b \
                -D publish user-property a c -D publish message-expiry-interval 7 \
                -D publish payload-format-indicator 1 -D publish response-topic r \
                -D publish correlation-data 42 -D will will-delay-interval 5 \
                -D will content-type gone -D connect receive-maximum 256 \
                -D connect request-problem-information 0 \
                -D connect request-response-information 1 -D connect user-property d e";
    let Publish { connection, target, .. } = publishing(line);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = MessageProperties {
        payload_is_text: Some(true),
        expiry_s: Some(7),
        content_type: Some("text".into()),
        response_topic: Some("r".into()),
        correlation_data: Some(b"42".to_vec()),
        user_properties: vec![pair("a", "b"), pair("a", "c")],
    };
    assert_eq!(target.properties, expected);
    assert_eq!((connection.version, connection.persistence), (Version::V5, Persistence::Clean));
    let expected = OfConnect {
        session_expiry_s: Some(60),
        receive_maximum: std::num::NonZeroU16::new(256),
        no_problem_information: true,
        response_information: true,
        user_properties: vec![pair("d", "e")],
    };
    assert_eq!(connection.properties, expected);
    let will = connection.will.unwrap();
    assert_eq!((will.delay_s, will.properties.content_type.as_deref()), (5, Some("gone")));
}

#[test]
fn sub_reads_what_mqtt_5_has() {
    let line = "sub --url ws://h -t a -V mqttv5 -i me -c --no-local --retain-as-published \
                --retain-handling never -D subscribe subscription-identifier 7 \
                -D subscribe user-property a b -F %t:%p";
    let Subscribe { connection, wish } = subscribing(line);
    assert_eq!((connection.version, connection.persistence), (Version::V5, Persistence::Kept));
    let asked = wish.of("a");
    assert!(asked.no_local && asked.retain_as_published && wish.keeps);
    assert_eq!(asked.retain_handling, RetainHandling::DoNotSend);
    assert_eq!(wish.properties.id.map(|id| id.value()), Some(7));
    assert_eq!(wish.properties.user_properties, [("a".to_owned(), "b".to_owned())]);
    assert_eq!(wish.form, Form::Pattern(Format::parse("%t:%p").unwrap()));
    assert_eq!(subscribing("sub --url ws://h -t a -V 311").connection.version, Version::V3);
}

#[test]
fn presign_reads_every_option() {
    let line =
        "presign --endpoint H:8443 --region us-east-1 --at 2024-01-02T03:04:05Z --expires 60";
    let Ok(Command::Presign(presign)) = parse(words(line)) else { panic!() };
    assert_eq!(presign.endpoint.host_header(), "h:8443");
    assert_eq!(presign.at, Some(UnixTime::from_secs(1_704_164_645)));
    assert_eq!((presign.region.as_str(), presign.expires), ("us-east-1", Some(60)));
}

#[test]
fn broker_ports_have_defaults() {
    let ports = |line| match parse(words(line)) {
        Ok(Command::Broker(ports)) => ports,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(ports("broker"), PORTS_DEFAULT);
    assert_eq!(ports("broker --ws 0 --tcp 65535"), Ports { ws: 0, tcp: 65535 });
}

#[test]
fn usage_error_names_the_option_and_how_it_is_used() {
    for (line, what) in [
        ("pub -t a -m x", "--url URL is missing: dunlin pub --url URL -t TOPIC"),
        ("pub --url ws://h -m x", "-t TOPIC is missing"),
        ("pub --url ws://h -t a", "-m TEXT, -f FILE, -l, -s or -n is missing"),
        ("pub --url ws://h -t a -m x -n", "-m, -f, -l, -s and -n exclude one another"),
        ("pub --url ws://h -t a -t b -n", "-t is given twice"),
        (
            "pub --url wss://h -t a -n -q 2 --aws-region r",
            "-q takes 0 or 1 here, since AWS IoT has",
        ),
        ("sub --url wss://h -t a -q 2 --aws-region r", "-q takes 0 or 1 here, since AWS IoT has"),
        (
            "sub --url wss://h -t a -q 1 --aws-region r --will-topic b --will-qos 2",
            "--will-qos takes 0 or 1 here, since AWS IoT has no QoS 2",
        ),
        ("pub --url ws://h -t a -n -q 3", "-q takes 0, 1 or 2"),
        ("pub --url ws://h -t a -n -k 65536", "-k takes a number of seconds, from 0 to 65535"),
        ("pub --url ws://h -t a -n --colour", "there is no option --colour"),
        ("pub --url ws://h -t a -n -P x", "-P needs a user name"),
        ("pub --url ws://h -t a -n --ca x", "--ca has no use without TLS"),
        ("pub --url ws://h -t a -n --proxy ftp://p", "--proxy: the proxy's URL has an unknown"),
        ("pub --url ws://h -t a -n --proxy p --no-proxy", "--proxy and --no-proxy exclude one"),
        ("pub --url ws://h -t a -n --proxy https://p", "--proxy: the proxy's URL has an unknown"),
        ("pub --url mqtts://h -t a -n --aws-region r", "--aws-region signs WebSocket upgrades"),
        ("pub --url ws://h -t a -n --will-qos 1", "--will-qos needs --will-topic TOPIC"),
        ("pub --url ws://h -t a -n -r=1", "-r takes no value"),
        ("pub --url ws://h -t", "-t needs a value: dunlin pub"),
        ("sub --url ws://h", "-t FILTER is missing: dunlin sub --url URL -t FILTER"),
        ("sub --url ws://h -t a -C 0", "-C takes a number of messages"),
        ("sub --url ws://h -t a -W soon", "-W takes a number of seconds"),
        ("sub --url ws://h -t a -v --raw", "-v, -F and --raw exclude one another"),
        ("sub --url ws://h -t a -F %p -v", "-v, -F and --raw exclude one another"),
        ("sub --url ws://h -t a -F %z", "-F has a % before a letter"),
        ("sub --url ws://h -t a -c", "-c needs a client identifier"),
        ("sub --url ws://h -t a --no-local", "--no-local needs MQTT 5, which is -V 5"),
        ("sub --url ws://h -t a -x 1", "-x needs MQTT 5"),
        ("sub --url ws://h -t a -V 5 --retain-handling x", "--retain-handling takes always, new"),
        ("sub --url ws://h -t a -V 5 -D publish content-type x", "-D takes a property of connect"),
        ("pub --url ws://h -t a -n -V 4", "-V takes 5 or 311"),
        ("pub --url ws://h -t a -n -D publish content-type x", "-D needs MQTT 5, which is -V 5"),
        ("pub --url ws://h -t a -n -V 5 -D publish content-typo x", "-D has a property that is"),
        ("pub --url ws://h -t a -n -V 5 -D publish user-property x", "-D needs a value"),
        ("pub --url ws://h -t a -n -V 5 -D publish response-topic #", "-D response-topic is not a"),
        ("pub --url ws://h -t a -n -V 5 -D will content-type x", "-D will needs --will-topic"),
        ("pub --url ws://h -t a -n -V 5 -D connect receive-maximum 0", "-D takes a number there"),
        ("presign --region r", "--endpoint HOST[:PORT] is missing"),
        ("presign --endpoint wss://h/ --region r", "--endpoint is a host"),
        ("presign --endpoint h --region r --at now", "--at is not a time like 2024-01-02T"),
        ("presign --endpoint h --region r --expires 604801", "--expires takes a number"),
        ("broker --ws 65536", "--ws takes a number as a port, from 0 to 65535: dunlin broker"),
        ("demo --fast", "there is no option --fast: dunlin demo"),
        ("demo --port 80", "--port is the port of the page, which is --web"),
        ("demo --web --port 65536", "--port takes a number as a port, from 0 to 65535"),
    ] {
        let failure = wrong(line);
        assert!(failure.text().starts_with(what), "{line}: {}", failure.text());
    }
}

#[test]
fn bad_url_is_a_usage_error_with_advice() {
    for url in ["ws://", "http://h", "https://h", "h", "ftp://h", "ws://h:0", "mqtt://h/path"] {
        let failure = wrong(&format!("pub -t a -n --url {url}"));
        assert!(failure.text().starts_with("--url: "), "{}", failure.text());
    }
}

#[test]
fn bad_topic_and_filter_are_usage_errors() {
    let long = "x".repeat(65_536);
    for (line, option) in [
        ("pub --url ws://h -n -t a/+".to_owned(), "-t is not a topic"),
        ("pub --url ws://h -n -t a/#".to_owned(), "-t is not a topic"),
        (format!("pub --url ws://h -n -t {long}"), "-t is not a topic"),
        ("pub --url ws://h -n -t a --will-topic #".to_owned(), "--will-topic is not a topic"),
        ("sub --url ws://h -t a/#/b".to_owned(), "-t is not a topic filter"),
        (format!("sub --url ws://h -t {long}"), "-t is not a topic filter"),
    ] {
        let failure = wrong(&line);
        assert!(failure.text().starts_with(option), "{}", failure.text());
        assert!(failure.text().len() < 300);
    }
}

#[test]
fn usage_error_shows_no_value() {
    for line in [
        "wss://ann:s3cr3t@h",
        "pub wss://ann:s3cr3t@h",
        "pub --url wss://h -P s3cr3t s3cr3t",
        "pub --url s3cr3t -t a -n",
        "pub --url wss://ann:s3cr3t@h@h -t a -n",
        "pub --url wss://h -t a -n --ca=x -r=s3cr3t",
        "pub --url wss://h -t a -n --proxy ftp://ann:s3cr3t@p",
        "pub --url wss://h -t a -n --proxy http://ann:s3cr3t@p@p",
        "presign --endpoint s3cr3t@h --region r",
        "policy --endpoint wss://u:s3cr3t@h --account 123456789012 --topic t",
    ] {
        let failure = wrong(line);
        assert!(!failure.text().contains("s3cr3t"), "{line}: {}", failure.text());
    }
}

#[test]
fn debug_output_shows_no_password() {
    let publish = publishing(
        "pub --url wss://ann:s3cr3t@h -t a -n -u bob -P s3cr3t \
                              --proxy http://ann:s3cr3t@p",
    );
    assert!(!format!("{publish:?}").contains("s3cr3t"));
}

#[test]
fn doctor_has_a_topic_of_its_own_unless_told() {
    let topic = |line: &str| match parse(words(line)) {
        Ok(Command::Doctor(both)) => both.0.topic,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(topic("doctor --url ws://h -t a/b"), "a/b");
    let own = topic("doctor --url ws://h");
    assert!(own.starts_with("dunlin/doctor/") && own != topic("doctor --url ws://h"), "{own}");
    assert!(wrong("doctor --url ws://h -t a/#").text().contains("-t is not a topic"));
    assert!(wrong("doctor").text().contains("--url URL is missing"));
}

#[test]
fn proofs_that_do_not_go_together_are_refused() {
    for (args, words) in [
        ("wss://h --cert c.pem", "--cert and --key need one another"),
        ("ws://h --cert c.pem --key k.pem", "--cert has no use without TLS"),
        ("mqtt://h --alpn mqtt", "--alpn has no use without TLS"),
        ("wss://h --authorizer-token secret", "--authorizer-token takes KEY=TOKEN"),
        ("wss://h --authorizer-signature x", "needs --authorizer-token"),
    ] {
        let failure = wrong(&format!("pub -t a -n --url {args}"));
        assert!(failure.text().contains(words), "{}", failure.text());
        assert!(!failure.text().contains("secret"), "{}", failure.text());
    }
    let shown = publishing("pub -t a -n --url wss://h --authorizer x --authorizer-token k=secret");
    assert!(!format!("{shown:?}").contains("secret"));
}

#[test]
fn aws_commands_read_every_option() {
    let line = "attach-policy --policy P --target r:id --region r --endpoint-url http://h";
    let Ok(Command::Attach(attach)) = parse(words(line)) else { panic!() };
    let expected = Attach {
        policy: "P".into(),
        target: "r:id".into(),
        region: Some("r".into()),
        endpoint_url: Some("http://h".into()),
    };
    assert_eq!(attach, expected);
    let line = "identity --pool r:p --endpoint-url http://h";
    let Ok(Command::Identity(identity)) = parse(words(line)) else { panic!() };
    assert_eq!(
        (identity.pool.as_str(), identity.endpoint_url.as_deref()),
        ("r:p", Some("http://h"))
    );
    let line = "policy --region r --account 123456789012 --topic a/# --topic b --client-id c";
    let Ok(Command::Policy(policy)) = parse(words(line)) else { panic!() };
    assert_eq!((policy.topics.len(), policy.client_id.as_deref()), (2, Some("c")));
    let endpoint = "a1-ats.iot.cn-north-1.amazonaws.com.cn";
    let line = format!("policy --endpoint {endpoint} --account 123456789012 --topic a");
    let Ok(Command::Policy(policy)) = parse(words(&line)) else { panic!() };
    assert_eq!(policy.region, "cn-north-1");
    let Ok(Command::Presign(presign)) = parse(words(&format!("presign --endpoint {endpoint}:443")))
    else {
        panic!()
    };
    assert_eq!(presign.region, "cn-north-1");
    assert!(publishing("pub --url wss://h -t t -n --aws").connection.aws.variables);
    let upper = publishing("pub --url wss://h -t t -n --aws-region EU-West-1").connection;
    assert_eq!(upper.region.as_deref(), Some("eu-west-1"));
    let line =
        "sub --url wss://h -t t --aws-pool r:p --aws-identity r:i --aws-endpoint-url http://h";
    let Ok(Command::Subscribe(subscribe)) = parse(words(line)) else { panic!() };
    assert_eq!(subscribe.connection.aws.pool.as_deref(), Some("r:p"));
}

#[test]
fn aws_options_that_do_not_go_together_are_refused() {
    for (line, told) in [
        ("sub --url wss://h -t t --aws-pool r:p --aws-profile x", "exclude one another"),
        ("sub --url wss://h -t t --aws-pool r:p --aws", "--aws and --aws-pool exclude"),
        ("sub --url mqtts://h -t t --aws", "--aws signs WebSocket upgrades"),
        ("sub --url wss://h -t t --aws-identity r:i", "needs --aws-pool"),
        ("sub --url mqtts://h -t t --aws-pool r:p", "wss://"),
        ("sub --url wss://h -t t -q 2 --aws-profile x", "no QoS 2"),
        ("attach-policy --policy P", "--target IDENTITY is missing"),
        ("identity", "--pool POOL is missing"),
        ("policy --region r --account 12 --topic t", "12 digits"),
        ("policy --account 123456789012 --topic t", "--region REGION or --endpoint HOST is"),
        ("policy --endpoint h --account 123456789012 --topic t", "add --region REGION"),
        ("presign --endpoint h", "h does not tell its region"),
        ("policy --region r --account 123456789012", "--topic FILTER is missing"),
        ("policy --region r --account 123456789012 --topic a#", "topic filter"),
        ("policy --region r --account 123456789012 --topic a/*", "no * and no ?"),
        ("policy --region r --account 123456789012 --topic a?", "no * and no ?"),
        ("policy --region r --account 123456789012 --topic a --client-id=", "is empty"),
        ("policy --region= --account 123456789012 --topic a", "a region like us-east-1"),
        ("presign --endpoint h --region us_east", "a region like us-east-1"),
        ("pub --url wss://h -t t -n --aws-region r/x", "a region like us-east-1"),
        ("attach-policy --policy P --target r:id --region r:", "a region like us-east-1"),
        (
            "policy --endpoint a1-ats.iot.us-east-1.amazonaws.com --region eu-west-1",
            "--region says eu-west-1, --endpoint us-east-1",
        ),
    ] {
        let failure = parse(words(line)).unwrap_err();
        assert_eq!(failure.code(), Code::Usage, "{line}");
        assert!(failure.text().contains(told), "{line}: {}", failure.text());
    }
}

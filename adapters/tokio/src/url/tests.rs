//! URLs, right and wrong.

use super::*;

fn url(text: &str) -> Url {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> UrlError {
    text.parse::<Url>().expect_err(text)
}

#[test]
fn scheme_alone_brings_port_and_path() {
    for (text, scheme, port, target) in [
        ("ws://h", Scheme::Ws, 80, "/mqtt"),
        ("wss://h", Scheme::Wss, 443, "/mqtt"),
        ("mqtt://h", Scheme::Mqtt, 1883, ""),
        ("mqtts://h", Scheme::Mqtts, 8883, ""),
        ("mqtts://h/", Scheme::Mqtts, 8883, ""),
        ("WSS://H", Scheme::Wss, 443, "/mqtt"),
    ] {
        let url = url(text);
        assert_eq!(
            (url.scheme(), url.port(), url.target(), url.host()),
            (scheme, port, target, "h"),
            "{text}"
        );
        assert_eq!(url.host_header(), "h", "{text}");
        assert_eq!((url.user_name(), url.password()), (None, None), "{text}");
    }
}

#[test]
fn target_given_is_kept_exactly() {
    let long = format!("/{}", "p".repeat(4096));
    for target in ["/", "//", "/mqtt", "/a/b%20c?x=1&y=%2F?", "/?", "/a@b:1", long.as_str()] {
        assert_eq!(url(&format!("ws://h{target}")).target(), target);
        assert_eq!(url(&format!("wss://h:1{target}")).target(), target);
    }
    assert_eq!(url("ws://h?x=1").target(), "/mqtt?x=1");
}

#[test]
fn host_header_has_brackets_and_no_default_port() {
    for (text, header) in [
        ("ws://Example.COM", "example.com"),
        ("ws://example.com:80", "example.com"),
        ("ws://example.com:443", "example.com:443"),
        ("wss://example.com:443/x", "example.com"),
        ("wss://example.com:8443", "example.com:8443"),
        ("ws://127.0.0.1:9001", "127.0.0.1:9001"),
        ("ws://[::1]", "[::1]"),
        ("ws://[0:0:0:0:0:0:0:1]:80", "[::1]"),
        ("wss://[2001:DB8::1]:8443/p", "[2001:db8::1]:8443"),
        ("ws://[::ffff:1.2.3.4]:81", "[::ffff:1.2.3.4]:81"),
    ] {
        assert_eq!(url(text).host_header(), header, "{text}");
    }
}

#[test]
fn host_in_brackets_loses_them() {
    let url = url("mqtt://[::1]:1884");
    assert_eq!((url.host(), url.port()), ("::1", 1884));
}

#[test]
fn user_info_is_percent_decoded() {
    for (text, name, password) in [
        ("ws://ann@h", Some("ann"), None),
        ("ws://ann:@h", Some("ann"), Some(&b""[..])),
        ("ws://ann:s3cr3t@h:1/p@q", Some("ann"), Some(b"s3cr3t")),
        ("ws://a%40b:c%3a%2F%25@h", Some("a@b"), Some(b"c:/%")),
        ("ws://%C3%A4:%00%ff@h", Some("ä"), Some(b"\0\xff")),
        ("ws://a:b:c@h", Some("a"), Some(b"b:c")),
        ("ws://:p@h", Some(""), Some(b"p")),
        ("ws://@h", None, None),
    ] {
        let url = url(text);
        assert_eq!((url.user_name(), url.password()), (name, password), "{text}");
        assert_eq!(url.host(), "h", "{text}");
    }
}

#[test]
fn user_info_unreadable_is_refused() {
    for text in ["%", "%4", "%zz", "a:%", "a:%f", "%ff", "%00", "a@b", "a:p@ss", "%+1:a"] {
        assert_eq!(refused(&format!("ws://{text}@h")), UrlError::UserInfo, "{text}");
    }
}

#[test]
fn scheme_missing_or_unknown_is_refused() {
    for (text, error) in [
        ("", UrlError::MissingScheme),
        ("host", UrlError::MissingScheme),
        ("host:1883", UrlError::MissingScheme),
        ("ws:/host", UrlError::MissingScheme),
        ("//host", UrlError::MissingScheme),
        ("://host", UrlError::UnknownScheme),
        ("tcp://host", UrlError::UnknownScheme),
        ("wsss://host", UrlError::UnknownScheme),
        ("host/?u=ws://x", UrlError::UnknownScheme),
        ("http://host", UrlError::Http),
        ("HTTPS://host", UrlError::Https),
    ] {
        assert_eq!(refused(text), error, "{text}");
    }
    assert!(UrlError::Http.to_string().contains("ws://"));
    assert!(UrlError::Https.to_string().contains("wss://"));
}

#[test]
fn host_absent_is_refused() {
    for rest in ["", "/", "/mqtt", "?x", ":80", ":80/x", "u:p@", "u@:80", "@"] {
        assert_eq!(refused(&format!("wss://{rest}")), UrlError::NoHost, "{rest}");
    }
    assert_eq!(refused("mqtt://"), UrlError::NoHost);
}

#[test]
fn host_neither_name_nor_address_is_refused() {
    let label = "a".repeat(64);
    let name = "a.".repeat(127);
    for host in [
        "::1",
        "::1:80",
        "[::1",
        "[::1]80",
        "[]",
        "[::g]",
        "[fe80::1%25eth0]",
        "[1.2.3.4]",
        "::1]",
        "a..b",
        ".a",
        "a!b",
        "a%41",
        "-",
        "a-",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "0x7f",
        "a\\b",
        "a,b",
        "a[b",
        &label,
        &name,
    ] {
        assert_eq!(refused(&format!("ws://{host}")), UrlError::Host, "{host}");
    }
    for host in ["a", "a-b", "a_b", "a.b.", "xn--bcher-kva.example", "1a.2b", "255.255.255.255"] {
        assert_eq!(url(&format!("ws://{host}")).host(), host);
    }
}

#[test]
fn port_outside_its_range_is_refused() {
    for port in ["", "0", "00000", "65536", "99999", "000001", "+80", "-1", "8a", "0x50"] {
        assert_eq!(refused(&format!("ws://h:{port}/")), UrlError::Port, "{port}");
        assert_eq!(refused(&format!("ws://[::1]:{port}")), UrlError::Port, "{port}");
    }
    assert_eq!(url("ws://h:65535").port(), 65535);
    assert_eq!(url("ws://h:00080").port(), 80);
}

/// Every byte that could end a line or split a request, at every place of a URL.
#[test]
fn character_outside_printable_ascii_is_refused_everywhere() {
    let whole = "wss://u:p@host:443/path?query";
    let bad = (0..=0x20).chain([0x7F]).map(char::from).chain(['ä', '\u{2028}', '\u{FF0F}']);
    for character in bad {
        for at in 0..=whole.len() {
            let mut text = String::from(whole);
            text.insert(at, character);
            assert_eq!(refused(&text), UrlError::Character { at }, "{text:?}");
        }
    }
}

#[test]
fn fragment_is_refused() {
    for text in ["ws://h#", "ws://h/p#f", "ws://h/p?q#f", "mqtt://h#f", "ws://u:p#@h"] {
        assert_eq!(refused(text), UrlError::Fragment, "{text}");
    }
}

#[test]
fn path_with_bare_mqtt_is_refused() {
    for text in ["mqtt://h/p", "mqtts://h:1//", "mqtt://h?q", "mqtts://h/?q"] {
        assert_eq!(refused(text), UrlError::Path, "{text}");
    }
}

#[test]
fn debug_and_display_show_no_secret() {
    let url = url("wss://ann:s3cr3t@h:8443/mqtt?X-Amz-Signature=5190");
    assert_eq!(url.to_string(), "wss://***@h:8443/mqtt?***");
    assert_eq!(format!("{url:?}"), "Url(wss://***@h:8443/mqtt?***)");
    assert_eq!(super::Url::from_str("mqtt://[::1]").unwrap().to_string(), "mqtt://[::1]");
}

#[test]
fn error_is_one_line_of_advice() {
    for error in [
        UrlError::Character { at: 3 },
        UrlError::MissingScheme,
        UrlError::Http,
        UrlError::Https,
        UrlError::UnknownScheme,
        UrlError::Fragment,
        UrlError::UserInfo,
        UrlError::NoHost,
        UrlError::Host,
        UrlError::Port,
        UrlError::Path,
    ] {
        let text = error.to_string();
        assert!(text.len() > 20 && !text.contains("  ") && !text.contains('\n'), "{text}");
    }
}

#[test]
fn reference_changes_host_and_port_and_nothing_else() {
    let url: Url = "wss://ann:pw@here.example:444/path?x=1".parse().unwrap();
    for (reference, host, port) in [
        ("there.example", "there.example", 443),
        ("There.example:8443 other.example", "there.example", 8443),
        ("[2001:db8::1]:1", "2001:db8::1", 1),
    ] {
        let other = url.at_reference(reference).unwrap();
        assert_eq!((other.host(), other.port()), (host, port));
        assert_eq!((other.target(), other.user_name()), (url.target(), url.user_name()));
        assert_ne!(other.server_name(), url.server_name());
    }
    for reference in ["", " ", "there/path", "bob@there", "there:0", "a:b:c", "th#ere"] {
        assert_eq!(url.at_reference(reference), None, "{reference}");
    }
}

//! Frames, in whatever pieces they come: cases 21 to 26, 28, 29 and 32.

use crate::cuts::every_cut;
use crate::deframer::{Seen, binary, frame, masked, read, record};
use dunlin::octet::Inbox;
use dunlin::ws::{
    CloseCode, Deframer, EMPTY_FRAGMENTS_MAX, Header, Incoming, Malformed, Opcode, Role,
};

fn failed(error: Malformed) -> Vec<Seen> {
    vec![Seen::Failed(error)]
}

/// RFC 6455 §5.2, §5.4
#[test]
fn case_21_header_and_payload_split_everywhere() {
    let long: Vec<u8> = (0..=255).cycle().take(300).collect();
    let bytes = [
        frame(0x82, b"one"),
        frame(0x02, b"t"),
        frame(0x00, b""),
        frame(0x80, b"wo"),
        frame(0x89, b"ping"),
        frame(0x82, &long),
        frame(0x81, "drei"),
        frame(0x82, b""),
    ]
    .concat();
    let expected = [
        binary("one"),
        binary("two"),
        Seen::Ping(b"ping".to_vec()),
        binary(&long),
        Seen::Text(b"drei".to_vec()),
        binary(""),
    ];
    assert_eq!(read(bytes), expected);
    let key = Some([0x37, 0xfa, 0x21, 0x3d]);
    let bytes = [masked(0x02, key, &long), masked(0x8a, key, b"x"), masked(0x80, key, b"end")];
    let expected = [Seen::Pong(b"x".to_vec()), binary([&long[..], b"end"].concat())];
    let bytes = bytes.concat();
    assert_eq!(every_cut(&bytes, |parts| record(Role::Server, parts, 500)), expected);
}

/// RFC 6455 §5.2
///
/// A length is only counted down, in 64 bits on any machine.
#[test]
fn case_22_lengths_of_every_form() {
    for len in [0, 1, 125, 126, 127, 65_535, 65_536] {
        let payload = vec![0x82; len];
        let bytes = frame(0x82, &payload);
        assert_eq!(
            bytes.len() - len,
            if len < 126 {
                2
            } else if len < 65_536 {
                4
            } else {
                10
            }
        );
        assert_eq!(read(bytes), [binary(payload)], "{len} bytes");
    }
    for len in [1 << 31, 1 << 32, (1 << 63) - 1_u64] {
        let bytes = [&[0x82, 0x7f], &len.to_be_bytes()[..], b"abc"].concat();
        assert_eq!(Header::decode(&bytes).unwrap().map(|(header, _)| header.len), Some(len));
        let begun = every_cut(&bytes, begun);
        assert_eq!(begun, b"abc", "{len} bytes");
    }
    let forms: [(&[u8], Malformed); 7] = [
        (&[0x82, 0x7e, 0, 0], Malformed::NotMinimal),
        (&[0x82, 0x7e, 0, 125], Malformed::NotMinimal),
        (&[0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1], Malformed::NotMinimal),
        (&[0x82, 0x7f, 0, 0, 0, 0, 0, 0, 255, 255], Malformed::NotMinimal),
        (&[0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0], Malformed::LengthOverflow),
        (&[0x82, 0x7f, 255, 255, 255, 255, 255, 255, 255, 255], Malformed::LengthOverflow),
        (&[0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 1], Malformed::LengthOverflow),
    ];
    for (bytes, error) in forms {
        assert_eq!(read(bytes), failed(error), "{bytes:x?}");
        assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
    }
}

/// The payload of a message that has begun, of which the end never comes.
fn begun(parts: &[&[u8]]) -> Vec<u8> {
    let mut inbox = Inbox::new([0; 16]);
    let mut deframer = Deframer::new(Role::Client);
    for part in parts {
        inbox.receive(part);
        while let Some(incoming) = deframer.poll(&mut inbox).unwrap() {
            assert!(matches!(
                incoming,
                Incoming::Data { opcode: Opcode::Binary, len: 1.., end: false }
            ));
        }
    }
    inbox.stream().to_vec()
}

/// RFC 6455 §5.1
#[test]
fn case_23_masked_frame_of_a_server() {
    for key in [[0; 4], [1, 2, 3, 4]] {
        for first in [0x82, 0x81, 0x02, 0x88, 0x89, 0x8a] {
            for payload in [&b""[..], b"\x03\xe8ab"] {
                let bytes = masked(first, Some(key), payload);
                assert_eq!(read(&bytes), failed(Malformed::Masked), "{first:x} {key:?}");
                // Known at the second byte.
                assert_eq!(read(&bytes[..2]), failed(Malformed::Masked));
            }
        }
    }
    assert_eq!(Malformed::Masked.close_code(), CloseCode::PROTOCOL_ERROR);
    let bytes = frame(0x82, b"x");
    let seen = every_cut(&bytes, |parts| record(Role::Server, parts, 9));
    assert_eq!(seen, failed(Malformed::Unmasked));
}

/// RFC 6455 §5.2
#[test]
fn case_24_reserved_bits_and_opcodes() {
    for first in 0..=u8::MAX {
        let error = match (first & 0x70, first & 0x0f) {
            (1.., _) => Malformed::ReservedBits,
            (0, 3..=7 | 11..=15) => Malformed::Opcode,
            _ => continue,
        };
        let good = frame(0x82, b"good");
        let bytes = [&good[..], &[first, 0], &good].concat();
        let expected = [binary("good"), Seen::Failed(error)];
        assert_eq!(read(bytes), expected, "{first:x}");
        assert_eq!(read([first]), failed(error), "known at its first byte: {first:x}");
        assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
    }
}

/// RFC 6455 §5.5
#[test]
fn case_25_control_frames_of_every_kind() {
    for first in [0x08, 0x09, 0x0a] {
        assert_eq!(read([first, 0]), failed(Malformed::FragmentedControl));
        for len in [126, 127] {
            let bytes = [first | 0x80, len, 0, 126];
            assert_eq!(read(bytes), failed(Malformed::ControlLength));
        }
    }
    for len in [0, 1, 124, 125] {
        let body: Vec<u8> = (0..len).collect();
        let bytes = [
            frame(0x02, b"ab"),
            frame(0x89, &body),
            frame(0x00, b"c"),
            frame(0x8a, &body),
            frame(0x80, b"d"),
        ];
        let expected = [Seen::Ping(body.clone()), Seen::Pong(body), binary("abcd")];
        assert_eq!(read(bytes.concat()), expected);
    }
    let flood = frame(0x8a, b"unasked").repeat(10_000);
    let seen = record(Role::Client, &[&flood], 100);
    assert_eq!(seen, vec![Seen::Pong(b"unasked".to_vec()); 10_000]);
}

/// RFC 6455 §5.4
#[test]
fn case_26_fragments_out_of_order_and_empty_ones() {
    for first in [0x00, 0x80] {
        assert_eq!(read(frame(first, b"x")), failed(Malformed::Continuation));
        let behind = [frame(0x82, b"x"), frame(first, b"y")].concat();
        assert_eq!(read(behind), [binary("x"), Seen::Failed(Malformed::Continuation)]);
    }
    for first in [0x01, 0x02, 0x81, 0x82] {
        for begin in [0x01, 0x02] {
            let inside = [frame(begin, b"x"), frame(first, b"y")].concat();
            assert_eq!(read(inside), failed(Malformed::Interleaved));
        }
    }
    let some = frame(0x00, b"").repeat(usize::from(EMPTY_FRAGMENTS_MAX) - 1);
    let fine = [&frame(0x02, b"")[..], &some, &frame(0x00, b"x"), &some, &frame(0x80, b"")];
    assert_eq!(read(fine.concat()), [binary("x")]);
    // A hundred thousand: the work ends at the limit, and there is one thing to report.
    let endless = [frame(0x02, b""), frame(0x00, b"").repeat(100_000)].concat();
    let limit = 2 * (usize::from(EMPTY_FRAGMENTS_MAX) + 1);
    assert_eq!(record(Role::Client, &[&endless], 4096), failed(Malformed::EmptyFragments));
    assert_eq!(read(&endless[..limit]), failed(Malformed::EmptyFragments));
    assert_eq!(read(&endless[..limit - 2]), []);
}

/// RFC 6455 §5.5.1, §7.4
#[test]
fn case_28_close_of_every_form() {
    let close = |body: &[u8]| read(frame(0x88, body));
    assert_eq!(close(b""), [Seen::Close(None, Vec::new())]);
    assert_eq!(close(b"\x03"), failed(Malformed::CloseBody));
    for code in 999..=5000_u16 {
        // As the standard has them, and what IANA has added behind it: 1012 to 1014.
        let valid = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let expected = if valid {
            vec![Seen::Close(Some(code), Vec::new())]
        } else {
            failed(Malformed::CloseCode)
        };
        assert_eq!(close(&code.to_be_bytes()), expected, "{code}");
    }
    let why = "\u{3ba}\u{1f603}".as_bytes();
    let whole = [b"\x03\xe9", why].concat();
    assert_eq!(close(&whole), [Seen::Close(Some(1001), why.to_vec())]);
    for bad in [&whole[..3], &whole[..7], b"\x03\xe8\xff", b"\x03\xe8\xed\xa0\x80"] {
        assert_eq!(close(bad), failed(Malformed::Utf8), "{bad:x?}");
    }
    // A second Close, data and rubbish behind the first are dropped.
    let normal = frame(0x88, b"\x03\xe8");
    for behind in [&normal[..], &frame(0x82, b"late"), b"\xff\xff\xff", b"\x83"] {
        let bytes = [&normal[..], behind].concat();
        assert_eq!(read(bytes), [Seen::Close(Some(1000), Vec::new())], "{behind:x?}");
    }
}

/// RFC 6455 §8.1
///
/// At the byte that is wrong, however much of the frame is still to come.
#[test]
fn case_29_text_fails_at_its_first_wrong_byte() {
    for (text, wrong) in [
        (&b"ab\xff"[..], 2),
        (b"\xc0\xaf", 0),
        (b"\xed\xa0\x80", 1),
        (b"\xf4\x90\x80\x80", 1),
        (b"\xf5", 0),
        (b"12345678\xe2\x82x", 10),
    ] {
        let whole = [&[0x81, 0x7e, 0xff, 0xff], text].concat();
        assert_eq!(read(&whole[..=4 + wrong]), failed(Malformed::Utf8), "{text:x?}");
        assert_eq!(read(&whole[..4 + wrong]), [], "{text:x?}");
        let begun = [&[0x01, 1, b'x', 0x80, 0x7e, 0xff, 0xff], text].concat();
        assert_eq!(read(&begun[..=7 + wrong]), failed(Malformed::Utf8), "{text:x?}");
    }
    let text = "\u{3ba}\u{20ac}\u{1f603}".as_bytes();
    for cut in 0..=text.len() {
        let bytes = [frame(0x01, &text[..cut]), frame(0x89, b"\xff"), frame(0x80, &text[cut..])];
        let expected = [Seen::Ping(b"\xff".to_vec()), Seen::Text(text.to_vec())];
        assert_eq!(read(bytes.concat()), expected);
    }
    // At the end of a message no character may be half there.
    assert_eq!(read(frame(0x81, &text[..1])), failed(Malformed::Utf8));
    let late = [frame(0x01, &text[..4]), frame(0x80, b"")].concat();
    assert_eq!(read(late), failed(Malformed::Utf8));
    assert_eq!(Malformed::Utf8.close_code(), CloseCode::INVALID_PAYLOAD);
}

/// A memory of no bytes asks for more and stays as it is; one that is exactly full gives all.
#[test]
fn case_32_memory_of_the_least_size() {
    let mut nothing = Inbox::new([0; 0]);
    assert_eq!(nothing.receive(b"\x82\x00"), 0);
    assert_eq!(Deframer::new(Role::Client).poll(&mut nothing), Ok(None));
    let bytes = [frame(0x02, b"0123456789"), frame(0x89, b"p"), frame(0x80, b"abcdef")].concat();
    let full = every_cut(&bytes, |parts| {
        let mut inbox = Inbox::new([0; 16]);
        let mut deframer = Deframer::new(Role::Client);
        for part in parts {
            let mut rest = *part;
            while !rest.is_empty() {
                let len = inbox.receive(rest);
                assert!(len > 0, "a read of no bytes");
                rest = &rest[len..];
                while deframer.poll(&mut inbox).unwrap().is_some() {}
            }
        }
        assert!(inbox.spare().is_empty());
        inbox.stream().to_vec()
    });
    assert_eq!(full, b"0123456789abcdef");
}

use super::*;
use serde_json::Value as Theirs;
use std::string::String;
use std::vec::Vec;

struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

fn written(text: &dyn Text) -> String {
    let mut bytes = Bytes(Vec::new());
    text.write(&mut bytes);
    String::from_utf8(bytes.0).unwrap()
}

/// Whether both readers see the same, all the way down.
fn is_same(ours: Value<'_>, theirs: &Theirs) -> bool {
    match theirs {
        Theirs::Null => ours.0 == "null",
        Theirs::Bool(is_true) => ours.0 == if *is_true { "true" } else { "false" },
        Theirs::Number(number) => {
            let expected = number.as_u64().or_else(|| {
                let number = number.as_f64().filter(|number| number.is_sign_positive())?;
                (number < 1e18).then_some(number as u64)
            });
            expected.is_none() || ours.whole() == expected
        }
        Theirs::String(text) => ours.string().is_some_and(|ours| {
            ours.is(text) && written(&ours) == *text && !ours.is(&(text.clone() + "x"))
        }),
        Theirs::Array(theirs) => {
            let ours: Vec<_> = ours.elements().collect();
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(*ours, theirs))
        }
        Theirs::Object(theirs) => theirs
            .iter()
            .all(|(name, value)| ours.member(name).is_some_and(|member| is_same(member, value))),
    }
}

const DOCUMENTS: &[&str] = &[
    "{}",
    "[]",
    "0",
    "-0.5e-3",
    "true",
    r#""a""#,
    r#" { "a" : [ 1 , 2.5E3 , { "b" : null } ] , "c" : "d" , "a" : false } "#,
    r#"{"Credentials":{"AccessKeyId":"AKID","SecretKey":"s\/e+c=","Expiration":1.704168245E9}}"#,
    r#"["\"\\\/\b\f\n\r\t","\u0041\u00e9\u20ac\ud83d\ude00","é€😀",""]"#,
    r#"[[[[[[[[[[]]]]]]]]]]"#,
    r#"{"":{"":{}},"\u0061":1}"#,
    "[1,20,300.999,4e3,5E+2,6e-1,0.007e3,123456789012345678]",
];

#[test]
fn document_is_read_as_serde_json_reads_it() {
    for document in DOCUMENTS {
        let theirs: Theirs = serde_json::from_str(document).unwrap();
        let ours = Value::parse(document.as_bytes()).unwrap();
        assert!(is_same(ours, &theirs), "{document}");
    }
}

#[test]
fn document_with_any_change_is_taken_exactly_if_serde_json_takes_it() {
    let signs = b"{}[]\":,\\ue0.-+ \n\x00a\x80";
    for document in DOCUMENTS {
        for at in 0..document.len() {
            let mut changed = document.as_bytes().to_vec();
            changed.truncate(at);
            compare(&changed);
            for sign in signs {
                let mut changed = document.as_bytes().to_vec();
                changed[at] = *sign;
                compare(&changed);
                changed.insert(at, *sign);
                compare(&changed);
            }
        }
    }
}

/// Half a surrogate pair is text for us, and a number too large is one.
fn compare(document: &[u8]) {
    let shown = String::from_utf8_lossy(document);
    match (Value::parse(document), serde_json::from_slice::<Theirs>(document)) {
        (Some(ours), Ok(theirs)) => assert!(is_same(ours, &theirs), "{shown}"),
        (None, Err(_)) => {}
        (Some(_), Err(error)) => {
            let told = std::format!("{error}");
            let tolerated = ["surrogate", "number out of range", "hex escape"];
            assert!(tolerated.iter().any(|word| told.contains(word)), "{shown}: {told}");
        }
        (None, Ok(_)) => panic!("refused: {shown}"),
    }
}

#[test]
fn document_that_nests_too_deeply_is_refused() {
    for (depth, taken) in [(32, true), (33, false), (100_000, false)] {
        let document = "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(Value::parse(document.as_bytes()).is_some(), taken);
        let document = "{\"\":".repeat(depth) + "0" + &"}".repeat(depth);
        assert_eq!(Value::parse(document.as_bytes()).is_some(), taken);
    }
}

#[test]
fn number_is_read_without_its_fraction() {
    for (text, expected) in [
        ("0", Some(0)),
        ("1.704168245E9", Some(1_704_168_245)),
        ("1.7041682456E9", Some(1_704_168_245)),
        ("1704168245.123", Some(1_704_168_245)),
        ("17041682450e-1", Some(1_704_168_245)),
        ("1e3", Some(1_000)),
        ("1.5e0", Some(1)),
        ("1.5e-1", Some(0)),
        ("9e99", None),
        ("0e999999999999999999999", Some(0)),
        ("1e-999999999999999999999", Some(0)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("-1", None),
        ("\"1\"", None),
        ("true", None),
        ("[1]", None),
    ] {
        assert_eq!(Value::parse(text.as_bytes()).unwrap().whole(), expected, "{text}");
    }
}

#[test]
fn half_of_a_pair_is_a_replacement_character() {
    for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#""\ud800\ud800""#] {
        let value = Value::parse(text.as_bytes()).unwrap().string().unwrap();
        assert!(written(&value).starts_with('\u{fffd}'), "{text}");
    }
}

#[test]
fn quoted_text_is_read_back_by_serde_json() {
    let all: String = (0..0x300).chain(0x1_f600..0x1_f610).filter_map(char::from_u32).collect();
    for text in ["", "plain", "\"\\", &all] {
        let document = written(&Quoted(text));
        assert_eq!(serde_json::from_str::<String>(&document).unwrap(), text);
        assert!(Value::parse(document.as_bytes()).unwrap().string().unwrap().is(text));
    }
}

#[test]
fn debug_shows_nothing_of_a_document() {
    let value = Value::parse(br#"{"a":"secret"}"#).unwrap();
    let shown = std::format!("{value:?} {:?}", value.member("a").unwrap().string());
    assert!(!shown.contains("secret"), "{shown}");
}

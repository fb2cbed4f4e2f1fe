//! The same targets once more: plain strings built straight from the documentation, and nothing of
//! this crate's encoders, calendar or hash plumbing.

use crate::{Credentials, Payload, Presign, Token, UnixTime, presign};
use dunlin_octet::{Count, Text, Window};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::format;
use std::hash::{BuildHasher, RandomState};
use std::string::{String, ToString};
use std::vec::Vec;

const REQUESTS: u64 = 2_000;
const SEED_VARIABLE: &str = "DUNLIN_SIGV4_SEED";

/// What is compared: `Presign` with its strings owned.
#[derive(Debug)]
struct Case {
    id: String,
    secret: String,
    session_token: Option<String>,
    token: Token,
    region: String,
    service: String,
    host: String,
    path: String,
    seconds: u64,
    expires: Option<u32>,
    payload: Payload,
}

/// A splitmix64 generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn text(&mut self, alphabet: &str, longest: u64) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        let len = 1 + self.below(longest);
        (0..len).map(|_| letters[self.below(letters.len() as u64) as usize]).collect()
    }

    fn case(&mut self) -> Case {
        const NAME: &str = "abcXYZ059-";
        let graphic: String = (b'!'..=b'~').map(char::from).collect();
        let keys = graphic.replace('/', "");
        let letters = "aZ9-._~";
        let segments: Vec<String> = (0..self.below(4))
            .map(|_| format!("/{}%{:02X}", self.text(letters, 9), self.below(256)))
            .collect();
        let port = self.below(65_536);
        let host = self.text("abcXYZ059-.", 40);
        Case {
            id: self.text(&keys, 30),
            secret: self.text(&graphic, 90),
            session_token: (self.below(2) == 0).then(|| self.text(&graphic, 2_000)),
            token: [Token::Signed, Token::Appended][self.below(2) as usize],
            region: self.text(NAME, 16),
            service: if self.below(3) == 0 { "s3".to_string() } else { self.text(NAME, 20) },
            host: if self.below(2) == 0 { format!("{host}:{port}") } else { host },
            path: segments.concat() + "/",
            seconds: self.below(UnixTime::MAX.as_secs() + 1),
            expires: (self.below(2) == 0).then(|| 1 + self.below(604_800) as u32),
            payload: [Payload::Empty, Payload::Unsigned][self.below(2) as usize],
        }
    }
}

fn encode(text: &str) -> String {
    let kept = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| if kept(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn timestamp(seconds: u64) -> String {
    let leap = |year: u64| year.is_multiple_of(if year.is_multiple_of(100) { 400 } else { 4 });
    let (mut days, clock) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}{:02}{:02}T{hour:02}{minute:02}{second:02}Z", month + 1, days + 1)
}

fn recomputed(case: &Case) -> String {
    let date = timestamp(case.seconds);
    let (day, _) = date.split_once('T').unwrap();
    let scope = format!("{day}/{}/{}/aws4_request", case.region, case.service);
    let mut pairs = Vec::from([
        ("X-Amz-SignedHeaders", "host".to_string()),
        ("X-Amz-Date", date.clone()),
        ("X-Amz-Credential", format!("{}/{scope}", case.id)),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_string()),
    ]);
    if let Some(expires) = case.expires {
        pairs.push(("X-Amz-Expires", expires.to_string()));
    }
    let mut appended = String::new();
    match (&case.session_token, case.token) {
        (Some(token), Token::Signed) => pairs.push(("X-Amz-Security-Token", token.clone())),
        (Some(token), Token::Appended) => {
            appended = format!("&X-Amz-Security-Token={}", encode(token));
        }
        (None, _) => {}
    }
    pairs.sort();
    let query: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let query = query.join("&");
    let path = match case.service.as_str() {
        "s3" => case.path.clone(),
        _ => case.path.split('/').map(encode).collect::<Vec<_>>().join("/"),
    };
    let payload = match case.payload {
        Payload::Empty => hex(&Sha256::digest(b"")),
        Payload::Unsigned => "UNSIGNED-PAYLOAD".to_string(),
    };
    let host = case.host.to_lowercase();
    let canonical = format!("GET\n{path}\n{query}\nhost:{host}\n\nhost\n{payload}");
    let hash = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}");
    let key = hmac(format!("AWS4{}", case.secret).as_bytes(), day);
    let key = hmac(&hmac(&hmac(&key, &case.region), &case.service), "aws4_request");
    let signature = hex(&hmac(&key, &to_sign));
    format!("{}?{query}&X-Amz-Signature={signature}{appended}", case.path)
}

fn signed(case: &Case) -> String {
    let target = presign(&Presign {
        credentials: Credentials {
            access_key_id: &case.id,
            secret_access_key: &case.secret,
            session_token: case.session_token.as_deref(),
        },
        region: &case.region,
        service: &case.service,
        host: &case.host,
        path: &case.path,
        at: UnixTime::from_secs(case.seconds),
        expires: case.expires,
        token: case.token,
        payload: case.payload,
    })
    .unwrap_or_else(|fault| panic!("{fault}: {case:?}"));
    // Through windows of an odd size, as a connection with a small buffer writes it.
    let mut bytes = Vec::new();
    while bytes.len() < Count::of(&target) {
        let mut memory = [0; 131];
        let mut window = Window::new(&mut memory, bytes.len());
        target.write(&mut window);
        let filled = window.filled();
        bytes.extend_from_slice(&memory[..filled]);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn random_requests_are_signed_as_a_plain_recomputation_signs_them() {
    let seed = std::env::var(SEED_VARIABLE).map_or_else(
        |_| RandomState::new().hash_one(0),
        |seed| seed.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE} is not a number")),
    );
    std::println!("{SEED_VARIABLE}={seed}");
    let mut random = Random(seed);
    for _ in 0..REQUESTS {
        let case = random.case();
        assert_eq!(signed(&case), recomputed(&case), "{case:?}");
    }
}

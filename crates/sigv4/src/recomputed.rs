//! The same signatures once more: plain strings built straight from the documentation, and nothing
//! of this crate's encoders, order, calendar or hash plumbing.

use crate::{Credentials, Key, Pairs, Payload, Request, Token, UnixTime};
use dunlin_octet::{Count, Text, Window};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::format;
use std::hash::{BuildHasher, RandomState};
use std::string::{String, ToString};
use std::vec::Vec;

const REQUESTS: u64 = 300;
const SEED_VARIABLE: &str = "DUNLIN_SIGV4_SEED";

type Owned = Vec<(String, String)>;

/// What is compared: a request with its strings owned.
#[derive(Debug)]
struct Case {
    id: String,
    secret: String,
    session_token: Option<String>,
    token: Token,
    region: String,
    service: String,
    method: String,
    host: String,
    path: String,
    query: Owned,
    headers: Owned,
    seconds: u64,
    expires: Option<u32>,
    payload: Payload,
}

impl Case {
    fn is_s3(&self) -> bool {
        self.service == "s3"
    }
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

    fn pairs(&mut self, names: &[&str], values: &str) -> Owned {
        let count = self.below(7);
        let pair = |random: &mut Self| {
            let name = names[random.below(names.len() as u64) as usize].to_string();
            let longest = random.below(12);
            (name, if longest == 0 { String::new() } else { random.text(values, longest) })
        };
        (0..count).map(|_| pair(self)).collect()
    }

    fn path(&mut self, is_s3: bool) -> String {
        let segment = |random: &mut Self| match random.below(8) {
            0 => String::new(),
            1 => ".".to_string(),
            2 | 3 => "..".to_string(),
            _ if is_s3 => format!("{}%{:02X}", random.text("aZ9-._~", 9), random.below(256)),
            _ => format!("{}%{:02x}", random.text("aZ9-._~:@!$&'()*+,;=", 9), random.below(256)),
        };
        let segments: Vec<String> = (0..self.below(7)).map(|_| segment(self)).collect();
        format!("/{}", segments.join("/"))
    }

    fn case(&mut self) -> Case {
        const NAME: &str = "abcXYZ059-";
        const QUERY: [&str; 9] = ["", "a", "a-", "A", "Z", "é", "a b", "X-Amz-F", "~{"];
        const HEADERS: [&str; 8] =
            ["a", "A", "My-Header", "my-header", "range", "X-Amz-E", "x-amz-z", "zz"];
        let graphic: String = (b'!'..=b'~').map(char::from).collect();
        let keys = graphic.replace('/', "");
        let port = self.below(65_536);
        let host = self.text("abcXYZ059-.", 40);
        let service = if self.below(3) == 0 { "s3".to_string() } else { self.text(NAME, 20) };
        let path = self.path(service == "s3");
        let mut digest = [0; 32];
        digest.fill_with(|| self.next() as u8);
        Case {
            id: self.text(&keys, 30),
            secret: self.text(&graphic, 90),
            session_token: (self.below(2) == 0).then(|| self.text(&graphic, 2_000)),
            token: [Token::Signed, Token::Appended][self.below(2) as usize],
            region: self.text(NAME, 16),
            method: self.text("GETPOS", 7),
            host: if self.below(2) == 0 { format!("{host}:{port}") } else { host },
            path,
            service,
            query: self.pairs(&QUERY, "aZ-~ /=&%+é\u{1}"),
            headers: self.pairs(&HEADERS, "aB \",é"),
            seconds: self.below(UnixTime::MAX.as_secs() + 1),
            expires: (self.below(2) == 0).then(|| 1 + self.below(604_800) as u32),
            payload: [Payload::Empty, Payload::Unsigned, Payload::Sha256(digest)]
                [self.below(3) as usize],
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

fn canonical_path(case: &Case) -> String {
    if case.is_s3() {
        return case.path.clone();
    }
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = case.path.split('/').collect();
    for segment in &segments {
        match *segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    let is_folder = matches!(segments.last(), Some(&("" | "." | "..")));
    let end = if is_folder && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.iter().map(|segment| encode(segment)).collect::<Vec<_>>().join("/"))
}

/// Lines and names.
fn canonical_headers(headers: &[(String, String)]) -> (String, String) {
    let mut joined: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
        joined.entry(name.to_lowercase()).or_default().push(words.join(" "));
    }
    let line = |(name, values): (&String, &Vec<String>)| format!("{name}:{}\n", values.join(","));
    let names: Vec<&str> = joined.keys().map(String::as_str).collect();
    (joined.iter().map(line).collect(), names.join(";"))
}

fn canonical_query(pairs: &[(String, String)]) -> String {
    let mut encoded: Owned = pairs.iter().map(|(n, v)| (encode(n), encode(v))).collect();
    encoded.sort();
    encoded.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&")
}

fn payload(case: &Case) -> String {
    match case.payload {
        Payload::Empty => hex(&Sha256::digest(b"")),
        Payload::Unsigned => "UNSIGNED-PAYLOAD".to_string(),
        Payload::Sha256(digest) => hex(&digest),
    }
}

/// Credential scope, and the signature for a canonical request.
fn signature(case: &Case, canonical: &str) -> String {
    let date = timestamp(case.seconds);
    let (day, _) = date.split_once('T').unwrap();
    let hash = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{}\n{hash}", scope(case));
    let key = hmac(format!("AWS4{}", case.secret).as_bytes(), day);
    let key = hmac(&hmac(&hmac(&key, &case.region), &case.service), "aws4_request");
    hex(&hmac(&key, &to_sign))
}

fn scope(case: &Case) -> String {
    let date = timestamp(case.seconds);
    let (day, _) = date.split_once('T').unwrap();
    format!("{day}/{}/{}/aws4_request", case.region, case.service)
}

fn recomputed_target(case: &Case) -> String {
    let mut headers = case.headers.clone();
    headers.push(("host".to_string(), case.host.to_lowercase()));
    let (lines, names) = canonical_headers(&headers);
    let mut pairs = case.query.clone();
    let mut add = |name: &str, value: String| pairs.push((name.to_string(), value));
    add("X-Amz-SignedHeaders", names.clone());
    add("X-Amz-Date", timestamp(case.seconds));
    add("X-Amz-Credential", format!("{}/{}", case.id, scope(case)));
    add("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_string());
    if let Some(expires) = case.expires {
        add("X-Amz-Expires", expires.to_string());
    }
    let mut appended = String::new();
    match (&case.session_token, case.token) {
        (Some(token), Token::Signed) => add("X-Amz-Security-Token", token.clone()),
        (Some(token), Token::Appended) => {
            appended = format!("&X-Amz-Security-Token={}", encode(token));
        }
        (None, _) => {}
    }
    let query = canonical_query(&pairs);
    let (path, payload) = (canonical_path(case), payload(case));
    let canonical = format!("{}\n{path}\n{query}\n{lines}\n{names}\n{payload}", case.method);
    let signature = signature(case, &canonical);
    format!("{}?{query}&X-Amz-Signature={signature}{appended}", case.path)
}

fn recomputed_headers(case: &Case) -> String {
    let date = timestamp(case.seconds);
    let mut headers = case.headers.clone();
    let mut add = |name: &str, value: &str| headers.push((name.to_string(), value.to_string()));
    add("host", &case.host.to_lowercase());
    add("X-Amz-Date", &date);
    let mut lines_behind = format!("X-Amz-Date: {date}\r\n");
    if let Some(token) = &case.session_token {
        lines_behind += &format!("X-Amz-Security-Token: {token}\r\n");
        if case.token == Token::Signed {
            add("X-Amz-Security-Token", token);
        }
    }
    if case.is_s3() {
        lines_behind += &format!("X-Amz-Content-Sha256: {}\r\n", payload(case));
        add("X-Amz-Content-Sha256", &payload(case));
    }
    let (lines, names) = canonical_headers(&headers);
    let (path, query) = (canonical_path(case), canonical_query(&case.query));
    let payload = payload(case);
    let canonical = format!("{}\n{path}\n{query}\n{lines}\n{names}\n{payload}", case.method);
    format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={names}, Signature={}\r\n\
         {lines_behind}",
        case.id,
        scope(case),
        signature(case, &canonical),
    )
}

fn borrowed(pairs: &Owned) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Both forms, under the `key` of whatever was signed before.
fn signed(case: &Case, key: &mut Key) -> [String; 2] {
    let (query, headers) = (borrowed(&case.query), borrowed(&case.headers));
    let request = Request {
        credentials: Credentials {
            access_key_id: &case.id,
            secret_access_key: &case.secret,
            session_token: case.session_token.as_deref(),
        },
        region: &case.region,
        service: &case.service,
        at: UnixTime::from_secs(case.seconds),
        method: &case.method,
        host: &case.host,
        path: &case.path,
        query: Pairs::of(&query),
        headers: Pairs::of(&headers),
        payload: case.payload,
        token: case.token,
    };
    let target = request.presign(key, case.expires);
    let headers = request.authorize(key);
    [
        written(&target.unwrap_or_else(|fault| panic!("{fault}: {case:?}"))),
        written(&headers.unwrap_or_else(|fault| panic!("{fault}: {case:?}"))),
    ]
}

/// Through windows of an odd size, as a connection with a small buffer writes it.
fn written(text: &dyn Text) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < Count::of(&text) {
        let mut memory = [0; 131];
        let mut window = Window::new(&mut memory, bytes.len());
        text.write(&mut window);
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
    let mut key = Key::new();
    for _ in 0..REQUESTS {
        let case = random.case();
        let [target, headers] = signed(&case, &mut key);
        assert_eq!(target, recomputed_target(&case), "{case:?}");
        assert_eq!(headers, recomputed_headers(&case), "{case:?}");
    }
}

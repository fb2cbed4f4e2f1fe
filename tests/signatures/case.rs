//! What is signed, drawn from a seed.

use dunlin_octet::{Text, Writer};
use dunlin_sigv4::{Credentials, InvalidInput, Key, Payload, Request, Token, UnixTime};

/// Where the signature goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Query,
    Headers,
}

/// What signers are compared by: the signature covers all the rest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) signed_headers: String,
    pub(crate) signature: String,
}

pub(crate) type Pairs = Vec<(String, String)>;

/// A request, with its strings owned.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) form: Form,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: Option<String>,
    pub(crate) token: Token,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: Pairs,
    pub(crate) headers: Pairs,
    /// `None` is not signed.
    pub(crate) body: Option<String>,
    pub(crate) unix_time: u64,
    pub(crate) expires: u32,
}

impl Case {
    /// What the crate `aws-sigv4` can sign.
    pub(crate) fn for_aws_sigv4(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut case = Self::draw(&mut random);
        case.token = [Token::Signed, Token::Appended][random.below(2)];
        if case.service != "s3" && random.below(4) == 0 {
            // The end of a path, where it and botocore disagree; it has it as RFC 3986 §5.2.4 does.
            case.path += ["/.", "/.."][random.below(2)];
        }
        case
    }

    /// What botocore can sign.
    pub(crate) fn for_botocore(seed: u64) -> Self {
        let mut case = Self::draw(&mut Random(seed));
        match case.form {
            Form::Query => {
                case.query.sort();
                case.query.dedup_by(|one, other| one.0 == other.0);
                // It takes a body for more of the query, and signs none for a URL of S3.
                case.body = case.body.filter(|_| case.service != "s3").map(|_| String::new());
            }
            // It tells the service by a header that its caller is not to see.
            Form::Headers if case.service != "s3" => drop(case.body.get_or_insert_default()),
            Form::Headers => {}
        }
        case
    }

    fn draw(random: &mut Random) -> Self {
        const NAME: &str = "abcXYZ059-";
        // In query form, no name of the other parameters begins in lower case or is empty.
        const QUERY: [&str; 8] = ["a", "a-", "A", "Z", "é", "a b", "X-Amz-F", "~{"];
        const HEADERS: [&str; 7] = ["a", "A", "My-Header", "my-header", "X-Amz-E", "x-amz-z", "zz"];
        let graphic: String = (b'!'..=b'~').map(char::from).collect();
        let service = if random.below(3) == 0 { "s3".to_owned() } else { random.text(NAME, 20) };
        let name = format!("h{}.example", random.text("abc059-.", 30).replace("..", "."));
        let port = 1_024 + random.below(60_000);
        Self {
            form: [Form::Query, Form::Headers][random.below(2)],
            access_key_id: random.text("ABCDEF0123", 20),
            secret_access_key: random.text(&graphic, 90),
            session_token: (random.below(2) == 0).then(|| random.text(&graphic, 1_000)),
            token: Token::Signed,
            region: random.text(NAME, 16),
            method: ["GET", "PUT", "POST", "DELETE"][random.below(4)].to_owned(),
            host: if random.below(2) == 0 { format!("{name}:{port}") } else { name },
            path: random.path(service == "s3"),
            query: random.pairs(&QUERY, "aZ-~ /=&%+é\u{1}"),
            headers: random.pairs(&HEADERS, "aB  \",;="),
            body: (random.below(3) > 0).then(|| random.text("{\"a\": 1}", 200)),
            // To the end of the year 9999.
            unix_time: random.next() % 253_402_300_800,
            expires: 1 + random.below(604_800) as u32,
            service,
        }
    }

    /// The address, with the path and without a query.
    pub(crate) fn url(&self) -> String {
        format!("https://{}{}", self.host, self.path)
    }

    /// Dunlin's signature.
    pub(crate) fn sign(&self, key: &mut Key) -> Result<Made, InvalidInput> {
        self.with_request(|request| {
            let mut memory = [0; 16 << 10];
            let mut out = Writer::new(&mut memory);
            match self.form {
                Form::Query => request.presign(key, Some(self.expires))?.write(&mut out),
                Form::Headers => request.authorize(key)?.authorization().write(&mut out),
            }
            let text = str::from_utf8(out.written()).unwrap().replace("%3B", ";");
            Ok(Made {
                signed_headers: behind(&text, "SignedHeaders="),
                signature: behind(&text, "Signature="),
            })
        })
    }

    /// Shows what Dunlin makes: a request target, or header lines.
    pub(crate) fn with_text(&self, key: &mut Key, show: impl FnOnce(&dyn Text)) {
        self.with_request(|request| match self.form {
            Form::Query => show(&request.presign(key, Some(self.expires)).unwrap()),
            Form::Headers => show(&request.authorize(key).unwrap()),
        });
    }

    fn with_request<T>(&self, use_it: impl FnOnce(&Request<'_>) -> T) -> T {
        let credentials = Credentials {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: self.session_token.as_deref(),
        };
        let at = UnixTime::from_secs(self.unix_time);
        use_it(&Request {
            method: &self.method,
            path: &self.path,
            query: dunlin_sigv4::Pairs::of(&borrowed(&self.query)),
            headers: dunlin_sigv4::Pairs::of(&borrowed(&self.headers)),
            payload: self
                .body
                .as_ref()
                .map_or(Payload::Unsigned, |body| Payload::of(&body.as_str())),
            token: self.token,
            ..Request::new(credentials, &self.region, &self.service, &self.host, at)
        })
    }
}

fn borrowed(pairs: &Pairs) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// What stands behind `mark`, up to what ends it.
fn behind(text: &str, mark: &str) -> String {
    let (_, rest) = text.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {text}"));
    rest.split([',', '&']).next().unwrap_or_default().to_owned()
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

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn text(&mut self, alphabet: &str, longest: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..1 + self.below(longest)).map(|_| letters[self.below(letters.len())]).collect()
    }

    fn pairs(&mut self, names: &[&str], values: &str) -> Pairs {
        (0..self.below(7))
            .map(|_| {
                let name = names[self.below(names.len())].to_owned();
                let longest = self.below(12);
                (name, if longest == 0 { String::new() } else { self.text(values, longest) })
            })
            .collect()
    }

    /// Ends with a name or a slash: signers disagree about dots there.
    fn path(&mut self, is_s3: bool) -> String {
        let mut path = String::from("/");
        for _ in 0..self.below(7) {
            let dots = if is_s3 { [".a", "..."] } else { [".", ".."] };
            path += &match self.below(8) {
                0 if !is_s3 => String::new(),
                1 => dots[0].to_owned(),
                2 | 3 => dots[1].to_owned(),
                _ if is_s3 => format!("{}%{:02X}", self.text("aZ9-._~", 9), self.below(256)),
                _ => format!("{}%{:02x}", self.text("aZ9-._~:@!$&'()*+,;=", 9), self.below(256)),
            };
            path += "/";
        }
        path + ["", "end"][self.below(2)]
    }
}

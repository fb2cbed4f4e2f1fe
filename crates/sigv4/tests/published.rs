//! Signatures that AWS and its official clients have published.
#![allow(clippy::unwrap_used, clippy::std_instead_of_core, reason = "a test may panic")]

use dunlin_octet::{Count, Text, Writer};
use dunlin_sigv4::{Credentials, Key, Pair, Pairs, Payload, Request, Token, UnixTime};

const IOT: Credentials<'_> = Credentials {
    access_key_id: "AKIDEXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    session_token: None,
};
const S3: Credentials<'_> = Credentials {
    access_key_id: "AKIAIOSFODNN7EXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    session_token: None,
};

fn at(text: &str) -> UnixTime {
    UnixTime::parse_iso8601(text).unwrap()
}

fn written(text: &dyn Text) -> String {
    let mut memory = vec![0; Count::of(&text)];
    text.write(&mut Writer::new(&mut memory));
    String::from_utf8(memory).unwrap()
}

fn target(request: &Request<'_>, expires: Option<u32>) -> String {
    written(&request.presign(&mut Key::new(), expires).unwrap())
}

/// What stands behind `=`: the names of the signed headers, and the signature.
fn authorization(request: &Request<'_>) -> [String; 2] {
    let mut key = Key::new();
    let authorization = written(&request.authorize(&mut key).unwrap().authorization());
    let (front, signature) = authorization.split_once(", Signature=").unwrap();
    let (_, names) = front.split_once(", SignedHeaders=").unwrap();
    [names.to_owned(), signature.to_owned()]
}

fn iot() -> Request<'static> {
    let host = "example-ats.iot.us-east-1.amazonaws.com";
    Request::iot(IOT, "us-east-1", host, at("2024-01-02T03:04:05Z"))
}

/// The request that all cases of AWS's signing test suite vary.
fn vanilla() -> Request<'static> {
    let at = at("2015-08-30T12:36:00Z");
    Request::new(IOT, "us-east-1", "service", "example.amazonaws.com", at)
}

/// Signed alike by Amplify's Signer and awscrt.
#[test]
fn iot_target_without_expires_is_the_one_official_clients_make() {
    let expected = "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIDEXAMPLE%2F20240102%2Fus-east-1%2Fiotdevicegateway%2Faws4_request\
        &X-Amz-Date=20240102T030405Z&X-Amz-SignedHeaders=host&X-Amz-Signature=\
        66faa12ef25fa85ef6e921b378e8fbb6cd5b7a0dba6947bcdfa3d69c75d3a2d8";
    assert_eq!(target(&iot(), None), expected);

    let mut with_token = iot();
    with_token.credentials.session_token = Some("TOKEN/with+special=chars");
    let token = "&X-Amz-Security-Token=TOKEN%2Fwith%2Bspecial%3Dchars";
    assert_eq!(target(&with_token, None), expected.to_owned() + token);
}

/// Signed alike by Amplify's Signer, awscrt and botocore.
#[test]
fn iot_target_with_expires_and_token_is_the_one_official_clients_make() {
    let mut request = iot();
    request.credentials.session_token = Some("TOKEN/with+special=chars");
    let expected = "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIDEXAMPLE%2F20240102%2Fus-east-1%2Fiotdevicegateway%2Faws4_request\
        &X-Amz-Date=20240102T030405Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=3f04b6a356e0e066ccd290cdf8a265b916c715151449231e678622b0778e67e1\
        &X-Amz-Security-Token=TOKEN%2Fwith%2Bspecial%3Dchars";
    assert_eq!(target(&request, Some(86_400)), expected);
}

/// One that is asked for in many ways, with its signature in header form.
type Case = (&'static str, Request<'static>, &'static str);

/// AWS's signing test suite, by the names that its cases have.
fn suite() -> Vec<Case> {
    const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    const POST: &str = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
    const SLASHES: &str = "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84";
    const EXAMPLE: &str = "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5";
    const VALUE_1: &str = "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb";
    const UNRESERVED: &str = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let get = vanilla();
    let post = Request { method: "POST", ..get };
    let path = |path| Request { path, ..get };
    let query = |query| Request { query: Pairs::of(query), ..get };
    let mut cases = vec![
        ("get-vanilla", get, VANILLA),
        ("get-relative-normalized", path("/example/.."), VANILLA),
        ("get-relative-relative-normalized", path("/example1/example2/../.."), VANILLA),
        ("get-slash-normalized", path("//"), VANILLA),
        ("get-slash-dot-slash-normalized", path("/./"), VANILLA),
        ("get-slash-pointless-dot-normalized", path("/./example"), EXAMPLE),
        ("get-slashes-normalized", path("//example//"), SLASHES),
        ("get-space-normalized", path("/example space/"), SPACE),
        ("get-utf8", path("/\u{1234}"), UTF8),
        ("get-unreserved", path(UNRESERVED_PATH), UNRESERVED_SIGNATURE),
        ("get-vanilla-empty-query-key", query(&[("Param1", "value1")]), VALUE_1),
        ("get-vanilla-query-order-key-case", query(ORDER_CASE), ORDER_CASE_SIGNATURE),
        ("get-vanilla-query-order-encoded", query(ORDER_ENCODED), ORDER_ENCODED_SIGNATURE),
        ("get-vanilla-query-unreserved", query(&[(UNRESERVED, UNRESERVED)]), QUERY_UNRESERVED),
        ("get-vanilla-utf8-query", query(&[("\u{1234}", "bar")]), QUERY_UTF8),
        ("post-vanilla", post, POST),
        (
            "post-vanilla-query",
            Request { query: Pairs::of(&[("Param1", "value1")]), ..post },
            POST_QUERY,
        ),
    ];
    cases.extend(suite_of_headers());
    cases
}

const SPACE: &str = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741";
const UTF8: &str = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85";
const UNRESERVED_PATH: &str = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const UNRESERVED_SIGNATURE: &str =
    "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f";
const ORDER_CASE: &[Pair<'_>] = &[("Param2", "value2"), ("Param1", "value1")];
const ORDER_CASE_SIGNATURE: &str =
    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";
const ORDER_ENCODED: &[Pair<'_>] =
    &[("Param-3", "Value3"), ("Param", "Value2"), ("\u{1234}", "Value1")];
const ORDER_ENCODED_SIGNATURE: &str =
    "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac";
const QUERY_UNRESERVED: &str = "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197";
const QUERY_UTF8: &str = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04";
const POST_QUERY: &str = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11";
/// SHA-256 of `Param1=value1`.
const FORM_SHA256: &str = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";

/// Those that have headers, a token or a body.
fn suite_of_headers() -> Vec<Case> {
    let get = vanilla();
    let post = Request { method: "POST", ..get };
    let headers = |headers| Request { headers: Pairs::of(headers), ..get };
    let token = |request: Request<'static>, token| Request {
        credentials: Credentials { session_token: Some(token), ..IOT },
        ..request
    };
    let form = |headers| Request {
        payload: Payload::of(&"Param1=value1"),
        headers: Pairs::of(headers),
        ..post
    };
    let after = Request { token: Token::Appended, ..token(post, STS_TOKEN) };
    let vanilla_token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    vec![
        ("get-header-key-duplicate", headers(DUPLICATE), DUPLICATE_SIGNATURE),
        ("get-header-value-order", headers(VALUE_ORDER), VALUE_ORDER_SIGNATURE),
        ("get-header-value-trim", headers(TRIM), TRIM_SIGNATURE),
        (
            "get-vanilla-with-session-token",
            token(get, vanilla_token),
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
        (
            "post-header-key-sort",
            Request { headers: Pairs::of(&[("My-Header1", "value1")]), ..post },
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
        (
            "post-header-value-case",
            Request { headers: Pairs::of(&[("My-Header1", "VALUE1")]), ..post },
            "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
        ),
        (
            "post-sts-header-before",
            token(post, STS_TOKEN),
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
        (
            "post-sts-header-after",
            after,
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "post-x-www-form-urlencoded",
            form(FORM),
            "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
        ),
        (
            "post-x-www-form-urlencoded-parameters",
            form(FORM_PARAMETERS),
            "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
        ),
    ]
}

const DUPLICATE: &[Pair<'_>] =
    &[("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")];
const DUPLICATE_SIGNATURE: &str =
    "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea";
const VALUE_ORDER: &[Pair<'_>] = &[
    ("My-Header1", "value4"),
    ("My-Header1", "value1"),
    ("My-Header1", "value3"),
    ("My-Header1", "value2"),
];
const VALUE_ORDER_SIGNATURE: &str =
    "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01";
const TRIM: &[Pair<'_>] = &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")];
const TRIM_SIGNATURE: &str = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736";
const FORM: &[Pair<'_>] = &[
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Content-Length", "13"),
    ("x-amz-content-sha256", FORM_SHA256),
];
const FORM_PARAMETERS: &[Pair<'_>] = &[
    ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
    ("Content-Length", "13"),
    ("x-amz-content-sha256", FORM_SHA256),
];
const STS_TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWH\
    GBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKs\
    burEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZb\
    qBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

#[test]
fn requests_of_the_suite_are_signed_in_header_form_as_it_says() {
    for (name, request, expected) in suite() {
        let [_, signature] = authorization(&request);
        assert_eq!(signature, expected, "{name}");
    }
}

/// With a life of an hour, as the suite has it.
#[test]
fn requests_of_the_suite_are_signed_in_query_form_as_it_says() {
    let get = vanilla();
    for (name, request, expected) in [
        (
            "get-slash-pointless-dot-normalized",
            Request { path: "/./example", ..get },
            "35034b1a0bdd969f346975386daf8aedfd4976573b8348cf4f67eaa41c5857de",
        ),
        (
            "get-vanilla-query-order-key-case",
            Request { query: Pairs::of(ORDER_CASE), ..get },
            "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5",
        ),
        (
            "get-vanilla-query-order-encoded",
            Request { query: Pairs::of(ORDER_ENCODED), ..get },
            "c5f1848ceec943ac2ca68ee720460c23aaae30a2300586597ada94c4a65e4787",
        ),
        (
            "get-header-key-duplicate",
            Request { headers: Pairs::of(DUPLICATE), ..get },
            "3349ee0b81b4b589da0ff28a395c3591e04de515651dd74f298fa992d1507a97",
        ),
        (
            "get-header-value-trim",
            Request { headers: Pairs::of(TRIM), ..get },
            "e7bb0fd515e125e1aec2ecc4c0c17484fb06f6846b927c35e46005dd3df3acd4",
        ),
    ] {
        let target = target(&request, Some(3_600));
        let signature = target.rsplit_once("&X-Amz-Signature=").unwrap().1;
        assert_eq!(signature, expected, "{name}");
    }
}

/// The example of "Create a signed AWS API request".
#[test]
fn iam_request_of_the_documented_example_is_the_documented_one() {
    let request = Request {
        query: Pairs::of(&[("Version", "2010-05-08"), ("Action", "ListUsers")]),
        headers: Pairs::of(&[("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]),
        ..Request::new(IOT, "us-east-1", "iam", "iam.amazonaws.com", at("2015-08-30T12:36:00Z"))
    };
    let expected = "Authorization: AWS4-HMAC-SHA256 \
        Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date, \
        Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\r\n\
        X-Amz-Date: 20150830T123600Z\r\n";
    assert_eq!(written(&request.authorize(&mut Key::new()).unwrap()), expected);
}

fn s3() -> Request<'static> {
    let at = at("2013-05-24T00:00:00Z");
    Request::new(S3, "us-east-1", "s3", "examplebucket.s3.amazonaws.com", at)
}

/// The example of "Authenticating Requests: Using Query Parameters" (Amazon S3 API reference).
#[test]
fn s3_target_of_the_documented_example_is_the_documented_one() {
    let request = Request { path: "/test.txt", payload: Payload::Unsigned, ..s3() };
    let expected = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    assert_eq!(target(&request, Some(86_400)), expected);
}

/// The examples of "Signature Calculations for the Authorization Header" (Amazon S3 API reference).
#[test]
fn s3_requests_of_the_documented_examples_are_the_documented_ones() {
    let put = Request {
        method: "PUT",
        path: "/test%24file.text",
        headers: Pairs::of(&[
            ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ]),
        payload: Payload::of(&"Welcome to Amazon S3."),
        ..s3()
    };
    for (request, names, signature) in [
        (
            Request { path: "/test.txt", headers: Pairs::of(&[("Range", "bytes=0-9")]), ..s3() },
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            put,
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            Request { query: Pairs::of(&[("lifecycle", "")]), ..s3() },
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            Request { query: Pairs::of(&[("prefix", "J"), ("max-keys", "2")]), ..s3() },
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        assert_eq!(authorization(&request), [names.to_owned(), signature.to_owned()]);
    }
}

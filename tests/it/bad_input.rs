//! Whatever a client sends, the answer is the designed one, one bad event costs no good one, the
//! books balance, and memory stays bounded.

use std::io::Write as _;

use crate::harness::documents::Documents;
use crate::harness::gateway::Gateway;
use crate::harness::http::{Counts, Raw, send};

/// Small limits, so that each can be passed by a small body.
const REPO: &str = "\
version: 1
input: { format: jsonl, limits: { wire: 256 KiB, body: 1 MiB, ratio: 100, event: 4 KiB, events: 100, depth: 8 } }
route: [ { otherwise: { producer: files, topic: events } } ]
";
const TEXT_REPO: &str = "\
version: 1
input: { format: text, limits: { body: 1 MiB, event: 4 KiB, events: 100 } }
route: [ { otherwise: { producer: files, topic: lines } } ]
";
const PRODUCERS: &str =
    "version: 1\nproducers: { files: { file: { folder: files, fsync: false } } }\n";

fn documents() -> Documents {
    Documents::empty()
        .with("weir.producers.yaml", PRODUCERS)
        .with("weir.repo.events.yaml", REPO)
        .with("weir.repo.lines.yaml", TEXT_REPO)
}

/// What one body must be answered with.
struct Case {
    name: &'static str,
    body: Vec<u8>,
    headers: Vec<(&'static str, &'static str)>,
    repo: &'static str,
    expected: Expected,
}

enum Expected {
    /// 200 with received, accepted, rejected, and each rejected line's code.
    Counts(u64, u64, &'static [(u64, &'static str)]),
    /// Another status, and nothing taken.
    Status(u16),
}

use Expected::{Counts as Books, Status};

fn case(name: &'static str, body: impl Into<Vec<u8>>, expected: Expected) -> Case {
    Case {
        name,
        body: body.into(),
        headers: Vec::new(),
        repo: "events",
        expected,
    }
}

impl Case {
    fn coded(mut self, encoding: &'static str) -> Self {
        self.headers.push(("content-encoding", encoding));
        self
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn to(mut self, repo: &'static str) -> Self {
        self.repo = repo;
        self
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_body_has_its_designed_answer() {
    let mut gateway = Gateway::start(documents()).await;
    // The first requests pay for what is made once.
    gateway.post("events", r#"{"event":"a"}"#).await;
    let before = gateway.metrics().await.books("events");
    let at_rest = gateway.resources().memory_kib;
    let mut cases = lines();
    cases.extend(bodies());
    cases.extend(arrays());
    cases.extend(packed());
    cases.extend(texts());
    cases.extend(headers());
    assert!(cases.len() >= 60, "{} cases", cases.len());

    let mut wrong = Vec::new();
    let mut told = Counts::default();
    for case in cases {
        let mut request = gateway.batch(case.repo, case.body.clone());
        for (name, value) in &case.headers {
            request = request.header(*name, *value);
        }
        let reply = send(request).await;
        let answer: Result<Counts, _> = serde_json::from_str(&reply.text);
        if let (Ok(counts), "events") = (&answer, case.repo) {
            told += *counts;
        }
        let fits = match case.expected {
            Status(status) => reply.status == status && !reply.text.contains("accepted"),
            Books(received, accepted, errors) => {
                let rejected = u64::try_from(errors.len()).unwrap();
                let wanted = Counts {
                    received,
                    accepted,
                    rejected,
                    ..Counts::default()
                };
                let shown = errors
                    .iter()
                    .map(|(line, code)| (*line, (*code).to_owned()));
                reply.status == 200
                    && reply.counts() == wanted
                    && reply.errors() == shown.collect::<Vec<_>>()
            }
        };
        if !fits {
            wrong.push(format!("{}: {} {}", case.name, reply.status, reply.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let mut after = gateway.metrics().await.books("events");
    after.received -= before.received;
    after.accepted -= before.accepted;
    assert_eq!(after, told, "the metrics are the sums of the replies");
    let peak = gateway.resources().peak_kib;
    assert!(
        peak < at_rest + 32 * 1024,
        "{peak} KiB at most, {at_rest} KiB before"
    );
    gateway.stop().await;
}

/// One event a line; each line is judged alone.
fn lines() -> Vec<Case> {
    let deep = |depth: usize| {
        format!(
            "{{\"a\":{}1{}}}",
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    };
    let long = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
    let huge_key = format!("{{\"{}\":1}}", "k".repeat(5_000));
    const JSON: &[(u64, &str)] = &[(1, "decode.json")];
    vec![
        case("one good line", "{\"a\":1}", Books(1, 1, &[])),
        case(
            "a bad line between good ones",
            "{\"a\":1}\n{oops}\n{\"a\":2}\n",
            Books(3, 2, &[(2, "decode.json")]),
        ),
        case(
            "blank lines count as lines, not as events",
            "\n\n{\"a\":1}\n\n{]\n",
            Books(2, 1, &[(5, "decode.json")]),
        ),
        case(
            "carriage returns",
            "{\"a\":1}\r\n{\"a\":2}\r\n\r\n",
            Books(2, 2, &[]),
        ),
        case(
            "two values on a line",
            "{\"a\":1}{\"a\":2}",
            Books(1, 0, JSON),
        ),
        case("a comma after the event", "{\"a\":1},", Books(1, 0, JSON)),
        case("a comma before the end", "{\"a\":1,}", Books(1, 0, JSON)),
        case("an event cut off", "{\"a\":\"b", Books(1, 0, JSON)),
        case(
            "an event cut off after a good one",
            "{\"a\":1}\n{\"a\":\"b",
            Books(2, 1, &[(2, "decode.json")]),
        ),
        case("single quotes", "{'a':1}", Books(1, 0, JSON)),
        case("a bare word", "{\"a\":undefined}", Books(1, 0, JSON)),
        case("NaN", "{\"a\":NaN}", Books(1, 0, JSON)),
        case("a comment", "{\"a\":1/*x*/}", Books(1, 0, JSON)),
        case(
            "a number with a leading zero",
            "{\"a\":01}",
            Books(1, 0, JSON),
        ),
        case("a number with a plus", "{\"a\":+1}", Books(1, 0, JSON)),
        case(
            "a number that ends in a point",
            "{\"a\":1.}",
            Books(1, 0, JSON),
        ),
        case("a minus alone", "{\"a\":-}", Books(1, 0, JSON)),
        case("1e400 is a number", "{\"a\":1e400}", Books(1, 1, &[])),
        case(
            "a number of 1,000 digits is a number",
            format!("{{\"a\":{}}}", "9".repeat(1_000)),
            Books(1, 1, &[]),
        ),
        case(
            "a control character in a string",
            "{\"a\":\"\x01\"}",
            Books(1, 0, JSON),
        ),
        case("a zero byte", "{\"a\":\"\0\"}", Books(1, 0, JSON)),
        case("an unknown escape", "{\"a\":\"\\x41\"}", Books(1, 0, JSON)),
        case("a short escape", "{\"a\":\"\\u12\"}", Books(1, 0, JSON)),
        case(
            "a lone high surrogate",
            "{\"a\":\"\\ud83d\"}",
            Books(1, 0, JSON),
        ),
        case(
            "a lone low surrogate",
            "{\"a\":\"\\ude00\"}",
            Books(1, 0, JSON),
        ),
        case(
            "a pair of surrogates",
            "{\"a\":\"\\ud83d\\ude00\"}",
            Books(1, 1, &[]),
        ),
        case(
            "surrogates the wrong way round",
            "{\"a\":\"\\ude00\\ud83d\"}",
            Books(1, 0, JSON),
        ),
        case(
            "invalid UTF-8",
            b"{\"a\":1}\n{\"a\":\"\xff\"}\n{\"a\":2}".to_vec(),
            Books(3, 2, &[(2, "decode.utf8")]),
        ),
        case(
            "UTF-8 cut off",
            b"{\"a\":\"\xe4\xb8\"}".to_vec(),
            Books(1, 0, &[(1, "decode.utf8")]),
        ),
        case(
            "a surrogate written as UTF-8",
            b"{\"a\":\"\xed\xa0\x80\"}".to_vec(),
            Books(1, 0, &[(1, "decode.utf8")]),
        ),
        case(
            "an overlong byte sequence",
            b"{\"a\":\"\xc0\xaf\"}".to_vec(),
            Books(1, 0, &[(1, "decode.utf8")]),
        ),
        case(
            "a byte-order mark inside",
            "{\"a\":1}\n\u{feff}{\"a\":1}",
            Books(2, 1, &[(2, "decode.json")]),
        ),
        case(
            "a number instead of an object",
            "1",
            Books(1, 0, &[(1, "decode.object")]),
        ),
        case(
            "null instead of an object",
            "{\"a\":1}\nnull",
            Books(2, 1, &[(2, "decode.object")]),
        ),
        case(
            "a string instead of an object",
            "\"text\"",
            Books(1, 0, &[(1, "decode.object")]),
        ),
        case(
            "an array on a later line",
            "{\"a\":1}\n[{\"a\":1}]",
            Books(2, 1, &[(2, "decode.object")]),
        ),
        case("nested as deep as allowed", deep(8), Books(1, 1, &[])),
        case(
            "nested one deeper",
            deep(9),
            Books(1, 0, &[(1, "decode.depth")]),
        ),
        case(
            "nested 1,900 deep",
            deep(1_900),
            Books(1, 0, &[(1, "decode.depth")]),
        ),
        case("as large as allowed", long(4_096), Books(1, 1, &[])),
        case(
            "one byte larger",
            long(4_097),
            Books(1, 0, &[(1, "decode.size")]),
        ),
        case("a huge key", huge_key, Books(1, 0, &[(1, "decode.size")])),
        case("an empty key", "{\"\":1}", Books(1, 1, &[])),
        case("the same key twice", "{\"a\":1,\"a\":2}", Books(1, 1, &[])),
        case("an empty event", "{}", Books(1, 1, &[])),
        case("spaces around", "  { \"a\" : 1 }  ", Books(1, 1, &[])),
    ]
}

/// What is wrong with a body as a whole.
fn bodies() -> Vec<Case> {
    let hundred = "{\"a\":1}\n".repeat(100);
    vec![
        case("an empty body", "", Books(0, 0, &[])),
        case("only newlines", "\n\r\n\n\n", Books(0, 0, &[])),
        case("only spaces", "   \n  ", Books(0, 0, &[])),
        case(
            "as many events as allowed",
            hundred.clone(),
            Books(100, 100, &[]),
        ),
        case("one event more", format!("{hundred}{{}}"), Status(413)),
        case(
            "larger on the wire than allowed",
            "x".repeat(300 * 1024),
            Status(413),
        ),
        case(
            "random bytes",
            (0..=255).rev().collect::<Vec<u8>>(),
            Books(2, 0, &[(1, "decode.utf8"), (2, "decode.json")]),
        ),
    ]
}

fn arrays() -> Vec<Case> {
    vec![
        case("an array", "[{\"a\":1},{\"a\":2}]", Books(2, 2, &[])),
        case(
            "an array over several lines",
            " [\n{\"a\":1},\n{\"a\":2}\n]\n",
            Books(2, 2, &[]),
        ),
        case("an empty array", "[]", Books(0, 0, &[])),
        case(
            "an element that is no object",
            "[{\"a\":1},2,{\"a\":3}]",
            Books(3, 2, &[(2, "decode.object")]),
        ),
        case(
            "an element nested too deep",
            format!("[{{\"a\":1}},{{\"a\":{}{}}}]", "[".repeat(9), "]".repeat(9)),
            Books(2, 1, &[(2, "decode.depth")]),
        ),
        case(
            "an element that is too large",
            format!("[{{\"a\":\"{}\"}},{{}}]", "x".repeat(5_000)),
            Books(2, 1, &[(1, "decode.size")]),
        ),
        case(
            "an array that does not parse",
            "[{\"a\":1},{oops}]",
            Status(400),
        ),
        case("an array cut off", "[{\"a\":1},{\"a\":2}", Status(400)),
        case(
            "an array with something behind",
            "[{\"a\":1}] x",
            Status(400),
        ),
        case(
            "an array with a comma too many",
            "[{\"a\":1},]",
            Status(400),
        ),
        case(
            "an array with invalid UTF-8",
            b"[{\"a\":\"\xff\"}]".to_vec(),
            Status(400),
        ),
        case(
            "an array with more elements than allowed",
            format!("[{}{{}}]", "{},".repeat(100)),
            Status(413),
        ),
    ]
}

fn packed() -> Vec<Case> {
    let good = b"{\"a\":1}\n{\"a\":2}\n".as_slice();
    // 4 MiB of one letter: far more than the decoded limit and the ratio allow.
    let bomb = vec![b' '; 4 * 1024 * 1024];
    let larger = vec![b' '; 64 * 1024 * 1024];
    let members = [gzip(b"{\"a\":1}\n"), gzip(b"{\"a\":2}\n")].concat();
    let cut = |packed: Vec<u8>| packed[..packed.len() - 4].to_vec();
    let damaged = |mut packed: Vec<u8>| {
        let middle = packed.len() / 2;
        packed[middle] ^= 0xff;
        packed
    };
    vec![
        case("gzip", gzip(good), Books(2, 2, &[])).coded("gzip"),
        case("deflate", zlib(good), Books(2, 2, &[])).coded("deflate"),
        case("br", brotli(good), Books(2, 2, &[])).coded("br"),
        case("zstd", zstd(good), Books(2, 2, &[])).coded("zstd"),
        case("identity", good, Books(2, 2, &[])).coded("identity"),
        case(
            "the name of a coding in capitals",
            gzip(good),
            Books(2, 2, &[]),
        )
        .coded("GZIP"),
        case("several gzip members", members, Books(2, 2, &[])).coded("gzip"),
        case("gzip cut off", cut(gzip(good)), Status(400)).coded("gzip"),
        case("deflate cut off", cut(zlib(good)), Status(400)).coded("deflate"),
        case("br cut off", cut(brotli(good)), Status(400)).coded("br"),
        case("zstd cut off", cut(zstd(good)), Status(400)).coded("zstd"),
        case("damaged gzip", damaged(gzip(good)), Status(400)).coded("gzip"),
        case("damaged deflate", damaged(zlib(good)), Status(400)).coded("deflate"),
        case("gzip that is none", good, Status(400)).coded("gzip"),
        case("deflate that is none", good, Status(400)).coded("deflate"),
        case("br that is none", good, Status(400)).coded("br"),
        case("zstd that is none", good, Status(400)).coded("zstd"),
        case("an empty body under gzip", "", Status(400)).coded("gzip"),
        case(
            "something behind the gzip",
            [gzip(good), b"tail".to_vec()].concat(),
            Status(400),
        )
        .coded("gzip"),
        case("a gzip bomb", gzip(&bomb), Status(413)).coded("gzip"),
        case("a deflate bomb", zlib(&bomb), Status(413)).coded("deflate"),
        case("a br bomb", brotli(&bomb), Status(413)).coded("br"),
        case("a zstd bomb", zstd(&bomb), Status(413)).coded("zstd"),
        case("a larger gzip bomb", gzip(&larger), Status(413)).coded("gzip"),
        case("a larger br bomb", brotli(&larger), Status(413)).coded("br"),
        case("a larger zstd bomb", zstd(&larger), Status(413)).coded("zstd"),
        case(
            "within the decoded limit, beyond the ratio",
            gzip(&bomb[..1_000_000]),
            Status(413),
        )
        .coded("gzip"),
        case("an unknown coding", good, Status(415)).coded("compress"),
        case("two codings", gzip(&gzip(good)), Status(415)).coded("gzip, gzip"),
    ]
}

fn texts() -> Vec<Case> {
    vec![
        case("text lines", "GET /\nPOST /x\n", Books(2, 2, &[])).to("lines"),
        case("text that looks like JSON", "[1,2\n{oops", Books(2, 2, &[])).to("lines"),
        case(
            "text with quotes and controls",
            "say \"hi\"\t\x01\\",
            Books(1, 1, &[]),
        )
        .to("lines"),
        case(
            "text that is not UTF-8",
            b"good\n\xff\xfe\n".to_vec(),
            Books(2, 1, &[(2, "decode.utf8")]),
        )
        .to("lines"),
        case(
            "a text line that is too large",
            "x".repeat(5_000),
            Books(1, 0, &[(1, "decode.size")]),
        )
        .to("lines"),
        case("blank text lines", "\n\na\n\n", Books(1, 1, &[])).to("lines"),
    ]
}

fn headers() -> Vec<Case> {
    vec![
        case("no such repo", "{}", Status(404)).to("nobody"),
        case("a repo that is no name", "{}", Status(404)).to("..%2f..%2fetc"),
        case(
            "a type that is not JSON is not looked at",
            "{\"a\":1}",
            Books(1, 1, &[]),
        )
        .with("content-type", "application/xml"),
        case("a header of 300 KiB", "{}", Status(431)).with(
            "x-large",
            Box::leak("x".repeat(300 * 1024).into_boxed_str()),
        ),
    ]
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(body).unwrap();
    packer.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(body).unwrap();
    packer.finish().unwrap()
}

fn brotli(body: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let settings = brotli::enc::BrotliEncoderParams {
        quality: 5,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &*body, &mut packed, &settings).unwrap();
    packed
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(body, 1).unwrap()
}

/// Requests that no well-behaved client sends: the text of the request, and the status.
const RAW: &[(&str, &str, u16)] = &[
    ("not HTTP", "hello\r\n\r\n", 400),
    ("no version", "POST /log/repo/events\r\n\r\n", 400),
    (
        "a space in the path",
        "POST /log/repo/ev ents HTTP/1.1\r\nhost: a\r\n\r\n",
        400,
    ),
    (
        "a length that is no number",
        "POST /log/repo/events HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
        400,
    ),
    (
        "a negative length",
        "POST /log/repo/events HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        400,
    ),
    (
        "two lengths",
        "POST /log/repo/events HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        400,
    ),
    (
        "a length beyond the limit",
        "POST /log/repo/events HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999\r\n\r\n",
        413,
    ),
    (
        "a chunk size that is no number",
        "POST /log/repo/events HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        400,
    ),
    (
        "chunks",
        "POST /log/repo/events HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        200,
    ),
    (
        "no length and no body",
        "POST /log/repo/events HTTP/1.1\r\nhost: a\r\n\r\n",
        200,
    ),
    (
        "another method",
        "GET /log/repo/events HTTP/1.1\r\nhost: a\r\n\r\n",
        405,
    ),
    (
        "an unknown method",
        "BREW /log/repo/events HTTP/1.1\r\nhost: a\r\n\r\n",
        405,
    ),
    (
        "an unknown path",
        "POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}",
        404,
    ),
    (
        "a header name with a space",
        "POST /log/repo/events HTTP/1.1\r\nhost: a\r\nbad name: 1\r\n\r\n",
        400,
    ),
    (
        "an old version",
        "POST /log/repo/events HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}",
        200,
    ),
    (
        "a body that is announced",
        "POST /log/repo/events HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n{}",
        100,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_request_has_its_designed_answer() {
    let mut gateway = Gateway::start(documents()).await;
    let mut wrong = Vec::new();
    for (name, request, status) in RAW {
        let mut raw = Raw::connect(gateway.data).await;
        raw.write(request).await;
        let answer = raw.answer().await;
        if crate::harness::http::status_of(&answer) != *status {
            wrong.push(format!("{name}: {answer}"));
        }
    }
    let long = format!(
        "POST /log/repo/{} HTTP/1.1\r\nhost: a\r\n\r\n",
        "x".repeat(70_000)
    );
    let mut raw = Raw::connect(gateway.data).await;
    raw.write(long).await;
    let answer = raw.status().await;
    if ![414, 431].contains(&answer) {
        wrong.push(format!("a path of 70 KB: {answer}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_shorter_than_announced_is_not_taken() {
    let mut gateway = Gateway::start(documents()).await;
    let mut raw = Raw::connect(gateway.data).await;
    raw.write(
        "POST /log/repo/events HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{\"a\":1}\n",
    )
    .await;
    raw.finish().await;
    let status = raw.status().await;
    assert!(status == 0 || status == 400, "{status}");
    assert_eq!(gateway.post("events", "{\"a\":1}").await.status, 200);
    let books = gateway.metrics().await.books("events");
    assert_eq!((books.received, books.accepted), (1, 1));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_first_20_errors_are_shown_and_all_are_counted() {
    let mut gateway = Gateway::start(documents()).await;
    let reply = gateway.post("events", "{oops}\n".repeat(50)).await;
    assert_eq!(reply.counts().rejected, 50);
    let lines: Vec<u64> = reply.errors().iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, (1..=20).collect::<Vec<_>>());
    let metrics = gateway.metrics().await;
    let labels = [("repo", "events"), ("reason", "decode.json")];
    assert_eq!(metrics.count("weir_events_rejected_total", &labels), 50);
    gateway.stop().await;
}

//! Bytes that no well-behaved client sends, straight over TCP to the binary. Whatever they are: the server answers
//! or hangs up in good time, never with a 5xx, goes on serving, and changes nothing that it did not acknowledge.
//! `PROPTEST_CASES=10000 cargo test --test integration hostile` tries more of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::Config as Cases;
use rocket::serde::json::{Value, serde_json};
use tempfile::TempDir;

use crate::app::App;
use crate::support::{Server, command};

/// Stands for the id of an item that is there, which nobody knows when requests are made up; as long as one.
const ID: &str = "11111111-1111-1111-1111-111111111111";

/// Every route, with what it needs to succeed: method, path, `Content-Type`, body.
const ROUTES: &[(&str, &str, &str, &str)] = &[
    ("GET", "/", "", ""),
    ("POST", "/items", FORM, "title=Added&description=More%0d%0atext&due=2028-02-29"),
    ("GET", "/items/<id>", "", ""),
    ("POST", "/items/<id>", FORM, "title=Edited&description=&due=&version=1"),
    ("POST", "/items/<id>/status", FORM, "status=doing"),
    ("POST", "/items/<id>/place", FORM, "before=11111111-1111-1111-1111-111111111111"),
    ("POST", "/items/<id>/delete", FORM, ""),
    ("POST", "/done/clear", FORM, ""),
    ("POST", "/deletions/<deletion>/restore", FORM, ""),
    ("GET", "/api/todos", "", ""),
    ("POST", "/api/todos", JSON, r#"{"title": "Added", "description": "", "due": "2028-02-29", "order": 1.5}"#),
    ("DELETE", "/api/todos", "", ""),
    ("GET", "/api/todos/<id>", "", ""),
    ("PATCH", "/api/todos/<id>", JSON, r#"{"title": "Changed", "status": "done", "completed": true, "due": null}"#),
    ("DELETE", "/api/todos/<id>", "", ""),
    ("GET", "/api/openapi.json", "", ""),
    ("GET", "/health/live", "", ""),
    ("GET", "/health/ready", "", ""),
    ("GET", "/static/<path..>", "", ""),
    ("GET", "/development/state", "", ""),
];

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// A path with its parameters filled in.
fn path(pattern: &str) -> String {
    pattern.replace("<path..>", "app.css").replace("<id>", ID).replace("<deletion>", ID)
}

#[rocket::async_test]
async fn every_route_is_among_those_that_are_attacked() {
    let app = App::start().await;
    // From 100 on are the routes that answer 405.
    let routes = app.client.rocket().routes().filter(|route| route.rank < 100);
    let there: BTreeSet<_> = routes.map(|route| format!("{} {}", route.method, route.uri.path())).collect();
    let attacked: BTreeSet<_> = ROUTES.iter().map(|(method, path, ..)| format!("{method} {path}")).collect();
    assert_eq!(there, attacked);
}

// The server under attack

/// A server with one item, and what its list was last.
struct Target {
    server: Server,
    list: RefCell<String>,
    id: RefCell<String>,
    /// How much of the log is known, so that an error in it is the last request's.
    logged: Cell<usize>,
    _folder: TempDir,
}

/// What came of a request.
struct Outcome {
    text: String,
    /// The server did not hang up by itself: it waited for more, or kept the connection.
    cut_off: bool,
}

impl Outcome {
    /// The final status of each answer.
    fn statuses(&self) -> Vec<u16> {
        let lines = self.text.split("HTTP/1.").skip(1);
        lines.filter_map(|line| line.get(2..5)?.parse().ok()).filter(|status| *status >= 200).collect()
    }

    fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
        lines.filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

impl Target {
    fn start() -> Self {
        Self::start_at("127.0.0.1")
    }

    fn start_at(address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut start = command(folder.path());
        start.env("ROCKET_ADDRESS", address);
        // What a client does wrong is no error of ours: whatever is logged as one is a bug.
        start.env("RUST_LOG", "error,rocket=error,todo_app::app=info");
        let target = Self {
            server: Server::start_with(start),
            list: RefCell::default(),
            id: RefCell::default(),
            logged: Cell::default(),
            _folder: folder,
        };
        target.renew();
        target
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_write_timeout(Some(HANG)).unwrap();
        stream
    }

    /// Sends this and reads until the server hangs up. If it does not for a while, it thinks the request unfinished,
    /// so we hang up, and it must follow.
    fn send(&self, bytes: &[u8]) -> Outcome {
        self.read(self.sending(bytes), PATIENCE)
    }

    /// The same with a request that is finished, so that the server must hang up by itself.
    fn ask(&self, bytes: &[u8]) -> Outcome {
        let outcome = self.read(self.sending(bytes), HANG);
        assert!(!outcome.cut_off, "no end after {:?}", outcome.text);
        outcome
    }

    /// Sends this and hangs up.
    fn break_off(&self, bytes: &[u8]) -> Outcome {
        let stream = self.sending(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        self.read(stream, HANG)
    }

    fn sending(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect();
        // It need not read to the end what it refuses.
        if let Err(error) = stream.write_all(bytes) {
            assert!(is_hanging_up(error.kind()), "it reads no further: {error}");
        }
        stream
    }

    fn read(&self, mut stream: TcpStream, patience: Duration) -> Outcome {
        let (mut read, mut buffer, mut cut_off) = (vec![], [0; 65536], false);
        stream.set_read_timeout(Some(patience)).unwrap();
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => read.extend_from_slice(&buffer[..length]),
                Err(error) if is_hanging_up(error.kind()) => break,
                Err(error) => {
                    assert!(!cut_off, "neither an answer nor an end: {error}");
                    cut_off = true;
                    let _ = stream.shutdown(Shutdown::Write);
                    stream.set_read_timeout(Some(HANG)).unwrap();
                }
            }
        }
        Outcome { text: String::from_utf8_lossy(&read).into_owned(), cut_off }
    }

    /// The list; it is given by a server that is ready and has logged no error.
    #[track_caller]
    fn serves(&self) -> String {
        // HTTP/1.0 has no chunks.
        let requests =
            b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/todos HTTP/1.0\r\nHost: localhost\r\n\r\n";
        let Outcome { text, .. } = self.ask(requests);
        assert!(text.starts_with("HTTP/1.1 200") && text.contains("ready\n"), "{text}");
        let log = self.server.output();
        let new = &log[self.logged.replace(log.len())..];
        assert!(!new.contains("ERROR") && !new.contains("panic"), "{new}");
        let (_, list) = text.rsplit_once("\r\n\r\n").unwrap();
        assert!(list.starts_with('[') && list.ends_with(']'), "{text}");
        list.to_owned()
    }

    /// One item, and nothing else.
    fn renew(&self) {
        let body = r#"{"title": "Precious"}"#;
        let head = "HTTP/1.1\r\nHost: localhost\r\nConnection: close";
        self.ask(format!("DELETE /api/todos {head}\r\n\r\n").as_bytes());
        let length = body.len();
        let add = format!("POST /api/todos {head}\r\nContent-Type: {JSON}\r\nContent-Length: {length}\r\n\r\n{body}");
        self.ask(add.as_bytes());
        *self.list.borrow_mut() = self.serves();
        let list: Vec<Value> = serde_json::from_str(&self.list.borrow()).unwrap();
        assert_eq!(list.len(), 1, "{list:?}");
        *self.id.borrow_mut() = list[0]["id"].as_str().unwrap().to_owned();
    }

    #[track_caller]
    fn is_unchanged(&self) {
        let (before, now) = (self.list.borrow().clone(), self.serves());
        if now != before {
            // So that the next one is not blamed for it.
            self.renew();
        }
        assert_eq!(now, before);
    }

    /// What must hold whatever is sent.
    #[track_caller]
    fn withstands(&self, request: &Raw) {
        let bytes = request.with_id(&self.id.borrow());
        let outcome = self.send(&bytes);
        let statuses = outcome.statuses();
        assert!(statuses.iter().all(|status| *status < 500), "{}", outcome.text);
        let list = self.serves();
        let reads = [&b"GET "[..], b"HEAD ", b"OPTIONS ", b"TRACE "].iter().any(|method| bytes.starts_with(method));
        let acknowledged = statuses.iter().any(|status| *status < 400) && !(reads && statuses.len() == 1);
        // On a slow machine we may have hung up just before the answer came.
        let unknown = outcome.cut_off && statuses.is_empty() && !reads;
        let changed = list != *self.list.borrow();
        if changed || unknown {
            self.renew();
        }
        assert!(!changed || acknowledged || unknown, "changed by what was answered with {statuses:?}");
    }
}

/// How long nothing may come before we take a request for one that the server thinks unfinished.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long nothing may come before the server hangs.
const HANG: Duration = Duration::from_secs(20);

fn is_hanging_up(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
}

/// Bytes as they are sent; a failed test shows them as Rust writes them.
#[derive(Clone)]
struct Raw(Vec<u8>);

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl Raw {
    /// A head without its end, and a body: with the right length, and nothing after it.
    fn framed(head: &[u8], body: &[u8]) -> Self {
        let end = format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        Self([head, end.as_bytes(), body].concat())
    }

    fn with_id(&self, id: &str) -> Vec<u8> {
        let mut bytes = self.0.clone();
        while let Some(at) = bytes.windows(ID.len()).position(|part| part == ID.as_bytes()) {
            bytes[at..at + ID.len()].copy_from_slice(id.as_bytes());
        }
        bytes
    }
}

// What is sent

/// So many cases, unless `PROPTEST_CASES` says otherwise. No file remembers a failure, since its message shows the
/// whole request: that belongs in a test of its own.
fn cases(cases: u32) -> Cases {
    let given = Cases::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { cases };
    Cases { cases, failure_persistence: None, max_shrink_time: 60_000, ..given }
}

/// What has broken other servers.
#[rustfmt::skip]
const NASTY: &[&str] = &[
    "..", "../", "/", "//", "\\", ".", "%2e%2e%2f", "%2e%2e/", "..%2f", "..%5c", "%252e%252e%252f", "%00",
    "%0d%0aX-Injected:%20yes", "%0a", "%c0%ae", "%c0%af", "%ff", "%ed%a0%80", "%", "%2", "%zz", "%u002e", "%e2%80%ae",
    ";", "?", "#", "&", "=", "&&", "[", "]", "[]", "[a]", "a[b].c=", ".", "+", "*", "@", ":", "<script>", "\"", "'",
    "'--", "{{7*7}}", "{%", "$(id)", "é", "\u{feff}", "\u{202e}", "🦀", "\0", "\r\n ", "\n", "\t", " ", "0", "-1",
    "1e999", "9223372036854775808", "null", "undefined", "NaN", "Sept", "2028-02-30", "-000001-01-01", ID,
];

/// One of the words of this text.
fn words(text: &'static str) -> impl Strategy<Value = &'static str> + Clone {
    select(text.split_whitespace().collect::<Vec<_>>())
}

fn nasty() -> impl Strategy<Value = Vec<u8>> {
    select(NASTY).prop_map(|text| text.as_bytes().to_vec())
}

/// Bytes of any kind, harmless ones and long ones among them.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => nasty(),
        4 => "[a-z0-9]{1,8}".prop_map(String::into_bytes),
        2 => any::<u8>().prop_map(|byte| format!("%{byte:02x}").into_bytes()),
        1 => vec(any::<u8>(), 0..8),
        1 => (any::<u8>(), 0_usize..9_000).prop_map(|(byte, times)| vec![byte; times]),
    ];
    vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// Bytes of which none ends a word or a line, so that what follows still has a meaning.
fn word() -> impl Strategy<Value = Vec<u8>> {
    let visible = |byte: &u8| *byte > b' ' && *byte != 0x7f;
    prop_oneof![19 => bytes().prop_map(move |bytes| bytes.into_iter().filter(visible).collect()), 1 => bytes()]
}

/// A text of any characters, or as long as the longest that is taken, or some more.
fn text() -> impl Strategy<Value = String> {
    let length = prop_oneof![190_usize..210, 4_990_usize..5_010, 0_usize..6_000];
    let long = ("[a-z]{0,3}", select(&["x", "é", "🦀", " ", "\n", "\u{202e}"][..]), length)
        .prop_map(|(start, more, times)| start + &more.repeat(times));
    prop_oneof![2 => any::<String>(), 1 => long]
}

/// A text in which every byte is written by its number, so that all of them reach the app.
fn encoded() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![2 => text().prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..40), 1 => nasty()]
        .prop_map(|text| crate::app::encoded(text).into_bytes())
}

/// `name=value&…`, as a query or a form has it, with the names that the app knows among others.
fn fields() -> impl Strategy<Value = Vec<u8>> {
    let known = words("status q older after undo limit title title title description due version before _method");
    let suffix = prop_oneof![9 => Just(""), 1 => words("[] [0] .a [a].b [ ] .. . :")];
    let known = (known, suffix).prop_map(|(name, suffix)| [name, suffix].concat().into_bytes());
    let plain = select(&["todo", "done", "true", "on", "1000", "delete", "PATCH", ID, "1", "2028-02-29", ""][..]);
    let value = prop_oneof![1 => word(), 3 => encoded(), 2 => plain.prop_map(|text| text.as_bytes().to_vec())];
    let field = (prop_oneof![9 => known, 1 => word()], value);
    let field = field.prop_map(|(name, value)| [&name[..], b"=", &value].concat());
    vec(field, 0..6).prop_map(|fields| fields.join(&b'&'))
}

fn method() -> impl Strategy<Value = Vec<u8>> {
    let known = words("GET POST PATCH DELETE PUT HEAD OPTIONS TRACE CONNECT");
    prop_oneof![
        18 => known.prop_map(|method| method.as_bytes().to_vec()),
        1 => select(&["get", "PRI", "PROPFIND", "M-SEARCH", "G\u{0}T", "GET ", " ", "!", "~"][..])
            .prop_map(|method| method.as_bytes().to_vec()),
        1 => bytes(),
    ]
}

/// A path or whatever stands in its place: a known one, with something in it or behind it, or none at all.
fn target() -> impl Strategy<Value = Vec<u8>> {
    let known = || select(ROUTES).prop_map(|(_, pattern, ..)| path(pattern).into_bytes());
    prop_oneof![
        4 => known(),
        3 => (known(), word(), any::<Index>()).prop_map(|(mut path, inserted, at)| {
            let at = at.index(path.len() + 1);
            path.splice(at..at, inserted);
            path
        }),
        2 => word().prop_map(|word| [&b"/"[..], &word].concat()),
        1 => (select(&["/static/", "/items/", "/api/todos/", "/deletions/", "/api/", "/health/"][..]), word())
            .prop_map(|(folder, rest)| [folder.as_bytes(), &rest].concat()),
        1 => select(&["*", "http://x.example/", "http://x.example", "x.example:80", "//x.example/", "http://"][..])
            .prop_map(|target| target.as_bytes().to_vec()),
    ]
}

/// A header that the app or what it is built on reads, or any other, with values that fit or do not.
fn header() -> impl Strategy<Value = Vec<u8>> {
    let name = words(
        "Host Origin Sec-Fetch-Site Content-Type X-Request-Id X-Forwarded-Proto X-Forwarded-For X-Real-IP \
             Forwarded Cookie Accept Accept-Encoding Range If-Range If-None-Match If-Modified-Since Expect \
             Upgrade Connection TE Trailer Access-Control-Request-Method X-HTTP-Method-Override Authorization \
             Referer User-Agent",
    );
    let plain = select(
        &[
            "same-origin",
            "none",
            "cross-site",
            "null",
            "http://localhost",
            "https",
            "100-continue",
            "bytes=0-1",
            "bytes=9-1,-1,x",
            "websocket",
            "h2c",
            "keep-alive",
            "close",
            "a=b; c=%zz; =; ;;",
            "*/*;q=2",
            "text/html;;;",
            FORM,
            JSON,
            "application/json; charset=\"",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "text/plain, text/html",
            "Thu, 99 Foo 0000",
            "x:99999",
            "[::1",
            "x\r\n folded",
            "",
        ][..],
    );
    let name = prop_oneof![15 => name.prop_map(|name| name.as_bytes().to_vec()), 1 => word()];
    let separator = prop_oneof![20 => Just(": "), 1 => select(&[":", " : ", ":\t", "", ":\r\n "][..])];
    let value = prop_oneof![2 => plain.prop_map(|value| value.as_bytes().to_vec()), 2 => word(), 1 => encoded()];
    (name, separator, value)
        .prop_map(|(name, separator, value)| [&name[..], separator.as_bytes(), &value, b"\r\n"].concat())
}

fn headers() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => vec(header(), 0..5), 1 => vec(header(), 0..150)].prop_map(|headers| headers.concat())
}

/// A request that is put together from its parts, each of them as likely wrong as right.
fn request() -> impl Strategy<Value = Raw> {
    let version = prop_oneof![
        19 => Just("HTTP/1.1"),
        1 => select(&["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.1 ", "", "\0"][..]),
    ];
    let target = (target(), prop_oneof![Just(None), fields().prop_map(Some), word().prop_map(Some)]);
    let body = prop_oneof![Just(vec![]), fields(), bytes(), json().prop_map(String::into_bytes)];
    (method(), target, version, headers(), body).prop_map(|(method, (path, query), version, headers, body)| {
        let query = query.map_or(vec![], |query| [&b"?"[..], &query].concat());
        let line = [&method[..], b" ", &path, &query, b" ", version.as_bytes(), b"\r\n"].concat();
        Raw::framed(&[&line[..], b"Host: localhost\r\n", &headers].concat(), &body)
    })
}

/// A request as it should be: its head without the end, and its body.
fn valid() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    select(ROUTES).prop_map(|(method, pattern, kind, body)| {
        let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        let head = format!("{method} {} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: none\r\n{kind}", path(pattern));
        (head.into_bytes(), body.as_bytes().to_vec())
    })
}

/// A request as it should be, with a few changes of this kind: some bytes left out, others put in their place.
fn mutated() -> impl Strategy<Value = Raw> {
    let change = (any::<bool>(), any::<Index>(), 0_usize..4, bytes());
    (valid(), vec(change, 1..4)).prop_map(|((mut head, mut body), changes)| {
        for (in_head, at, length, inserted) in changes {
            let part = if in_head { &mut head } else { &mut body };
            let at = at.index(part.len() + 1);
            part.splice(at..(at + length).min(part.len()), inserted);
        }
        Raw::framed(&head, &body)
    })
}

/// Bits of HTTP in any order, and an end of a head.
fn soup() -> impl Strategy<Value = Raw> {
    let bit = prop_oneof![
        select(
            &[
                "GET",
                "POST",
                " ",
                "/",
                "/api/todos",
                " HTTP/1.1",
                "HTTP/1.0",
                "\r\n",
                "\n",
                "\r",
                "\r\n\r\n",
                "Host: localhost",
                "Content-Length: 5",
                "Content-Length: -1",
                "Transfer-Encoding: chunked",
                "5\r\nhello\r\n",
                "0\r\n\r\n",
                ":",
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                "\x16\x03\x01\x02\0\x01\0\x01",
                "Upgrade: h2c",
                "Connection: Upgrade",
            ][..]
        )
        .prop_map(|bit| bit.as_bytes().to_vec()),
        bytes(),
    ];
    vec(bit, 0..12).prop_map(|bits| Raw([&bits.concat()[..], b"\r\n\r\n"].concat()))
}

/// JSON, or what looks like it: numbers that no type holds, halves of characters, one name twice.
fn json() -> impl Strategy<Value = String> {
    let name =
        || select(&["title", "description", "due", "status", "completed", "order", "id", "url", "", "__proto__"][..]);
    let leaf = prop_oneof![
        6 => select(&[
            "null", "true", "false", "0", "-0", "-0.0", "1e999", "-1e999", "1e-999", "1e12",
            "1.0000001e12", "1e308", "NaN",
            "Infinity", "123456789012345678901234567890", "01", "+1", ".5", "1.", "0x1", r#""""#,
            r#"" ""#, r#""\ud800""#,
            r#""\udc00\ud800""#, r#""\ud83e\udd80""#, r#""\u0000""#, "\"\0\"", r#""\x""#, r#"""#,
            "'a'", "\"a\nb\"", r#""done""#,
            r#""Done""#, r#""2028-02-29""#, r#""2028-02-30""#, r#""+12028-02-29""#, r#""20280229""#, r#""2028-W09-2""#,
            "/**/", "", "{", "]", "\u{feff}",
        ][..])
        .prop_map(str::to_owned),
        2 => text().prop_map(|text| serde_json::to_string(&text).unwrap()),
        1 => any::<f64>().prop_map(|number| number.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => (select(&["x", "🦀", " ", "\\n", "\\ud83e\\udd80"][..]), 0_usize..6_000)
            .prop_map(|(text, times)| format!("\"{}\"", text.repeat(times))),
        1 => (select(&["[", "{\"a\":", "[[", "{\"title\":["][..]), 100_usize..20_000)
            .prop_map(|(open, deep)| open.repeat(deep)),
    ];
    let object = move |value: BoxedStrategy<String>| {
        vec((name(), value), 0..7).prop_map(|fields| {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", fields.join(","))
        })
    };
    let value = leaf.prop_recursive(4, 24, 6, move |inner| {
        let array = vec(inner.clone(), 0..5).prop_map(|values| format!("[{}]", values.join(",")));
        prop_oneof![array, object(inner.boxed())]
    });
    let item =
        (value.clone(), select(&["title", "description", "due", "status", "completed", "order"][..]), fields_of_json());
    let odd_item = item.prop_map(|(value, name, item)| format!(r#"{{{item},"{name}":{value}}}"#));
    let good_item = fields_of_json().prop_map(|item| format!("{{{item}}}"));
    prop_oneof![2 => object(value.clone().boxed()), 3 => odd_item, 3 => good_item, 1 => value]
}

/// The fields of an item, each of its type, but of any value.
fn fields_of_json() -> impl Strategy<Value = String> {
    let order =
        prop_oneof![any::<f64>(), -2e12..2e12, Just(1e12)].prop_map(|order| serde_json::to_string(&order).unwrap());
    let due = prop_oneof![text(), r"-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}", r"20[0-9]{2}-[01][0-9]-[0-3][0-9]"];
    let status = select(&["todo", "doing", "done"][..]);
    let some = |name: &'static str, value: BoxedStrategy<String>| {
        prop_oneof![Just(vec![]), value.prop_map(move |value| vec![format!("\"{name}\":{value}")])]
    };
    let json = |text: String| serde_json::to_string(&text).unwrap();
    let fields = (
        some("title", text().prop_map(json).boxed()),
        some("description", text().prop_map(json).boxed()),
        some("due", due.prop_map(json).boxed()),
        some("status", status.prop_map(|status| format!("\"{status}\"")).boxed()),
        some("completed", any::<bool>().prop_map(|completed| completed.to_string()).boxed()),
        some("order", order.boxed()),
    );
    let all = fields.prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].concat());
    all.prop_map(|fields| if fields.is_empty() { r#""title":"t""#.to_owned() } else { fields.join(",") })
}

/// A part of `multipart/form-data`, as it should be or not.
fn multipart() -> impl Strategy<Value = Vec<u8>> {
    let disposition = prop_oneof![
        4 => words("title description due version status before _method")
            .prop_map(|name| format!("Content-Disposition: form-data; name=\"{name}\"").into_bytes()),
        1 => select(&[
            "Content-Disposition: form-data; name=\"title\"; filename=\"../../etc/passwd\"",
            "Content-Disposition: form-data; name=\"title\"; filename=\"\"\r\nContent-Type: nonsense",
            "Content-Disposition: form-data; name=title", "Content-Disposition: form-data", "Content-Disposition:",
            "Content-Disposition: attachment; name*=UTF-8''%ff", "Content-Transfer-Encoding: base64",
        ][..])
        .prop_map(|header| header.as_bytes().to_vec()),
        1 => header(),
    ];
    let part =
        (disposition, bytes()).prop_map(|(head, body)| [b"--b\r\n", &head[..], b"\r\n\r\n", &body, b"\r\n"].concat());
    let end = select(&["--b--\r\n", "--b--", "--b", "--b\r\n", "", "--c--\r\n", "--b--\r\ntrailing"][..]);
    (vec(part, 0..5), end).prop_map(|(parts, end)| [&parts.concat()[..], end.as_bytes()].concat())
}

/// A form of any kind to a route that takes one, as one of the right kind or of another.
fn form_request() -> impl Strategy<Value = Raw> {
    let routes: Vec<_> =
        ROUTES.iter().filter(|(.., kind, _)| *kind == FORM).map(|(_, pattern, ..)| path(pattern)).collect();
    let titled = (encoded(), fields()).prop_map(|(title, more)| [&b"title="[..], &title, b"&", &more].concat());
    let urlencoded = prop_oneof![fields(), bytes(), titled];
    let kind = |kinds: &'static [&'static str]| select(kinds);
    let form = prop_oneof![
        3 => (kind(&[FORM, "application/x-www-form-urlencoded; charset=utf-16"]), urlencoded),
        3 => (kind(&["multipart/form-data; boundary=b", "multipart/form-data; boundary=b; boundary=c"]), multipart()),
        1 => (
            kind(&["multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=b", JSON, "", "x"]),
            prop_oneof![fields(), multipart()],
        ),
    ];
    (select(routes), prop_oneof![3 => Just(vec![]), 1 => fields()], form).prop_map(|(path, query, (kind, body))| {
        let head = format!(" HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n");
        Raw::framed(&[b"POST ", path.as_bytes(), b"?", &query, head.as_bytes()].concat(), &body)
    })
}

fn query_request() -> impl Strategy<Value = Raw> {
    let path = select(&["/", "/items/<id>", "/api/todos"][..]).prop_map(path);
    (path, fields()).prop_map(|(path, query)| {
        Raw::framed(&[b"GET ", path.as_bytes(), b"?", &query, b" HTTP/1.1\r\nHost: localhost\r\n"].concat(), b"")
    })
}

fn json_request() -> impl Strategy<Value = Raw> {
    let route = select(&["POST /api/todos", "PATCH /api/todos/<id>"][..]).prop_map(path);
    let others = select(&["application/json; charset=latin1", "text/json", "application/*", ""][..]);
    let kind = prop_oneof![9 => Just(JSON), 1 => others];
    (route, kind, json()).prop_map(|(route, kind, body)| {
        let head = format!("{route} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n");
        Raw::framed(head.as_bytes(), body.as_bytes())
    })
}

// Whatever is sent

#[test]
fn a_server_withstands_bytes_that_are_hardly_http() {
    let target = Target::start();
    proptest!(cases(100), |(request in soup())| target.withstands(&request));
}

#[test]
fn a_server_withstands_requests_of_any_parts() {
    let target = Target::start();
    proptest!(cases(250), |(request in request())| target.withstands(&request));
}

#[test]
fn a_server_withstands_requests_that_were_garbled() {
    let target = Target::start();
    proptest!(cases(250), |(request in mutated())| target.withstands(&request));
}

#[test]
fn a_server_withstands_queries_of_any_kind() {
    let target = Target::start();
    proptest!(cases(200), |(request in query_request())| target.withstands(&request));
}

#[test]
fn a_server_withstands_forms_of_any_kind() {
    let target = Target::start();
    proptest!(cases(200), |(request in form_request())| target.withstands(&request));
}

#[test]
fn a_server_withstands_json_of_any_kind() {
    let target = Target::start();
    proptest!(cases(200), |(request in json_request())| target.withstands(&request));
}

#[test]
fn a_request_that_is_cut_off_changes_nothing_and_keeps_nobody_waiting() {
    let target = Target::start();
    let cut = (valid(), any::<Index>()).prop_map(|((head, body), at)| {
        let Raw(mut whole) = Raw::framed(&head, &body);
        whole.truncate(at.index(whole.len()));
        Raw(whole)
    });
    proptest!(cases(150), |(request in cut)| {
        let outcome = target.break_off(&request.with_id(&target.id.borrow()));
        prop_assert!(outcome.statuses().iter().all(|status| (400..500).contains(status)), "{}", outcome.text);
        target.is_unchanged();
    });
}

#[test]
fn what_came_of_a_body_that_broke_off_is_not_taken_for_the_whole() {
    let target = Target::start();
    for (path, kind, body) in
        [("/items", FORM, "title=Half an item&description="), ("/api/todos", JSON, r#"{"title":"Half"}"#)]
    {
        for length in 1..=body.len() {
            let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n");
            let part = &body[..length];
            let requests = [
                format!("{head}Content-Length: 100\r\n\r\n{part}"),
                format!("{head}Transfer-Encoding: chunked\r\n\r\n64\r\n{part}"),
                format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{part}\r\nno size\r\n"),
            ];
            for request in &requests {
                let statuses = target.break_off(request.as_bytes()).statuses();
                assert!(statuses.is_empty() || statuses == [400], "answered with {statuses:?}: {request:?}");
                target.is_unchanged();
            }
        }
    }
}

// Files

/// Whether this is what one of the static files has in it.
fn is_static(content: &str) -> bool {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/static")).unwrap();
    files.into_iter().any(|file| std::fs::read_to_string(file.unwrap().path()).unwrap() == content)
}

fn get(target: &Target, path: &[u8]) -> Outcome {
    let line = [b"GET ", path, b" HTTP/1.1\r\nHost: localhost\r\n"].concat();
    target.send(&Raw::framed(&line, b"").0)
}

#[test]
fn no_file_outside_of_the_static_folder_is_given_however_its_path_is_written() {
    let target = Target::start();
    assert!(is_static(get(&target, b"/static/app.css").body()));
    let up =
        ["..", "%2e%2e", ".%2e", "%2E.", "%252e%252e", "%c0%ae%c0%ae", "....", "..%00", "..;", "..%20", "%u002e%u002e"];
    let slash = ["/", "//", "%2f", "%2F", "%5c", "\\", "%252f", "%c0%af", "/./", "%00/", "/%2f", "%0a/"];
    let file = ["Cargo.toml", "templates/list.html.j2", "README.md", ".env", ".git/HEAD", "etc/passwd", "static"];
    for (up, slash) in up.iter().flat_map(|up| slash.map(|slash| (up, slash))) {
        for (file, times) in file.iter().flat_map(|file| [(file, 1), (file, 9)]) {
            let path = format!("/static/{}{file}", format!("{up}{slash}").repeat(times));
            let outcome = get(&target, path.as_bytes());
            let refused = matches!(outcome.statuses()[..], [] | [400 | 404]);
            assert!(refused && !outcome.cut_off, "{path}: {}", outcome.text);
        }
    }
    for path in [
        "/templates/list.html.j2",
        "/data/todo.db",
        "/todo.db",
        "/.env",
        "/Cargo.toml",
        "/../Cargo.toml",
        "//Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/static",
        "/static/",
        "/static/.",
        "/static/%00",
        "/static/app.css%00.html",
        "/static/app.css/",
        "/static/app.css/..",
        "/static/%2fetc%2fpasswd",
        "/static//etc/passwd",
        "/static/C:%5c",
        "/static/CON",
        "/static/~root",
        "file:///etc/passwd",
        "../Cargo.toml",
    ] {
        let outcome = get(&target, path.as_bytes());
        let given = outcome.statuses() == [200];
        assert!(!given || is_static(outcome.body()), "{path}: {}", outcome.text);
    }
    target.is_unchanged();
}

#[test]
fn what_is_given_below_static_is_a_static_file_whatever_the_path() {
    let target = Target::start();
    let part = prop_oneof![
        3 => words("app.css app.js static Cargo.toml templates etc passwd")
            .prop_map(|part| part.as_bytes().to_vec()),
        2 => words("/ .. . %2f %2e %5c \\").prop_map(|part| part.as_bytes().to_vec()),
        1 => bytes(),
    ];
    let path = vec(part, 0..8).prop_map(|parts| Raw([&b"/static/"[..], &parts.concat()].concat()));
    proptest!(cases(150), |(path in path)| {
        let outcome = get(&target, &path.0);
        if outcome.statuses().contains(&200) && !outcome.cut_off {
            prop_assert!(is_static(outcome.body()), "{}", outcome.text);
        }
        prop_assert!(outcome.statuses().iter().all(|status| *status < 500), "{}", outcome.text);
    });
    target.is_unchanged();
}

// Smuggling: one request in the body of another, where somebody in between may see two, or none

/// Requests that would be seen in the list, were they carried out.
const SMUGGLED: &[&str] = &[
    "DELETE /api/todos HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST /items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
     Content-Length: 14\r\n\r\ntitle=Smuggled",
];

/// What a client sends next on the same connection: it is answered only if all before it was understood.
const NEXT: &str = "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Sends a head and a body that another request is part of, with its length for `LENGTH`.
#[track_caller]
fn smuggles(target: &Target, head: &str, before: &str, after: &str, expected: &[&[u16]]) {
    for smuggled in SMUGGLED {
        let hex = format!("{:x}", smuggled.len());
        let fill = |text: &str| text.replace("LENGTH", &smuggled.len().to_string()).replace("HEX", &hex);
        let request = [&fill(head), &fill(before), *smuggled, after, NEXT].concat();
        let statuses = target.ask(request.as_bytes()).statuses();
        assert!(expected.contains(&&statuses[..]), "answered with {statuses:?}: {request:?}");
        target.is_unchanged();
    }
}

#[test]
fn what_could_be_understood_in_two_ways_is_refused() {
    let target = Target::start();
    for framing in [
        "Content-Length: 0\r\nContent-Length: LENGTH",
        "Content-Length: LENGTH\r\nContent-Length: 0",
        "Content-Length: LENGTH, LENGTH",
        "Content-Length: 0, LENGTH",
        "Content-Length: -1",
        "Content-Length: +LENGTH",
        "Content-Length: 0xHEX",
        "Content-Length: LENGTH.0",
        "Content-Length: 1 1",
        "Content-Length: \u{b}LENGTH",
        "Content-Length:",
        "Content-Length: \"LENGTH\"",
        "Content-Length: 18446744073709551615",
        "Content-Length: 18446744073709551616",
        "Content-Length: 99999999999999999999999999",
        "Content-Length : LENGTH",
        "Content-Length\t: LENGTH",
        "Content-Length\0: LENGTH",
        "Content Length: LENGTH",
        "Content-Length: LENGTH\rX: y",
        "X: y\r\n Content-Length: LENGTH",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked\0",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding: xchunked\r\nContent-Length: LENGTH",
        "Content-Length: LENGTH\r\nTransfer-Encoding: xchunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\nTransfer-Encoding : chunked",
    ] {
        for line in ["GET /health/live", "POST /api/todos"] {
            let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
            smuggles(&target, &head, "", "", &[&[400], &[431], &[]]);
            smuggles(&target, &head, "0\r\n\r\n", "", &[&[400], &[431], &[]]);
        }
    }
    let chunked_in_http_1_0 =
        "GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n";
    smuggles(&target, chunked_in_http_1_0, "0\r\n\r\n", "", &[&[400], &[]]);
}

#[test]
fn nothing_is_carried_out_that_follows_a_chunk_of_a_bad_size() {
    let target = Target::start();
    for size in [
        "g\r\n",
        "-1\r\n",
        "+0\r\n",
        "0x0\r\n",
        "\r\n",
        "\n",
        "\0\r\n",
        "0\r\r\n\r\n",
        "0;\n\r\n",
        "10000000000000000\r\n",
        "fffffffffffffffff\r\n",
        "0\u{b}\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "2\r\na\r\n0\r\n\r\n",
    ] {
        let head = format!(
            "POST /api/todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        smuggles(&target, &head, size, "", &[&[400], &[]]);
        // Here the body is not asked for.
        smuggles(&target, &head.replace("POST /api/todos", "GET /health/live"), size, "", &[&[200], &[400], &[]]);
    }
}

#[test]
fn a_request_with_both_lengths_is_the_last_on_its_connection() {
    let target = Target::start();
    for both in
        ["Content-Length: LENGTH\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: LENGTH"]
    {
        let head = format!("GET /health/live HTTP/1.1\r\nHost: localhost\r\n{both}\r\n\r\n");
        smuggles(&target, &head, "0\r\n\r\n", "", &[&[200], &[400], &[]]);
    }
}

#[test]
fn a_body_is_a_body_even_where_nobody_asks_for_it() {
    let target = Target::start();
    for (line, status) in [
        ("GET /health/live HTTP/1.1", 200),
        ("GET /nowhere HTTP/1.1", 404),
        ("OPTIONS / HTTP/1.1", 204),
        ("PUT / HTTP/1.1", 405),
        ("DELETE /api/todos/unknown HTTP/1.1", 404),
        ("POST /api/todos HTTP/1.1", 415),
    ] {
        for framing in [
            "Content-Length: LENGTH",
            "Content-Length: LENGTH\r\nContent-Length: LENGTH",
            "content-length:\t00LENGTH \t",
        ] {
            let head = format!("{line}\r\nHost: localhost\r\n{framing}\r\n\r\n");
            smuggles(&target, &head, "", "", &[&[status, 200]]);
            smuggles(&target, &head.replace("\r\n", "\n"), "", "", &[&[status, 200]]);
        }
        for framing in ["Transfer-Encoding: chunked", "Transfer-Encoding:\tChunked  ", "transfer-encoding:chunked"] {
            let head = format!("{line}\r\nHost: localhost\r\n{framing}\r\n\r\n");
            smuggles(&target, &head, "HEX\r\n", "\r\n0\r\n\r\n", &[&[status, 200]]);
            let trailers = "\r\n0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
            smuggles(&target, &head, "HEX;a=b\r\n", trailers, &[&[status, 200]]);
        }
    }
}

// The host

#[test]
fn a_host_that_cannot_be_read_is_no_local_one() {
    let target = Target::start();
    // In names that browsers take for good ones, too: they know who asks for them in the DNS.
    for host in [
        "a{.evil.example",
        "a}.evil.example",
        "a\".evil.example",
        "a`.evil.example",
        "evil.example:99999",
        "evil.example:",
        "evil.example/",
        "evil.example#@localhost",
        "localhost@evil.example",
        "evil.example@",
        "localhost.evil.example",
        "localhost, evil.example",
        "localhost evil.example",
        "localhost:80:80",
        "[::1].evil.example",
        "[::1",
        "",
        ":80",
    ] {
        for line in ["GET / HTTP/1.1", "GET /api/todos HTTP/1.0", "DELETE /api/todos HTTP/1.1"] {
            let head = format!("{line}\r\nHost: {host}\r\nSec-Fetch-Site: same-origin\r\n");
            let statuses = target.ask(&Raw::framed(head.as_bytes(), b"").0).statuses();
            assert!(matches!(statuses[..], [400 | 421]), "{host:?}: {statuses:?}");
        }
    }
    target.is_unchanged();
}

#[test]
fn no_host_makes_an_address_of_anything_but_itself() {
    let target = Target::start_at("0.0.0.0");
    let known = select(
        &[
            "list.example",
            "list.example:8000",
            "[::1]:80",
            "127.0.0.1",
            "x:99999",
            "x:-1",
            "x:",
            ":80",
            "user:pw@evil.example",
            "evil.example/path",
            "evil.example#",
            "evil.example?x",
            "http://evil.example",
            "a, b",
            "a b",
            "*",
            "xn--e1afmkfd",
            "пример",
            "x\r\nX-Injected: yes",
            "x%0d%0aX-Injected: yes",
            "x\r\n folded",
            "x\nX-Injected: yes",
            "x\r",
            "\"",
            "x\"><script>",
            "\0",
            "",
        ][..],
    );
    let host = prop_oneof![
        2 => known.prop_map(|host| host.as_bytes().to_vec()),
        1 => r"[a-z0-9.:@%_~!$&'()*+,;=\[\]-]{0,30}".prop_map(String::into_bytes),
        1 => bytes(),
    ];
    let host = host.prop_map(Raw);
    let fallback = target.server.url.clone();
    proptest!(cases(150), |(hosts in vec(host, 0..3), version in select(&["1.0", "1.1"][..]))| {
        let lines: Vec<_> = hosts.iter().map(|Raw(host)| [b"Host: ", &host[..], b"\r\n"].concat()).collect();
        let head = format!("POST /api/todos HTTP/{version}\r\nContent-Type: {JSON}\r\n");
        let request = Raw::framed(&[head.as_bytes(), &lines.concat()].concat(), br#"{"title": "Added"}"#);
        let outcome = target.send(&request.0);
        prop_assert!(outcome.statuses().iter().all(|status| *status < 500), "{}", outcome.text);
        if outcome.statuses() == [201] {
            let todo: Value = serde_json::from_str(outcome.body()).unwrap();
            let locations: Vec<_> = outcome.header("Location").collect();
            let [url, id] = ["url", "id"].map(|name| todo[name].as_str().unwrap());
            prop_assert_eq!(&locations, &[url]);
            prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{}", url);
            let site = url.strip_suffix(&format!("/api/todos/{id}")).unwrap();
            let (_, host) = site.split_once("://").unwrap();
            let sent = hosts.iter().any(|Raw(sent)| String::from_utf8_lossy(sent).contains(host));
            prop_assert!(sent || site == fallback, "{} is nobody's", url);
            target.renew();
        }
        prop_assert_eq!(outcome.header("X-Injected").count(), 0);
        target.is_unchanged();
    });
}

// Too much of it

#[test]
fn what_is_too_long_is_refused_and_the_server_goes_on() {
    let target = Target::start();
    let long = |length: usize| "x".repeat(length);
    let form = |body: String| {
        Raw::framed(
            format!("POST /items HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n").as_bytes(),
            body.as_bytes(),
        )
    };
    let json = |body: String| {
        Raw::framed(
            format!("POST /api/todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n").as_bytes(),
            body.as_bytes(),
        )
    };
    let with = |headers: &str| Raw::framed(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{headers}").as_bytes(), b"");
    let chunks = format!("{:x}\r\n{}\r\n", 100_000, long(100_000)).repeat(20) + "0\r\n\r\n";
    let chunked = |line: &str, kind: &str| {
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n");
        Raw(format!("{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunks}").into_bytes())
    };
    for (what, request, status) in [
        ("a title", form(format!("title={}", long(201))), 422),
        ("a title in JSON", json(format!(r#"{{"title": "{}"}}"#, long(201))), 422),
        ("a description", form(format!("title=t&description={}", long(5_001))), 422),
        ("a description in JSON", json(format!(r#"{{"title": "t", "description": "{}"}}"#, long(5_001))), 422),
        ("a form", form(format!("title=t&description={}", long(1_000_000))), 413),
        ("JSON", json(format!(r#"{{"title": "{}"}}"#, long(1_000_000))), 413),
        ("JSON in chunks", chunked("POST /api/todos", JSON), 413),
        ("a form in chunks", chunked("POST /items", FORM), 413),
        ("fields", form("a=&".repeat(40_000)), 422),
        ("deep JSON", json(r#"{"a":"#.repeat(20_000)), 400),
        ("headers", with(&"X: y\r\n".repeat(1_000)), 431),
        ("a header", with(&format!("X: {}\r\n", long(1_000_000))), 431),
        ("a name", with(&format!("{}: y\r\n", long(1_000_000))), 431),
        ("a path", Raw::framed(format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n", long(100_000)).as_bytes(), b""), 414),
        (
            "a query",
            Raw::framed(format!("GET /?q={} HTTP/1.1\r\nHost: localhost\r\n", long(100_000)).as_bytes(), b""),
            414,
        ),
        (
            "a method",
            Raw::framed(format!("{} / HTTP/1.1\r\nHost: localhost\r\n", long(1_000_000)).as_bytes(), b""),
            431,
        ),
    ] {
        // A refusal may be lost where what was sent is not read to its end.
        let statuses = target.ask(&request.0).statuses();
        assert!(statuses == [status] || statuses.is_empty(), "{what}: {statuses:?}");
        target.is_unchanged();
    }
}

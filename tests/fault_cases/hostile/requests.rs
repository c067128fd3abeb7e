//! Requests that a fuzzer sends: the spec's own, spoilt in every layer from the request line to the last member.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::tricks::{CHUNKED, HEADERS, LENGTHS, METHODS, NASTY, PREFACES, TARGETS};
use crate::load::Person;

/// An operation of the spec.
struct Operation {
    method: String,
    path: String,
    example: Option<Value>,
}

/// Writes one hostile request after another; the same ones for the same seed.
pub(super) struct Fuzzer {
    random: StdRng,
    operations: Vec<Operation>,
    person: Person,
}

/// A request as it will be written, still in parts.
struct Draft {
    line: Vec<u8>,
    headers: Vec<Vec<u8>>,
    body: Vec<u8>,
    /// Whether `Content-Length` is still to be added, with the true length.
    is_framed: bool,
}

impl Fuzzer {
    pub(super) fn new(seed: u64, person: Person) -> Self {
        let document: Value = serde_json::from_str(include_str!("../../../openapi/openapi.json")).unwrap();
        let paths = document["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, methods)| {
            methods.as_object().unwrap().iter().map(move |(method, operation)| Operation {
                method: method.to_uppercase(),
                path: format!("/api/v1/auth{path}"),
                example: operation.pointer("/requestBody/content/application~1json/example").cloned(),
            })
        });
        Self { random: StdRng::seed_from_u64(seed), operations: operations.collect(), person }
    }

    /// What is written to one connection: mostly one request, sometimes several, sometimes less than one.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut bytes = self.request();
        if self.chance(0.05) {
            for _ in 0..self.random.random_range(1..6) {
                bytes.extend(self.request());
            }
        }
        if self.chance(0.05) {
            bytes.truncate(self.random.random_range(0..=bytes.len()));
        }
        if self.chance(0.05) {
            self.spoil(&mut bytes);
        }
        bytes
    }

    fn request(&mut self) -> Vec<u8> {
        if self.chance(0.03) {
            return self.pick(PREFACES).to_vec();
        }
        let mut draft = self.draft();
        match self.random.random_range(0..100) {
            0..45 => {}
            45..60 => self.spoil_headers(&mut draft),
            60..75 => self.spoil_line(&mut draft),
            75..90 => self.spoil_framing(&mut draft),
            _ => {
                self.spoil_line(&mut draft);
                self.spoil_headers(&mut draft);
                self.spoil_framing(&mut draft);
            }
        }
        draft.write()
    }

    /// A call of an operation with good credentials, and a body that is good, bad or worse.
    fn draft(&mut self) -> Draft {
        let number = self.random.random_range(0..self.operations.len());
        let operation = &self.operations[number];
        let (line, example) = (format!("{} {} HTTP/1.1", operation.method, operation.path), operation.example.clone());
        let source = format!("X-Forwarded-For: 198.51.{}.{}", self.random.random::<u8>(), self.random.random::<u8>());
        let person = &self.person;
        let headers = [
            "Host: localhost".to_owned(),
            "Content-Type: application/json".to_owned(),
            format!("Authorization: {}", person.bearer),
            format!("X-Client-ID: {}", person.client_id),
            format!("X-Client-Secret: {}", person.client_secret),
            source,
        ];
        let body = example.map(|example| self.body(example)).unwrap_or_default();
        let headers = headers.into_iter().map(String::into_bytes).collect();
        Draft { line: line.into_bytes(), headers, body, is_framed: true }
    }

    fn body(&mut self, mut example: Value) -> Vec<u8> {
        // Somebody new, where somebody signs up: the spec's own example is taken after the first.
        if let Some(username) = example.get_mut("username") {
            let number: u32 = self.random.random();
            *username = json!(format!("fuzzer{number}"));
            example["email"] = json!(format!("fuzzer{number}@example.com"));
        }
        match self.random.random_range(0..10) {
            0 => return example.to_string().into_bytes(),
            1 => return self.monster(&example),
            2 | 3 => {
                let mut bytes = example.to_string().into_bytes();
                self.spoil(&mut bytes);
                return bytes;
            }
            _ => {}
        }
        for _ in 0..self.random.random_range(1..4) {
            let members = example.as_object_mut().unwrap();
            let names: Vec<String> = members.keys().cloned().collect();
            let name = names.choose(&mut self.random).cloned().unwrap_or_default();
            match self.random.random_range(0..6) {
                0 => drop(members.shift_remove(&name)),
                1 => drop(members.insert(self.text(), self.json(3))),
                _ => drop(members.insert(name, self.json(3))),
            }
        }
        example.to_string().into_bytes()
    }

    /// Bodies that are hard on whoever reads them.
    fn monster(&mut self, example: &Value) -> Vec<u8> {
        let text = example.to_string();
        let name = example.as_object().unwrap().keys().next().unwrap();
        match self.random.random_range(0..10) {
            0 => format!("{{\"{name}\":{}", "[".repeat(30_000)).into_bytes(),
            1 => format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000)).into_bytes(),
            2 => format!("{{\"{name}\":{}}}", "9".repeat(60_000)).into_bytes(),
            3 => format!("{{\"{name}\":1e{}}}", "9".repeat(1_000)).into_bytes(),
            4 => format!("{{\"{name}\":\"{}\"}}", "é".repeat(30_000)).into_bytes(),
            5 => format!("{{{}}}", (0..4_000).map(|n| format!("\"m{n}\":{n}")).collect::<Vec<_>>().join(","))
                .into_bytes(),
            6 => vec![b' '; 65_536 + self.random.random_range(0..3)],
            // gzip's first bytes, and UTF-16 with its mark.
            7 => [b"\x1f\x8b\x08\0\0\0\0\0\0\x03", text.as_bytes()].concat(),
            8 => text.encode_utf16().fold(vec![0xff, 0xfe], |mut bytes, unit| {
                bytes.extend(unit.to_le_bytes());
                bytes
            }),
            _ => format!("{{\"{name}\":\"\\ud800\",\"{name}\":\"\\u0000\"}}").into_bytes(),
        }
    }

    fn spoil_headers(&mut self, draft: &mut Draft) {
        for _ in 0..self.random.random_range(1..6) {
            let name = *self.pick(HEADERS);
            let value = match self.random.random_range(0..5) {
                0 => self.bytes(40),
                1 => vec![b'a'; self.random.random_range(1..20_000)],
                _ => self.text().into_bytes(),
            };
            let header = [name.as_bytes(), b": ", &value].concat();
            let at = self.random.random_range(0..draft.headers.len());
            match self.random.random_range(0..3) {
                0 => draft.headers[at] = header,
                // Behind the source that the proxy of this test wrote, where it stands last.
                _ => draft.headers.insert(at, header),
            }
        }
        if self.chance(0.05) {
            draft.headers.extend((0..200).map(|number| format!("X-Many-{number}: x").into_bytes()));
        }
    }

    fn spoil_line(&mut self, draft: &mut Draft) {
        let line = String::from_utf8_lossy(&draft.line).into_owned();
        let mut parts = line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        match self.random.random_range(0..5) {
            0 | 1 => parts[0] = (*self.pick(METHODS)).to_owned(),
            2 => parts[1] = (*self.pick(TARGETS)).to_owned(),
            3 => parts[1] = format!("{}?{}", parts[1], "a=%41&".repeat(self.random.random_range(1..4_000))),
            _ => parts[1].push_str(&self.text()),
        }
        draft.line = parts.join(" ").into_bytes();
    }

    fn spoil_framing(&mut self, draft: &mut Draft) {
        let true_length = draft.body.len();
        let length = |value: &str| format!("Content-Length: {value}").into_bytes();
        let chunked = b"Transfer-Encoding: chunked".to_vec();
        match self.random.random_range(0..9) {
            0 => draft.headers.extend([length("0"), chunked]),
            1 => draft.headers.extend([chunked, length(&true_length.to_string())]),
            2 => draft.headers.extend([length("1"), length(&true_length.to_string())]),
            3 => {
                let announced = *self.pick(LENGTHS);
                draft.headers.push(length(announced));
            }
            4 => draft.headers.push([&b"Transfer-Encoding: "[..], self.text().as_bytes()].concat()),
            5 => draft.headers.push(b"Transfer-Encoding:\tchunked, identity".to_vec()),
            6 => draft.headers.extend([b"Expect: 100-continue".to_vec(), length(&true_length.to_string())]),
            // More is announced than comes.
            7 => draft.headers.push(length(&(true_length + self.random.random_range(1..70_000)).to_string())),
            _ => {
                draft.headers.push(chunked);
                draft.body = self.pick(CHUNKED).to_vec();
            }
        }
        draft.is_framed = false;
    }

    fn json(&mut self, depth: usize) -> Value {
        match self.random.random_range(0..if depth == 0 { 7 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.random.random::<bool>()),
            2 => json!(self.random.random::<i64>()),
            3 => json!(self.random.random::<f64>() * 1e300),
            4 => json!(String::from_utf8_lossy(&self.bytes(300))),
            5 | 6 => json!(self.text()),
            7 => (0..self.random.random_range(0..5)).map(|_| self.json(depth - 1)).collect(),
            _ => Value::Object(
                (0..self.random.random_range(0..5)).map(|_| (self.text(), self.json(depth - 1))).collect(),
            ),
        }
    }

    /// Changes, removes or inserts a few bytes.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.random.random_range(1..8) {
            let at = self.random.random_range(0..=bytes.len());
            match self.random.random_range(0..3) {
                0 => bytes.insert(at, self.random.random()),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 if at < bytes.len() => bytes[at] = self.random.random(),
                _ => drop(bytes.splice(at..at, self.text().into_bytes())),
            }
        }
    }

    fn text(&mut self) -> String {
        let nasty = (*self.pick(NASTY)).to_owned();
        if self.chance(0.1) { nasty.repeat(self.random.random_range(1..200)) } else { nasty }
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.random.random_range(0..most)).map(|_| self.random.random()).collect()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        from.choose(&mut self.random).unwrap()
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }
}

impl Draft {
    fn write(mut self) -> Vec<u8> {
        if self.is_framed && !self.body.is_empty() {
            self.headers.push(format!("Content-Length: {}", self.body.len()).into_bytes());
        }
        let mut bytes = self.line;
        for header in self.headers {
            bytes.extend_from_slice(b"\r\n");
            bytes.extend(header);
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend(self.body);
        bytes
    }
}

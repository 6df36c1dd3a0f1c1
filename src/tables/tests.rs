//! The table against a naive match over all ranges, the formats of files, and what is refused.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::ranges::{Range, flatten};
use super::*;

/// A file of a test, and the table over it.
fn table(files: &[(&str, &[u8])], columns: &[&str]) -> Result<IpTable, Error> {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = Spec {
        files: Vec::new(),
        columns: columns.iter().map(|&name| name.into()).collect(),
    };
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        spec.files.push(FileSpec { path, sha256: None });
    }
    load(&spec)
}

fn csv(lines: &str, columns: &[&str]) -> Result<IpTable, Error> {
    table(&[("t.csv", lines.as_bytes())], columns)
}

fn value<'a>(table: &'a IpTable, address: &str, column: &str) -> Option<&'a str> {
    let row = table.lookup(address.parse().unwrap())?;
    row.column(table.column(column).unwrap())
        .map(|json| std::str::from_utf8(json).unwrap())
}

fn problem(result: Result<IpTable, Error>) -> Problem {
    match result.unwrap_err() {
        Error::Content { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

#[test]
fn nested_networks_give_the_longest_prefix() {
    let table = csv(
        "0.0.0.0/0,world\n10.0.0.0/8,ten\n10.1.0.0/16,deep\n10.1.2.3/32,one\n::/0,six\n2001:db8::/32,doc\n",
        &["c"],
    )
    .unwrap();
    for (address, expected) in [
        ("0.0.0.0", "\"world\""),
        ("255.255.255.255", "\"world\""),
        ("10.0.255.255", "\"ten\""),
        ("10.1.0.0", "\"deep\""),
        ("10.1.255.255", "\"deep\""),
        ("10.1.2.2", "\"deep\""),
        ("10.1.2.3", "\"one\""),
        ("10.1.2.4", "\"deep\""),
        ("10.2.0.0", "\"ten\""),
        ("11.0.0.0", "\"world\""),
        ("::ffff:10.1.2.3", "\"one\""),
        ("::", "\"six\""),
        ("2001:db7:ffff::", "\"six\""),
        ("2001:db8::", "\"doc\""),
        ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "\"doc\""),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "\"six\""),
    ] {
        assert_eq!(value(&table, address, "c"), Some(expected), "{address}");
    }
}

#[test]
fn adjacent_ranges_do_not_leak_and_equal_ones_merge() {
    let table = csv(
        "1.0.0.0,1.0.0.9,a\n1.0.0.10,1.0.0.20,b\n1.0.0.21,1.0.0.30,b\n255.255.255.255,255.255.255.255,z\n",
        &["c"],
    )
    .unwrap();
    assert_eq!(value(&table, "1.0.0.9", "c"), Some("\"a\""));
    assert_eq!(value(&table, "1.0.0.10", "c"), Some("\"b\""));
    assert_eq!(value(&table, "1.0.0.30", "c"), Some("\"b\""));
    assert_eq!(value(&table, "1.0.0.31", "c"), None);
    assert_eq!(value(&table, "0.255.255.255", "c"), None);
    assert_eq!(value(&table, "255.255.255.254", "c"), None);
    assert_eq!(value(&table, "255.255.255.255", "c"), Some("\"z\""));
    let summary = table.summary();
    assert_eq!(
        (summary.ranges_v4, summary.ranges_v6, summary.rows),
        (3, 0, 3)
    );
    assert_eq!(summary.files[0].ranges, 4);
}

#[test]
fn of_the_same_range_twice_the_later_line_wins() {
    let table = csv("1.0.0.0/24,a\n1.0.0.0,b\n1.0.0.0/24,c\n", &["c"]).unwrap();
    assert_eq!(value(&table, "1.0.0.0", "c"), Some("\"b\""));
    assert_eq!(value(&table, "1.0.0.1", "c"), Some("\"c\""));
    let files: [(&str, &[u8]); 2] = [
        ("a.csv", b"1.0.0.0/24,a\n"),
        ("b.csv", b"1.0.0.0,1.0.0.255,b\n"),
    ];
    assert_eq!(
        value(&self::table(&files, &["c"]).unwrap(), "1.0.0.7", "c"),
        Some("\"b\"")
    );
}

#[test]
fn values_are_json_and_empty_ones_are_absent() {
    let lines = "# a comment\nnetwork,isp,country,city\n1.0.0.0/24,\"Say \"\"hi\"\", Ltd\",DE,\n2.0.0.0/24,Ünal\\x,,Köln\n";
    let table = csv(lines, &["country", "city", "isp"]).unwrap();
    assert_eq!(
        value(&table, "1.0.0.1", "isp"),
        Some(r#""Say \"hi\", Ltd""#)
    );
    assert_eq!(value(&table, "1.0.0.1", "country"), Some(r#""DE""#));
    assert_eq!(value(&table, "1.0.0.1", "city"), None);
    assert_eq!(value(&table, "2.0.0.1", "isp"), Some(r#""Ünal\\x""#));
    assert_eq!(value(&table, "2.0.0.1", "country"), None);
    assert_eq!(table.column("region"), None);
}

#[test]
fn integers_are_addresses_of_both_families() {
    let lines = "16777216,16777471,13335\n42540488161975842760550356425300246528,42540488241204005274814694018844196863,6939\n";
    let table = csv(lines, &["asn"]).unwrap();
    assert_eq!(value(&table, "1.0.0.255", "asn"), Some("\"13335\""));
    assert_eq!(value(&table, "1.0.1.0", "asn"), None);
    assert_eq!(value(&table, "2001::1", "asn"), Some("\"6939\""));
    let single = csv("1.2.3.4,13335\n", &["asn"]).unwrap();
    assert_eq!(value(&single, "1.2.3.4", "asn"), Some("\"13335\""));
}

#[test]
fn mapped_networks_are_ipv4() {
    let table = csv("::ffff:1.2.3.0/120,a\n", &["c"]).unwrap();
    assert_eq!(value(&table, "1.2.3.4", "c"), Some("\"a\""));
    assert_eq!(table.summary().ranges_v6, 0);
}

#[test]
fn errors_name_the_line_and_say_what_to_do() {
    let cases = [
        ("", "no ranges in it: an empty table is never loaded"),
        (
            "network,c\n",
            "no ranges in it: an empty table is never loaded",
        ),
        (
            "1.0.0.0/24,a\n1.0.0.0/33,b\n",
            "line 2: `1.0.0.0/33` is not a network: every line must start like the first, \
             with a network (1.2.3.0/24) or with start and end of a range (1.2.3.0,1.2.3.255)",
        ),
        (
            "1.0.0.9,1.0.0.1,a\n",
            "line 1: the range 1.0.0.9 to 1.0.0.1 ends before it starts: swap the two",
        ),
        (
            "1.0.0.9,::1,a\n",
            "line 1: the range 1.0.0.9 to ::1 starts in IPv4 and ends in IPv6",
        ),
        (
            "1.0.0.0/24,a\n\n1.0.1.0/24,a,b\n",
            "line 3: 2 values after the network, but the table names 1 columns: \
             name as many, or give the file a header line to pick from",
        ),
        (
            "network,c,d\n1.0.0.0/24,a,b\n1.0.1.0/24,a\n",
            "line 3: 2 cells, but the header line has 3: is a comma unquoted?",
        ),
        (
            "network,country,city\n1.0.0.0/24,a,b\n",
            "no column `c`: it has country, city",
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(problem(csv(lines, &["c"])).to_string(), expected);
    }
    let invalid = problem(table(&[("t.csv", b"1.0.0.0/24,\xff\n")], &["c"]));
    assert!(matches!(invalid, Problem::Csv { line: 1, .. }), "{invalid}");
}

#[test]
fn only_the_content_with_the_pinned_digest_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, "1.0.0.0/24,a\n").unwrap();
    let found = checksum(&path).unwrap();
    assert_eq!(found.to_string().parse(), Ok(found));
    assert_eq!("12".parse::<Checksum>(), Err(BadChecksum));
    let spec = |sha256| Spec {
        files: vec![FileSpec {
            path: path.clone(),
            sha256,
        }],
        columns: vec!["c".to_owned()],
    };
    assert_eq!(
        load(&spec(Some(found))).unwrap().summary().files[0].sha256,
        found
    );
    let refused = load(&spec(Some(Checksum::of(b"else")))).unwrap_err();
    assert!(matches!(refused, Error::Checksum { .. }), "{refused}");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(load(&spec(None)), Err(Error::Read { .. })));
}

/// A MaxMind database (tree of 24-bit records) over networks and records.
fn mmdb(networks: &[(&str, serde_json::Value)]) -> Vec<u8> {
    const EMPTY: usize = usize::MAX;
    // Nodes of two records: a node, or (from `1 << 20` on) an index into the networks.
    let mut nodes = vec![[EMPTY; 2]];
    for (index, (network, _)) in networks.iter().enumerate() {
        let network: ipnet::IpNet = network.parse().unwrap();
        let (bits, length) = match network {
            ipnet::IpNet::V4(v4) => (u128::from(v4.network().to_bits()), 96 + v4.prefix_len()),
            ipnet::IpNet::V6(v6) => (v6.network().to_bits(), v6.prefix_len()),
        };
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                nodes[node][side] = (1 << 20) + index;
            } else if nodes[node][side] == EMPTY {
                nodes[node][side] = nodes.len();
                nodes.push([EMPTY; 2]);
                node = nodes.len() - 1;
            } else {
                node = nodes[node][side];
            }
        }
    }
    let mut data = Vec::new();
    let offsets: Vec<usize> = networks
        .iter()
        .map(|(_, record)| {
            let offset = data.len();
            encode(record, &mut data);
            offset
        })
        .collect();
    let mut out = Vec::new();
    for record in nodes.iter().flatten() {
        let number = match *record {
            EMPTY => nodes.len(),
            leaf if leaf >= 1 << 20 => nodes.len() + 16 + offsets[leaf - (1 << 20)],
            node => node,
        };
        out.extend_from_slice(&u32::try_from(number).unwrap().to_be_bytes()[1..]);
    }
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(&data);
    out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = serde_json::json!({
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1,
        "database_type": "test", "description": {}, "ip_version": 6, "languages": [],
        "node_count": nodes.len(), "record_size": 24,
    });
    encode(&metadata, &mut out);
    out
}

fn encode(value: &serde_json::Value, out: &mut Vec<u8>) {
    use serde_json::Value;
    let mut head = |kind: u8, size: usize| {
        assert!(size < 29, "enough for tests");
        let size = u8::try_from(size).unwrap();
        if kind < 8 {
            out.push(kind << 5 | size)
        } else {
            out.extend_from_slice(&[size, kind - 7])
        }
    };
    match value {
        Value::String(text) => {
            head(2, text.len());
            out.extend_from_slice(text.as_bytes());
        }
        Value::Number(number) => {
            head(3, 8);
            out.extend_from_slice(&number.as_f64().unwrap().to_be_bytes());
        }
        Value::Bool(set) => head(14, usize::from(*set)),
        Value::Array(elements) => {
            head(11, elements.len());
            elements.iter().for_each(|element| encode(element, out));
        }
        Value::Object(members) => {
            head(7, members.len());
            for (key, member) in members {
                encode(&Value::String(key.clone()), out);
                match member.as_u64() {
                    Some(number) => encode_integer(key, number, out),
                    None => encode(member, out),
                }
            }
        }
        Value::Null => unreachable!("the format has no null"),
    }
}

/// The reader is strict about the width of what the metadata says.
fn encode_integer(key: &str, number: u64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    match key {
        "build_epoch" => out.extend_from_slice(&[8, 9 - 7]),
        "node_count" | "asn" => out.push(6 << 5 | 4),
        _ => out.push(5 << 5 | 2),
    }
    let width = match key {
        "build_epoch" => 8,
        "node_count" | "asn" => 4,
        _ => 2,
    };
    out.extend_from_slice(&bytes[8 - width..]);
}

#[test]
fn maxmind_databases_are_read_by_path() {
    let records = [
        (
            "1.2.3.0/24",
            serde_json::json!({"country": {"iso_code": "DE"}, "city": {"names": {"en": "Köln"}},
                "subdivisions": [{"iso_code": "NW"}], "asn": 13335, "location": {"latitude": 50.5}, "eu": true}),
        ),
        (
            "1.2.4.0/22",
            serde_json::json!({"country": {"iso_code": "FR"}}),
        ),
        (
            "2001:db8::/32",
            serde_json::json!({"country": {"iso_code": "JP"}, "asn": 2}),
        ),
    ];
    let content = mmdb(&records);
    let columns = [
        "country.iso_code",
        "city.names.en",
        "subdivisions.0.iso_code",
        "asn",
        "location.latitude",
        "eu",
    ];
    let table = table(&[("t.bin", &content)], &columns).unwrap();
    let row = |address: &str| columns.map(|column| value(&table, address, column));
    assert_eq!(
        row("1.2.3.255"),
        [
            Some("\"DE\""),
            Some("\"Köln\""),
            Some("\"NW\""),
            Some("13335"),
            Some("50.5"),
            Some("true")
        ]
    );
    assert_eq!(
        row("1.2.5.1"),
        [Some("\"FR\""), None, None, None, None, None]
    );
    assert_eq!(
        row("2001:db8::9")[..4],
        [Some("\"JP\""), None, None, Some("2")]
    );
    assert!(table.lookup("9.9.9.9".parse().unwrap()).is_none());
    assert!(table.lookup("2001:db9::".parse().unwrap()).is_none());

    let wrong = problem(self::table(&[("t.bin", &content)], &["country.isocode"])).to_string();
    assert!(
        wrong.starts_with("no column `country.isocode`: it has country.iso_code, city.names.en"),
        "{wrong}"
    );
    let nested = problem(self::table(&[("t.bin", &content)], &["city"])).to_string();
    assert_eq!(
        nested,
        "column `city` holds an object, not one value: name what stands inside, as city.names.en"
    );
}

#[test]
fn broken_maxmind_databases_are_refused() {
    let content = mmdb(&[("1.2.3.0/24", serde_json::json!({"c": "x"}))]);
    let marker = content
        .windows(3)
        .rposition(|bytes| bytes == b"\xab\xcd\xef")
        .unwrap();
    for cut in (0..marker).step_by(7) {
        let broken = [&content[..cut], &content[marker..]].concat();
        assert!(
            table(&[("t.mmdb", &broken)], &["c"]).is_err(),
            "cut at {cut}"
        );
    }
    for position in 0..content.len() {
        let mut broken = content.clone();
        broken[position] ^= 0xff;
        // Whatever it is now: an error or other values, but no panic.
        drop(table(&[("t.mmdb", &broken)], &["c"]));
    }
}

/// What any correct table must say: of all ranges that hold the address the smallest, the last.
fn naive(ranges: &[(u128, u128)], address: u128) -> Option<usize> {
    let holds = |&(start, end): &(u128, u128)| start <= address && address <= end;
    let candidates = ranges.iter().enumerate().filter(|(_, range)| holds(range));
    candidates
        .rev()
        .min_by_key(|(_, (start, end))| end - start)
        .map(|(index, _)| index)
}

/// Ranges of `bits`-bit addresses that overlap a lot: prefixes and arbitrary ones.
fn overlapping(bits: u32) -> impl Strategy<Value = Vec<(u128, u128)>> {
    let top = u128::MAX >> (128 - bits);
    // Few distinct upper bits, so that ranges meet.
    let address = (
        any::<u128>(),
        prop::sample::select(vec![0u32, 8, 12, 16, 20, 24, 28, 40, 64, 100]),
    )
        .prop_map(move |(random, kept)| {
            let base = (random & 3) << (bits - 2) | (random >> 2 & 1);
            let low = top.checked_shr(kept.min(bits)).unwrap_or(0);
            (base ^ (random & low)) & top
        });
    let range = (address.clone(), address, 0..=bits, any::<bool>()).prop_map(
        move |(a, b, prefix, cidr)| {
            if cidr {
                let host = if prefix == 0 {
                    top
                } else {
                    (top >> (prefix - 1)) >> 1
                };
                (a & !host, a | host)
            } else {
                (a.min(b), a.max(b))
            }
        },
    );
    prop::collection::vec(range, 1..40)
}

fn check_against_naive(ranges: &[(u128, u128)], v4: bool, extra: &[u128]) {
    let address = |bits: u128| match v4 {
        true => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).unwrap())),
        false => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    };
    let top = if v4 { u128::from(u32::MAX) } else { u128::MAX };
    let mut lines = String::new();
    for (index, &(start, end)) in ranges.iter().enumerate() {
        writeln!(lines, "{},{},{index}", address(start), address(end)).unwrap();
    }
    let table = csv(&lines, &["c"]).unwrap();
    let edges = ranges.iter().flat_map(|&(start, end)| {
        [
            start.saturating_sub(1),
            start,
            start + (end - start) / 2,
            end,
            end.saturating_add(1).min(top),
        ]
    });
    for probe in edges
        .chain(extra.iter().map(|bits| bits & top))
        .chain([0, top])
    {
        let mapped = address(probe).to_canonical();
        if mapped.is_ipv4() != v4 {
            continue;
        }
        let expected = naive(ranges, probe).map(|index| format!("\"{index}\""));
        assert_eq!(
            value(&table, &mapped.to_string(), "c"),
            expected.as_deref(),
            "{mapped} of\n{lines}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn v4_agrees_with_a_naive_match(ranges in overlapping(32), extra in prop::collection::vec(any::<u128>(), 16)) {
        check_against_naive(&ranges, true, &extra);
    }

    #[test]
    fn v6_agrees_with_a_naive_match(ranges in overlapping(128), extra in prop::collection::vec(any::<u128>(), 16)) {
        check_against_naive(&ranges, false, &extra);
    }

    #[test]
    fn runs_differ_from_their_neighbours_and_rise(ranges in overlapping(32)) {
        let mut rows = RowsBuilder::new(1);
        let ranges: Vec<Range> = ranges
            .iter()
            .map(|&(start, end)| {
                rows.push_text(if start % 2 == 0 { "even" } else { "odd" });
                Range { start, end, row: rows.finish_row() }
            })
            .collect();
        let runs = flatten(ranges);
        prop_assert_eq!(runs[0].start, 0);
        for pair in runs.windows(2) {
            prop_assert!(pair[0].start < pair[1].start && pair[0].row != pair[1].row);
        }
    }

    #[test]
    fn any_file_is_a_table_or_an_error(content in prop::collection::vec(any::<u8>(), 0..200), text in "[0-9.:/,\\n\"a-c]{0,80}") {
        drop(table(&[("t", &content)], &["c"]));
        drop(csv(&text, &["c"]));
    }
}

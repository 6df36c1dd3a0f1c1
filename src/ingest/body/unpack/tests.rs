//! Every coding: what is packed comes out whole, anything else comes out as an error, and no bomb
//! gets more room than the limits allow.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use crate::ingest::body::Budget;

use libdeflater::crc32;

use prometheus_client::metrics::gauge::Gauge;

use super::*;

const ROOMY: Limits = Limits {
    wire: 1 << 26,
    decoded: 1 << 26,
    ratio: 2000,
};

/// A way to pack, and the coding that it goes by.
#[derive(Clone, Copy, Debug)]
enum Packer {
    Gzip,
    Zlib,
    Raw,
    Brotli,
    Zstd,
    ZstdWithoutSize,
}

const PACKERS: [Packer; 6] = [
    Packer::Gzip,
    Packer::Zlib,
    Packer::Raw,
    Packer::Brotli,
    Packer::Zstd,
    Packer::ZstdWithoutSize,
];

impl Packer {
    fn coding(self) -> Coding {
        match self {
            Self::Gzip => Coding::Gzip,
            Self::Zlib | Self::Raw => Coding::Deflate,
            Self::Brotli => Coding::Brotli,
            Self::Zstd | Self::ZstdWithoutSize => Coding::Zstd,
        }
    }

    fn pack(self, content: &[u8]) -> Vec<u8> {
        let level = Compression::new(6);
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), level);
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            Self::Zlib => {
                let mut encoder = ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            Self::Raw => {
                let mut encoder = DeflateEncoder::new(Vec::new(), level);
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            Self::Brotli => {
                let mut out = Vec::new();
                let params = brotli::enc::BrotliEncoderParams {
                    quality: 4,
                    ..Default::default()
                };
                brotli::BrotliCompress(&mut &*content, &mut out, &params).unwrap();
                out
            }
            Self::Zstd => zstd::bulk::compress(content, 3).unwrap(),
            Self::ZstdWithoutSize => {
                let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
                encoder.include_checksum(true).unwrap();
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
        }
    }
}

fn unpack(coding: Coding, wire: &[u8], limits: Limits) -> Result<Vec<u8>, Error> {
    Unpackers::default().unpack(
        coding,
        wire,
        limits,
        &mut Budget::new(1 << 28, Gauge::default()).permit(),
    )
}

fn events(count: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|index| {
            format!(
                "{{\"event\":\"page_view\",\"n\":{index},\"x\":\"{:x}\"}}\n",
                index * 7919
            )
            .into_bytes()
        })
        .collect()
}

#[test]
fn what_is_packed_comes_out_whole_with_spare_room() {
    for packer in PACKERS {
        for content in [
            Vec::new(),
            b"{}".to_vec(),
            events(1),
            events(25),
            events(20_000),
        ] {
            let out = unpack(packer.coding(), &packer.pack(&content), ROOMY).unwrap();
            assert_eq!(out, content, "{packer:?}");
            assert!(out.capacity() - out.len() >= SPARE_LEAST, "{packer:?}");
        }
    }
}

const SPARE_LEAST: usize = 4096;

#[test]
fn state_is_kept_and_one_broken_body_does_not_spoil_the_next() {
    let unpackers = Unpackers::default();
    let budget = Budget::new(1 << 26, Gauge::default());
    let content = events(100);
    for packer in PACKERS.into_iter().cycle().take(24) {
        let wire = packer.pack(&content);
        let unpack =
            |wire: &[u8]| unpackers.unpack(packer.coding(), wire, ROOMY, &mut budget.permit());
        assert!(unpack(&wire[..wire.len() / 2]).is_err());
        assert_eq!(unpack(&wire).unwrap(), content);
    }
    assert_eq!(unpackers.deflate.lock().unwrap().len(), 1);
    assert_eq!(unpackers.zstd.lock().unwrap().len(), 1);
    assert_eq!(budget.used(), 0);
}

#[test]
fn members_and_frames_are_all_unpacked_equal_ones_too() {
    for packer in [Packer::Gzip, Packer::Zstd, Packer::ZstdWithoutSize] {
        for parts in [
            vec![events(3), events(3)],
            vec![events(500), Vec::new(), events(1), events(500)],
            vec![Vec::new(); 300],
            vec![b"a".to_vec(); 2000],
        ] {
            let wire: Vec<u8> = parts.iter().flat_map(|part| packer.pack(part)).collect();
            assert_eq!(
                unpack(packer.coding(), &wire, ROOMY).unwrap(),
                parts.concat(),
                "{packer:?}"
            );
        }
    }
}

#[test]
fn gzip_headers_with_names_comments_and_extras_are_passed_over() {
    let mut encoder = flate2::GzBuilder::new()
        .filename("events.json")
        .comment("of today")
        .extra(b"more".to_vec())
        .write(Vec::new(), Compression::new(9));
    encoder.write_all(b"{}").unwrap();
    let wire = encoder.finish().unwrap();
    assert_eq!(unpack(Coding::Gzip, &wire, ROOMY).unwrap(), b"{}");
}

#[test]
fn whatever_follows_a_body_is_an_error() {
    let content = events(40);
    for packer in PACKERS {
        let wire = packer.pack(&content);
        for tail in [
            &b"\0"[..],
            b"x",
            b"\n",
            &wire[..wire.len() - 1],
            &wire[wire.len() - 8..],
            &[0; 64],
        ] {
            let wire = [&wire, tail].concat();
            let result = unpack(packer.coding(), &wire, ROOMY);
            assert!(
                matches!(result, Err(Error::Corrupt(_))),
                "{packer:?} {tail:?}"
            );
        }
    }
}

#[test]
fn a_footer_repeated_inside_a_member_does_not_end_it() {
    // A member whose stored content holds its own footer: the CRC of `content` and its length.
    let forged = |content: &[u8], repeats: usize| {
        let footer = [
            crc32(content).to_le_bytes(),
            u32::try_from(content.len()).unwrap().to_le_bytes(),
        ]
        .concat();
        // Behind the gzip header stand empty stored blocks; between them nothing can be hidden,
        // so the footers go into the header's extra field.
        let mut encoder = flate2::GzBuilder::new()
            .extra(footer.repeat(repeats))
            .write(Vec::new(), Compression::none());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    };
    let content = events(10);
    let (once, often) = (forged(&content, 1), forged(&content, 50));
    assert_eq!(unpack(Coding::Gzip, &once, ROOMY).unwrap(), content);
    let twice = [&once[..], &once].concat();
    assert_eq!(
        unpack(Coding::Gzip, &twice, ROOMY).unwrap(),
        content.repeat(2)
    );
    // Nobody does this by accident, and each false end costs time.
    assert!(matches!(
        unpack(Coding::Gzip, &often, ROOMY),
        Err(Error::Corrupt(_))
    ));
}

#[test]
fn truncated_bodies_are_errors_at_every_byte() {
    for packer in PACKERS {
        for content in [events(3), vec![b'a'; 600], Vec::new()] {
            let wire = packer.pack(&content);
            for end in 0..wire.len() {
                let result = unpack(packer.coding(), &wire[..end], ROOMY);
                assert!(
                    matches!(result, Err(Error::Corrupt(_))),
                    "{packer:?} cut at {end} of {}",
                    wire.len()
                );
            }
        }
    }
}

#[test]
fn corrupt_bodies_are_errors_or_unharmed_where_a_checksum_says_so() {
    let content = events(20);
    for packer in [Packer::Gzip, Packer::ZstdWithoutSize] {
        let wire = packer.pack(&content);
        for position in 0..wire.len() {
            let mut wire = wire.clone();
            wire[position] ^= 0x10;
            if let Ok(out) = unpack(packer.coding(), &wire, ROOMY) {
                assert_eq!(out, content, "{packer:?} at {position}");
            }
        }
    }
}

#[test]
fn limits_are_exact() {
    let content = events(1000);
    for packer in PACKERS {
        let wire = packer.pack(&content);
        let decoded = |decoded| unpack(packer.coding(), &wire, Limits { decoded, ..ROOMY });
        assert_eq!(decoded(content.len()).unwrap(), content);
        let refused = decoded(content.len() - 1).unwrap_err();
        assert!(
            matches!(refused, Error::Decoded { limit } if limit == content.len() - 1),
            "{refused}"
        );
        let ratio = content.len() / wire.len();
        let refused = unpack(packer.coding(), &wire, Limits { ratio, ..ROOMY }).unwrap_err();
        assert!(
            matches!(refused, Error::Ratio { limit } if limit == ratio),
            "{refused}"
        );
        assert!(
            unpack(
                packer.coding(),
                &wire,
                Limits {
                    ratio: ratio + 1,
                    ..ROOMY
                }
            )
            .is_ok()
        );
    }
}

#[test]
fn bombs_stop_at_the_limit_and_take_no_more_memory() {
    let zeros = vec![0; 32 << 20];
    let limits = Limits {
        wire: 1 << 26,
        decoded: 1 << 20,
        ratio: 1 << 20,
    };
    for packer in PACKERS {
        let wire = packer.pack(&zeros);
        // What the limit, the byte beyond and the spare room take: one byte less would not do.
        let most = limits.decoded + 1;
        let budget = Budget::new(most + spare(most), Gauge::default());
        let result =
            Unpackers::default().unpack(packer.coding(), &wire, limits, &mut budget.permit());
        assert!(
            matches!(result, Err(Error::Decoded { .. })),
            "{packer:?}: {result:?}"
        );
        let result = unpack(
            packer.coding(),
            &wire,
            Limits {
                decoded: 1 << 26,
                ratio: 20,
                ..ROOMY
            },
        );
        assert!(
            matches!(result, Err(Error::Ratio { .. })),
            "{packer:?}: {result:?}"
        );
        let poor = Budget::new(1 << 16, Gauge::default());
        let result =
            Unpackers::default().unpack(packer.coding(), &wire, limits, &mut poor.permit());
        assert!(
            matches!(result, Err(Error::Overloaded(_))),
            "{packer:?}: {result:?}"
        );
    }
}

#[test]
fn a_size_that_lies_is_not_believed() {
    let mut wire = Packer::Gzip.pack(b"{}");
    let size = wire.len() - 4;
    wire[size..].copy_from_slice(&u32::MAX.to_le_bytes());
    let budget = Budget::new(1 << 16, Gauge::default());
    let limits = Limits {
        ratio: 100,
        ..ROOMY
    };
    let result = Unpackers::default().unpack(Coding::Gzip, &wire, limits, &mut budget.permit());
    assert!(matches!(result, Err(Error::Corrupt(_))), "{result:?}");
}

#[test]
fn windows_beyond_eight_mebibytes_are_refused() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&events(100_000)).unwrap();
    let wire = encoder.finish().unwrap();
    assert!(matches!(
        unpack(Coding::Zstd, &wire, ROOMY),
        Err(Error::Corrupt(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_content_survives_packing(content in prop::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 0..5000)) {
        for packer in PACKERS {
            prop_assert_eq!(&unpack(packer.coding(), &packer.pack(&content), ROOMY).unwrap(), &content);
        }
    }

    #[test]
    fn any_bytes_are_a_body_or_an_error_within_the_limits(
        noise in prop::collection::vec(any::<u8>(), 0..300),
        start in 0usize..40,
        ratio in 1usize..50,
    ) {
        let limits = Limits { wire: 1 << 20, decoded: 4096, ratio };
        for packer in PACKERS {
            // Half-way sound bodies get further than noise.
            let packed = packer.pack(&noise);
            let sound = start.min(10).min(packed.len());
            let wire = [&packed[..sound], &noise].concat();
            for wire in [&wire[..], &noise] {
                if let Ok(out) = unpack(packer.coding(), wire, limits) {
                    prop_assert!(out.len() <= 4096 && out.len() <= wire.len() * ratio);
                }
            }
        }
    }
}

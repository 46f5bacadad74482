//! Tile paths: what is accepted is written back byte for byte and never leaves the tile folder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealtrail_tlog::Tile;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(tile) = Tile::parse(text) {
        assert_eq!(tile.to_string(), text);
        assert!(text.starts_with("tile/") && !text.contains(".."));
        assert!((1..=256).contains(&tile.width()));
    }
});

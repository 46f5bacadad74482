//! Tiles: their paths, which ones a growth writes, and the hashes read back from them.

use std::collections::BTreeMap;
use std::convert::Infallible;

use sealtrail_tlog::proof::{build_consistency, build_inclusion, build_root, verify_consistency, verify_inclusion};
use sealtrail_tlog::{NodeHash, NodeId, Seq, Tile, TileError, TileReader, TreeSize, tiles_for};

use crate::oracle;

fn paths(old: u64, new: u64) -> Vec<String> {
    tiles_for(TreeSize(old), TreeSize(new)).map(|tile| tile.to_string()).collect()
}

/// Protects the list of files that publishing writes: the specification's examples and every kind of growth.
#[test]
fn growth_writes_these_tiles() {
    assert!(paths(0, 0).is_empty() && paths(7, 7).is_empty());
    assert_eq!(paths(0, 1), ["tile/0/000.p/1"]);
    assert_eq!(paths(1, 255), ["tile/0/000.p/255"]);
    assert_eq!(paths(0, 256), ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(paths(256, 257), ["tile/0/001.p/1"]);
    assert_eq!(paths(200, 600), ["tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"]);
    let all = paths(0, 70_000);
    assert_eq!(all.len(), 273 + 1 + 1 + 1 + 1);
    assert_eq!(all[all.len() - 4..], ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]);
    assert_eq!(paths(255 * 65536, 256 * 65536)[256 + 1..], ["tile/2/000", "tile/3/000.p/1"]);
    let top = paths(TreeSize::MAX.0 - 1, TreeSize::MAX.0);
    assert_eq!(top, ["tile/0/x036/x028/x797/x018/x963/967.p/255"]);
}

/// Protects paths: the C2SP spelling and no other.
#[test]
fn paths_have_one_spelling() {
    for path in ["tile/0/000", "tile/0/x001/234", "tile/3/x001/x234/067.p/8", "tile/7/000.p/127", "tile/1/x001/000"] {
        assert_eq!(Tile::parse(path).unwrap().to_string(), path);
    }
    let tile = Tile::parse("tile/3/x001/x234/067.p/8").unwrap();
    assert_eq!((tile.level(), tile.index(), tile.width(), tile.is_partial()), (3, 1_234_067, 8, true));
    let wrong = [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/8/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/x001",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000.p/1.p/1",
        "tile/0/+00",
        "tile/0/..",
        "tile/data/000",
        "tile/entries/000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/7/000",
        "tile/7/001.p/1",
        "tile/0/00\u{660}",
    ];
    for path in wrong {
        Tile::parse(path).unwrap_err();
    }
}

/// Every tile of a tree, as files in memory, written step by step as a log would.
fn write_tiles(sizes: &[u64], nodes: &BTreeMap<NodeId, NodeHash>) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for step in sizes.windows(2) {
        for tile in tiles_for(TreeSize(step[0]), TreeSize(step[1])) {
            let bytes: Vec<u8> = tile.nodes().flat_map(|id| nodes[&id].0).collect();
            assert_eq!(bytes.len(), tile.bytes());
            files.insert(tile.to_string(), bytes);
        }
    }
    files
}

/// Protects reading: every subtree of the tree comes back from its tiles, and proofs made from tiles alone verify.
#[test]
fn proofs_from_tiles() {
    let leaves = oracle::leaves(66_000);
    let nodes = crate::proofs::all_nodes(&leaves);
    let sizes = [0, 1, 200, 256, 300, 512, 700, 65_535, 65_536, 65_537, 66_000];
    let files = write_tiles(&sizes, &nodes);
    for (at, size) in sizes.iter().enumerate().skip(1) {
        let mut fetched = 0;
        let mut reader = TileReader::new(TreeSize(*size), |tile: Tile| {
            fetched += 1;
            files.get(&tile.to_string()).cloned().ok_or(tile.to_string())
        });
        let root = build_root(TreeSize(*size), |id| reader.hash(id)).unwrap();
        if *size < 1_000 {
            assert_eq!(root, oracle::mth(&leaves[..*size as usize]));
        }
        for seq in [0, size / 3, size / 2, size - 1] {
            let proof = build_inclusion(Seq(seq), TreeSize(*size), |id| reader.hash(id)).unwrap();
            verify_inclusion(&leaves[seq as usize], Seq(seq), TreeSize(*size), &root, &proof).unwrap();
        }
        for old in &sizes[1..at] {
            let old_root = build_root(TreeSize(*old), |id| Ok::<_, Infallible>(nodes[&id])).unwrap();
            let proof = build_consistency(TreeSize(*old), TreeSize(*size), |id| reader.hash(id)).unwrap();
            verify_consistency(TreeSize(*old), &old_root, TreeSize(*size), &root, &proof).unwrap();
        }
        drop(reader);
        assert!(fetched <= 24, "{fetched} tiles for {size}");
    }
}

/// Protects against tiles that are short, long, missing or not of the tree.
#[test]
fn bad_tiles_are_refused() {
    let id = NodeId { level: 0, index: 3 };
    for found in [0, 31, 32 * 4 - 1, 32 * 6, 8191, 8193] {
        let mut reader = TileReader::new(TreeSize(5), |_| Ok::<_, Infallible>(vec![0; found]));
        assert!(matches!(reader.hash(id), Err(TileError::Length { found: f, .. }) if f == found));
    }
    // The full tile stands in for a partial one that was deleted since.
    let mut reader = TileReader::new(TreeSize(5), |_| Ok::<_, Infallible>(vec![7; 8192]));
    assert_eq!(reader.hash(id).unwrap(), NodeHash([7; 32]));
    for (level, index) in [(0, 5), (2, 1), (3, 0), (8, 0), (255, 0), (63, u64::MAX), (0, u64::MAX)] {
        assert!(matches!(reader.hash(NodeId { level, index }), Err(TileError::NoSuchNode { .. })));
    }
    let mut reader = TileReader::new(TreeSize(5), |_| Err("gone"));
    assert!(matches!(reader.hash(id), Err(TileError::Fetch { source: "gone", .. })));
}

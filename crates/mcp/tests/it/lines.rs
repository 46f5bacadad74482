//! Streams cut into lines.

use proptest::prelude::*;
use sealtrail_mcp::{Lines, Piece};

/// All bytes, the whole lines, size and hash of the long ones.
type Cut = (Vec<u8>, Vec<Vec<u8>>, Vec<(u64, [u8; 32])>);

fn pieces(stream: &[u8], chunk: usize, limit: usize) -> Cut {
    let (mut all, mut lines, mut passed) = (Vec::new(), Vec::new(), Vec::new());
    let mut take = |piece: Piece<'_>| match piece {
        Piece::Line(line) => {
            all.extend_from_slice(line);
            lines.push(line.to_vec());
        }
        Piece::Begins(bytes) | Piece::More(bytes) => all.extend_from_slice(bytes),
        Piece::Ends(bytes, whole) => {
            all.extend_from_slice(bytes);
            passed.push((whole.size_bytes, whole.sha256));
        }
    };
    let mut cut = Lines::new(limit);
    for part in stream.chunks(chunk) {
        cut.push(part, &mut take);
    }
    cut.finish(&mut take);
    (all, lines, passed)
}

proptest! {
    /// Protects the bytes: whatever the stream and wherever it is cut, the pieces together are the stream, short lines are whole, and of long ones size
    /// and hash do not depend on how they came.
    #[test]
    fn pieces_are_the_stream(stream in proptest::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'\n')], 0..400), chunk in 1usize..50, limit in 1usize..40) {
        let (all, lines, passed) = pieces(&stream, chunk, limit);
        prop_assert_eq!(&all, &stream);
        let (_, other_lines, other_passed) = pieces(&stream, 400, limit);
        prop_assert_eq!(&lines, &other_lines);
        prop_assert_eq!(&passed, &other_passed);
        let long = stream.split(|byte| *byte == b'\n').filter(|line| line.len() > limit).count();
        prop_assert_eq!(passed.len(), long);
        prop_assert!(lines.iter().all(|line| line.len() <= limit + 1));
    }
}

//! What a quick check takes from the parts that it leaves out: the key of the epoch it starts in, proved by the published checkpoint.

use sealtrail_disk::Open;
use sealtrail_tlog::proof::{build_inclusion, root_of_inclusion};
use sealtrail_tlog::{Checkpoint, LeafHash, Seq, TileReader, leaf_hash};

use super::epochs::Keys;
use super::own::{self, Own, Says};
use super::published::Published;
use super::{Context, warn};
use crate::line::{EnvelopeLine, Manifest};
use crate::read::lines::{Lines, Source};
use crate::read::parts::sealed_path;
use crate::report::Finding;

/// Finds the newest announcement of a key before the checked part and takes it up.
pub(super) fn start(
    ctx: &Context<'_>,
    skipped: &[Manifest],
    last: &Manifest,
    published: &Published,
    keys: &mut Keys,
    findings: &mut Vec<Finding>,
) {
    let Some((own, leaf)) = skipped.iter().rev().find_map(|manifest| newest_announcement(ctx, manifest)) else {
        let detail = "no announcement of an epoch key was found before the newest part";
        findings.push(Finding::fail("epoch-unknown", "", detail).at(last.size));
        return;
    };
    match proved(ctx, published, own.seq, leaf) {
        Some(true) => {}
        Some(false) => {
            let detail = "the announcement of the epoch key is not the one that the published checkpoint covers";
            findings.push(Finding::fail("epoch-not-proved", "", detail).at(own.seq));
        }
        None => {
            let detail = "no published checkpoint proves the announcement of the epoch key: a full verification does";
            findings.push(warn("epoch-not-proved", "", detail).at(own.seq));
        }
    }
    keys.start_with(&own);
}

fn newest_announcement(ctx: &Context<'_>, manifest: &Manifest) -> Option<(Own, LeafHash)> {
    let path = sealed_path(manifest.first, "entries", manifest.compression);
    let file = ctx.disk.open(&ctx.dir.join(path), Open::Read).ok()?;
    let mut lines = Lines::new(Source::new(file, 0, manifest.compression, false));
    let mut newest = None;
    while let Ok(Some(line)) = lines.peek() {
        if let Ok(envelope) = EnvelopeLine::parse(line)
            && envelope.is_ledger_event()
            && let Ok(Some(own)) = own::parse(envelope.seq, line)
            && matches!(own.says, Says::Created { .. } | Says::Epoch { .. })
        {
            newest = Some((own, leaf_hash(line)));
        }
        lines.advance();
    }
    newest
}

/// Tells whether the published checkpoint covers the event with this hash; nothing when there is no such checkpoint.
fn proved(ctx: &Context<'_>, published: &Published, seq: u64, leaf: LeafHash) -> Option<bool> {
    let size = published.size.filter(|size| seq < size.0)?;
    let text = std::str::from_utf8(published.checkpoint.as_deref()?).ok()?;
    // Its signature was checked when it was loaded, or there would be no size.
    let checkpoint = Checkpoint::parse(text.split_inclusive('\n').take(3).collect::<String>().as_str()).ok()?;
    let mut tiles = TileReader::new(size, |tile| ctx.disk.read(&ctx.dir.join(tile.to_string())));
    let path = build_inclusion(Seq(seq), size, |id| tiles.hash(id)).ok()?;
    Some(root_of_inclusion(&leaf, Seq(seq), size, &path).is_ok_and(|root| root == checkpoint.root))
}

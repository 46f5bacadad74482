// Command sealtrail-verify checks a Sealtrail ledger with Go's own transparency log packages.
//
// It is the second opinion: the tree, the tiles, the proofs and the notes are checked by golang.org/x/mod/sumdb, the code behind
// the Go checksum database. What it adds is only how to find the entries (docs/format/ledger.md). Commit lines, slots and macs are
// not its business: verify.py checks those.
//
//	sealtrail-verify [-vkey FILE] [-proof FILE] LEDGER_DIR
//
// Exit code 0: everything verified. 3: something did not. 64: wrong use.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

func main() {
	vkeyFile := flag.String("vkey", "", "verifier key of the log, from a place other than the ledger")
	proofFile := flag.String("proof", "", "a .tlog-proof file of one entry")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: sealtrail-verify [-vkey FILE] [-proof FILE] LEDGER_DIR")
		os.Exit(64)
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
	}
	if err := verify(flag.Arg(0), *vkeyFile, *proofFile); err != nil {
		fmt.Printf("NOT VERIFIED: %v.\n", err)
		os.Exit(3)
	}
	fmt.Println("VERIFIED.")
}

func verify(dir, vkeyFile, proofFile string) error {
	if vkeyFile == "" {
		vkeyFile = filepath.Join(dir, "log.vkey")
	}
	vkey, err := os.ReadFile(vkeyFile)
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSuffix(string(vkey), "\n"))
	if err != nil {
		return err
	}
	signed, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(signed, verifier)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	fmt.Printf("The checkpoint of %d entries of %s is signed by the log key.\n", tree.N, verifier.Name())
	hashes := tlog.TileHashReader(tree, &diskTiles{dir})
	leaves, err := checkEntries(dir, tree, hashes)
	if err != nil {
		return err
	}
	if err := checkHistory(dir, verifier, tree, hashes); err != nil {
		return err
	}
	if proofFile == "" {
		return nil
	}
	return checkProof(proofFile, verifier, leaves)
}

// openCheckpoint returns the tree that a signed checkpoint names.
func openCheckpoint(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	var tree tlog.Tree
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != verifier.Name() {
		return tree, errors.New("not a checkpoint of this log")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil || strconv.FormatInt(tree.N, 10) != lines[1] || tree.N < 0 {
		return tree, errors.New("malformed tree size")
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// diskTiles reads the ledger's tiles; tlog authenticates them against the checkpoint.
type diskTiles struct{ dir string }

func (d *diskTiles) Height() int { return tileHeight }

func (d *diskTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		// Go's paths name the height (tile/8/0/000), C2SP's do not.
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
		data, err := os.ReadFile(filepath.Join(d.dir, filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", path, len(data))
		}
		all = append(all, data)
	}
	return all, nil
}

func (d *diskTiles) SaveTiles([]tlog.Tile, [][]byte) {}

// checkEntries compares every entry with the authenticated tiles and returns the leaf hashes of all of them.
func checkEntries(dir string, tree tlog.Tree, hashes tlog.HashReader) ([]tlog.Hash, error) {
	var leaves []tlog.Hash
	err := eachEntry(dir, func(line []byte) error {
		head := fmt.Sprintf(`{"v":1,"i":%d,`, len(leaves))
		if !bytes.HasPrefix(line, []byte(head)) {
			return fmt.Errorf("entry %d does not begin with %s", len(leaves), head)
		}
		leaves = append(leaves, tlog.RecordHash(line))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if int64(len(leaves)) < tree.N {
		return nil, fmt.Errorf("the checkpoint says %d entries, only %d are there", tree.N, len(leaves))
	}
	const step = 1 << tileHeight
	for first := int64(0); first < tree.N; first += step {
		var indexes []int64
		for n := first; n < first+step && n < tree.N; n++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, n))
		}
		stored, err := hashes.ReadHashes(indexes)
		if err != nil {
			return nil, err
		}
		for at, hash := range stored {
			if hash != leaves[first+int64(at)] {
				return nil, fmt.Errorf("entry %d is not the one in the tree", first+int64(at))
			}
		}
	}
	fmt.Printf("%d entries are the ones in the tree; %d newer ones are not published yet.\n", tree.N, int64(len(leaves))-tree.N)
	return leaves, nil
}

// eachEntry calls visit with every envelope line, sealed segments first, then the active one.
func eachEntry(dir string, visit func([]byte) error) error {
	next := 0
	count := func(line []byte) error {
		next++
		return visit(line)
	}
	segments, err := files(dir, "seg", ".entries.jsonl", ".entries.jsonl.gz")
	if err != nil {
		return err
	}
	for _, file := range segments {
		if file.first != next {
			return fmt.Errorf("%s does not begin at entry %d", file.path, next)
		}
		if err := eachLine(file.path, count); err != nil {
			return err
		}
	}
	sealed := next
	wals, err := files(dir, "wal", ".wal")
	if err != nil {
		return err
	}
	for _, file := range wals {
		// A crash at the end of sealing may leave the wal of a segment that is sealed.
		if file.first < sealed {
			continue
		}
		if file.first != next {
			return fmt.Errorf("%s does not begin at entry %d", file.path, next)
		}
		if err := eachLine(file.path, count); err != nil {
			return err
		}
	}
	return nil
}

// eachLine calls visit with the envelope lines among the lines of a file; zero bytes end it.
func eachLine(path string, visit func([]byte) error) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if strings.HasSuffix(path, ".gz") {
		if data, err = gunzip(data); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	data = bytes.TrimRight(data, "\x00")
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			return fmt.Errorf("%s ends inside a line", path)
		}
		if bytes.HasPrefix(data, []byte(`{"v":`)) {
			if err := visit(data[:end]); err != nil {
				return err
			}
		}
		data = data[end+1:]
	}
	return nil
}

func gunzip(data []byte) ([]byte, error) {
	if len(data) == 0 {
		return nil, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

type indexed struct {
	first int
	path  string
}

// files lists the files <12 digits><suffix> of a folder in order.
func files(dir, sub string, suffixes ...string) ([]indexed, error) {
	found, err := os.ReadDir(filepath.Join(dir, sub))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var all []indexed
	for _, file := range found {
		for _, suffix := range suffixes {
			digits := strings.TrimSuffix(file.Name(), suffix)
			if first, err := strconv.Atoi(digits); err == nil && len(digits) == 12 && digits+suffix == file.Name() {
				all = append(all, indexed{first, filepath.Join(dir, sub, file.Name())})
			}
		}
	}
	sort.Slice(all, func(a, b int) bool { return all[a].first < all[b].first })
	return all, nil
}

// checkHistory proves that each published checkpoint is the beginning of the next, and the last the beginning of the tree.
func checkHistory(dir string, verifier note.Verifier, tree tlog.Tree, hashes tlog.HashReader) error {
	data, err := os.ReadFile(filepath.Join(dir, "checkpoints.notes"))
	if err != nil {
		return err
	}
	parts := strings.Split(string(data), "\n\n")
	if len(parts)%2 != 0 {
		return errors.New("checkpoints.notes is not a sequence of notes")
	}
	trees := []tlog.Tree{}
	for at := 0; at < len(parts); at += 2 {
		signed := parts[at] + "\n\n" + strings.TrimSuffix(parts[at+1], "\n") + "\n"
		older, err := openCheckpoint([]byte(signed), verifier)
		if err != nil {
			return fmt.Errorf("checkpoint %d of checkpoints.notes: %w", at/2+1, err)
		}
		trees = append(trees, older)
	}
	trees = append(trees, tree)
	for at, newer := range trees[1:] {
		if err := checkConsistency(trees[at], newer, hashes); err != nil {
			return fmt.Errorf("checkpoint of %d entries is not the beginning of that of %d: %w", trees[at].N, newer.N, err)
		}
	}
	fmt.Printf("%d published checkpoints are consistent, each the beginning of the next.\n", len(trees)-1)
	return nil
}

func checkConsistency(older, newer tlog.Tree, hashes tlog.HashReader) error {
	if older.N > newer.N {
		return errors.New("the tree shrank")
	}
	if older.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(newer.N, older.N, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, newer.N, newer.Hash, older.N, older.Hash)
}

// checkProof verifies a c2sp.org/tlog-proof@v1 file about one of the entries.
func checkProof(path string, verifier note.Verifier, leaves []tlog.Hash) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, signed, ok := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("the proof is not a c2sp.org/tlog-proof@v1 file")
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return errors.New("the proof has no index")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil || index < 0 || index >= int64(len(leaves)) {
		return errors.New("the proof has an index that no entry has")
	}
	var proof tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			return errors.New("the proof has a malformed hash")
		}
		proof = append(proof, *(*tlog.Hash)(hash))
	}
	tree, err := openCheckpoint([]byte(signed), verifier)
	if err != nil {
		return fmt.Errorf("checkpoint of the proof: %w", err)
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaves[index]); err != nil {
		return fmt.Errorf("proof of entry %d: %w", index, err)
	}
	fmt.Printf("The proof file shows that entry %d is in the log of %d entries.\n", index, tree.N)
	return nil
}

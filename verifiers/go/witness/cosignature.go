package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// cosignatureType is what C2SP tlog-cosignature calls an Ed25519 cosignature with a time.
const cosignatureType = 0x04

// maxSkew is how far a cosignature's time may be from this machine's.
const maxSkew = 5 * time.Minute

// cosigner checks, and with a private key makes, cosignatures; it is a verifier of golang.org/x/mod/sumdb/note.
type cosigner struct {
	name    string
	hash    uint32
	public  ed25519.PublicKey
	private ed25519.PrivateKey
}

// newCosigner reads a vkey: name, key hash and base64 of the type and the public key.
func newCosigner(vkey string) (*cosigner, error) {
	parts := strings.SplitN(strings.TrimSpace(vkey), "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("a witness's key is not of the form name+hash+key")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != cosignatureType {
		return nil, errors.New("a witness's key is not an Ed25519 key of type 0x04")
	}
	made := cosignerOf(parts[0], key[1:])
	if fmt.Sprintf("%08x", made.hash) != parts[1] {
		return nil, errors.New("a witness's key has another hash than it says")
	}
	return made, nil
}

func cosignerOf(name string, public ed25519.PublicKey) *cosigner {
	hash := sha256.Sum256([]byte(name + "\n" + string([]byte{cosignatureType}) + string(public)))
	return &cosigner{name: name, hash: binary.BigEndian.Uint32(hash[:4]), public: public}
}

func printCosigner(name string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	made := cosignerOf(name, public)
	fmt.Printf("%s+%s\n", name, base64.StdEncoding.EncodeToString(private.Seed()))
	fmt.Printf("%s+%08x+%s\n", name, made.hash, base64.StdEncoding.EncodeToString(append([]byte{cosignatureType}, public...)))
	return nil
}

// readCosigner reads the private line that printCosigner prints.
func readCosigner(text string) (*cosigner, error) {
	name, encoded, _ := strings.Cut(strings.TrimSpace(text), "+")
	seed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("not a private key of a cosigner")
	}
	private := ed25519.NewKeyFromSeed(seed)
	made := cosignerOf(name, private.Public().(ed25519.PublicKey))
	made.private = private
	return made, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

// Verify checks a cosignature on the text of a checkpoint, and that its time is about now.
func (c *cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(signature)
	off := time.Since(time.Unix(int64(at), 0))
	return off < maxSkew && off > -maxSkew && ed25519.Verify(c.public, cosigned(at, text), signature[8:])
}

// cosign returns a signature line.
func (c *cosigner) cosign(text string) string {
	now := uint64(time.Now().Unix())
	var signed bytes.Buffer
	_ = binary.Write(&signed, binary.BigEndian, c.hash)
	_ = binary.Write(&signed, binary.BigEndian, now)
	signed.Write(ed25519.Sign(c.private, cosigned(now, []byte(text))))
	return "\u2014 " + c.name + " " + base64.StdEncoding.EncodeToString(signed.Bytes()) + "\n"
}

func cosigned(at uint64, text []byte) []byte {
	return append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", at)), text...)
}

// openCosigned returns the tree of a checkpoint that both the log and the witness signed.
func openCosigned(signed []byte, verifier note.Verifier, witness *cosigner) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier, witness))
	if err != nil {
		return tlog.Tree{}, err
	}
	by := map[string]bool{}
	for _, signature := range opened.Sigs {
		by[signature.Name] = true
	}
	if !by[verifier.Name()] || !by[witness.Name()] {
		return tlog.Tree{}, fmt.Errorf("%s did not sign, or %s did not", verifier.Name(), witness.Name())
	}
	return parseCheckpoint(opened.Text)
}

// parseCheckpoint returns the tree of a checkpoint's text; lines after the third are the log's own.
func parseCheckpoint(text string) (tlog.Tree, error) {
	var tree tlog.Tree
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return tree, errors.New("a checkpoint has fewer than three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tree, errors.New("a checkpoint has a malformed size")
	}
	hash, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: hash}, err
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// log is a transparency log in memory.
type log struct {
	stored []tlog.Hash
	size   int64
	signer note.Signer
}

// newLog makes a log of which every entry names its kind, so that two kinds are a fork.
func newLog(signer note.Signer, kind string, size int64) (*log, error) {
	made := &log{signer: signer}
	for ; made.size < size; made.size++ {
		hashes, err := tlog.StoredHashes(made.size, []byte(fmt.Sprintf("%s %d", kind, made.size)), made)
		if err != nil {
			return nil, err
		}
		made.stored = append(made.stored, hashes...)
	}
	return made, nil
}

func (l *log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, 0, len(indexes))
	for _, index := range indexes {
		if index < 0 || index >= int64(len(l.stored)) {
			return nil, errors.New("a hash that the log does not have")
		}
		found = append(found, l.stored[index])
	}
	return found, nil
}

// checkpoint signs the first size entries.
func (l *log) checkpoint(size int64, more ...note.Signer) (string, error) {
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", l.signer.Name(), size, root)
	signed, err := note.Sign(&note.Note{Text: text}, append([]note.Signer{l.signer}, more...)...)
	return string(signed), err
}

// request makes the body of a call, with the proof that the log itself would give.
func (l *log) request(old, size int64, more ...note.Signer) (string, error) {
	signed, err := l.checkpoint(size, more...)
	if err != nil {
		return "", err
	}
	var proof tlog.TreeProof
	if old > 0 && old < size {
		if proof, err = tlog.ProveTree(size, old, l); err != nil {
			return "", err
		}
	}
	return body(old, proof, signed), nil
}

func body(old int64, proof tlog.TreeProof, signed string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "old %d\n", old)
	for _, hash := range proof {
		fmt.Fprintf(&text, "%s\n", hash)
	}
	return text.String() + "\n" + signed
}

// driver asks one witness.
type driver struct {
	url      string
	token    string
	verifier note.Verifier
	witness  *cosigner
	asked    int
}

func drive(url, keyFile, witnessKey, token string) error {
	keys, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	lines := strings.Split(string(keys), "\n")
	if len(lines) < 2 {
		return errors.New("the key file has no two lines")
	}
	signer, err := note.NewSigner(lines[0])
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(lines[1])
	if err != nil {
		return err
	}
	witness, err := newCosigner(witnessKey)
	if err != nil {
		return err
	}
	d := &driver{url: strings.TrimSuffix(url, "/") + "/add-checkpoint", token: token, verifier: verifier, witness: witness}
	for _, part := range []func(note.Signer) error{d.strangers, d.growth, d.contradictions, d.race} {
		if err := part(signer); err != nil {
			return err
		}
	}
	fmt.Printf("%d requests were answered as the specification says.\n", d.asked)
	return nil
}

type answer struct {
	status int
	kind   string
	body   string
}

func (d *driver) post(text, token string) (answer, error) {
	request, err := http.NewRequest(http.MethodPost, d.url, strings.NewReader(text))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Timeout: 30 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return answer{response.StatusCode, response.Header.Get("Content-Type"), string(read)}, err
}

// expect asks and compares the status; known is the size that a conflict must name.
func (d *driver) expect(what, text string, status int, known int64) error {
	got, err := d.post(text, d.token)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	d.asked++
	if got.status != status {
		return fmt.Errorf("%s: status %d (%s), not %d", what, got.status, strings.TrimSpace(got.body), status)
	}
	if status == http.StatusConflict && (got.kind != "text/x.tlog.size" || got.body != fmt.Sprintf("%d\n", known)) {
		return fmt.Errorf("%s: a conflict of %q %q, not of %d", what, got.kind, got.body, known)
	}
	if status != http.StatusOK {
		return nil
	}
	_, signed, _ := strings.Cut(text, "\n\n")
	tree, err := openCosigned([]byte(signed+got.body), d.verifier, d.witness)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if bytes.Count([]byte(got.body), []byte("\n")) < 1 || !strings.HasPrefix(got.body, "\u2014 ") {
		return fmt.Errorf("%s: the answer for %d entries is not signature lines", what, tree.N)
	}
	return nil
}

// strangers asks for what the witness must not know.
func (d *driver) strangers(signer note.Signer) error {
	good, err := newLog(signer, "entry", 5)
	if err != nil {
		return err
	}
	text, err := good.request(0, 5)
	if err != nil {
		return err
	}
	if d.token != "" {
		if got, err := d.post(text, ""); err != nil || got.status != http.StatusUnauthorized {
			return fmt.Errorf("without a key: %+v %v", got, err)
		}
	}
	for _, stranger := range []struct {
		name   string
		status int
	}{{"elsewhere.example/log", http.StatusNotFound}, {signer.Name(), http.StatusForbidden}} {
		skey, _, err := note.GenerateKey(nil, stranger.name)
		if err != nil {
			return err
		}
		other, err := note.NewSigner(skey)
		if err != nil {
			return err
		}
		good.signer = other
		signed, err := good.request(0, 5)
		if err != nil {
			return err
		}
		if err := d.expect("a key of "+stranger.name+" that is not known", signed, stranger.status, 0); err != nil {
			return err
		}
	}
	_, signed, _ := strings.Cut(text, "\n\n")
	hash := tlog.Hash{}.String() + "\n"
	for what, wrong := range map[string]string{
		"no old size":             "\n" + signed,
		"an old size with a zero": "old 00\n\n" + signed,
		"an old size with a sign": "old +0\n\n" + signed,
		"no empty line":           "old 0\n" + signed,
		"a hash that is short":    "old 0\nAAAA\n\n" + signed,
		"64 hashes":               "old 0\n" + strings.Repeat(hash, 64) + "\n" + signed,
		"an old size too large":   "old 6\n\n" + signed,
		"no signature":            "old 0\n\n" + strings.SplitAfter(signed, "\n\n")[0],
	} {
		if err := d.expect(what, wrong, http.StatusBadRequest, 0); err != nil {
			return err
		}
	}
	return nil
}

// growth has what follows from what was cosigned before cosigned, and nothing that starts elsewhere.
func (d *driver) growth(signer note.Signer) error {
	all, err := newLog(signer, "entry", 13)
	if err != nil {
		return err
	}
	skey, _, err := note.GenerateKey(nil, "monitor.example")
	if err != nil {
		return err
	}
	unknown, err := note.NewSigner(skey)
	if err != nil {
		return err
	}
	signed, err := all.checkpoint(5)
	if err != nil {
		return err
	}
	if err := d.expect("a proof from nothing", body(0, tlog.TreeProof{tlog.Hash{}}, signed), http.StatusUnprocessableEntity, 0); err != nil {
		return err
	}
	for _, step := range []struct {
		what      string
		old, size int64
		status    int
	}{
		{"an old size before the first checkpoint", 3, 5, http.StatusConflict},
		{"the first checkpoint", 0, 5, http.StatusOK},
		{"an old size of the past", 0, 13, http.StatusConflict},
		{"the same checkpoint again", 5, 5, http.StatusOK},
		{"a later checkpoint", 5, 13, http.StatusOK},
	} {
		text, err := all.request(step.old, step.size, unknown)
		if err != nil {
			return err
		}
		known := int64(5)
		if step.old == 3 {
			known = 0
		}
		if err := d.expect(step.what, text, step.status, known); err != nil {
			return err
		}
	}
	return nil
}

// contradictions presents what no honest log would, and goes on honestly.
func (d *driver) contradictions(signer note.Signer) error {
	all, err := newLog(signer, "entry", 21)
	if err != nil {
		return err
	}
	forked, err := newLog(signer, "other entry", 21)
	if err != nil {
		return err
	}
	signed, err := all.checkpoint(21)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(21, 13, all)
	if err != nil {
		return err
	}
	changed := append(tlog.TreeProof{}, proof...)
	changed[0][0] ^= 1
	steps := []struct {
		what   string
		text   string
		status int
	}{
		{"a proof without its end", body(13, proof[:len(proof)-1], signed), http.StatusUnprocessableEntity},
		{"a proof that goes on", body(13, append(append(tlog.TreeProof{}, proof...), tlog.Hash{}), signed), http.StatusUnprocessableEntity},
		{"a log that went back", "", http.StatusConflict},
		{"a proof of which a bit is another", body(13, changed, signed), http.StatusUnprocessableEntity},
		{"another log of the same size", "", http.StatusConflict},
		{"another log with its own proof", "", http.StatusUnprocessableEntity},
		{"the honest log after all that", body(13, proof, signed), http.StatusOK},
	}
	for at, made := range map[int]struct {
		log       *log
		old, size int64
	}{2: {all, 5, 5}, 4: {forked, 13, 13}, 5: {forked, 13, 21}} {
		if steps[at].text, err = made.log.request(made.old, made.size); err != nil {
			return err
		}
	}
	for _, step := range steps {
		if err := d.expect(step.what, step.text, step.status, 13); err != nil {
			return err
		}
	}
	return nil
}

// race hands two checkpoints in at once: the witness may follow one of them only.
func (d *driver) race(signer note.Signer) error {
	const rivals = 8
	all, err := newLog(signer, "entry", 21+rivals)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	statuses, failures := make([]int, rivals), make([]error, rivals)
	for rival := range statuses {
		text, err := all.request(21, 22+int64(rival))
		if err != nil {
			return err
		}
		wait.Add(1)
		go func(rival int) {
			defer wait.Done()
			got, err := d.post(text, d.token)
			statuses[rival], failures[rival] = got.status, err
		}(rival)
	}
	wait.Wait()
	d.asked += rivals
	followed := 0
	for rival, status := range statuses {
		if failures[rival] != nil {
			return failures[rival]
		}
		if status == http.StatusOK {
			followed++
		} else if status != http.StatusConflict {
			return fmt.Errorf("one of several at once: status %d", status)
		}
	}
	if followed != 1 {
		return fmt.Errorf("of %d checkpoints that follow the same one, %d were cosigned", rivals, followed)
	}
	return nil
}

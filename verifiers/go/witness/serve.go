package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// witness cosigns the logs that it knows; it remembers nothing when it ends.
type witness struct {
	signer *cosigner
	mu     sync.Mutex
	logs   map[string]note.Verifier
	latest map[string]tlog.Tree
	// only is the log of the machine that forwards to it.
	only string
}

func serve(keyFile string, vkeys []string) error {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	signer, err := readCosigner(first)
	if err != nil {
		return err
	}
	w := &witness{signer: signer, logs: map[string]note.Verifier{}, latest: map[string]tlog.Tree{}}
	for _, vkey := range vkeys {
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return err
		}
		w.logs[verifier.Name()] = verifier
		w.only = verifier.Name()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", listener.Addr())
	mux := http.NewServeMux()
	mux.Handle("/add-checkpoint", w)
	// Sealtrail's machines hand their events to the same place and ask how far it is; a witness keeps none of them.
	mux.HandleFunc("/v1/fleet/state", func(out http.ResponseWriter, _ *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		known := w.latest[w.only].N
		fmt.Fprintf(out, `{"mirrored":%d,"cosigned":%d}`, known, known)
	})
	mux.HandleFunc("/v1/fleet/batches", func(_ http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
	})
	return http.Serve(listener, mux)
}

func (w *witness) ServeHTTP(out http.ResponseWriter, request *http.Request) {
	read, err := io.ReadAll(io.LimitReader(request.Body, 1<<20))
	if err != nil || request.Method != http.MethodPost {
		http.Error(out, "a POST is needed", http.StatusMethodNotAllowed)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	status, text := w.judge(string(read))
	if status == http.StatusConflict {
		out.Header()["Content-Type"] = []string{"text/x.tlog.size"}
	}
	out.WriteHeader(status)
	fmt.Fprint(out, text)
}

// judge answers in the order of the specification.
func (w *witness) judge(text string) (int, string) {
	old, proof, signed, ok := parseRequest(text)
	if !ok {
		return http.StatusBadRequest, "malformed\n"
	}
	origin, _, _ := strings.Cut(signed, "\n")
	verifier, known := w.logs[origin]
	if !known {
		return http.StatusNotFound, "unknown origin\n"
	}
	if !strings.Contains(signed, "\n\n\u2014 ") {
		return http.StatusBadRequest, "not a note\n"
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return http.StatusForbidden, err.Error() + "\n"
	}
	tree, err := parseCheckpoint(opened.Text)
	if err != nil || old > tree.N {
		return http.StatusBadRequest, "malformed checkpoint\n"
	}
	latest := w.latest[origin]
	if old != latest.N || (old == tree.N && old > 0 && tree.Hash != latest.Hash) {
		return http.StatusConflict, fmt.Sprintf("%d\n", latest.N)
	}
	switch {
	case old == 0 || old == tree.N:
		if len(proof) > 0 {
			return http.StatusUnprocessableEntity, "a proof of nothing\n"
		}
	case tlog.CheckTree(proof, tree.N, tree.Hash, latest.N, latest.Hash) != nil:
		return http.StatusUnprocessableEntity, "the proof does not verify\n"
	}
	w.latest[origin] = tree
	return http.StatusOK, w.signer.cosign(opened.Text)
}

func parseRequest(text string) (int64, tlog.TreeProof, string, bool) {
	head, signed, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if !found || err != nil || old < 0 || lines[0] != fmt.Sprintf("old %d", old) || len(lines) > 64 {
		return 0, nil, "", false
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return 0, nil, "", false
		}
		proof = append(proof, hash)
	}
	return old, proof, signed, true
}

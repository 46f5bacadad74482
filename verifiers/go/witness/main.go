// Command witness speaks C2SP tlog-witness with Sealtrail, from either end, on Go's own transparency log packages.
//
// As a log it signs a tree of its own and asks a witness to cosign it, in every way that the specification names an answer for. As a
// witness it cosigns the logs that it is told of. It shares no code with Sealtrail.
//
//	witness key NAME                                        prints a signing key and its verifier key
//	witness cosigner NAME                                   prints a cosigner's key and its verifier key
//	witness drive URL LOG_KEY WITNESS_VKEY [TOKEN]          asks the witness at URL, and judges its answers
//	witness serve COSIGNER_KEY LOG_VKEY...                  is a witness, on a free port of this machine
//	witness check NOTE LOG_VKEY WITNESS_VKEY                judges a file: a checkpoint that the witness cosigned
//
// Exit code 0: as the specification says. 3: not. 64: wrong use.
package main

import (
	"crypto/rand"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
)

func main() {
	args := os.Args[1:]
	if len(args) < 2 {
		usage()
	}
	var err error
	switch {
	case args[0] == "key" && len(args) == 2:
		var skey, vkey string
		if skey, vkey, err = note.GenerateKey(rand.Reader, args[1]); err == nil {
			fmt.Println(skey)
			fmt.Println(vkey)
		}
	case args[0] == "cosigner" && len(args) == 2:
		err = printCosigner(args[1])
	case args[0] == "drive" && (len(args) == 4 || len(args) == 5):
		err = drive(args[1], args[2], args[3], append(args, "")[4])
	case args[0] == "serve" && len(args) > 2:
		err = serve(args[1], args[2:])
	case args[0] == "check" && len(args) == 4:
		err = check(args[1], args[2], args[3])
	default:
		usage()
	}
	if err != nil {
		fmt.Printf("NOT AS SPECIFIED: %v.\n", err)
		os.Exit(3)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: witness key|cosigner NAME | drive URL LOG_KEY WITNESS_VKEY [TOKEN] | serve COSIGNER_KEY LOG_VKEY... | check NOTE LOG_VKEY WITNESS_VKEY")
	os.Exit(64)
}

func check(file, logKey, witnessKey string) error {
	signed, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(logKey)
	if err != nil {
		return err
	}
	cosigner, err := newCosigner(witnessKey)
	if err != nil {
		return err
	}
	tree, err := openCosigned(signed, verifier, cosigner)
	if err != nil {
		return err
	}
	fmt.Printf("The checkpoint of %d entries of %s is cosigned by %s.\n", tree.N, verifier.Name(), cosigner.Name())
	return nil
}

package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"strongroom/audit"
	"strongroom/audit/verifier"
	"strongroom/httpapi/datadir"
)

// proofOptions are the flags by which verify checks a proof and nothing else.
type proofOptions struct {
	proof, key, policy string
}

const aboutProof = `

With --proof it checks the proof of one change, in a file NAME.tlog-proof, and needs
neither a vault nor the log nor a network. Whose word counts is said by --key, the
log's verifier key (NAME+ID+KEY), by --policy, a file with logs, witnesses and how many
of them must have signed (C2SP tlog-policy), or by both: then the key is the only
log. Get them from somebody you trust, and not together with the proof. With --file
it also says whether a file is the one that the proof is about. The page verifier.html
does the same in a browser.`

func (o *proofOptions) flags(f *flagSet) {
	f.set.StringVar(&o.proof, "proof", "", "`FILE` with the proof of one change to check, - for standard input")
	f.set.StringVar(&o.key, "key", "", "verifier `KEY` of the log that the proof in --proof must be of")
	f.set.StringVar(&o.policy, "policy", "", "`FILE` that says which logs and witnesses must have signed the proof in --proof")
}

// refuse says what is wrong with the flags of a proof beside the others, nil for
// nothing.
func (o verifyOptions) refuseProof() error {
	switch {
	case o.proof != "" && (o.log != "" || o.from != "" || o.details != "" || o.bytes || len(o.heads) > 0 || len(o.receipts) > 0):
		return usagef("--proof is checked by itself: --log, --from, --details, --bytes, --head and --receipt are about a log or a vault")
	case o.proof != "" && o.key == "" && o.policy == "":
		return usagef("--proof needs somebody to trust: give the log's verifier key with --key, or a policy with --policy")
	// What is no verifier key is an API key: the environment of many has one in STRONGROOM_KEY.
	case o.proof == "" && (o.policy != "" || strings.Contains(o.key, "+")):
		return usagef("--key and --policy are about a proof: give it with --proof")
	}
	return nil
}

// verifyProof checks a proof.
func (p *Program) verifyProof(ctx context.Context, o verifyOptions) error {
	trust, err := p.trust(o.proofOptions)
	if err != nil {
		return err
	}
	proof, err := p.readProof(o.proof)
	if err != nil {
		return fmt.Errorf("--proof: %w", err)
	}
	var file *verifier.File
	if o.file != "" {
		found, err := p.lookAt(ctx, o.file)
		if err != nil {
			return fmt.Errorf("--file: %w", err)
		}
		file = &found
	}
	answer, err := verifier.Check(proof, trust, file)
	if err != nil {
		if o.json {
			refusal := struct {
				Proved bool   `json:"proved"`
				Code   string `json:"code"`
				Why    string `json:"why"`
			}{false, verifier.Code(err), err.Error()}
			if err := p.writeJSON(refusal); err != nil {
				return err
			}
		}
		if errors.Is(err, verifier.ErrFile) {
			return err
		}
		return fmt.Errorf("not proved: %w", err)
	}
	if o.json {
		return p.writeJSON(answer)
	}
	for i, sentence := range answer.Sentences() {
		if i == 0 {
			sentence = "Proved: " + sentence
		}
		fmt.Fprintln(p.Stdout, sentence)
	}
	fmt.Fprintln(p.Stdout, "Not proved:")
	for _, sentence := range answer.Limits() {
		if _, err := fmt.Fprintln(p.Stdout, "- "+sentence); err != nil {
			return err
		}
	}
	return nil
}

// trust reads whom the proof is to be signed by. What is wrong there is wrong usage.
func (p *Program) trust(o proofOptions) (verifier.Trust, error) {
	trust := verifier.Trust{Key: o.key, VerifyMLDSA: datadir.VerifyMLDSA}
	if o.key != "" {
		if _, err := audit.PolicyOf(o.key); err != nil {
			return trust, usagef("--key: %v", err)
		}
	}
	if o.policy != "" {
		text, err := p.readInput(o.policy)
		if err != nil {
			return trust, fmt.Errorf("--policy: %w", err)
		}
		trust.Policy = string(text)
		if _, err := audit.ParsePolicy(trust.Policy); err != nil {
			return trust, usagef("--policy %s: %v", o.policy, err)
		}
	}
	if _, err := trust.Rules(); err != nil {
		return trust, usagef("--key, --policy: %v", err)
	}
	return trust, nil
}

// readProof reads a proof, and of a larger file no more than shows that it is none.
func (p *Program) readProof(name string) ([]byte, error) {
	from := p.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	return io.ReadAll(io.LimitReader(from, audit.MaxProof+1))
}

// lookAt hashes a file, of whatever size.
func (p *Program) lookAt(ctx context.Context, name string) (verifier.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return verifier.File{}, err
	}
	defer f.Close()
	counted, sum := &countingReader{from: f}, sha256.New()
	stop := p.showProgress(func() string { return fmt.Sprintf("reading: %d MiB", counted.n.Load()>>20) })
	defer stop()
	for err == nil {
		if err = ctx.Err(); err == nil {
			_, err = io.CopyN(sum, counted, 16<<20)
		}
	}
	if err != io.EOF {
		return verifier.File{}, err
	}
	return verifier.File{Name: filepath.Base(name), Size: counted.n.Load(), Digest: "sha256:" + hex.EncodeToString(sum.Sum(nil))}, nil
}

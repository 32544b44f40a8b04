package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/httpapi/control"
	"strongroom/httpapi/daemon"
	"strongroom/httpapi/datadir"
	"strongroom/httpapi/witness"
)

// witnessFlags are what serve is told of witnesses.
type witnessFlags struct{ forFile, policyFile, caFile string }

const (
	witnessFor    = "`FILE` of the logs that this server is a witness of: lines\n\"log VERIFIER-KEY\" and \"quorum none\" (C2SP tlog-policy)"
	witnessPolicy = "`FILE` of the witnesses that sign the checkpoints of the vaults: lines\n\"witness NAME VERIFIER-KEY URL\" and \"quorum NAME\" (C2SP tlog-policy)"
)

func (f *flagSet) witnesses(o *witnessFlags) {
	f.set.StringVar(&o.forFile, "witness-for", "", witnessFor)
	f.set.StringVar(&o.policyFile, "witness-policy", "", witnessPolicy+";\nthey are asked at start and hourly")
	f.set.StringVar(&o.caFile, "witness-ca", "", "`FILE` of certificates, PEM, to trust for the witnesses instead of the system's")
}

// apply reads the files. Nobody is asked yet.
func (o *witnessFlags) apply(to *daemon.Options) error {
	if o.forFile != "" {
		_, logs, err := readPolicy("--witness-for", o.forFile)
		if err != nil {
			return err
		}
		if len(logs.Logs) == 0 {
			return usagef("--witness-for %s names no log: write a line \"log VERIFIER-KEY\" for each", o.forFile)
		}
		to.WitnessFor = &logs
	}
	if o.policyFile == "" {
		if o.caFile != "" {
			return usagef("--witness-ca is about witnesses: give --witness-policy too")
		}
		return nil
	}
	var cas *x509.CertPool
	if o.caFile != "" {
		b, err := os.ReadFile(o.caFile)
		if err != nil {
			return fmt.Errorf("--witness-ca: %w", err)
		}
		if cas = x509.NewCertPool(); !cas.AppendCertsFromPEM(b) {
			return usagef("--witness-ca %s has no certificate in PEM", o.caFile)
		}
	}
	_, policy, err := readPolicy("--witness-policy", o.policyFile)
	if err != nil {
		return err
	}
	if to.Witnesses, err = witness.NewClient(policy, cas); err != nil {
		return usagef("--witness-policy %s: %v", o.policyFile, err)
	}
	return nil
}

// readPolicy reads the file that a flag names.
func readPolicy(flag, path string) (text string, p audit.Policy, err error) {
	if path == "" {
		return "", p, usagef("%s is missing", flag)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", p, fmt.Errorf("%s: %w", flag, err)
	}
	if p, err = audit.ParsePolicy(string(b)); err != nil {
		return "", p, usagef("%s %s: %v", flag, path, err)
	}
	return string(b), p, nil
}

func (p *Program) witnessRequestCommand() command {
	return command{
		name:     "witness request",
		operands: "FILE",
		summary:  "write what a witness needs to sign the log of a vault, to carry to it",
		about: `Signs the log of a vault as it is now, and writes FILE, which a witness can sign that
is reached by no network: carry it there, have it signed by ` + "`strongroom witness sign`" + `,
and bring it back to ` + "`strongroom witness add`" + `. It is the body of add-checkpoint in C2SP
tlog-witness, so any witness of that family can sign it.

FILE shows that the log grew out of what the witness signed last. That is taken to be
what a witness signed last of this vault; where there are several witnesses, or this
one is new, --old says how many entries it was, 0 for none. A witness says which it is
if it is another.

Works on a vault at rest, or through the control socket of the server that
serves it.`,
		example: `strongroom witness request ./witness.txt`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			old := f.set.Uint("old", math.MaxUint, "`NUMBER` of entries that the witness signed last, 0 for none")
			f.set.Lookup("old").DefValue = ""
			return func(ctx context.Context, operands []string) error {
				if len(operands) != 1 || operands[0] == "" {
					return usagef("witness request takes one FILE, to write")
				}
				size := int64(-1)
				if *old != math.MaxUint {
					if size = int64(*old); size < 0 {
						return usagef("--old %d is more than a log can have", *old)
					}
				}
				var request []byte
				err := withVault(ctx, at, func(o *control.Client) (err error) {
					request, err = o.WitnessRequest(ctx, size)
					return err
				})
				if err != nil {
					return err
				}
				if err := blobstore.WriteFile(operands[0], request); err != nil {
					return err
				}
				c, err := readRequest(request)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(p.Stderr, "%s asks to sign %d entries of %s; carry it to the witness\n", operands[0], c.Size, plain(c.Origin))
				return err
			}
		},
	}
}

// readRequest returns the checkpoint of a request, which nobody has checked.
func readRequest(request []byte) (audit.Checkpoint, error) {
	r, err := audit.ParseAddRequest(request)
	if err != nil {
		return audit.Checkpoint{}, err
	}
	return audit.ReadCheckpoint(r.Checkpoint)
}

func (p *Program) witnessSignCommand() command {
	return command{
		name:     "witness sign",
		operands: "FILE",
		summary:  "sign the log of somebody else, of a file that was carried here",
		about: `Signs, as the witness of this data directory, what ` + "`strongroom witness request`" + ` has
written, or another log of C2SP's family, and adds the signature to FILE. It signs what
a log named by --witness-for has signed, and what grew out of what it signed before, and
nothing else. The witness's verifier key is printed: who believes it puts it into a
policy.

The first time it makes the key of the witness, witness.key in the data directory. What
it has signed last is in the directory witness beside it. Keep both: they are no part of
a vault's backup, and to go on with older ones would be to forget what was signed.

A server that has --witness-for may run at the same time.`,
		example: `strongroom witness sign --witness-for ./logs.txt ./witness.txt`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.data(&at)
			file := f.set.String("witness-for", "", witnessFor)
			return func(_ context.Context, operands []string) error {
				if len(operands) != 1 || operands[0] == "" {
					return usagef("witness sign takes one FILE, to sign")
				}
				_, logs, err := readPolicy("--witness-for", *file)
				if err != nil {
					return err
				}
				return p.witnessSign(at, logs, operands[0])
			}
		},
	}
}

func (p *Program) witnessSign(at datadir.Place, logs audit.Policy, path string) error {
	request, err := readSmallFile(path)
	if err != nil {
		return err
	}
	c, err := readRequest(request)
	if err != nil {
		return usagef("%s is not what `strongroom witness request` writes: %v", path, err)
	}
	if _, err := os.Stat(at.Data); err != nil {
		return fmt.Errorf("the data directory: %w", err)
	}
	w, err := witness.Open(at.Data, logs)
	if err != nil {
		return err
	}
	line, err := w.Sign(request)
	if old, is := errors.AsType[*witness.OldSizeError](err); is {
		if old.Size > c.Size {
			return fmt.Errorf("this witness has signed %d entries of %s, more than the %d of %s: either the file is an old one, or that vault was brought back to an earlier state",
				old.Size, plain(c.Origin), c.Size, path)
		}
		return fmt.Errorf("this witness has signed %d entries of %s, and %s does not grow out of these: make it again with `strongroom witness request --old %d FILE`",
			old.Size, plain(c.Origin), path, old.Size)
	}
	switch {
	case errors.Is(err, audit.ErrUnknownLog):
		return fmt.Errorf("%w; if it is to be witnessed, put its verifier key into the file of --witness-for, as it comes to you from its operator", err)
	case errors.Is(err, audit.ErrProof):
		return fmt.Errorf("%s shows another history than what this witness has signed of %s: keep the file, it is evidence (%w)", path, plain(c.Origin), err)
	case err != nil:
		return err
	}
	r, err := audit.ParseAddRequest(request)
	if err != nil {
		return err
	}
	if r.Checkpoint, err = audit.AddSignatures(r.Checkpoint, line); err != nil {
		return err
	}
	if err := blobstore.WriteFile(path, r.Marshal()); err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, "%d entries of %s are signed; carry %s back\n", c.Size, plain(c.Origin), path)
	_, err = fmt.Fprintln(p.Stdout, w.Verifier())
	return err
}

// readSmallFile reads a file that came from elsewhere.
func readSmallFile(path string) ([]byte, error) {
	f, err := blobstore.OpenRegular(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, audit.MaxNote+audit.MaxLine))
}

func (p *Program) witnessAddCommand() command {
	return command{
		name:     "witness add",
		operands: "FILE",
		summary:  "keep what a witness has signed, of a file that came back",
		about: `Takes the signatures of witnesses out of FILE, which ` + "`strongroom witness request`" + ` wrote
and a witness has signed, checks them by the policy of --witness-policy, and keeps them
beside the vault's log: from then on they are in its proofs. Signatures of witnesses
that the policy does not name are left out.

Who has signed is printed, a line each, with the time at which they say they did; with
--json, as one JSON object.

Works on a vault at rest, or through the control socket of the server that
serves it.`,
		example: `strongroom witness add --witness-policy ./witnesses.txt ./witness.txt`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			file := f.set.String("witness-policy", "", witnessPolicy+";\nhere without URLs too")
			asJSON := f.asJSON()
			return func(ctx context.Context, operands []string) error {
				if len(operands) != 1 || operands[0] == "" {
					return usagef("witness add takes one FILE, which a witness has signed")
				}
				policy, _, err := readPolicy("--witness-policy", *file)
				if err != nil {
					return err
				}
				request, err := readSmallFile(operands[0])
				if err != nil {
					return err
				}
				if _, err := readRequest(request); err != nil {
					return usagef("%s is not what `strongroom witness request` writes: %v", operands[0], err)
				}
				var done control.Witnessed
				err = withVault(ctx, at, func(o *control.Client) (err error) {
					done, err = o.AddWitnessed(ctx, policy, request)
					return err
				})
				if err != nil {
					return err
				}
				return p.tellWitnessed(done, *asJSON)
			}
		},
	}
}

func (p *Program) tellWitnessed(done control.Witnessed, asJSON bool) error {
	if asJSON {
		return p.writeJSON(done)
	}
	for _, w := range done.Witnesses {
		fmt.Fprintf(p.Stdout, "%s %s %s\n", w.At, plain(w.Name), w.Key)
	}
	said := "that is enough for the policy"
	if !done.Enough {
		said = "the policy wants more of them"
	}
	_, err := fmt.Fprintln(p.Stderr, "kept; "+said)
	return err
}

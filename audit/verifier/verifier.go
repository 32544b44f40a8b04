// Package verifier is what a stranger checks a proof with: one page that a browser
// opens from disk, and the same check for programs, in the same words.
//
// Both take the proof of one entry, which package audit specifies, and what is trusted:
// the key of a log, a policy with witnesses, or both. Nothing that is trusted comes out
// of the proof. They give the same answers to every input, which a test holds them to
// in a browser; where the rules change, they change in both.
//
// The page is verifier.html, one file without any other: whoever opens it needs no
// network, and it makes no use of one. Its Content-Security-Policy names the hashes of
// its own script and style; `go test ./audit/verifier -update` writes them anew.
package verifier

import (
	"bytes"
	_ "embed"
	"slices"
)

//go:embed verifier.html
var page []byte

// Page returns the page. The caller may keep it and change it.
func Page() []byte { return slices.Clone(page) }

// FileName is the name that the page has wherever it is put.
const FileName = "verifier.html"

// SecurityPolicy returns the Content-Security-Policy to serve the page with: that in
// the page, and a sandbox, so that it is of no origin and reaches nothing of the
// server that it comes from.
func SecurityPolicy() string {
	const begin = `<meta http-equiv="Content-Security-Policy" content="`
	_, rest, _ := bytes.Cut(page, []byte(begin))
	policy, _, _ := bytes.Cut(rest, []byte(`"`))
	return "sandbox allow-scripts; " + string(policy) + "; frame-ancestors 'none'"
}

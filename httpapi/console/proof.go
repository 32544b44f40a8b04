package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"strongroom/audit"
	"strongroom/engine"
)

// Proofs, checkpoints and reports are asked for by forms: where the last checkpoint
// does not cover what is asked for, the vault signs another, which is an entry.

func proofRoutes() []route {
	return []route{
		{"POST", "/{vault}/audit/proof", view, proveEntry},
		{"GET", "/{vault}/audit/checkpoint", view, printCheckpoint},
		{"POST", "/{vault}/audit/checkpoint", view, signCheckpoint},
		{"GET", "/{vault}/audit/checkpoint/note", view, keepCheckpoint},
		{"POST", "/{vault}/documents/{id}/proof", view, proveVersion},
		{"GET", "/{vault}/documents/{id}/report", view, showReport},
		{"POST", "/{vault}/documents/{id}/report", view, makeReport},
	}
}

// Verifier is the address of the page that checks proofs.
func (s *shell) Verifier() string { return strings.TrimSuffix(s.base, root) + "/v1/verifier.html" }

func proveEntry(v *visit) (answer, error) {
	seq, err := strconv.ParseUint(v.form("seq"), 10, 63)
	if err != nil {
		return answer{}, engine.ErrEntryNotFound
	}
	proof, err := v.vault.ProveEntry(v.ctx(), seq)
	return kept(proof.Proof.Marshal(), fmt.Sprintf("entry-%d.tlog-proof", seq)), err
}

func proveVersion(v *visit) (answer, error) {
	n, err := versionNumber(v.form("n"))
	if err != nil {
		return answer{}, err
	}
	proof, err := v.vault.ProveVersion(v.ctx(), v.id("id"), n)
	return kept(proof.Proof.Marshal(), fmt.Sprintf("%s-%d.tlog-proof", v.id("id"), n)), err
}

// kept is an answer with a small file to keep. Its name is ASCII.
func kept(content []byte, name string) answer {
	return answer{raw: func(w http.ResponseWriter) {
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
		h.Set("Content-Length", strconv.Itoa(len(content)))
		w.Write(content)
	}}
}

// mayProve says whether a proof of an entry is to be offered: not of a document that
// the person may not see.
func (v *visit) mayProve(documentID string) bool {
	if documentID == "" {
		return true
	}
	_, err := v.vault.Document(v.ctx(), documentID)
	return !errors.Is(err, engine.ErrDocumentNotFound)
}

// checkpointSheet is the page of what the log has signed.
type checkpointSheet struct {
	Last      *signedLog // nil: it has signed nothing with the key it has
	Witnessed *signedLog // the largest that witnesses have signed, if that is not the last
}

// signedLog is a checkpoint, read.
type signedLog struct {
	engine.Checkpoint
	Note       string
	Cosignings []cosigning
}

type cosigning struct {
	Name string
	At   When
}

func (v *visit) signedLog(c engine.Checkpoint) (*signedLog, error) {
	is := &signedLog{Checkpoint: c, Note: string(c.Note)}
	by, err := audit.ReadCosignatures(c.Note) // the vault has checked them
	for _, one := range by {
		is.Cosignings = append(is.Cosignings, cosigning{one.Name, v.When(one.Time)})
	}
	return is, err
}

func (v *visit) checkpointSheet() (body checkpointSheet, err error) {
	last, err := v.vault.LastCheckpoint(v.ctx())
	if errors.Is(err, engine.ErrNoCheckpoint) {
		return body, nil
	} else if err != nil {
		return body, err
	}
	if body.Last, err = v.signedLog(last); err != nil || len(body.Last.Cosignings) > 0 {
		return body, err
	}
	witnessed, err := v.vault.Witnessed(v.ctx())
	if errors.Is(err, engine.ErrNoCheckpoint) {
		return body, nil
	} else if err != nil {
		return body, err
	}
	body.Witnessed, err = v.signedLog(witnessed)
	return body, err
}

func printCheckpoint(v *visit) (answer, error) {
	body, err := v.checkpointSheet()
	return page("checkpoint", "What the log has signed", body), err
}

func signCheckpoint(v *visit) (answer, error) {
	before, err := v.vault.LastCheckpoint(v.ctx())
	if err != nil && !errors.Is(err, engine.ErrNoCheckpoint) {
		return answer{}, err
	}
	signed, err := v.vault.Checkpoint(v.ctx())
	if err != nil {
		return answer{}, err
	}
	to := v.Path("audit", "checkpoint")
	if signed.Checkpoint == before.Checkpoint {
		return see(to, "Nothing has changed since the last checkpoint, so it stands."), nil
	}
	return see(to, "The log has signed its first %s.", countedAs(int(signed.Size), "entry", "entries")), nil
}

func countedAs(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + more
}

// keepCheckpoint answers the checkpoint that the page shows as the file it is.
func keepCheckpoint(v *visit) (answer, error) {
	body, err := v.checkpointSheet()
	if err == nil && body.Last == nil {
		err = engine.ErrNoCheckpoint
	}
	if err != nil {
		return answer{}, err
	}
	is := body.Last
	if v.r.URL.Query().Get("witnessed") != "" && body.Witnessed != nil {
		is = body.Witnessed
	}
	return kept(is.Checkpoint.Note, fmt.Sprintf("%s-%d.checkpoint", v.vault.Name(), is.Size)), nil
}

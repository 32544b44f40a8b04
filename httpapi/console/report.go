package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi"
)

// shownEvents is how many entries the page of a report has; the signed report has all.
const shownEvents = 500

// reportPage is the integrity report of a document, as people read it.
type reportPage struct {
	ID, Name   string
	Missing    bool // nothing that the vault has signed covers the document as it is now
	VaultID    string
	MadeAt     When
	Received   event
	Deleted    *event // nil: it is there
	Right      string // by which it was deleted, in words
	Versions   []reportVersion
	Holds      []reportHold
	Protected  bool
	Until      When // of its protection
	Events     []event
	MoreEvents int
	Signed     *signedLog
	Key        string
}

type reportVersion struct {
	writtenVersion
	Made, Read When
	By         string
}

type reportHold struct {
	writtenHold
	Placed, Released event
}

// What is read of the report, as it is written.
type (
	writtenReport struct {
		MadeAt   string
		Vault    struct{ ID string }
		Document struct {
			Name, ReceivedAt, ReceivedBy, DeletedAt, DeletedBy string
			Right                                              engine.Right
		}
		Versions   []writtenVersion
		Holds      []writtenHold
		Protection struct {
			Protect engine.Protect
			Until   string
		}
		Events []struct {
			Seq         uint64
			Time, Actor string
			Op          audit.Op
		}
		Checkpoint struct{ VKey string }
	}
	writtenVersion struct {
		Number, Size, Seq                          uint64
		Digest, MediaType, FileName, Hash, Chain   string
		Current, Discarded                         bool
		CreatedAt, CreatedBy, Bytes, ReadAt, Proof string
	}
	writtenHold struct {
		ID, PlacedAt, PlacedBy, ReleasedAt, ReleasedBy string
		PlacedSeq, ReleasedSeq                         uint64
	}
)

// showReport changes nothing: where the vault would have to sign first, the page says
// so and has a button for it.
func showReport(v *visit) (answer, error) {
	id := v.id("id")
	_, last, err := v.history(id)
	if err != nil {
		return answer{}, err
	}
	signed, err := v.vault.LastCheckpoint(v.ctx())
	if err != nil && !errors.Is(err, engine.ErrNoCheckpoint) {
		return answer{}, err
	}
	if err != nil || last.Seq > uint64(signed.Size) {
		return page("report", "Integrity report", reportPage{ID: id, Name: v.documentName(id), Missing: true}), nil
	}
	made, err := v.vault.IntegrityReport(v.ctx(), id)
	if err != nil {
		return answer{}, err
	}
	body, err := v.readReport(id, made)
	return page("report", "Integrity report", body), err
}

// makeReport has the vault sign where that is needed, and leads to the page of the
// report, or answers the report as it is signed.
func makeReport(v *visit) (answer, error) {
	made, err := v.vault.IntegrityReport(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	if v.form("what") != "signed" {
		return answer{to: v.Path("documents", v.id("id"), "report")}, nil
	}
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false) // what is signed stays as it is, byte for byte
	err = to.Encode(httpapi.IntegrityReport{Report: made.JSON, Digest: "sha256:" + made.Digest.String(), Signature: string(made.Signature)})
	return kept(text.Bytes(), v.id("id")+"-integrity-report.json"), err
}

func (v *visit) readReport(id string, made engine.IntegrityReport) (body reportPage, err error) {
	var r writtenReport
	if err := json.Unmarshal(made.JSON, &r); err != nil {
		return body, fmt.Errorf("the integrity report: %w", err)
	}
	names := naming{visit: v}
	body = reportPage{ID: id, Name: r.Document.Name, VaultID: r.Vault.ID, MadeAt: v.written(r.MadeAt), Key: r.Checkpoint.VKey,
		Received:  names.event(0, "", r.Document.ReceivedBy, r.Document.ReceivedAt),
		Protected: r.Protection.Protect != "" && r.Protection.Protect != engine.ProtectNone, Until: v.written(r.Protection.Until)}
	if r.Document.DeletedAt != "" {
		deleted := names.event(0, "", r.Document.DeletedBy, r.Document.DeletedAt)
		body.Deleted, body.Right = &deleted, rightWords(r.Document.Right)
	}
	for _, ver := range r.Versions {
		made := names.event(0, "", ver.CreatedBy, ver.CreatedAt)
		body.Versions = append(body.Versions, reportVersion{ver, made.At, v.written(ver.ReadAt), made.Who})
	}
	for _, h := range r.Holds {
		body.Holds = append(body.Holds, reportHold{h, names.event(h.PlacedSeq, "", h.PlacedBy, h.PlacedAt), names.event(h.ReleasedSeq, "", h.ReleasedBy, h.ReleasedAt)})
	}
	body.MoreEvents = max(0, len(r.Events)-shownEvents)
	for _, e := range r.Events[body.MoreEvents:] {
		body.Events = append(body.Events, names.event(e.Seq, e.Op, e.Actor, e.Time))
	}
	if names.err != nil {
		return body, names.err
	}
	body.Signed, err = v.signedLog(made.Checkpoint)
	return body, err
}

// naming gives people their names, until that fails.
type naming struct {
	*visit
	err error
}

func (n *naming) event(seq uint64, op audit.Op, actor, at string) event {
	who, err := n.name(actor)
	if n.err == nil {
		n.err = err
	}
	e := event{Seq: seq, Op: string(op), Who: who, At: n.written(at)}
	if op != "" {
		e.What = opWords(op)
	}
	return e
}

// written is a time as reports and entries spell it; of none the zero When.
func (v *visit) written(at string) When {
	t, err := audit.ParseTime(at)
	if err != nil {
		return When{}
	}
	return v.When(t)
}

// rightWords says by what right a document was deleted.
func rightWords(right engine.Right) string {
	return map[engine.Right]string{engine.RightManual: "by hand", engine.RightRetention: "by a retention policy", engine.RightErasure: "by an erasure"}[right]
}

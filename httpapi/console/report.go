package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi"
)

// shownEvents is how many entries, and times of protection, the page of a report has; the signed report has all.
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
	Spans      []reportSpan
	MoreSpans  int
	Complete   bool // all that protected it is in them
	Decisions  []reportDecision
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

// reportSpan is a time in which one thing stood between the document and its deletion.
type reportSpan struct {
	writtenSpan
	Name         string // of the policy, for whoever reads policies, while there is one
	Over         When   // the end of its period
	Begun, Ended When
	Early, Spent bool              // the period was over before the policy ceased, and before it began, to be for it
	Fields       map[string]string // see policyShown
}

// reportDecision is one that was carried out.
type reportDecision struct {
	event
	Right, Policy, Run string
	Name               string // of the policy, likewise
	Bypass             bool
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
			Protect  engine.Protect
			Until    string
			OverTime []writtenSpan
			Complete bool
		}
		Decisions []writtenDecision
		Events    []struct {
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
	writtenSpan struct {
		By, Hold, Policy, Until, From, To string
		Period                            engine.Period
		StartFrom                         engine.Start
		StartAt                           engine.StartAt
		FromSeq, ToSeq                    uint64
	}
	writtenDecision struct {
		Seq                      uint64
		Time, Actor, Policy, Run string
		Op                       audit.Op
		Right                    engine.Right
		Bypass                   bool
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
	if err := body.protect(&names, &r); err != nil {
		return body, err
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

// protect takes over what has protected the document, and what was decided on it.
func (b *reportPage) protect(names *naming, r *writtenReport) error {
	dates, err := names.dateFields()
	if err != nil {
		return err
	}
	fields := labels(dates)
	b.Complete = r.Protection.Complete
	b.MoreSpans = max(0, len(r.Protection.OverTime)-shownEvents)
	for _, s := range r.Protection.OverTime[b.MoreSpans:] {
		s.StartAt = cmp.Or(s.StartAt, engine.StartAtDay) // earlier entries do not tell it
		b.Spans = append(b.Spans, reportSpan{
			writtenSpan: s, Name: names.policy(s.Policy), Fields: fields,
			Over: names.written(s.Until), Begun: names.written(s.From), Ended: names.written(s.To),
			// In this spelling times are in order.
			Early: s.Until != "" && s.Until < cmp.Or(s.To, r.MadeAt), Spent: s.Until != "" && s.Until < s.From,
		})
	}
	for _, d := range r.Decisions {
		b.Decisions = append(b.Decisions, reportDecision{names.event(d.Seq, d.Op, d.Actor, d.Time), rightWords(d.Right), d.Policy, d.Run, names.policy(d.Policy), d.Bypass})
	}
	return names.err
}

// policy is the name of a policy, for whoever reads policies; "" if there is none any more.
func (n *naming) policy(policyID string) string {
	if policyID == "" || n.err != nil || n.actor.Access.Permits(engine.AccessAuditor) != nil {
		return ""
	}
	p, err := n.vault.Policy(n.ctx(), policyID)
	if err != nil && !errors.Is(err, engine.ErrPolicyNotFound) {
		n.err = err
	}
	return p.Name
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

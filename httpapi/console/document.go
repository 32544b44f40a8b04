package console

import (
	"errors"
	"net/url"
	"path"
	"strings"

	"strongroom/audit"
	"strongroom/engine"
)

// sheet is the page of a document.
type sheet struct {
	engine.Document
	Badges      []badge
	Folders     []option // that it lies in, from the outermost: the address of each
	Owner       string
	Made        event
	Updated     event
	Fields      []fieldRow
	Fate        fate
	Holds       []holdRow
	Lock        *lockRow
	Mine        bool // the lock is of this session's key
	Draft       *drafted
	Obligations []obligationRow
	MoreDuties  bool
	Versions    []versionRow
	Older       string // the address of more versions
	History     []event
	Receipt     receipt
	People      people
	Tags        string
	Categories  kinds
	Preview     string // picture, text or ""
	Paged       bool   // its pages can be shown as pictures
	PreviewText string
	PreviewCut  bool   // there is more of it
	Unread      bool   // it is not shown because each reading is an entry of the log
	NoText      string // why there is none
}

// event is something that happened: what, by whom, when.
type event struct {
	Seq  uint64
	Op   string
	What string
	Who  string
	At   When
}

type fieldRow struct {
	engine.Field
	Value string // as a form has it
	Shown string // as people read it
}

type holdRow struct {
	engine.Hold
	By string
	At When
}

type versionRow struct {
	engine.Version
	By string
	At When
}

// fate is what will become of the document, in sentences.
type fate struct {
	Sentence  string
	Kind      string // of the colour: held, due or ""
	Protected string
	Policies  []policyRow
}

type policyRow struct {
	Name, Action, Says, Why string
	Wins                    bool
	Due                     When
}

// receipt is the last entry about the document.
type receipt struct {
	Seq  uint64
	Hash string
}

func showDocument(v *visit) (answer, error) {
	d, err := v.vault.Document(v.ctx(), v.id("id"))
	if errors.Is(err, engine.ErrDocumentDeleted) || err == nil && d.Status == engine.StatusDeleted {
		return v.showTombstone()
	} else if err != nil {
		return answer{}, err
	}
	body, err := v.sheet(d)
	if err != nil {
		return answer{}, err
	}
	return page("document", d.Name, body), nil
}

func (v *visit) sheet(d engine.Document) (*sheet, error) {
	s := &sheet{Document: d, Badges: v.badges(&d), Tags: strings.Join(d.Tags, ", ")}
	for _, read := range []func(*sheet) error{
		v.readNames, v.readPreview, v.readFields, v.readFate, v.readLock, v.readVersions, v.readObligations, v.readHistory,
	} {
		if err := read(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (v *visit) readNames(s *sheet) (err error) {
	if s.Owner, err = v.name(s.OwnerID); err != nil {
		return err
	}
	made, err := v.name(s.CreatedBy)
	if err != nil {
		return err
	}
	updated, err := v.name(s.UpdatedBy)
	s.Made, s.Updated = event{Who: made, At: v.When(s.CreatedAt)}, event{Who: updated, At: v.When(s.UpdatedAt)}
	if err != nil {
		return err
	}
	folder := ""
	for part := range strings.SplitSeq(s.Path, "/") {
		if part != "" {
			folder = path.Join(folder, part)
			s.Folders = append(s.Folders, option{v.Path("documents") + "?" + url.Values{"path": {folder}}.Encode(), part})
		}
	}
	if s.Categories, err = v.kinds(); err != nil {
		return err
	}
	s.People, err = v.people(false)
	return err
}

func (v *visit) readFields(s *sheet) error {
	fields, err := v.vault.Fields(v.ctx(), engine.Paging{Limit: 500})
	for _, f := range fields.Items {
		s.Fields = append(s.Fields, fieldRow{f, fieldText(s.CustomFields[f.Key]), v.shownValue(f, s.CustomFields[f.Key])})
	}
	return err
}

// readFate reads what admins and auditors may know: the rules, and why a document is held.
func (v *visit) readFate(s *sheet) error {
	if !v.Reads() {
		return nil
	}
	d, err := v.vault.Disposition(v.ctx(), v.actor, s.ID)
	if err != nil {
		return err
	}
	s.Fate = fate{Sentence: d.Next}
	switch {
	case len(d.Holds) > 0:
		s.Fate.Kind = "held"
	case !d.Archive.EligibleAt.IsZero() || !d.Delete.EligibleAt.IsZero():
		s.Fate.Kind = "due"
	}
	switch {
	case d.Protected == "" || d.Protected == engine.ProtectNone:
	case d.ProtectedUntil.IsZero():
		s.Fate.Protected = "It is protected from deletion, and nobody can say yet until when."
	default:
		s.Fate.Protected = "It is protected from deletion until " + v.When(d.ProtectedUntil).Day + "."
	}
	for _, p := range d.Policies {
		s.Fate.Policies = append(s.Fate.Policies, policyRow{Name: p.Name, Action: string(p.Action), Says: p.Says, Why: p.Why, Wins: p.Wins, Due: v.When(p.DueAt)})
	}
	for _, h := range d.Holds {
		by, err := v.name(h.PlacedBy)
		if err != nil {
			return err
		}
		s.Holds = append(s.Holds, holdRow{h, by, v.When(h.PlacedAt)})
	}
	return nil
}

func (v *visit) readVersions(s *sheet) error {
	versions, err := v.vault.Versions(v.ctx(), s.ID, engine.Paging{Limit: 20, Cursor: v.r.URL.Query().Get("versions")})
	if err != nil {
		return err
	}
	for _, ver := range versions.Items {
		by, err := v.name(ver.CreatedBy)
		if err != nil {
			return err
		}
		s.Versions = append(s.Versions, versionRow{ver, by, v.When(ver.CreatedAt)})
	}
	if versions.NextCursor != "" {
		s.Older = v.Path("documents", s.ID) + "?" + url.Values{"versions": {versions.NextCursor}}.Encode() + "#versions"
	}
	return nil
}

func (v *visit) readObligations(s *sheet) error {
	var err error
	s.Obligations, s.MoreDuties, err = v.duties(engine.ObligationQuery{DocumentID: s.ID}, 20)
	return err
}

// shownHistory is how many entries the page of a document tells.
const shownHistory = 12

func (v *visit) readHistory(s *sheet) (err error) {
	s.History, s.Receipt, err = v.history(s.ID)
	return err
}

// history is the last entries about a document, the last first, and the receipt of the
// last one.
func (v *visit) history(documentID string) (events []event, last receipt, err error) {
	found, _, err := v.newest(engine.EntryQuery{DocumentID: documentID}, 0)
	if err != nil || len(found) == 0 {
		return nil, last, err
	}
	last = receipt{found[0].Seq, found[0].Hash.String()}
	for i := range found[:min(len(found), shownHistory)] {
		e, err := v.event(&found[i])
		if err != nil {
			return nil, last, err
		}
		events = append(events, e)
	}
	return events, last, nil
}

func (v *visit) event(e *engine.Entry) (event, error) {
	who, err := v.name(e.Actor)
	return event{Seq: e.Seq, Op: string(e.Op), What: opWords(e.Op), Who: who, At: v.When(e.Time)}, err
}

// opWords says what an entry records: "Hold placed".
func opWords(op audit.Op) string {
	noun, verb, _ := strings.Cut(string(op), ".")
	words := noun + " " + strings.ReplaceAll(verb, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// deed runs something that changes a document, and goes back to its page.
func (v *visit) deed(err error, format string, args ...any) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return see(v.Path("documents", v.id("id")), format, args...), nil
}

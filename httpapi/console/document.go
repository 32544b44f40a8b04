package console

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

// sheet is the page of a document.
type sheet struct {
	engine.Document
	Badges      []badge
	Owner       string
	Made        event
	Updated     event
	Fields      []fieldRow
	Fate        fate
	Holds       []holdRow
	Lock        *lockRow
	Mine        bool // the lock is of this session's key
	Draft       bool // with changes that wait for it to be released
	Obligations []obligationRow
	MoreDuties  bool
	Versions    []versionRow
	MoreVersion bool
	History     []event
	Receipt     receipt
	Users       []engine.User
	Tags        string
	Categories  []string
	Preview     string // picture, text or ""
	PreviewText string
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
	Value string
}

type holdRow struct {
	engine.Hold
	By string
	At When
}

type lockRow struct {
	By, App string
	Until   When
	Sketch  bool
	Minutes int
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
	Name, Action, Why string
	Wins              bool
	Due               When
}

// receipt is the last entry about the document.
type receipt struct {
	Seq  uint64
	Hash string
}

// tombstone is the page of a deleted document.
type tombstone struct {
	engine.Certificate
	By, How string
	At      When
	Hash    string
}

func showDocument(v *visit) (answer, error) {
	d, err := v.vault.Document(v.ctx(), v.id("id"))
	if errors.Is(err, engine.ErrDocumentDeleted) {
		return v.showTombstone()
	} else if err != nil {
		return answer{}, err
	}
	if d.Status == engine.StatusDeleted {
		return v.showTombstone()
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
	s.Categories, err = v.categories()
	if err != nil {
		return err
	}
	people, err := v.vault.Users(v.ctx(), engine.Paging{Limit: 500})
	s.Users = people.Items
	return err
}

// maxPreview is how much of a text a page shows.
const maxPreview = 64 << 10

// readPreview shows what a page can show: pictures by their address, and the
// beginning of a text. Where reading is an entry of the log, a text is shown by
// its download alone.
func (v *visit) readPreview(s *sheet) error {
	kind, _, _ := strings.Cut(s.Current.MediaType, ";")
	switch {
	case strings.HasPrefix(kind, "image/") && kind != "image/svg+xml":
		s.Preview = "picture"
	case strings.HasPrefix(kind, "text/") || kind == "application/json":
		settings, err := v.vault.Settings(v.ctx())
		if err != nil || settings.AuditReads {
			return err
		}
		_, content, _, err := v.vault.OpenContent(v.ctx(), v.actor, s.ID, s.Current.Number)
		if err != nil {
			return nil // damaged bytes: the download says so, and all else can be read
		}
		defer content.Close()
		b, err := io.ReadAll(io.LimitReader(content, maxPreview))
		if err != nil {
			return nil
		}
		s.Preview, s.PreviewText = "text", strings.ToValidUTF8(string(b), "")
	}
	return nil
}

func (v *visit) readFields(s *sheet) error {
	fields, err := v.vault.Fields(v.ctx(), engine.Paging{Limit: 500})
	for _, f := range fields.Items {
		value := ""
		switch is := s.CustomFields[f.Key].(type) {
		case string:
			value = is
		case json.Number:
			value = is.String()
		case bool:
			value = strconv.FormatBool(is)
		}
		s.Fields = append(s.Fields, fieldRow{f, value})
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
		s.Fate.Policies = append(s.Fate.Policies, policyRow{Name: p.Name, Action: string(p.Action), Why: p.Why, Wins: p.Wins, Due: v.When(p.DueAt)})
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

func (v *visit) readLock(s *sheet) error {
	if s.Document.Lock == nil {
		return nil
	}
	l, err := v.vault.Lock(v.ctx(), v.actor, s.ID)
	if errors.Is(err, engine.ErrNotLocked) { // it ended just now
		s.Document.Lock = nil
		return nil
	} else if err != nil {
		return err
	}
	s.Mine = l.Token != ""
	s.Draft = s.Mine && l.UseScratchPad
	s.Lock = &lockRow{By: l.User.Name, App: l.LockedByApp, Until: v.When(l.Until), Sketch: l.UseScratchPad, Minutes: int(l.Duration / time.Minute)}
	return nil
}

func (v *visit) readVersions(s *sheet) error {
	versions, err := v.vault.Versions(v.ctx(), s.ID, engine.Paging{Limit: 20})
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
	s.MoreVersion = versions.NextCursor != ""
	return nil
}

func (v *visit) readObligations(s *sheet) error {
	var err error
	s.Obligations, s.MoreDuties, err = v.duties(engine.ObligationQuery{DocumentID: s.ID}, 20)
	return err
}

// readHistory reads the last entries about the document, the last first.
func (v *visit) readHistory(s *sheet) error {
	after := uint64(0)
	var all []engine.Entry
	for { // a document's entries are chained, so this reads nothing else
		found, err := v.vault.Entries(v.ctx(), engine.EntryQuery{DocumentID: s.ID, After: after, Limit: 500})
		if err != nil {
			return err
		}
		if all = append(all, found.Items...); len(all) > 12 {
			all = all[len(all)-12:]
		}
		if found.NextAfter == 0 || len(found.Items) == 0 || after > 10_000 {
			break
		}
		after = found.NextAfter
	}
	for i := len(all) - 1; i >= 0; i-- {
		e, err := v.event(&all[i])
		if err != nil {
			return err
		}
		s.History = append(s.History, e)
		if i == len(all)-1 {
			s.Receipt = receipt{all[i].Seq, all[i].Hash.String()}
		}
	}
	return nil
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

func (v *visit) showTombstone() (answer, error) {
	c, err := v.vault.Certificate(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	by, err := v.name(c.DeletedBy)
	how := map[engine.Right]string{engine.RightManual: "by hand", engine.RightRetention: "by a retention policy", engine.RightErasure: "by an erasure"}[c.Right]
	return answer{page: "deleted", title: "A deleted document", status: 410, body: tombstone{Certificate: c, By: by, How: how, At: v.When(c.DeletedAt), Hash: c.AuditHash.String()}}, err
}

// deed runs something that changes a document, and goes back to its page.
func (v *visit) deed(err error, format string, args ...any) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return see(v.Path("documents", v.id("id")), format, args...), nil
}

// holding is the condition of somebody who may hold the lock of the document: the
// token is the session's key's, so it is asked for, not kept.
func (v *visit) holding() engine.Condition {
	cond := v.revision()
	if l, err := v.vault.Lock(v.ctx(), v.actor, v.id("id")); err == nil {
		cond.LockToken = l.Token
	}
	return cond
}

// editing is the page of what can be changed of a document.
type editing struct {
	*sheet
	Typed map[string]string // what was typed, after somebody else's change or before signing in
	Moved bool              // somebody else changed it meanwhile
	Wrong []engine.FieldError
}

func editDocument(v *visit) (answer, error) { return v.editPage(editing{}, nil, 0) }

func (v *visit) editPage(e editing, typed url.Values, status int) (answer, error) {
	d, err := v.vault.Document(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	if e.sheet, err = v.sheet(d); err != nil {
		return answer{}, err
	}
	if typed != nil {
		e.Typed = map[string]string{}
		for name := range typed {
			e.Typed[name] = typed.Get(name)
		}
	}
	return answer{page: "edit", title: "Edit " + d.Name, body: e, status: status}, nil
}

// Show is what a field of the form has in it: what was typed, else what is there.
func (e editing) Show(name, is string) string {
	if e.Typed == nil {
		return is
	}
	return e.Typed[name]
}

func saveDocument(v *visit) (answer, error) {
	text := func(name string) *string { s := v.form(name); return &s }
	tags := splitTags([]string{v.form("tags")})
	p := engine.DocumentPatch{Name: text("name"), Category: text("category"), Description: text("description"), OwnerID: text("ownerId"), Tags: &tags}
	var err error
	p.CustomFields, err = v.customFields(func(key string) (string, bool) {
		_, ok := v.r.PostForm["field."+key]
		return v.form("field." + key), ok
	}, true)
	if err == nil {
		_, _, err = v.vault.UpdateDocument(v.ctx(), v.actor, v.id("id"), v.holding(), p)
	}
	if errors.Is(err, engine.ErrPrecondition) {
		return v.editPage(editing{Moved: true}, v.r.PostForm, 409)
	}
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return v.editPage(editing{Wrong: invalid.Fields}, v.r.PostForm, 400)
	}
	return v.deed(err, "Saved.")
}

var numberPattern = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

func jsonNumber(s string) json.Number { return json.Number(s) }

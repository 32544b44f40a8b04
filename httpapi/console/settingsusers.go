package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"strongroom/engine"
)

// usersPage is the list of users, and the form of another one.
type usersPage struct {
	draft
	Items []engine.User
	Next  string
}

// Levels are what somebody may do, in words.
func (draft) Levels() []option {
	return []option{{"view", "view: read documents"}, {"upload", "upload: read, and add and change documents"}, {"auditor", "auditor: read everything that admins read, and change nothing"}, {"admin", "admin: everything"}}
}

// userPage is one of them, and what is theirs.
type userPage struct {
	draft
	engine.User
	Link      draft // the form of whom the provider knows them as
	Issuer    string
	Made      When
	Seen      When // at the provider
	Documents string
	Open      string // obligations
	Owns      bool
	Keys      []engine.Key
	People    people // who could take over
	You       bool
}

func listUsers(v *visit) (answer, error) { return v.usersPage(v.draft(), 0) }

func (v *visit) usersPage(d draft, status int) (answer, error) {
	found, err := v.vault.Users(v.ctx(), engine.Paging{Limit: 100, Cursor: v.r.URL.Query().Get("cursor")})
	body := usersPage{draft: d, Items: found.Items}
	if found.NextCursor != "" {
		body.Next = v.With("cursor", found.NextCursor)
	}
	return answer{page: "users", title: "Users", body: body, status: status}, err
}

// access reads a level from a form. What it does not know may do nothing, which the
// engine refuses.
func (v *visit) access(name string) (a engine.Access) {
	if a.UnmarshalText([]byte(v.form(name))) != nil {
		return engine.AccessNone
	}
	return a
}

func addUser(v *visit) (answer, error) {
	u, _, err := v.vault.CreateUser(v.ctx(), v.actor, engine.NewUser{Name: v.form("name"), Email: v.form("email"), Access: v.access("access"), CannotLockEnvelopes: v.form("lock") == ""})
	if err == nil {
		return see(v.Path("settings", "keys")+"?user="+u.ID, "%s is a user now. To come in, they need an API key: make it here.", u.Name), nil
	}
	if d, status := v.again(err); status != 0 {
		return v.usersPage(d, status)
	}
	return answer{}, err
}

func showUser(v *visit) (answer, error) {
	d, link := v.draft(), draft{}
	if v.unsent != nil && v.unsent.path == v.Path("settings", "users", v.id("id"), "identity") {
		d, link = link, d
	}
	return v.userPage(d, link, 0)
}

// maxOwned is how much one form hands over, and how far a page counts.
const maxOwned = 10_000

func (v *visit) userPage(d, link draft, status int) (answer, error) {
	u, err := v.vault.User(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	body := userPage{draft: d, User: u, Link: link, Made: v.When(u.CreatedAt), Seen: v.When(u.SeenAt), You: u.ID == v.user.ID}
	if body.Issuer, err = v.issuer(u); err != nil {
		return answer{}, err
	}
	n, more, err := v.countDocuments(engine.DocumentQuery{OwnerID: u.ID, Status: engine.StatusAll}, maxOwned)
	if err != nil {
		return answer{}, err
	}
	open, err := v.openObligations(u.ID)
	if err != nil {
		return answer{}, err
	}
	body.Documents, body.Open, body.Owns = atLeast(n, more), counted(len(open), "open obligation"), n+len(open) > 0
	keys, err := v.vault.Keys(v.ctx(), engine.Paging{Limit: 500})
	if err != nil {
		return answer{}, err
	}
	for _, k := range keys.Items {
		if k.UserID == u.ID && k.RevokedAt.IsZero() {
			body.Keys = append(body.Keys, k)
		}
	}
	body.People, err = v.others(u.ID)
	return answer{page: "user", title: u.Name, body: body, status: status}, err
}

// issuer is what a form offers as the provider of a user's identity: the one that is
// there, else the one by which others are known, of those who stand first.
func (v *visit) issuer(u engine.User) (string, error) {
	if u.Identity.Issuer != "" {
		return u.Identity.Issuer, nil
	}
	found, err := v.vault.Users(v.ctx(), engine.Paging{Limit: 500})
	for _, other := range found.Items {
		if other.Identity.Issuer != "" {
			return other.Identity.Issuer, nil
		}
	}
	return "", err
}

func linkUser(v *visit) (answer, error) {
	who := engine.Identity{Issuer: v.form("issuer"), Subject: v.form("subject")}
	if who == (engine.Identity{}) { // it would unlink them, which has a form of its own
		return v.linkAgain(wrongField("identity", "needs an issuer and a subject"))
	}
	u, _, err := v.vault.UpdateUser(v.ctx(), v.actor, v.id("id"), v.revision(), engine.UserPatch{Identity: &who})
	if err != nil {
		return v.linkAgain(err)
	}
	return see(v.Path("settings", "users", u.ID), "%s is linked: whoever has that account comes in as them.", u.Name), nil
}

func unlinkUser(v *visit) (answer, error) {
	u, _, err := v.vault.UpdateUser(v.ctx(), v.actor, v.id("id"), v.revision(), engine.UserPatch{Identity: &engine.Identity{}})
	if err != nil {
		return v.linkAgain(err)
	}
	return see(v.Path("settings", "users", u.ID), "%s is not linked any more.", u.Name), nil
}

func (v *visit) linkAgain(err error) (answer, error) {
	d, status := v.again(err)
	if status == 0 {
		return answer{}, err
	}
	if exists, is := errors.AsType[*engine.ExistsError](err); is {
		name, err := v.name(exists.ID)
		if err != nil {
			return answer{}, err
		}
		d.Refused = "That account is linked to " + name + " already. Unlink it there first, if it is not theirs."
	}
	return v.userPage(draft{}, d, status)
}

// others are the active users but one.
func (v *visit) others(but string) (people, error) {
	p, err := v.people(false)
	p.List = slices.DeleteFunc(p.List, func(u engine.User) bool { return u.ID == but })
	return p, err
}

func changeUser(v *visit) (answer, error) {
	name, email, access, lock, status := v.form("name"), v.form("email"), v.access("access"), v.form("lock") != "", engine.UserStatus(v.form("status"))
	u, _, err := v.vault.UpdateUser(v.ctx(), v.actor, v.id("id"), v.revision(), engine.UserPatch{Name: &name, Email: &email, Access: &access, CanLockEnvelopes: &lock, Status: &status})
	if err == nil {
		said := u.Name + " is changed."
		if u.Status == engine.UserClosed {
			said = u.Name + " is closed: all keys of theirs have stopped."
		}
		return see(v.Path("settings", "users", u.ID), "%s", said), nil
	}
	if d, status := v.again(err); status != 0 {
		return v.userPage(d, draft{}, status)
	}
	return answer{}, err
}

// handover is what becomes of all that somebody leaves behind.
type handover struct {
	From, To    engine.User
	Close       bool
	Done        bool // or it only would
	Documents   int
	Obligations int
	Rest        bool // there is more than one form hands over
	Failed      []outcomeRow
}

func foreseeHandover(v *visit) (answer, error) { return v.handover(true) }

func handOver(v *visit) (answer, error) { return v.handover(false) }

// handover gives the documents and open obligations of one user to another, and
// closes the one. Each is a change of its own, so what fails is told, and handing
// over again takes up what is left.
func (v *visit) handover(dryRun bool) (answer, error) {
	h := handover{Close: v.form("close") != "", Done: !dryRun}
	var err error
	if h.From, err = v.vault.User(v.ctx(), v.id("id")); err != nil {
		return answer{}, err
	}
	to, err := v.person("to", v.form("to"))
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return v.userPage(draft{Wrong: invalid.Fields}, draft{}, http.StatusBadRequest)
	} else if err != nil {
		return answer{}, err
	}
	h.To, err = v.vault.User(v.ctx(), to)
	if to == "" || errors.Is(err, engine.ErrUserNotFound) || err == nil && (h.To.ID == h.From.ID || h.To.Status != engine.UserActive) {
		return v.userPage(draft{Typed: nil, Wrong: []engine.FieldError{{Field: "to", Message: "choose somebody else who is active"}}}, draft{}, http.StatusBadRequest)
	} else if err != nil {
		return answer{}, err
	}
	if err := v.handOverDocuments(&h, dryRun); err != nil {
		return answer{}, err
	}
	if err := v.handOverObligations(&h, dryRun); err != nil {
		return answer{}, err
	}
	if closed := engine.UserClosed; h.Close && !dryRun && h.From.Status != closed {
		h.From, _, err = v.vault.UpdateUser(v.ctx(), v.actor, h.From.ID, engine.Condition{}, engine.UserPatch{Status: &closed})
		if words := v.whyNot(err); words != "" {
			h.Failed, err = append(h.Failed, outcomeRow{Name: h.From.Name, What: words}), nil
		}
	}
	title := "What would be handed over"
	if h.Done {
		title = "What was handed over"
	}
	return answer{page: "handover", title: title, body: h, next: v.Path("settings", "users", h.From.ID)}, err
}

func (v *visit) handOverDocuments(h *handover, dryRun bool) error {
	q := engine.DocumentQuery{OwnerID: h.From.ID, Status: engine.StatusAll, Paging: engine.Paging{Limit: 500}}
	for looked := 0; ; {
		found, err := v.vault.Documents(v.ctx(), q)
		if err != nil {
			return err
		}
		var changes []engine.DocumentChange
		names := map[string]string{}
		for _, d := range found.Items {
			if names[d.ID] = d.Name; d.Status != engine.StatusDeleted {
				changes = append(changes, engine.DocumentChange{DocumentID: d.ID, Patch: engine.DocumentPatch{OwnerID: &h.To.ID}})
			}
		}
		outcomes, err := v.vault.UpdateDocuments(v.ctx(), v.actor, changes, dryRun)
		if err != nil {
			return err
		}
		for _, o := range outcomes {
			if o.Err == nil {
				h.Documents++
				continue
			}
			words := v.whyNot(o.Err)
			if words == "" {
				return o.Err
			}
			h.Failed = append(h.Failed, outcomeRow{ID: o.DocumentID, Name: names[o.DocumentID], What: words})
		}
		if q.Cursor, looked = found.NextCursor, looked+len(changes); q.Cursor == "" {
			return nil
		}
		if looked >= maxOwned {
			h.Rest = true
			return nil
		}
	}
}

func (v *visit) handOverObligations(h *handover, dryRun bool) error {
	open, err := v.openObligations(h.From.ID)
	if err != nil {
		return err
	}
	for _, o := range open {
		if !dryRun {
			_, _, err = v.vault.UpdateObligation(v.ctx(), v.actor, o.ID, engine.Condition{}, engine.ObligationPatch{OwnerID: &h.To.ID})
		}
		words := v.whyNot(err)
		switch {
		case err == nil:
			h.Obligations++
		case words == "":
			return err
		default:
			h.Failed = append(h.Failed, outcomeRow{ID: o.DocumentID, Name: o.Title, What: words})
		}
	}
	return nil
}

// openObligations are those of a user that are still to be met.
func (v *visit) openObligations(ownerID string) (open []engine.Obligation, err error) {
	q := engine.ObligationQuery{OwnerID: ownerID, Paging: engine.Paging{Limit: 500}}
	for {
		found, err := v.vault.Obligations(v.ctx(), q)
		if err != nil {
			return nil, err
		}
		for _, o := range found.Items {
			if o.Status != engine.ObligationCompleted {
				open = append(open, o)
			}
		}
		if q.Cursor = found.NextCursor; q.Cursor == "" || len(open) >= maxOwned {
			return open, nil
		}
	}
}

// whyNot are the words for an error that a person is told; "" for none, and for
// one that is the server's.
func (v *visit) whyNot(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimSpace(refusalWords(err))
}

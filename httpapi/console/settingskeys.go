package console

import (
	"net/http"
	"strconv"
	"time"

	"strongroom/engine"
)

// keysPage is the list of API keys, and the form of another one.
type keysPage struct {
	draft
	Items  []keyRow
	Next   string
	People people
	User   string // whom the form is for
}

// keyRow is a key as a list shows it.
type keyRow struct {
	engine.Key
	Owner               string
	State               badge
	Made, Used, Expires When
}

// keyPage is one of them.
type keyPage struct {
	draft
	keyRow
	Works bool
	Yours bool // this session was opened with it
}

// shownOnce is the page of a secret. There is no other, and it cannot be loaded again.
type shownOnce struct {
	What   string // "API key"
	Name   string
	ID     string // which goes with it, and is no secret; "": none
	Secret string
	Use    string // what it is for
	Back   string
}

func (v *visit) keyRow(k engine.Key) (keyRow, error) {
	owner, err := v.name(k.UserID)
	row := keyRow{Key: k, Owner: owner, Made: v.When(k.CreatedAt), Used: v.When(k.LastUsedAt), Expires: v.When(k.ExpiresAt)}
	switch now := time.Now(); {
	case !k.RevokedAt.IsZero():
		row.State = badge{"idle", "gone", "Revoked", v.When(k.RevokedAt).Title}
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		row.State = badge{"idle", "clock", "Expired", row.Expires.Title}
	default:
		row.State = badge{"active", "check", "Works", ""}
	}
	return row, err
}

func listKeys(v *visit) (answer, error) { return v.keysPage(v.draft(), 0) }

func (v *visit) keysPage(d draft, status int) (answer, error) {
	q := v.r.URL.Query()
	found, err := v.vault.Keys(v.ctx(), engine.Paging{Limit: 100, Cursor: q.Get("cursor")})
	if err != nil {
		return answer{}, err
	}
	body := keysPage{draft: d, User: q.Get("user")}
	for _, k := range found.Items {
		row, err := v.keyRow(k)
		if err != nil {
			return answer{}, err
		}
		body.Items = append(body.Items, row)
	}
	if found.NextCursor != "" {
		body.Next = v.With("cursor", found.NextCursor)
	}
	body.People, err = v.others("")
	return answer{page: "keys", title: "API keys", body: body, status: status}, err
}

func addKey(v *visit) (answer, error) {
	n := engine.NewKey{Name: v.form("name"), Access: v.access("access")}
	var err, dayErr error
	n.UserID, err = v.person("userId", v.form("userId"))
	if day := v.form("expires"); day != "" {
		if n.ExpiresAt, dayErr = time.ParseInLocation(time.DateOnly, day, v.zone); dayErr != nil {
			dayErr = &engine.InvalidError{Fields: []engine.FieldError{{Field: "expires", Message: "must be a day, like 2027-12-31"}}}
		}
		n.ExpiresAt = n.ExpiresAt.AddDate(0, 0, 1) // it works until the end of that day
	}
	if err = joinedInvalid(err, dayErr); err == nil {
		var k engine.Key
		var secret engine.Secret
		if k, secret, _, err = v.vault.CreateKey(v.ctx(), v.actor, n); err == nil {
			return v.keySecret(k, secret), nil
		}
	}
	if d, status := v.again(err); status != 0 {
		return v.keysPage(d, status)
	}
	return answer{}, err
}

// keySecret is the answer to a form that made a key. The form sent twice leads to
// the key's page, where it can be rotated by whoever missed this one.
func (v *visit) keySecret(k engine.Key, secret engine.Secret) answer {
	return answer{page: "secret", title: "The new API key", next: v.Path("settings", "keys", k.ID), body: shownOnce{
		What: "API key", Name: k.Name, Secret: secret.Reveal(), Back: v.Path("settings", "keys"),
		Use: "Programs send it as Authorization: Bearer, and people sign in to the console with it.",
	}}
}

func showKey(v *visit) (answer, error) { return v.keyPage(v.draft(), 0) }

func (v *visit) keyPage(d draft, status int) (answer, error) {
	k, err := v.vault.Key(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	row, err := v.keyRow(k)
	return answer{page: "key", title: "API key " + k.Name, status: status, body: keyPage{draft: d, keyRow: row, Works: row.State.Kind == "active", Yours: k.ID == v.actor.KeyID}}, err
}

func rotateKey(v *visit) (answer, error) {
	hours, err := strconv.Atoi(v.form("overlap"))
	if err != nil || hours < 0 || hours > 24*30 {
		return v.keyPage(draft{Typed: v.r.PostForm, Wrong: []engine.FieldError{{Field: "overlap", Message: "must be hours, 720 at most"}}}, http.StatusBadRequest)
	}
	k, secret, _, err := v.vault.RotateKey(v.ctx(), v.actor, v.id("id"), time.Duration(hours)*time.Hour)
	if err == nil {
		return v.keySecret(k, secret), nil
	}
	if d, status := v.again(err); status != 0 {
		return v.keyPage(d, status)
	}
	return answer{}, err
}

func revokeKey(v *visit) (answer, error) {
	k, _, err := v.vault.RevokeKey(v.ctx(), v.actor, v.id("id"))
	if err == nil {
		return see(v.Path("settings", "keys"), "The key %s is revoked, and works no more.", k.Name), nil
	}
	if d, status := v.again(err); status != 0 {
		return v.keyPage(d, status)
	}
	return answer{}, err
}

package browser

import (
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/httpapi/console"
)

// TestAFileThatFailsKeepsNoOtherAndIsTriedAgain has one that is too large, a connection
// that is lost, and a session that ends.
func TestAFileThatFailsKeepsNoOtherAndIsTriedAgain(t *testing.T) {
	h := openHouse(t, vault(t), console.Options{MaxUpload: 100})
	actor, token := h.Person("Ulla Uploader", engine.AccessUpload)
	ulla := h.tab(t, true).signIn(token)
	ulla.open("upload")
	large := written(t, "large.txt", strings.Repeat("x", 101))
	ulla.files("Choose files", large, written(t, "a.txt", "one"), written(t, "left.txt", "not this one"))
	ulla.click("Leave it out")
	ulla.until("two files", "document.querySelectorAll('[data-files] li').length === 2")
	ulla.files("Choose files", large)
	ulla.click("Upload")
	ulla.until("the end", "document.querySelector('[data-said]').textContent.startsWith('Not all were kept: 1 of 3')")
	ulla.says("The file is too large", "kept", "Try again")
	if n := len(h.all(t)); n != 2 {
		t.Errorf("%d documents", n)
	}

	ulla.open("upload")
	ulla.files("Choose files", written(t, "b.txt", "two"), written(t, "c.txt", "three"))
	h.cut.Store(true)
	ulla.click("Upload")
	ulla.until("the loss", "document.body.innerText.includes('The connection was lost')")
	ulla.says("waits") // the other one
	h.cut.Store(false)
	ulla.click("Try again")
	ulla.until("both", "document.querySelector('[data-said]').textContent === 'All are kept.'")
	if n := len(h.all(t)); n != 4 {
		t.Errorf("%d documents", n)
	}

	ulla.open("upload")
	ulla.files("Choose files", written(t, "d.txt", "four"))
	other := h.another(t, actor.UserID)
	if _, _, err := h.RevokeKey(t.Context(), h.Admin, actor.KeyID); err != nil {
		t.Fatal(err)
	}
	ulla.click("Upload")
	ulla.until("the end of the session", "document.body.innerText.includes('Your session has ended')")
	here := ulla.path()
	beside := ulla.beside()
	beside.signIn(other)
	if at := ulla.path(); at != here {
		t.Fatalf("the page went to %s", at)
	}
	ulla.click("Try again")
	ulla.until("the last", "document.querySelector('[data-said]').textContent === 'All are kept.'")
	if n := len(h.all(t)); n != 5 {
		t.Errorf("%d documents", n)
	}
}

// another is another key of a user.
func (h *house) another(t *testing.T, userID string) string {
	t.Helper()
	_, secret, _, err := h.CreateKey(t.Context(), engine.Operator(), engine.NewKey{Name: "another", UserID: userID})
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal()
}

// TestEachFileHasFieldsOfItsOwn with a script, and without one.
func TestEachFileHasFieldsOfItsOwn(t *testing.T) {
	h := newHouse(t)
	h.Define(engine.TextField, "supplier")
	is := func(name, want string) {
		t.Helper()
		for _, d := range h.all(t) {
			if d.Name == name {
				if is := d.Category + " " + strings.Join(d.Tags, ","); is != want {
					t.Errorf("%s is %s, want %s", name, is, want)
				}
				return
			}
		}
		t.Errorf("there is no %s", name)
	}
	_, token := h.Person("Ulla Uploader", engine.AccessUpload)
	ulla := h.tab(t, true).signIn(token)
	ulla.open("upload")
	ulla.choose("Category", "contract")
	ulla.fill("Tags", "north")
	ulla.files("Choose files", written(t, "a.txt", "one"), written(t, "b.txt", "two"))
	ulla.click("Fields of its own…")
	ulla.fill("Name", "Alpha")
	get[any](ulla, "void [...document.querySelectorAll('[data-own] select')].forEach(s => { if (s.name === '1.category') s.value = 'report'; })")
	ulla.fill("Tags, beside those for all", "signed")
	ulla.click("Upload")
	ulla.until("both", "document.querySelector('[data-said]').textContent === 'All are kept.'")
	is("Alpha", "report north,signed")
	is("b.txt", "contract north")

	plain := h.tab(t, false).signIn(token)
	plain.open("upload")
	plain.fill("Tags", "south")
	plain.files("Choose files", written(t, "c.txt", "three"))
	plain.click("A file with fields of its own…")
	plain.files("The file", written(t, "d.txt", "four"))
	plain.fill("Name", "Delta")
	plain.follow("Upload")
	plain.says("c.txt", "Delta", "kept")
	is("Delta", "other south")
	is("c.txt", "other south")
}

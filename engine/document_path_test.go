package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// The folder and the name of a document, and the one spelling of what is compared.

func names(t *testing.T, k *enginetest.Kit, q engine.DocumentQuery) (found []string) {
	t.Helper()
	for {
		page, err := k.Documents(t.Context(), q)
		must(t, err)
		for _, d := range page.Items {
			found = append(found, d.Name)
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return found
		}
	}
}

func TestAFolderAndAllBelow(t *testing.T) {
	k := enginetest.New(t)
	for name, path := range map[string]string{
		"a": "2024", "b": "2024/contracts", "c": "2024/contracts/acme", "d": "2024/contracts-x", "e": "2024/Contracts", "f": "", "g": "x/2024/contracts",
		"h": " 2024/u\u0308ber ",
	} {
		k.CreateFrom(engine.NewDocument{Name: name, Path: path}, name)
	}
	for path, want := range map[string]string{
		"": "abcdefgh", "2024": "abcdeh", "2024/contracts": "bc", "2024/contracts/acme": "c", "2024/contracts-x": "d", "contracts": "", "2024/con": "", "x": "g",
		"2024/über": "h", "2024/u\u0308ber": "h",
	} {
		for _, order := range []engine.Sort{"createdAt", "-name", "updatedAt"} {
			found := names(t, k, engine.DocumentQuery{Path: path, Sort: order, Paging: engine.Paging{Limit: 2}})
			slices.Sort(found)
			if got := strings.Join(found, ""); got != want {
				t.Errorf("%q by %s: %s, want %s", path, order, got, want)
			}
		}
	}
	for _, path := range []string{"/", "/a", "a/", "a//b", ".", "a/../b", "./a", `a\b`, "a\x00", "a\nb", "a/\u200b/b", "a\u202eb", "\xff", strings.Repeat("x", 501), strings.Repeat("x/", 100) + "x"} {
		_, err := k.Documents(t.Context(), engine.DocumentQuery{Path: path})
		wantField(t, err, "path")
		u := k.Upload("text")
		_, _, err = k.CreateDocument(t.Context(), k.Admin, engine.NewDocument{Name: "n", Path: path}, u)
		wantField(t, err, "path")
		u.Discard()
	}
}

// A path is changed, reverted, saved from a scratchpad and found again like any
// other member.
func TestAPathIsMetadata(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	d := k.CreateFrom(engine.NewDocument{Name: "n", Path: "a/b"}, "text")
	move := func(path string, c engine.Condition) engine.Document {
		t.Helper()
		got, _, err := k.UpdateDocument(ctx, k.Admin, d.ID, c, engine.DocumentPatch{Path: &path})
		must(t, err)
		return got
	}
	if got := move("a/c", engine.Condition{}); got.Path != "a/c" || got.Revision != 2 {
		t.Errorf("%+v", got)
	}
	if e, err := k.Entry(ctx, k.Head().Seq); err != nil || string(e.Detail) != `{"path":{"old":"a/b","new":"a/c"}}` {
		t.Errorf("%s, %v", e.Detail, err)
	}
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{})
	move("z", with(l.Token))
	_, _, err := k.ReleaseLock(ctx, k.Admin, d.ID, with(l.Token), false)
	must(t, err)
	l = lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	if got := move("saved", with(l.Token)); got.Path != "saved" || stored(t, k, d.ID).Path != "a/c" {
		t.Errorf("%+v", got)
	}
	k.Reopen()
	_, _, err = k.ReleaseLock(ctx, k.Admin, d.ID, with(l.Token), true)
	must(t, err)
	if found := names(t, k, engine.DocumentQuery{Path: "saved"}); len(found) != 1 {
		t.Errorf("%v", found)
	}
	move("", engine.Condition{})
	if found := names(t, k, engine.DocumentQuery{Path: "saved"}); len(found) != 0 {
		t.Errorf("%v", found)
	}
}

// The name prefix finds the same in every order, for few matches and for many.
func TestHowANameBegins(t *testing.T) {
	if testing.Short() {
		t.Skip("five thousand documents")
	}
	k := enginetest.New(t)
	random := rand.New(rand.NewPCG(7, 7))
	words := []string{"Über", "u\u0308ber", "uber", "Lease", "lease ", "LEASE B", "Leas", "", "x"}
	var all []string
	u := k.Upload("text")
	defer u.Discard()
	must(t, k.Fill(t.Context(), k.Admin, 5_000, u, func(i int) engine.NewDocument {
		name := fmt.Sprint(words[random.IntN(len(words))], random.IntN(50))
		all = append(all, norm.NFC.String(strings.TrimSpace(name)))
		n := engine.NewDocument{Name: name, Version: engine.NewVersion{FileName: "a.txt"}}
		must(t, n.Check())
		return n
	}))
	for _, prefix := range []string{"über", "ÜBER", "u\u0308BER4", "lease", "Lease ", "lease b1", "x49", "1", "none", "\u0308"} {
		var want []string
		for _, name := range all {
			if strings.HasPrefix(strings.ToLower(name), strings.ToLower(norm.NFC.String(prefix))) {
				want = append(want, name)
			}
		}
		slices.Sort(want)
		for _, order := range []engine.Sort{"", "createdAt", "name", "-name", "updatedAt"} {
			got := names(t, k, engine.DocumentQuery{Name: prefix, Sort: order, Paging: engine.Paging{Limit: 500}})
			if by := strings.TrimPrefix(string(order), "-"); by == "name" && !slices.IsSortedFunc(got, func(a, b string) int {
				c := strings.Compare(strings.ToLower(a), strings.ToLower(b))
				if order == "-name" {
					c = -c
				}
				return c
			}) {
				t.Errorf("%q by %s is not in order", prefix, order)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%q by %q: %d, want %d", prefix, order, len(got), len(want))
			}
		}
	}
}

// A deleted document keeps its name in lists until it is erased; its certificate has
// none, nor has what an erasure left.
func TestADeletedDocumentKeepsItsName(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		d, other := k.Create("Dismissal of Ana", "text"), k.Create("other", "x")
		must(t, deleteOne(k, d.ID, engine.Condition{}))
		must(t, deleteOne(k, other.ID, engine.Condition{}))
		k.Reopen()
		k.Check()
		deleted := engine.DocumentQuery{Status: engine.StatusDeleted, Sort: "name"}
		if got := names(t, k, deleted); !slices.Equal(got, []string{"Dismissal of Ana", "other"}) {
			t.Errorf("%q", got)
		}
		deleted.Name = "dismissal"
		if got := names(t, k, deleted); len(got) != 1 {
			t.Errorf("%q", got)
		}
		e := erase(t, k, d.ID)
		sweep(k)
		if readErasure(t, k, e.ID).Status != engine.ErasureCompleted {
			sweep(k)
		}
		k.Check()
		deleted.Name = ""
		if got := names(t, k, deleted); !slices.Equal(got, []string{"", "other"}) {
			t.Errorf("erased: %q", got)
		}
		if files := left(t, k.Dir, "Dismissal"); len(files) > 0 {
			t.Errorf("it is still in %v", files)
		}
		if _, err := k.Certificate(ctx, d.ID); err != nil {
			t.Error(err)
		}
	})
}

// Tags, addresses, external ids and values are the same in every normal form.
func TestOneSpelling(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	k.Define(engine.TextField, "place")
	const composed, apart = "Kölner Straße", "Ko\u0308lner Straße"
	d := k.CreateFrom(engine.NewDocument{Name: apart, ExternalID: apart, Tags: []string{apart, composed, "at:" + apart}, CustomFields: map[string]any{"place": apart}}, "text")
	if d.Name != composed || d.ExternalID != composed || len(d.Tags) != 2 || d.CustomFields["place"] != composed {
		t.Errorf("%+v", d)
	}
	for _, form := range []string{composed, apart} {
		for _, q := range []engine.DocumentQuery{
			{ExternalID: form}, {Tags: []string{form, "at:" + form}}, {Fields: []engine.FieldFilter{{Key: "place", Value: form}}}, {Name: form},
		} {
			if found := names(t, k, q); len(found) != 1 {
				t.Errorf("%+v finds %v", q, found)
			}
		}
		u := k.Upload("text")
		if _, _, err := k.CreateDocument(ctx, k.Admin, engine.NewDocument{Name: "n", ExternalID: form}, u); !errors.Is(err, engine.ErrExists) {
			t.Errorf("a second %q: %v", form, err)
		}
		u.Discard()
		out, err := k.UpdateDocuments(ctx, k.Admin, []engine.DocumentChange{{ExternalID: form, Patch: engine.DocumentPatch{AddTags: []string{form}}}}, false)
		if err != nil || out[0].Err != nil || out[0].Changed {
			t.Errorf("%+v, %v", out, err)
		}
	}
	ana, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "Jo", Email: "JO\u0308@example.org", Access: engine.AccessView})
	must(t, err)
	if ana.Email != "JÖ@example.org" {
		t.Errorf("%q", ana.Email)
	}
	for _, email := range []string{"jö@example.org", "jo\u0308@example.org", " JÖ@EXAMPLE.org "} {
		if _, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "Jo", Email: email, Access: engine.AccessView}); !errors.Is(err, engine.ErrExists) {
			t.Errorf("%q: %v", email, err)
		}
		if u, _, err := k.EnsureUser(ctx, k.Admin, engine.NewUser{Name: "Jo", Email: email, Access: engine.AccessView}); err != nil || u.ID != ana.ID {
			t.Errorf("%q: %+v, %v", email, u, err)
		}
	}
	// A vault of before is found by NFC once it is migrated.
	keys, _, err := k.Update(ctx, k.Admin, func(t *engine.Tx) (string, audit.Event, error) {
		return strings.Join(t.Rekeyed(norm.NFD.String), "|"), engine.MarkEvent(), nil
	})
	if err != nil || norm.NFC.String(keys) != keys {
		t.Errorf("%q, %v", keys, err)
	}
}

// What turns the direction of text, or shows nothing, is no name and no reason.
func TestNamesThatDeceive(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	d := k.Create("n", "text")
	for _, text := range []string{"a\u202egpj.exe", "\u2066a", "a\u2069", "\u202a", "\u200b\u2060\ufeff", "\u3164", "\u00ad \u034f", "a\u2028b"} {
		for field, try := range map[string]func() error{
			"name": func() error { _, err := rename(k, k.Admin, d.ID, text, engine.Condition{}); return err },
			"reason": func() error {
				if strings.Contains(text, "\u2028") {
					return engine.ErrInvalid // prose has lines
				}
				_, _, err := k.PlaceHold(ctx, k.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: text})
				return err
			},
			"email": func() error {
				_, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "n", Email: text + "@example.org", Access: engine.AccessView})
				return err
			},
			"tag": func() error {
				_, _, err := k.UpdateDocument(ctx, k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{AddTags: []string{text}})
				return err
			},
		} {
			if err := try(); !errors.Is(err, engine.ErrInvalid) {
				t.Errorf("%s %+q: %v", field, text, err)
			}
		}
	}
	_, err := rename(k, k.Admin, d.ID, "a\u202eb", engine.Condition{})
	if err == nil || !strings.Contains(err.Error(), "name: must not contain U+202E") {
		t.Error(err)
	}
	for _, name := range []string{"שלום\u200f!", "\u200eabc", "क्\u200dष", "می\u200cخواهم", "👩\u200d👩\u200d👧", "\u0600"} {
		if got, err := rename(k, k.Admin, d.ID, name, engine.Condition{}); err != nil || got.Name != name {
			t.Errorf("%+q: %+q, %v", name, got.Name, err)
		}
	}
}

func folders(t *testing.T, v *engine.Vault, q engine.FolderQuery) (found []string) {
	t.Helper()
	for {
		page, err := v.Folders(t.Context(), q)
		must(t, err)
		for _, f := range page.Items {
			found = append(found, fmt.Sprintf("%s=%d", f.Path, f.Documents))
			if !strings.HasSuffix("/"+f.Path, "/"+f.Name) || f.More {
				t.Errorf("%+v", f)
			}
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return found
		}
	}
}

// Folders are counted with all that lies below them, by whole segments, and those
// whose documents nobody may see are not there.
func TestFoldersBelowOne(t *testing.T) {
	k := enginetest.New(t)
	ids := map[string]string{}
	for _, path := range []string{"2024", "2024/a", "2024/a/b", "2024/a/b", "2024/a b/c", "2024/a-x", "2024/a0", "2024/\u00fc", "x/y/z", "hidden/deep", ""} {
		d := k.CreateFrom(engine.NewDocument{Name: "n", Path: path}, path+"text")
		ids[path] = d.ID
	}
	viewer := k.As(engine.Actor{UserID: k.Admin.UserID, Access: engine.AccessView})
	for _, c := range []struct {
		q    engine.FolderQuery
		want string
	}{
		{engine.FolderQuery{}, "2024=8 hidden=1 x=1"},
		{engine.FolderQuery{Path: "2024"}, "2024/a=3 2024/a b=1 2024/a-x=1 2024/a0=1 2024/\u00fc=1"},
		{engine.FolderQuery{Path: "2024/a"}, "2024/a/b=2"},
		{engine.FolderQuery{Path: "2024/a/b"}, ""},
		{engine.FolderQuery{Path: "2"}, ""},
		{engine.FolderQuery{Status: engine.StatusArchived}, ""},
	} {
		for limit := 1; limit <= 4; limit++ {
			c.q.Limit = limit
			if got := strings.Join(folders(t, viewer, c.q), " "); got != c.want {
				t.Errorf("%+v: %s, want %s", c.q, got, c.want)
			}
		}
	}
	for _, q := range []engine.FolderQuery{{Path: "/a"}, {Path: "a/../b"}} {
		_, err := k.Folders(t.Context(), q)
		wantField(t, err, "path")
	}
	_, _, err := k.RestrictDocument(t.Context(), k.Admin, ids["hidden/deep"], engine.Condition{}, "disputed")
	must(t, err)
	_, _, err = k.ArchiveDocument(t.Context(), k.Admin, ids["x/y/z"], engine.Condition{})
	must(t, err)
	for _, c := range []struct {
		v    *engine.Vault
		q    engine.FolderQuery
		want string
	}{
		{viewer, engine.FolderQuery{}, "2024=8"},
		{viewer, engine.FolderQuery{Path: "hidden"}, ""},
		{viewer, engine.FolderQuery{Status: engine.StatusAll}, "2024=8 x=1"},
		{viewer, engine.FolderQuery{Status: engine.StatusArchived}, "x=1"},
		{k.Vault, engine.FolderQuery{}, "2024=8 hidden=1"},
	} {
		if got := strings.Join(folders(t, c.v, c.q), " "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.q, got, c.want)
		}
	}
	page, err := viewer.Folders(t.Context(), engine.FolderQuery{Paging: engine.Paging{Limit: 1}})
	if must(t, err); page.NextCursor != "" {
		t.Error("a page tells that there is more, of which nothing may be seen")
	}
}

package audit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestVerifyFindsNothingInASoundLog(t *testing.T) {
	l := fullLog()
	at := func(n int) Head {
		var h Head
		for _, line := range l.lines[:n] {
			h, _ = h.Follow(line)
		}
		return h
	}
	o := VerifyOptions{
		Heads:    []Head{l.head, at(1), at(4), at(4)},
		Receipts: []Receipt{{7, at(7).Hash}, {1, at(1).Hash}},
		File:     l.doc[testDoc][1].digest,
	}
	for name, log := range map[string]io.Reader{
		"whole":    bytes.NewReader(l.log()),
		"by bytes": iotest.OneByteReader(bytes.NewReader(l.log())),
	} {
		o.Details = iotest.HalfReader(bytes.NewReader(l.rows()))
		r, err := Verify(t.Context(), log, o)
		if err != nil || len(r.Findings) > 0 || r.Head != l.head || r.Entries != l.head.Seq || r.Versions != 4 {
			t.Errorf("%s: Verify reports %+v, %v", name, r, err)
		}
		want := []Match{
			{4, testStart.Add(3 * 1001 * time.Millisecond), OpDocumentVersionAdded, testDoc, 2},
			{8, testStart.Add(7 * 1001 * time.Millisecond), OpDocumentDownloaded, testDoc, 2},
		}
		if !slices.Equal(r.Matches, want) {
			t.Errorf("%s: the file matches %+v, want %+v", name, r.Matches, want)
		}
	}
}

func TestVerifyHeadsAndReceipts(t *testing.T) {
	l := fullLog()
	fourth := HashLine(l.lines[3])
	otherVault := l.head
	otherVault.Vault = "01JD6QGZ3MZ4Y8T6V1E9B7K2RX"
	otherVaultBeyond := otherVault
	otherVaultBeyond.Seq++
	otherTime := l.head
	otherTime.Time = testStart
	beyond := l.head
	beyond.Seq++
	cut := bytes.Join(l.lines[:4], nil)
	broken := append(slices.Clone(cut), "{}\n"...)
	for name, c := range map[string]struct {
		log  []byte
		o    VerifyOptions
		want string
	}{
		"tail cut":              {cut, VerifyOptions{Heads: []Head{l.head}}, "10 cut_tail"},
		"receipt beyond":        {cut, VerifyOptions{Receipts: []Receipt{{5, fourth}}}, "5 cut_tail"},
		"one beyond":            {l.log(), VerifyOptions{Heads: []Head{beyond}}, "11 cut_tail"},
		"rewritten":             {l.log(), VerifyOptions{Heads: []Head{{testVault, 5, fourth, testStart}}}, "5 head"},
		"another time":          {l.log(), VerifyOptions{Heads: []Head{otherTime}}, "10 head"},
		"another vault":         {l.log(), VerifyOptions{Heads: []Head{otherVault, l.head}}, "10 other_vault"},
		"another vault, beyond": {l.log(), VerifyOptions{Heads: []Head{otherVaultBeyond}}, "11 other_vault"},
		"another receipt":       {l.log(), VerifyOptions{Receipts: []Receipt{{4, fourth}, {5, fourth}}}, "5 receipt"},
		"behind a broken line":  {broken, VerifyOptions{Heads: []Head{l.head}, Receipts: []Receipt{{4, fourth}, {5, fourth}}}, "5 line, 5 unreached, 10 unreached"},
		"no newline":            {l.log()[:len(l.log())-1], VerifyOptions{}, "10 truncated"},
		"a line that is cut":    {append(slices.Clone(cut), l.lines[4][:100]...), VerifyOptions{}, "5 truncated"},
		"an endless line":       {append(slices.Clone(cut), bytes.Repeat([]byte("x"), MaxLine+1)...), VerifyOptions{}, "5 line"},
		"empty":                 {nil, VerifyOptions{Heads: []Head{l.head}}, "0 empty, 10 cut_tail"},
	} {
		if got := codes(verify(t, c.log, c.o)); got != c.want {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
	r := verify(t, broken, VerifyOptions{})
	if r.Entries != 4 || r.Head.Hash != fourth || !strings.Contains(r.Findings[0].Message, "line 5") {
		t.Errorf("after a broken line the report is %+v", r)
	}
}

func TestVerifyDetails(t *testing.T) {
	l := fullLog()
	row := func(i int) string { return string(l.details[i]) }
	all := string(l.rows())
	for name, c := range map[string]struct{ rows, want string }{
		"all":              {all, ""},
		"one missing":      {row(0) + row(2) + row(3), "2 detail_missing"},
		"none":             {"", "1 detail_missing, 2 detail_missing, 3 detail_missing, 6 detail_missing"},
		"one changed":      {strings.Replace(all, "Zo", "Jo", 1), "2 detail_mismatch"},
		"a salt changed":   {strings.Replace(all, `"1011`, `"1111`, 1), "1 detail_mismatch"},
		"of no detail":     {row(0) + row(1) + row(2) + strings.Replace(row(2), `"seq":3`, `"seq":4`, 1) + row(3), "4 detail_unknown"},
		"one twice":        {row(0) + row(1) + row(1) + row(2) + row(3), "2 detail_unknown"},
		"out of order":     {row(1) + row(0) + row(2) + row(3), "1 detail_unknown, 1 detail_missing"},
		"beyond the end":   {all + strings.Replace(row(3), `"seq":6`, `"seq":16`, 1) + strings.Replace(row(3), `"seq":6`, `"seq":17`, 1), "11 detail_unknown"},
		"unreadable":       {row(0) + "{}\n" + row(2) + row(3), "2 detail_row"},
		"unreadable later": {row(0) + row(2) + "{}\n", "2 detail_missing, 4 detail_row"},
		"no newline":       {strings.TrimSuffix(all, "\n"), "4 detail_row"},
		"an empty line":    {all + "\n", "7 detail_row"},
	} {
		if got := codes(verify(t, l.log(), VerifyOptions{Details: strings.NewReader(c.rows)})); got != c.want {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
}

func TestOnlyALaterErasureExcusesAMissingDetail(t *testing.T) {
	const id = "01JD6R0V5XJ8M2H4Q7Z9C3E6TC"
	erased := func(document string, facts Facts) Event {
		facts["erasure"] = Text("E1")
		return Event{Op: OpErasureCompleted, Document: document, Facts: facts}
	}
	l := workedExample() // details: 1 of the vault, 2 of the user, 3 of the document
	l.add("system", "", erased(testDoc, Facts{}))
	l.version(id, "x", `{"name":"later"}`)
	l.version(testDoc, "after the erasure", `{"comment":"later"}`)
	if got, want := codes(verify(t, l.log(), VerifyOptions{Details: strings.NewReader("")})),
		"1 detail_missing, 2 detail_missing, 6 detail_missing, 7 detail_missing"; got != want {
		t.Errorf("after the document's erasure: found %q, want %q", got, want)
	}
	l.add("system", "", erased("", Facts{"user": Text(testUser)}))
	if got, want := codes(verify(t, l.log(), VerifyOptions{Details: strings.NewReader("")})),
		"1 detail_missing, 6 detail_missing, 7 detail_missing"; got != want {
		t.Errorf("after the user's erasure: found %q, want %q", got, want)
	}
}

// A hold's detail tells nothing of the document, and a request to erase is the
// proof that it was rightly done: no erasure excuses that they are missing.
func TestSomeDetailsOutliveAnErasure(t *testing.T) {
	l := workedExample()
	l.add(testUser, testKey, Event{Op: OpHoldPlaced, Document: testDoc, Facts: Facts{"hold": Text("H1")}, Detail: []byte(`{"reason":"a claim"}`)})
	l.add(testUser, testKey, Event{Op: OpErasureRequested, Facts: Facts{"documents": Number(0), "erasure": Text("E1"), "subjects": Text(strings.Repeat("0a", 32)), "user": Text(testUser)}, Detail: []byte(`{"requester":"case 1"}`)})
	l.add("system", "", Event{Op: OpErasureCompleted, Document: testDoc, Facts: Facts{"erasure": Text("E1")}})
	l.add("system", "", Event{Op: OpErasureCompleted, Facts: Facts{"erasure": Text("E1"), "user": Text(testUser)}})
	if got, want := codes(verify(t, l.log(), VerifyOptions{Details: strings.NewReader("")})),
		"1 detail_missing, 5 detail_missing, 6 detail_missing"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}

// The chain of such logs is sound: only the versions tell.
func TestVerifyVersions(t *testing.T) {
	change := func(e Event, name string, v Value) Event {
		f := Facts{}
		for k, v := range e.Facts {
			f[k] = v
		}
		f[name] = v
		e.Facts = f
		return e
	}
	l := fullLog()
	entry := func(i int) Event {
		e, err := ParseEntry(l.lines[i])
		if err != nil {
			t.Fatal(err)
		}
		return Event{Op: e.Op, Document: e.Document, Version: e.Version, Facts: e.Facts}
	}
	first, second, deletion := entry(4), entry(6), entry(8)
	renumbered := deletion
	renumbered.Version = 1
	restoring := change(second, "restored", Number(2))
	// The log before the second document is four entries; the fifth creates
	// it, the seventh adds a version, the ninth deletes it.
	for name, c := range map[string]struct {
		events []Event
		want   string
	}{
		"as they were":          {[]Event{first, settings(), second, settings(), deletion}, ""},
		"another digest":        {[]Event{change(first, "digest", Text(l.doc[testDoc][0].digest))}, "5 version"},
		"another size":          {[]Event{change(first, "size", Number(1))}, "5 version"},
		"another media type":    {[]Event{change(first, "mediaType", Text("text/html"))}, "5 version"},
		"another chain":         {[]Event{change(first, "chain", Text(Hash{1}.String()))}, "5 version"},
		"another time":          {[]Event{first, second}, "6 version"},
		"no version 1":          {[]Event{second}, "5 version"},
		"created twice":         {[]Event{first, first}, "6 version"},
		"restored from later":   {[]Event{first, settings(), restoring}, "7 version"},
		"deleted with another":  {[]Event{first, settings(), second, settings(), change(deletion, "chain", Text(Hash{1}.String()))}, "9 version"},
		"another certificate":   {[]Event{first, settings(), second, settings(), change(deletion, "certificate", Text(Hash{1}.String()))}, "9 version"},
		"another count":         {[]Event{first, settings(), second, settings(), change(deletion, "versions", Number(1))}, "9 version"},
		"another last version":  {[]Event{first, settings(), second, settings(), renumbered}, "9 version"},
		"deleted twice":         {[]Event{first, settings(), second, settings(), deletion, deletion}, "10 version"},
		"a version afterwards":  {[]Event{first, settings(), second, settings(), deletion, second}, "10 version"},
		"one mistake, two more": {[]Event{change(first, "size", Number(1)), settings(), second, settings()}, "5 version"},
	} {
		m := workedExample()
		for _, e := range c.events {
			m.add(testUser, testKey, e)
		}
		if got := codes(verify(t, m.log(), VerifyOptions{})); got != c.want {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
}

func TestVerifyReturnsWhatKeptItFromReading(t *testing.T) {
	l := fullLog()
	lost := errors.New("the disk is gone")
	log := io.MultiReader(bytes.NewReader(l.log()), iotest.ErrReader(lost))
	r, err := Verify(t.Context(), log, VerifyOptions{})
	if !errors.Is(err, lost) || r.Entries != l.head.Seq {
		t.Errorf("a failing log: %+v, %v", r, err)
	}
	rows := io.MultiReader(bytes.NewReader(l.rows()), iotest.ErrReader(lost))
	if _, err := Verify(t.Context(), bytes.NewReader(l.log()), VerifyOptions{Details: rows}); !errors.Is(err, lost) {
		t.Errorf("failing details: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, bytes.NewReader(l.log()), VerifyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
	for name, o := range map[string]VerifyOptions{
		"a zero head":       {Heads: []Head{l.head, {}}},
		"a zero receipt":    {Receipts: []Receipt{{}}},
		"half a digest":     {File: "sha256:00"},
		"a digest, no name": {File: Hash{1}.String()},
	} {
		if _, err := Verify(t.Context(), bytes.NewReader(l.log()), o); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package fixity_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/engine/internal/fixity"
)

const week = 7 * 24 * time.Hour

// store is content in memory, with the state that a scrub of it keeps and the
// clock it goes by.
type store struct {
	content map[fixity.Digest][]byte // as it is now
	order   []fixity.Digest          // of content, if it is as long
	gone    map[fixity.Digest]bool   // needed, but not there
	missing map[fixity.Digest]error  // why it cannot be opened, if it is gone; nil: it does not exist
	open    int
	reads   map[fixity.Digest]int // how often each was opened

	now   time.Time
	state []byte
	saves int

	failFrom, failOwners, failSave error
}

func newStore() *store {
	return &store{
		content: map[fixity.Digest][]byte{}, gone: map[fixity.Digest]bool{}, reads: map[fixity.Digest]int{},
		now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

func (s *store) add(text string) fixity.Digest {
	d := fixity.Digest(sha256.Sum256([]byte(text)))
	s.content[d] = []byte(text)
	s.order = nil
	return d
}

func (s *store) drop(d fixity.Digest) {
	delete(s.content, d)
	delete(s.gone, d)
	s.order = nil
}

func (s *store) start() *fixity.Scrub {
	return fixity.New(s.state, func() time.Time { return s.now }, func(state []byte) error {
		if s.failSave != nil {
			return s.failSave
		}
		s.state = slices.Clone(state)
		s.saves++
		return nil
	})
}

// TestAnAlarmEnds holds that what is mended is not complained of for another week,
// and that somebody else's reading counts.
func TestAnAlarmEnds(t *testing.T) {
	s := newStore()
	all := fill(s)
	gone, denied, still := all[30], all[31], all[32]
	for _, d := range []fixity.Digest{gone, denied, still} {
		s.gone[d] = true
	}
	s.missing = map[fixity.Digest]error{denied: fs.ErrPermission}
	scrub := s.start()
	s.round(t, scrub, 1<<20)
	finds(t, scrub, gone, denied, still)
	for _, f := range scrub.Report().Findings {
		if f.Denied != (f.Digest == denied) {
			t.Errorf("found: %+v", f)
		}
	}
	delete(s.gone, gone)
	delete(s.gone, denied)
	others := s.reads[all[50]]
	s.now = s.now.Add(time.Hour)
	scrub = s.start()
	if _, next := s.round(t, scrub, 1<<20); !next.Equal(s.now.Add(time.Hour)) {
		t.Errorf("the next on %v", next)
	}
	finds(t, scrub, still)
	if all[50][0] != still[0] && all[50][0] != gone[0] && all[50][0] != denied[0] && s.reads[all[50]] != others {
		t.Error("what nothing was wrong with was read again")
	}
	saves := s.saves
	for range 2 {
		if err := errors.Join(scrub.Whole(still), scrub.Whole(gone)); err != nil {
			t.Error(err)
		}
	}
	finds(t, scrub)
	finds(t, s.start())
	if s.saves != saves+1 {
		t.Errorf("the state was saved %d times", s.saves-saves)
	}
}

func compare(a, b fixity.Digest) int { return bytes.Compare(a[:], b[:]) }

func (s *store) From(d fixity.Digest) (fixity.Digest, bool, error) {
	if len(s.order) != len(s.content) {
		s.order = slices.SortedFunc(maps.Keys(s.content), compare)
	}
	at, _ := slices.BinarySearchFunc(s.order, d, compare)
	if s.failFrom != nil || at == len(s.order) {
		return fixity.Digest{}, false, s.failFrom
	}
	return s.order[at], true, nil
}

func (s *store) Open(d fixity.Digest) (io.ReadCloser, error) {
	if s.gone[d] {
		err := s.missing[d]
		if err == nil {
			err = fs.ErrNotExist
		}
		return nil, &fs.PathError{Op: "open", Path: "memory", Err: err}
	}
	s.open++
	s.reads[d]++
	return &reader{of: s, digest: d}, nil
}

// reader reads what content there is at the time, as a file does.
type reader struct {
	of     *store
	digest fixity.Digest
	at     int
}

func (r *reader) Read(p []byte) (int, error) {
	text := r.of.content[r.digest]
	if r.at >= len(text) {
		return 0, io.EOF
	}
	n := copy(p, text[r.at:])
	r.at += n
	return n, nil
}

func (r *reader) Close() error { r.of.open--; return nil }

func (s *store) Owners(d fixity.Digest) ([]string, error) {
	if _, needed := s.content[d]; s.failOwners != nil || !needed {
		return nil, s.failOwners
	}
	return []string{"who needs " + d.String()}, nil
}

// round reads until there is nothing to read for now.
func (s *store) round(t *testing.T, scrub *fixity.Scrub, budget int64) (calls int, next time.Time) {
	t.Helper()
	for next.IsZero() {
		var err error
		if next, err = scrub.Read(t.Context(), s, budget); err != nil {
			t.Fatal(err)
		}
		calls++
	}
	return calls, next
}

// finds compares what a scrub found with the digests it must have found.
func finds(t *testing.T, scrub *fixity.Scrub, want ...fixity.Digest) {
	t.Helper()
	var got []fixity.Digest
	for _, f := range scrub.Report().Findings {
		got = append(got, f.Digest)
	}
	slices.SortFunc(want, compare)
	if !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// fill adds some content of many sizes.
func fill(s *store) (all []fixity.Digest) {
	for i := range 600 {
		all = append(all, s.add(strings.Repeat(fmt.Sprint("content ", i), i)))
	}
	return append(all, s.add(strings.Repeat("long ", 500_000)))
}

func TestRound(t *testing.T) {
	s := newStore()
	all := fill(s)
	scrub := s.start()
	if r := scrub.Report(); !r.Oldest.IsZero() || r.Late || r.Read != 0 || r.Findings != nil {
		t.Errorf("before anything was read: %+v", r)
	}
	began := s.now
	calls, next := s.round(t, scrub, 100_000)
	if !next.Equal(began.Add(week)) || calls < 25 {
		t.Errorf("%d calls, the next on %v", calls, next)
	}
	total := int64(0)
	for d, text := range s.content {
		total += int64(len(text))
		if s.reads[d] != 1 {
			t.Errorf("%v was read %d times", d, s.reads[d])
		}
	}
	if r := scrub.Report(); !r.Oldest.Equal(began) || r.Late || r.Read != total || r.Findings != nil {
		t.Errorf("all was read: %+v", r)
	}
	if s.open != 0 || len(s.content) != len(all) {
		t.Errorf("%d are open", s.open)
	}
	s.now = began.Add(week - 1)
	if _, next := s.round(t, scrub, 1<<30); !next.Equal(began.Add(week)) || scrub.Report().Read != total {
		t.Errorf("before the week is over, something was read, or the next is on %v", next)
	}
	s.now = began.Add(week)
	s.round(t, scrub, 1<<30)
	if r := scrub.Report(); !r.Oldest.Equal(s.now) || r.Read != 2*total {
		t.Errorf("after the week: %+v", r)
	}
	s.now = s.now.Add(5*week + 1)
	if !scrub.Report().Late {
		t.Error("five weeks and more are not late")
	}
}

func TestABudgetIsKept(t *testing.T) {
	s := newStore()
	d := s.add(strings.Repeat("long ", 1_000_000))
	scrub := s.start()
	most := int64(0)
	for next := (time.Time{}); next.IsZero(); {
		before := scrub.Report().Read
		var err error
		if next, err = scrub.Read(t.Context(), s, 64<<10); err != nil {
			t.Fatal(err)
		}
		most = max(most, scrub.Report().Read-before)
	}
	if most > 64<<10 || s.reads[d] != 1 {
		t.Errorf("%d bytes were read at once; the content was opened %d times", most, s.reads[d])
	}
	if next, err := scrub.Read(t.Context(), s, 0); err != nil || !next.IsZero() {
		t.Errorf("no budget: %v, %v", next, err)
	}
}

func TestFindings(t *testing.T) {
	s := newStore()
	all := fill(s)
	rotten, cut, gone, grown, whole := all[10], all[20], all[30], all[40], all[50]
	text := bytes.Clone(s.content[rotten])
	s.content[rotten] = bytes.Clone(text)
	s.content[rotten][7] ^= 1
	s.content[cut] = s.content[cut][:5]
	s.gone[gone] = true
	s.content[grown] = append(bytes.Clone(s.content[grown]), " and more"...)
	scrub := s.start()
	began := s.now
	s.round(t, scrub, 1<<20)
	finds(t, scrub, rotten, cut, gone, grown)
	for _, f := range scrub.Report().Findings {
		says := "blob is corrupt: its bytes have digest sha256:"
		if f.Digest == gone {
			says = "file does not exist"
		}
		if !strings.Contains(f.Problem, says) || !slices.Equal(f.Owners, []string{"who needs " + f.Digest.String()}) || !f.Found.Equal(began) {
			t.Errorf("found: %+v", f)
		}
	}

	// It is remembered over a restart. What is mended, or needed no more, is
	// forgotten; what is still damaged was found when it was found first.
	scrub = s.start()
	finds(t, scrub, rotten, cut, gone, grown)
	s.content[rotten] = text
	s.drop(cut)
	s.drop(gone)
	s.gone[whole] = true
	s.now = s.now.Add(week)
	s.round(t, scrub, 1<<20)
	finds(t, scrub, grown, whole)
	for _, f := range scrub.Report().Findings {
		if f.Found.Equal(began) != (f.Digest == grown) {
			t.Errorf("found: %+v", f)
		}
	}
	for d := range s.content {
		s.drop(d)
	}
	s.now = s.now.Add(week)
	s.round(t, scrub, 1<<20)
	finds(t, scrub)
}

// Content that grows while it is read is not what it was; content that nobody
// needs any more when it was read is nothing to report.
func TestContentThatChangesWhileItIsRead(t *testing.T) {
	s := newStore()
	grows, goes := s.add(strings.Repeat("grows ", 100_000)), s.add(strings.Repeat("goes ", 100_000))
	scrub := s.start()
	for next := (time.Time{}); next.IsZero(); {
		var err error
		if next, err = scrub.Read(t.Context(), s, 10_000); err != nil {
			t.Fatal(err)
		}
		if s.reads[grows] == 1 && len(s.content[grows]) == 600_000 {
			s.content[grows] = append(s.content[grows], '!')
		}
		if s.reads[goes] == 1 {
			s.drop(goes)
		}
	}
	finds(t, scrub, grows)
}

// The first and the last digest of a shelf, and of all, are read as any other.
func TestEdgesOfShelves(t *testing.T) {
	s := newStore()
	var edges []fixity.Digest
	for _, first := range []byte{0, 1, 0x7f, 0xff} {
		low, high := fixity.Digest{first}, fixity.Digest(bytes.Repeat([]byte{0xff}, 32))
		high[0] = first
		for _, d := range []fixity.Digest{low, high} {
			s.content[d] = []byte("not what the digest says")
			edges = append(edges, d)
		}
	}
	scrub := s.start()
	s.round(t, scrub, 1<<30)
	finds(t, scrub, edges...)
	for _, d := range edges {
		if s.reads[d] != 1 {
			t.Errorf("%v was read %d times", d, s.reads[d])
		}
		s.drop(d)
	}
	s.now = s.now.Add(week)
	s.round(t, scrub, 1<<30)
	finds(t, scrub)
}

// Wherever a scrub is broken off, the next goes on: all is read, at most one
// shelf twice, and what was found is found.
func TestResume(t *testing.T) {
	for _, calls := range []int{1, 2, 3, 7, 50, 200} {
		s := newStore()
		all := fill(s)
		rotten := []fixity.Digest{all[3], all[300], all[599]}
		for _, d := range rotten {
			s.content[d] = []byte("rotten")
		}
		// Restarts that come sooner than a shelf is read would never end.
		const budget = 3 << 20
		for restarts, next := 0, (time.Time{}); next.IsZero(); restarts++ {
			if restarts > 1_000 {
				t.Fatalf("restarted every %d calls, it does not come to an end", calls)
			}
			scrub := s.start()
			for i := 0; i < calls && next.IsZero(); i++ {
				var err error
				if next, err = scrub.Read(t.Context(), s, budget/int64(calls)+1); err != nil {
					t.Fatal(err)
				}
			}
			if err := scrub.Stop(); err != nil || s.open != 0 {
				t.Fatalf("%d are open: %v", s.open, err)
			}
		}
		finds(t, s.start(), rotten...)
		for _, d := range all {
			if s.reads[d] < 1 {
				t.Errorf("restarted every %d calls: %v was never read", calls, d)
			}
		}
	}
}

// A call after Stop begins again with the content that was open.
func TestStop(t *testing.T) {
	s := newStore()
	d := s.add(strings.Repeat("long ", 100_000))
	s.content[d] = append(s.content[d], '!')
	scrub := s.start()
	for s.open == 0 {
		if _, err := scrub.Read(t.Context(), s, 8<<10); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(scrub.Stop(), scrub.Stop()); err != nil || s.open != 0 {
		t.Fatalf("%d are open: %v", s.open, err)
	}
	s.round(t, scrub, 1<<20)
	finds(t, scrub, d)
	if s.reads[d] != 2 {
		t.Errorf("it was opened %d times", s.reads[d])
	}
}

func TestErrors(t *testing.T) {
	s := newStore()
	d := s.add("text")
	s.gone[d] = true
	scrub := s.start()
	broken := errors.New("broken")
	for i, fail := range []*error{&s.failFrom, &s.failOwners, &s.failSave} {
		*fail = broken
		if _, err := scrub.Read(t.Context(), s, 1<<30); !errors.Is(err, broken) {
			t.Errorf("failure %d: %v", i, err)
		}
		*fail = nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := scrub.Read(ctx, s, 1<<30); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	s.round(t, scrub, 1<<30)
	s.now = s.now.Add(week)
	s.round(t, scrub, 1<<30)
	finds(t, scrub, d)
}

// The state is JSON of one form, kept from release to release.
func TestFormOfTheState(t *testing.T) {
	s := newStore()
	d := s.add("text")
	s.gone[d] = true
	scrub := s.start()
	s.round(t, scrub, 1<<30)
	for _, part := range []string{
		`{"Checked":{"00":"2026-03-01T12:00:00Z","01":"2026-03-01T12:00:00Z",`,
		`"ff":"2026-03-01T12:00:00Z"},"Damaged":[{"Digest":"` + d.String() + `","Versions":["who needs ` + d.String() +
			`"],"Problem":"open memory: file does not exist","Found":"2026-03-01T12:00:00Z"}]}`,
	} {
		if !strings.Contains(string(s.state), part) {
			t.Errorf("%s\n does not have\n%s", s.state, part)
		}
	}
	before := slices.Clone(s.state)
	s.now = s.now.Add(week)
	s.round(t, s.start(), 1<<30)
	if after := strings.ReplaceAll(string(s.state), "03-08", "03-01"); after != string(before) {
		t.Errorf("read and written again it is\n%s\nand was\n%s", after, before)
	}
}

// A state that cannot be read, or is not true yet, is as none.
func TestDamagedStates(t *testing.T) {
	good := newStore()
	d := good.add("text")
	good.gone[d] = true
	good.round(t, good.start(), 1<<30)
	text := string(good.state)
	for name, state := range map[string]string{
		"nothing": "", "null": "null", "an object": "{}", "a list": "[1]", "a cut one": text[:len(text)-1], "more than one": text + "{}",
		"no times": `{"Checked":null,"Damaged":null}`, "no time": strings.Replace(text, "2026-03-01T12:00:00Z", "yesterday", 1),
		"another digest": strings.Replace(text, "sha256:", "sha512:", 1), "a short digest": strings.Replace(text, d.String(), d.String()[:20], 1),
		"capitals": strings.Replace(text, d.String(), "sha256:"+strings.ToUpper(d.String()[7:]), 1),
		"zeros":    strings.Repeat("\x00", 4096),
	} {
		s := newStore()
		s.add("more")
		s.state = []byte(state)
		scrub := s.start()
		if r := scrub.Report(); !r.Oldest.IsZero() || r.Findings != nil {
			t.Errorf("%s: %+v", name, r)
		}
		if _, next := s.round(t, scrub, 1<<30); !next.Equal(s.now.Add(week)) || !scrub.Report().Oldest.Equal(s.now) {
			t.Errorf("%s: %+v, the next on %v", name, scrub.Report(), next)
		}
	}

	// From the future: of one shelf, and of all.
	for _, replaced := range []int{1, -1} {
		s := newStore()
		want := s.add("more")
		s.state = []byte(strings.Replace(text, `":"2026-03-01T`, `":"2126-03-01T`, replaced))
		if replaced == 1 {
			name := want.String()[7:9]
			s.state = []byte(strings.Replace(text, `"`+name+`":"2026`, `"`+name+`":"2126`, 1))
		}
		scrub := s.start()
		if r := scrub.Report(); !r.Oldest.IsZero() {
			t.Errorf("read in the future: %+v", r)
		}
		due := s.now.Add(week)
		if replaced == 1 { // the finding stands, and is looked at again sooner
			due = s.now.Add(time.Hour)
		}
		if _, next := s.round(t, scrub, 1<<30); s.reads[want] != 1 || !next.Equal(due) {
			t.Errorf("read in the future: it was read %d times, the next on %v", s.reads[want], next)
		}
	}
	if !strings.Contains(text, d.String()) {
		t.Errorf("the good state is %s", text)
	}
}

// FuzzState: no state hinders a scrub.
func FuzzState(f *testing.F) {
	for _, seed := range []string{"", "null", `{"Checked":{}}`, `{"Checked":{"00":"2026-01-01T00:00:00Z","zz":"9999-12-31T23:59:59Z"},"Damaged":[{}]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, state string) {
		s := newStore()
		d := s.add("text")
		s.state = []byte(state)
		s.gone[d] = true
		s.now = s.now.Add(10 * week)
		scrub := s.start()
		s.round(t, scrub, 1<<30)
		s.now = s.now.Add(week)
		s.round(t, scrub, 1<<30)
		finds(t, scrub, d)
	})
}

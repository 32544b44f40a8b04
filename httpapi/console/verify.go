package console

import (
	"errors"
	"strings"
	"sync"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

// errVerifying: a vault is verified one at a time, for it is all read.
var errVerifying = errors.New("a verification is running")

// verifications are what pages have had verified: the last report of each vault, and
// what runs.
type verifications struct {
	mu sync.Mutex // leaf lock
	of map[string]*verification
}

// verification is one of a vault. Its members are under verifications.mu.
type verification struct {
	Running     bool
	By          string // the user's id
	Began       time.Time
	Done, Total uint64

	Last   *engine.VerifyReport // of the one before; nil: there was none since the program started
	LastBy string
	LastAt time.Time
	Took   time.Duration
	Bytes  bool
	Heads  int
}

// begin takes the turn. Whoever has it calls end, with nil if there is no report.
func (s *verifications) begin(vault, by string, bytes bool, heads int) (progress func(done, total uint64), end func(*engine.VerifyReport), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[string]*verification{}
	}
	one := s.of[vault]
	if one == nil {
		one = &verification{}
		s.of[vault] = one
	}
	if one.Running {
		return nil, nil, errVerifying
	}
	began := time.Now()
	one.Running, one.By, one.Began, one.Done, one.Total = true, by, began, 0, 0
	progress = func(done, total uint64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		one.Done, one.Total = done, total
	}
	return progress, func(report *engine.VerifyReport) {
		s.mu.Lock()
		defer s.mu.Unlock()
		one.Running = false
		if report != nil {
			one.Last, one.LastBy, one.LastAt, one.Took, one.Bytes, one.Heads = report, by, time.Now(), time.Since(began), bytes, heads
		}
	}, nil
}

// look is how it stands.
func (s *verifications) look(vault string) verification {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.of[vault]; one != nil {
		return *one
	}
	return verification{}
}

// verifying is the page of verification.
type verifying struct {
	verification
	By, LastBy    string
	Since, LastAt When
	Took          string
	Head          string // as typed
	Refused       bool   // one runs already
	Shown         []audit.Finding
	More          int
	Wrong         []engine.FieldError
}

func askVerify(v *visit) (answer, error) {
	return v.verifyPage(verifying{Head: v.returned().Get("head")}, 0)
}

func (v *visit) verifyPage(body verifying, status int) (answer, error) {
	body.verification = v.console.verifying.look(v.vault.Name())
	var err error
	if body.By, err = v.name(body.verification.By); err != nil {
		return answer{}, err
	}
	if body.LastBy, err = v.name(body.verification.LastBy); err != nil {
		return answer{}, err
	}
	body.Since, body.LastAt, body.Took = v.When(body.Began), v.When(body.verification.LastAt), body.verification.Took.Round(time.Millisecond).String()
	if !v.Reads() { // how many bytes there are to read is no business of theirs
		body.Total = 0
	}
	if r := body.Last; r != nil {
		told := v.vault.Told(*r)
		body.Last, r = &told, &told
		body.Shown = r.Findings[:min(len(r.Findings), 100)]
		body.More = len(r.Findings) - len(body.Shown)
	}
	return answer{page: "verify", title: "Verify the vault", body: body, status: status}, nil
}

// verify reads all there is. Whoever goes away ends it.
func verify(v *visit) (answer, error) {
	o := engine.VerifyOptions{Bytes: v.form("bytes") != ""}
	if o.Bytes {
		if err := v.actor.Access.Permits(engine.AccessAuditor); err != nil {
			return answer{}, err
		}
	}
	if text := v.r.PostForm.Get("head"); v.form("head") != "" {
		heads, err := audit.ParseHeads(tidied(text))
		if err != nil {
			wrong := []engine.FieldError{{Field: "head", Message: "is not a printed head: three lines each, as the page to print has them"}}
			return v.verifyPage(verifying{Head: text, Wrong: wrong}, 400)
		}
		o.Heads = heads
	}
	progress, end, err := v.console.verifying.begin(v.vault.Name(), v.user.ID, o.Bytes, len(o.Heads))
	if err != nil {
		return v.verifyPage(verifying{Refused: true}, 409)
	}
	var made *engine.VerifyReport
	defer func() { end(made) }()
	o.Progress = progress
	report, err := v.vault.As(engine.System()).Verify(v.ctx(), o) // each who looks is told of it what they may know
	if err != nil {
		return answer{}, err
	}
	made = &report
	return answer{to: v.Path("audit", "verify")}, nil
}

// tidied are printed heads as people paste them: without blanks around the lines, or
// empty lines between, and with the end of the last line.
func tidied(heads string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(heads, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

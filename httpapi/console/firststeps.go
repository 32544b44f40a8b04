package console

import (
	"sync"

	"strongroom/engine"
)

// firstSteps are what a vault needs before it can be relied on. Each is ticked off by
// what the vault holds, so nothing is stored and nothing has to be dismissed.
type firstSteps struct{ Uploaded, Invited, Saved bool }

// Done is how many are.
func (s firstSteps) Done() (n int) {
	for _, done := range []bool{s.Uploaded, s.Invited, s.Saved} {
		if done {
			n++
		}
	}
	return n
}

// youngVault is up to how many entries a vault is shown its first steps. One that is
// older has been lived in, and its log would take long to look through.
const youngVault = 10_000

// started remembers which vaults have taken all of them, so that they are asked of no
// more. It is safe for concurrent use.
type started struct {
	mu     sync.Mutex
	vaults map[string]bool
}

func (s *started) is(vault string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vaults[vault]
}

func (s *started) note(vault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vaults == nil {
		s.vaults = map[string]bool{}
	}
	s.vaults[vault] = true
}

// firstSteps are those of this vault; nil for whoever cannot take them, and when they
// are taken.
func (v *visit) firstSteps() (*firstSteps, error) {
	known := &v.console.started
	if !v.May("admin") || known.is(v.vault.Name()) || v.vault.Head().Seq > youngVault {
		return nil, nil
	}
	documents, err := v.vault.Documents(v.ctx(), engine.DocumentQuery{Status: engine.StatusAll, Paging: engine.Paging{Limit: 1}})
	if err != nil {
		return nil, err
	}
	users, err := v.vault.Users(v.ctx(), engine.Paging{Limit: 2})
	if err != nil {
		return nil, err
	}
	backup, err := v.lastBackup(youngVault)
	if err != nil {
		return nil, err
	}
	s := &firstSteps{Uploaded: len(documents.Items) > 0, Invited: len(users.Items) > 1, Saved: backup.Found}
	if s.Done() == 3 {
		known.note(v.vault.Name())
		return nil, nil
	}
	return s, nil
}

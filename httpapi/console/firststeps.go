package console

import (
	"errors"
	"sync"

	"strongroom/audit"
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

// started remembers what was found out of each vault's first steps: which have taken
// all, and how far the log was looked through for a backup. It is safe for concurrent
// use.
type started struct {
	mu     sync.Mutex
	vaults map[string]looked
}

type looked struct {
	all     bool
	saved   bool   // there is a backup
	through uint64 // the entry up to which was looked for one
}

func (s *started) of(vault string) looked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vaults[vault]
}

func (s *started) note(vault string, l looked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vaults == nil {
		s.vaults = map[string]looked{}
	}
	s.vaults[vault] = l
}

// firstSteps are those of this vault, whose list of documents was read; nil for whoever cannot take them, and when they
// are taken.
func (v *visit) firstSteps(body *listing) (*firstSteps, error) {
	name, known := v.vault.Name(), v.console.started.of(v.vault.Name())
	if !v.May("admin") || known.all || v.vault.Head().Seq > youngVault {
		return nil, nil
	}
	s := &firstSteps{Uploaded: len(body.Items) > 0, Invited: body.People.Many || len(body.People.List) > 1}
	if !s.Uploaded { // they may all be archived
		documents, err := v.vault.Documents(v.ctx(), engine.DocumentQuery{Status: engine.StatusAll, Paging: engine.Paging{Limit: 1}})
		if err != nil {
			return nil, err
		}
		s.Uploaded = len(documents.Items) > 0
	}
	if err := v.lookForBackup(&known); err != nil {
		return nil, err
	}
	s.Saved = known.saved
	known.all = s.Done() == 3
	if v.console.started.note(name, known); known.all {
		return nil, nil
	}
	return s, nil
}

// lookForBackup looks at the entries that are new since it was last asked.
func (v *visit) lookForBackup(known *looked) error {
	for end := v.vault.Head().Seq; !known.saved && known.through < end; {
		found, err := v.vault.Entries(v.ctx(), engine.EntryQuery{Op: audit.OpBackupCompleted, After: known.through, Limit: 1})
		if errors.Is(err, engine.ErrLogBehind) { // it was restored from a backup
			known.through = 0
			continue
		} else if err != nil {
			return err
		}
		known.saved = len(found.Items) > 0
		if known.through = found.NextAfter; found.NextAfter == 0 {
			known.through = end
		}
	}
	return nil
}

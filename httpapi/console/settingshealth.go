package console

import (
	"errors"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi"
)

// health is how the vault stands, and what somebody should see to.
type health struct {
	Reasons  []string // why the server says it is degraded, or unavailable
	Examined []examined
	Backup   backupState
	Fixity   engine.Fixity
	Oldest   When
	Damaged  []damaged
	Measures engine.Measures
	Build    httpapi.Build
}

// examined is a thing that was looked at.
type examined struct {
	engine.Diagnosis
	State badge
}

type damaged struct {
	engine.DamagedBlob
	At When
}

// backupState is the last backup, as far as the log was looked through.
type backupState struct {
	Found bool
	At    When
	Old   bool // more than a week
	All   bool // the whole log was looked through
}

func showHealth(v *visit) (answer, error) {
	h := health{Fixity: v.vault.Fixity(), Build: v.console.options.Build}
	var err error
	if h.Reasons, err = v.reasons(); err != nil {
		return answer{}, err
	}
	for _, d := range v.vault.Examine(v.ctx()) {
		state := badge{"active", "check", "In order", ""}
		switch d.Level {
		case engine.LevelWarn:
			state = badge{"due", "clock", "See to it", ""}
		case engine.LevelError:
			state = badge{"hold", "gone", "Broken", ""}
		}
		h.Examined = append(h.Examined, examined{d, state})
	}
	h.Oldest = v.When(h.Fixity.Oldest)
	for _, d := range h.Fixity.Damaged {
		h.Damaged = append(h.Damaged, damaged{d, v.When(d.Found)})
	}
	if h.Measures, err = v.vault.Measure(); err != nil {
		return answer{}, err
	}
	h.Backup, err = v.lastBackup(100_000)
	return page("health", "Health", h), err
}

// reasons are why the server is not simply well, as far as this vault is concerned.
func (v *visit) reasons() (list []string, err error) {
	if list, err = v.vault.Concerns(v.ctx()); err != nil {
		return nil, err
	}
	if err := v.vault.Writable(); errors.Is(err, engine.ErrNoSpace) {
		list = append(list, "nothing can be written: "+err.Error())
	}
	if warnings := v.console.options.Warnings; warnings != nil {
		all := warnings()
		list = append(append(list, all[v.vault.Name()]...), all[""]...)
	}
	if len(v.console.options.Unopened) > 0 {
		list = append(list, "another vault of this server cannot be used")
	}
	return list, nil
}

// lookBack is how many entries one call reads.
const lookBack = 10_000

// lastBackup finds the last backup in the newest entries of the log.
func (v *visit) lastBackup(within uint64) (b backupState, err error) {
	for last, read := v.vault.Head().Seq, uint64(0); last > 0 && read < within; {
		after := last - min(last, lookBack)
		for at := after; ; { // a call may come back early
			found, err := v.vault.Entries(v.ctx(), engine.EntryQuery{Op: audit.OpBackupCompleted, After: at, Limit: 500})
			if err != nil {
				return b, err
			}
			for _, e := range found.Items {
				b = backupState{Found: true, At: v.When(e.Time), Old: time.Since(e.Time) > 7*24*time.Hour}
			}
			if at = found.NextAfter; at == 0 || at >= last {
				break
			}
		}
		if b.Found {
			return b, nil
		}
		last, read = after, read+lookBack
		b.All = last == 0
	}
	return b, nil
}

// Sentence says it in words.
func (b backupState) Sentence() string {
	switch {
	case b.Found && b.Old:
		return fmt.Sprintf("The last backup is from %s. That is more than a week ago: what came in since is on one disk only.", b.At.Minute)
	case b.Found:
		return fmt.Sprintf("The last backup is from %s.", b.At.Minute)
	case b.All:
		return "There is no backup. Everything is on one disk only."
	}
	return "There is no backup among the last 100,000 entries of the log."
}

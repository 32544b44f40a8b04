package engine_test

import (
	"cmp"
	"flag"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

var kills = flag.Int("kills", 4, "how many processes TestKills kills")

const killsPerVault = 50 // after so many a new one, so that verifying stays short

// Whenever a process is killed that uses a vault, everything it acknowledged is there
// for the next, nothing is half there that it had not, and the vault verifies, bytes
// included.
func TestKills(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes a second")
	}
	eachSeed(t, *modelSeed, []uint64{1}, func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		log := &loadLog{}
		dir, opening := "", 0
		for n := range *kills {
			if n%killsPerVault == 0 {
				log.anew()
				dir = filepath.Join(t.TempDir(), "main")
			}
			opened, fault := log.killed(t, dir, random, n%killsPerVault == killsPerVault-1 || n == *kills-1)
			if fault != "" {
				t.Fatalf("at kill %d of seed %d: %s", n, seed, fault)
			}
			if !opened {
				opening++
			}
			if n%100 == 99 {
				t.Logf("%d kills, %d acknowledged changes", n+1, log.changes)
			}
		}
		t.Logf("%d kills, %d of them before the vault was open and looked at; %d acknowledged changes", *kills, opening, log.changes)
		if log.changes == 0 {
			t.Error("nothing was acknowledged: the test says nothing")
		}
	})
}

// killed has a process use the vault, kills it, and reports whether it had opened the
// vault, and what was wrong with that. After the last one the vault is looked at again.
func (l *loadLog) killed(t *testing.T, dir string, random *rand.Rand, last bool) (opened bool, fault string) {
	p := startLoad(t, "TestLoad", l.order(dir, random.Uint64()))
	moment, answers := time.Duration(random.Int64N(int64(200*time.Millisecond))), 0
	var late *time.Timer
	switch random.IntN(4) {
	case 0: // as it starts and opens the vault
		late = time.NewTimer(moment / 2)
	case 1: // at an answer
		late = time.NewTimer(time.Minute)
		answers = 1 + random.IntN(60)
	default: // some time after it is open
		late = time.NewTimer(time.Minute)
	}
	defer late.Stop()
	killed := false
	for p.lines != nil {
		select {
		case <-late.C:
			killed = true
			p.cmd.Process.Kill()
		case s, ok := <-p.lines:
			if !ok {
				p.lines = nil
				break
			}
			l.note(s)
			fault = cmp.Or(fault, s.Fault, s.Stopped)
			if s.Opened != "" {
				opened = true
				if answers == 0 {
					late.Reset(moment)
				}
			}
			if s.Receipt != "" && answers > 0 {
				if answers--; answers == 0 {
					killed = true
					p.cmd.Process.Kill()
				}
			}
		}
	}
	if fault == "" && !killed {
		fault = "the process ended by itself: " + p.other
	}
	if last && fault == "" {
		fault = l.reopened(t, dir, "TestLoad", random)
	}
	return opened, fault
}

package console

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"strongroom/engine"
)

// job is one change of many documents: first it is looked at, as a dry run, and
// then, if somebody begins it, done, each document by itself. It goes on while
// nobody looks, and its result is kept for a while.
type job struct {
	ID     string            `json:"id"`
	Vault  string            `json:"vault"`
	UserID string            `json:"user"` // whose it is: nobody else is shown it
	Action string            `json:"action"`
	Words  string            `json:"words"` // what is done, in a sentence
	Fields map[string]string `json:"fields"`
	Filter string            `json:"filter"` // the query they were chosen by; "": by hand
	State  jobState          `json:"state"`
	Began  time.Time         `json:"began"`
	Ended  time.Time         `json:"ended,omitzero"`
	Why    string            `json:"why"` // it stopped, in words
	Counts
	Failures []outcomeRow `json:"failures"` // the first of them
	Erasure  string       `json:"erasure"`  // the case it opened

	rows      []outcomeRow // the first of those that do not fail
	ids       []string     // while it may be begun
	revisions []uint64     // as they were looked at; 0: it asks for none
	actor     engine.Actor
	stop      context.CancelFunc // nil: nothing is at work
	still     chan struct{}      // closed when nothing is at work any more
}

// Counts are how far a job is.
type Counts struct{ Total, Done, Changed, Failed int }

type jobState string

const (
	jobLooking     jobState = "looking"
	jobPlanned     jobState = "planned"
	jobRunning     jobState = "running"
	jobDone        jobState = "done"
	jobStopped     jobState = "stopped"
	jobInterrupted jobState = "interrupted"
)

// Ending reports whether nothing more becomes of it.
func (s jobState) Ending() bool { return s == jobDone || s == jobStopped || s == jobInterrupted }

const (
	jobStep      = 100 // documents at a time
	maxJob       = 100_000
	maxJobs      = 200 // that are kept, of all people
	maxMine      = 20  // at work or waiting to be begun, of one
	maxFailures  = 500 // that are told one by one
	maxRows      = 200
	maxJobsFile  = 8 << 20
	jobSaveSteps = 20
)

// jobs are all there are. The file holds those that were begun; it may be thrown
// away, with nothing lost but results. Nothing is called under mu.
type jobs struct {
	kept    func(file string) error // see Options.Kept
	writing sync.Mutex              // of the file; before mu
	mu      sync.Mutex
	file    string
	now     func() time.Time
	all     []*job // the oldest first
	running sync.WaitGroup
	ctx     context.Context
	close   context.CancelFunc
}

// openJobs reads the file. What was at work when the program ended is interrupted.
func openJobs(file string, now func() time.Time) *jobs {
	j := &jobs{file: file, now: now}
	j.ctx, j.close = context.WithCancel(context.Background())
	if b, err := os.ReadFile(file); file != "" && err == nil {
		if json.Unmarshal(b, &j.all) != nil { // damaged: results are lost, documents are not
			j.all = nil
		}
	}
	j.all = slices.DeleteFunc(j.all, func(one *job) bool { return one == nil })
	for _, one := range j.all {
		if !one.State.Ending() {
			one.State, one.Why, one.Ended = jobInterrupted, "the program was stopped", now()
		}
	}
	return j
}

// end stops what is at work, after the documents in hand, and waits for it.
func (j *jobs) end() error {
	j.close()
	j.running.Wait()
	return j.save()
}

// save writes the jobs that were begun: the newest, as many as there is room for.
func (j *jobs) save() error {
	if j.file == "" {
		return nil
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	b, err := j.encoded()
	if err != nil {
		return err
	}
	return keptFile(j.file, b, j.kept)
}

func (j *jobs) encoded() ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var begun []*job
	for _, one := range j.all {
		if one.State == jobRunning || one.State.Ending() {
			begun = append(begun, one)
		}
	}
	for {
		b, err := json.Marshal(begun)
		if err != nil || len(b) <= maxJobsFile {
			return b, err
		}
		begun = begun[1:]
	}
}

// add takes a job to be looked at; false if this person has too many that are not
// ended. Those that were looked at and never begun go first.
func (j *jobs) add(one *job) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	mine := 0
	for _, other := range j.all {
		if other.Vault == one.Vault && other.UserID == one.UserID && (other.State == jobRunning || other.State == jobLooking) {
			mine++
		}
	}
	if mine >= maxMine {
		return false
	}
	one.ID, one.Began, one.State, one.still = engine.NewID(), j.now(), jobLooking, make(chan struct{})
	j.all = append(j.all, one)
	j.trim(func(old *job) bool {
		return old.State == jobPlanned && old.UserID == one.UserID && old.Vault == one.Vault
	}, maxMine)
	j.trim(func(old *job) bool { return old.State == jobPlanned || old.State.Ending() }, maxJobs)
	return true
}

// trim forgets the oldest of a kind beyond some. Called under mu.
func (j *jobs) trim(kind func(*job) bool, most int) {
	n := 0
	for _, one := range j.all {
		if kind(one) {
			n++
		}
	}
	j.all = slices.DeleteFunc(j.all, func(one *job) bool {
		if n <= most || !kind(one) {
			return false
		}
		n--
		return true
	})
}

// find returns somebody's job, and a copy of how it is now.
func (j *jobs) find(id, vault, userID string) (*job, job, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, one := range j.all {
		if one.ID == id && one.Vault == vault && one.UserID == userID {
			return one, *one, true
		}
	}
	return nil, job{}, false
}

// mine are copies of somebody's jobs that were begun, the newest first.
func (j *jobs) mine(vault, userID string) (list []job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, one := range slices.Backward(j.all) {
		if one.Vault == vault && one.UserID == userID && (one.State == jobRunning || one.State.Ending()) {
			list = append(list, *one)
		}
	}
	return list
}

// change changes a job while nobody reads it.
func (j *jobs) change(one *job, what func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	what()
}

// work does something for a job outside the request that asked for it.
func (j *jobs) work(one *job, do func(context.Context)) {
	ctx, stop := context.WithCancel(j.ctx)
	j.change(one, func() { one.stop, one.still = stop, make(chan struct{}) })
	j.running.Go(func() {
		defer func() {
			stop()
			j.change(one, func() { one.stop = nil; close(one.still) })
		}()
		do(ctx)
	})
}

// settled waits a moment for what is at work, so that little is done at once.
func (j *jobs) settled(ctx context.Context, one *job) {
	j.mu.Lock()
	still := one.still
	j.mu.Unlock()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-still:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (one *job) query() url.Values {
	q, _ := url.ParseQuery(one.Filter)
	return q
}

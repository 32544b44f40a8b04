package search

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"strongroom/engine"
	"strongroom/engine/search/extract"
	"strongroom/engine/search/segment"
)

const (
	// quick is how long a document may hold up the others while its text is read: it
	// is indexed once then, not twice. What takes longer is indexed without its text,
	// which follows.
	quick = 25 * time.Millisecond
	// patient is the same while the index is made anew: nobody is told then that it has
	// all, and what is chosen by words shall not miss what a moment brings.
	patient = time.Second
	// unavailableRest is how long nothing is read after a reader could not run.
	unavailableRest = 5 * time.Second
)

// reading is what reads the texts of documents beside who indexes, one at a time.
type reading struct {
	readers  []extract.Reader
	attempts *attempts

	mu     sync.Mutex
	fresh  []*job // of what has changed, and
	later  []*job // of what was there before; these wait for those
	queued map[segment.ID]*job
	busy   bool
	since  time.Time // when the job began that is being done
	done   []reply
	ready  func()        // tells who indexes that there is a reply; nil: nobody waits
	wake   chan struct{} // tells who reads that there is a job
	stuck  error         // why nothing can be read now; nil: it can
}

// job is a document whose text is to be read.
type job struct {
	id    segment.ID
	reply chan reply // nil: it goes to done
}

// reply is the text of a document's version.
type reply struct {
	id      segment.ID
	content content
}

func newReading(readers []extract.Reader, dir string) *reading {
	if readers == nil {
		readers = extract.Readers()
	}
	return &reading{readers: readers, attempts: openAttempts(dir), queued: map[segment.ID]*job{}, wake: make(chan struct{}, 1)}
}

// ask wants a text read. It stays for the reply a moment: of what is fresh, only if
// nothing else waits.
func (r *reading) ask(ctx context.Context, id segment.ID, fresh bool) (reply, bool) {
	r.mu.Lock()
	if r.queued[id] != nil {
		r.mu.Unlock()
		return reply{}, false
	}
	j, moment := &job{id: id}, patient
	if fresh {
		moment = quick
	}
	soon := !r.busy && len(r.queued) == 0
	if !fresh { // behind one that takes long, all would wait in vain
		soon = !r.busy || time.Since(r.since) < patient
	}
	if soon && r.stuck == nil {
		j.reply = make(chan reply, 1)
	}
	answers := j.reply
	r.queued[id] = j
	if fresh {
		r.fresh = append(r.fresh, j)
	} else {
		r.later = append(r.later, j)
	}
	r.mu.Unlock()
	r.signal()
	if answers == nil {
		return reply{}, false
	}
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case got := <-answers:
		return got, true
	case <-timer.C:
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	j.reply = nil
	select {
	case got := <-answers: // it came at the last moment
		return got, true
	default:
		return reply{}, false
	}
}

func (r *reading) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// next takes the next job; nil if there is none.
func (r *reading) next() *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := &r.fresh
	if len(r.fresh) == 0 {
		from = &r.later
	}
	if r.busy = len(*from) > 0; !r.busy {
		return nil
	}
	r.since = time.Now()
	j := (*from)[0]
	*from = (*from)[1:]
	delete(r.queued, j.id)
	return j
}

// settle hands over what was read.
func (r *reading) settle(j *job, got reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stuck = nil
	if j.reply != nil {
		j.reply <- got
		return
	}
	r.done = append(r.done, got)
	if r.ready != nil {
		r.ready()
	}
}

// again puts a job back that nothing could be found out about.
func (r *reading) again(j *job, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stuck = why
	if j.reply = nil; r.queued[j.id] == nil {
		r.queued[j.id] = j
		r.later = append(r.later, j)
	}
}

// replies takes what was read.
func (r *reading) replies() []reply {
	r.mu.Lock()
	defer r.mu.Unlock()
	done := r.done
	r.done = nil
	return done
}

// notify has a function called when there is a reply; at once if there is one. nil
// ends that.
func (r *reading) notify(ready func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ready = ready; ready != nil && len(r.done) > 0 {
		ready()
	}
}

// refill replaces the queue by documents of an index that was made before.
func (r *reading) refill(ids []segment.ID) {
	r.forget()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		j := &job{id: id}
		r.queued[id], r.later = j, append(r.later, j)
	}
	r.signal()
}

// forget empties the queue, of an index that is gone.
func (r *reading) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fresh, r.later, r.done = nil, nil, nil
	clear(r.queued)
}

// readTexts reads until ctx ends.
func (x *Index) readTexts(ctx context.Context) {
	for ctx.Err() == nil {
		j := x.reading.next()
		if j == nil {
			select {
			case <-x.reading.wake:
			case <-ctx.Done():
			}
			continue
		}
		c, err := x.readText(ctx, j.id)
		switch {
		case ctx.Err() != nil:
			x.reading.again(j, nil)
		case err != nil:
			x.reading.again(j, err)
			rest := time.NewTimer(unavailableRest)
			select {
			case <-rest.C:
			case <-ctx.Done():
			}
			rest.Stop()
		default:
			x.reading.settle(j, reply{j.id, c})
		}
	}
}

// readText reads the text of a document as it is by now. The error says that it is
// to be tried again.
func (x *Index) readText(ctx context.Context, id segment.ID) (content, error) {
	found, err := x.vault.LogReader().Find(ctx, []string{x.vault.LogReader().IDText(id)})
	if err != nil || len(found) == 0 || found[0].Current == nil {
		return content{}, err
	}
	return x.textOf(ctx, found[0].Current)
}

// textOf is the text of a version: what its file says, and behind that what was
// given for it.
func (x *Index) textOf(ctx context.Context, v *engine.Version) (content, error) {
	c, err := x.fileText(ctx, v)
	if c.own = len(c.Text); err != nil || v.TextSize == 0 {
		return c, err
	}
	given, err := x.givenText(ctx, v)
	switch {
	case errors.Is(err, engine.ErrUnavailable):
		return c, err
	case err != nil: // its bytes are lost
		c.Reason = strings.TrimPrefix(c.Reason+"; the text that was given cannot be read", "; ")
		return c, nil
	case given == "":
		return c, nil
	case c.Text != "":
		c.Text += "\n"
	}
	if c.Text += given; c.State == extract.Indexed && c.Reason == "" {
		c.Reason = "with a text that was given"
	} else {
		c.Reason = "by a text that was given; of the file itself: " + c.Reason
	}
	c.State = extract.Indexed
	return c, nil
}

// givenText is the text that was given for a version, without control characters.
func (x *Index) givenText(ctx context.Context, v *engine.Version) (string, error) {
	file, err := x.vault.LogReader().OpenText(ctx, v)
	if err != nil {
		return "", err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, engine.MaxText))
	var out extract.Output
	out.Text(string(b))
	return out.String(), err
}

// fileText reads what the file of a version says.
func (x *Index) fileText(ctx context.Context, v *engine.Version) (content, error) {
	c := content{digest: v.Digest, said: saidOf(v)}
	file, err := x.vault.LogReader().OpenContent(ctx, v)
	if errors.Is(err, engine.ErrUnavailable) {
		return c, err
	}
	if err != nil { // the file is lost, the document is not
		c.Result = extract.Result{State: extract.Failed, Reason: "the file's bytes cannot be read"}
		x.stats.failures.Add(1)
		return c, nil
	}
	defer file.Close()
	f := extract.File{ReaderAt: extract.At(file), Size: v.Size, MediaType: v.MediaType, Name: v.FileName}
	kind, err := extract.KindOf(ctx, f)
	if err != nil {
		return c, err
	}
	version := extract.VersionOf(x.reading.readers, kind)
	if reason, failed := x.reading.attempts.failure(v.Digest, kind, version); failed {
		c.Result = extract.Result{State: extract.Failed, Reason: reason, Kind: kind, Version: version, Text: x.readBefore(v)}
		return c, nil
	}
	end := x.reading.attempts.begin(v.Digest, kind, version)
	c.Result, err = extract.ReadAs(ctx, x.reading.readers, kind, f)
	if err != nil {
		end(nil)
		return c, err
	}
	end(&c.Result)
	if c.State == extract.Failed {
		x.stats.failures.Add(1)
	}
	return c, nil
}

// readBefore is what the index has of the text of a file that failed then.
func (x *Index) readBefore(v *engine.Version) string {
	id, ok := x.idOf(v.DocumentID)
	if !ok {
		return ""
	}
	before, err := x.stored(&unpacker{}, id)
	if err != nil || before.digest != v.Digest {
		return ""
	}
	return before.Text[:min(before.own, len(before.Text))]
}

// saidOf stands for what a client said of a file, the text that was given for it
// included: with another the same bytes may be of another kind, or say more.
func saidOf(v *engine.Version) uint32 {
	sum := fnv.New32a()
	media, _, _ := strings.Cut(strings.ToLower(v.MediaType), ";")
	said := append(strconv.AppendQuote(make([]byte, 0, 64), strings.TrimSpace(media)), ' ')
	sum.Write(strconv.AppendQuote(said, strings.ToLower(path.Ext(v.FileName))))
	if v.TextSize > 0 {
		sum.Write(v.TextDigest[:])
	}
	return sum.Sum32()
}

// unread finds, in an index that was made before, the documents whose text is still
// to be read, and those that a reader of another version has read.
func (x *Index) unread() (ids []segment.ID, err error) {
	err = x.store.View(func(parts []*segment.Part) error {
		for _, p := range parts {
			for t, err := range p.Terms(keyReader, keyReader+"\xff") {
				if err != nil {
					return err
				}
				if x.isOurs(t.Key[len(keyReader):]) {
					continue
				}
				set, err := p.Set(t.Key)
				if err != nil {
					return err
				}
				set = set.And(p.Living())
				for doc := range uint32(p.Len()) {
					if set.Has(doc) {
						ids = append(ids, p.ID(doc))
					}
				}
			}
		}
		return nil
	})
	slices.SortFunc(ids, func(a, b segment.ID) int { return strings.Compare(string(a[:]), string(b[:])) })
	return ids, err
}

// readerKey names a kind and the version of its reader.
func readerKey(r extract.Result) string { return fmt.Sprintf("%s %d", r.Kind, r.Version) }

// isOurs reports whether what a readerKey names was read as it would be now.
func (x *Index) isOurs(key string) bool {
	kind, _, _ := strings.Cut(key, " ")
	return key == readerKey(extract.Result{Kind: extract.Kind(kind), Version: extract.VersionOf(x.reading.readers, extract.Kind(kind))})
}

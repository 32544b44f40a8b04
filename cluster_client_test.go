package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"strongroom/audit"
)

// writer is a client of servers that share a vault. It works at one of them, and at
// another when that one is gone, and remembers what was acknowledged to it, locks
// too.
type writer struct {
	loader
	locked map[string]heldLock
	last   time.Time // when the last change was acknowledged
}

type heldLock struct{ LockToken, Fence string }

func newWriters(key string, seed uint64, n int) []*writer {
	all := make([]*writer, n)
	for i := range all {
		all[i] = &writer{locked: map[string]heldLock{},
			loader: loader{key: key, patient: true, dice: rand.New(rand.NewPCG(seed, uint64(i)+1)), kept: map[string]*killedDocument{}}}
	}
	return all
}

// work changes documents at the server at url until it is gone, or ctx is done.
func (w *writer) work(ctx context.Context, client *http.Client, url string) {
	for w.err == nil && ctx.Err() == nil {
		var gone bool
		switch what := w.dice.IntN(12); {
		case len(w.ids) == 0 || what < 5:
			gone = w.create(client, url)
		case what < 8:
			gone = w.version(client, url, w.ids[w.dice.IntN(len(w.ids))])
		case what < 10:
			gone = w.rename(client, url, w.ids[w.dice.IntN(len(w.ids))])
		default:
			gone = w.lock(client, url)
		}
		if gone {
			return
		}
		w.last = time.Now()
	}
}

// lock takes, uses or gives back a lock. What became of one that was not acknowledged
// is not asked.
func (w *writer) lock(client *http.Client, url string) (gone bool) {
	const most = 4
	for id, l := range w.locked {
		if len(w.locked) < most && w.dice.IntN(2) == 0 {
			break
		}
		document := url + "/v1/documents/" + id
		if w.dice.IntN(2) == 0 {
			return w.send(client, "PATCH", document, fmt.Appendf(nil, `{"description":"its holder's %d"}`, w.dice.Uint64()), http.StatusOK, nil, "X-Lock-Token", l.LockToken)
		}
		delete(w.locked, id)
		return w.send(client, "DELETE", document+"/lock", nil, http.StatusOK, nil, "X-Lock-Token", l.LockToken)
	}
	var document struct{ ID string }
	if gone := w.send(client, "POST", url+"/v1/documents?fileName=l.txt", []byte("l"), http.StatusCreated, &document); gone || w.err != nil {
		return gone
	}
	var taken heldLock
	gone = w.send(client, "POST", url+"/v1/documents/"+document.ID+"/lock", []byte(`{"lockDurationInSeconds":1800}`), http.StatusCreated, &taken, "Content-Type", "application/json")
	if !gone && w.err == nil {
		w.locked[document.ID] = taken
	}
	return gone
}

// checkLocks holds a server to the locks that were acknowledged.
func (w *writer) checkLocks(ctx context.Context, client *http.Client, url string) error {
	for id, want := range w.locked {
		body, err := w.get(ctx, client, url+"/v1/documents/"+id+"/lock")
		if err != nil {
			return err
		}
		var got heldLock
		if err := json.Unmarshal(body, &got); err != nil || got != want {
			return fmt.Errorf("%s: the lock is %s, acknowledged was %+v", id, body, want)
		}
	}
	return nil
}

// working is writers at work.
type working struct {
	writers []*writer
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// startWork has the writers work until stop. where returns the server that one goes to
// next, "" if there is none now.
func startWork(ctx context.Context, writers []*writer, where func(turn int) string) *working {
	w := &working{writers: writers}
	ctx, w.cancel = context.WithCancel(ctx)
	for i, writer := range writers {
		w.done.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: 5 * time.Second}
			defer client.CloseIdleConnections()
			for turn := i; writer.err == nil && ctx.Err() == nil; turn++ {
				if url := where(turn); url != "" {
					writer.work(ctx, client, url)
				}
				wait(ctx, 20*time.Millisecond)
			}
		})
	}
	return w
}

// stop waits until all have noticed, and fails for what went wrong with them. It
// returns how many changes were acknowledged.
func (w *working) stop(t testing.TB) (changes int) {
	t.Helper()
	w.cancel()
	w.done.Wait()
	for _, writer := range w.writers {
		changes += len(writer.receipts)
		if writer.err != nil {
			t.Error(writer.err)
		}
	}
	return changes
}

// numbers are the numbers of a log, each with the one entry that anybody was ever
// told to have it.
type numbers struct {
	mu    sync.Mutex
	hash  map[uint64]string
	where map[uint64]string
	twice error
}

func newNumbers() *numbers { return &numbers{hash: map[uint64]string{}, where: map[uint64]string{}} }

func (n *numbers) see(seq uint64, hash, where string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if was, there := n.hash[seq]; there && was != hash && n.twice == nil {
		n.twice = fmt.Errorf("entry %d was used twice: %s of %s, and %s of %s", seq, was, n.where[seq], hash, where)
	}
	n.hash[seq], n.where[seq] = hash, where
}

// follow reads the log of a server to its end and then on, until ctx is done. A server
// that is away is waited for.
func (n *numbers) follow(ctx context.Context, key, name string, where func() string) {
	client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for after := uint64(0); ctx.Err() == nil; {
		url := where()
		last, err := n.read(ctx, client, key, name, url, after)
		if url == "" || err != nil {
			wait(ctx, 50*time.Millisecond)
			continue
		}
		after = last
	}
}

// read reads what a server has after an entry, and waits a while if that is nothing.
func (n *numbers) read(ctx context.Context, client *http.Client, key, name, url string, after uint64) (uint64, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/v1/audit/entries?after=%d&limit=500&wait=2", url, after), nil)
	if err != nil {
		return after, err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	res, err := client.Do(r)
	if err != nil {
		return after, err
	}
	defer res.Body.Close()
	var page struct {
		Items []struct {
			Seq  uint64
			Hash string
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&page); err != nil || res.StatusCode != http.StatusOK {
		return after, errors.Join(err, errors.New(res.Status))
	}
	for _, entry := range page.Items {
		n.see(entry.Seq, entry.Hash, name)
		after = entry.Seq
	}
	return after, nil
}

// readAll reads a server's whole log, up to where it has one.
func (n *numbers) readAll(ctx context.Context, key, name, url string, head uint64) error {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for after := uint64(0); after < head; {
		last, err := n.read(ctx, client, key, name, url, after)
		if err != nil {
			return err
		}
		after = last
	}
	return nil
}

// check holds every receipt against the entry that has its number, and against the
// other receipts: no two changes were given one number.
func (n *numbers) check(t testing.TB, receipts []audit.Receipt) {
	t.Helper()
	if n.twice != nil {
		t.Error(n.twice)
	}
	given := map[uint64]bool{}
	for _, r := range receipts {
		if hash := fmt.Sprint(r.Hash); n.hash[r.Seq] != hash {
			t.Errorf("entry %d is %q, acknowledged was %s", r.Seq, n.hash[r.Seq], hash)
		}
		if given[r.Seq] {
			t.Errorf("two changes were acknowledged as entry %d", r.Seq)
		}
		given[r.Seq] = true
	}
}

// checkWriters holds a server to all that was acknowledged, by all who heard of it.
func checkWriters(t testing.TB, url string, writers []*writer) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: len(writers)}}
	defer client.CloseIdleConnections()
	var checking sync.WaitGroup
	for _, w := range writers {
		checking.Go(func() {
			for id, d := range w.kept {
				if err := w.check(t.Context(), client, url, id, d); err != nil {
					t.Error(err)
				}
			}
			if err := w.checkLocks(t.Context(), client, url); err != nil {
				t.Error(err)
			}
		})
	}
	checking.Wait()
}

// headOf returns the last entry a server has, with its hash.
func headOf(ctx context.Context, key, url string) (r audit.Receipt, err error) {
	body, err := (&loader{key: key}).get(ctx, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, url+"/v1/audit/head")
	if err != nil {
		return r, err
	}
	var head struct {
		Seq  uint64
		Hash string
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return r, err
	}
	return audit.ParseReceipt(fmt.Sprintf("%d:%s", head.Seq, head.Hash))
}

// readAll reads an answer to its end.
func readAll(res *http.Response) ([]byte, error) {
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

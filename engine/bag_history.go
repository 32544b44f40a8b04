package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// What a bag tells of the log.

// history finds the entries that concern a document, up to the one the bag tells of,
// and the last version they made.
func (w *bagWriter) history(doc id) (seqs []uint64, last uint64, err error) {
	chain, err := w.v.chain(w.ctx, doc.String(), 0)
	if err != nil {
		return nil, 0, err
	}
	slices.Reverse(chain)
	end, _ := slices.BinarySearch(chain, w.Seq+1)
	for rest := chain[:end]; len(rest) > 0; {
		entries, err := w.v.entriesOf(rest)
		if err != nil {
			return nil, 0, err
		}
		for _, e := range entries {
			seqs = append(seqs, e.Seq)
			if e.Op == audit.OpDocumentCreated || e.Op == audit.OpDocumentVersionAdded {
				last = max(last, e.Version)
			}
		}
		behind, err := w.behind(entries)
		if err != nil {
			return nil, 0, err
		}
		seqs, rest = append(seqs, behind...), rest[len(entries):]
	}
	seqs = append(seqs, w.leftBy(doc)...)
	waiting, err := view(w.v, func(t *tx) ([]uint64, error) { return w.concern.waiting(t, doc) })
	if err != nil {
		return nil, 0, err
	}
	seqs = append(seqs, waiting...)
	slices.Sort(seqs)
	seqs = slices.Compact(seqs)
	end, _ = slices.BinarySearch(seqs, w.Seq+1)
	for _, seq := range seqs[:end] {
		w.seqs.add(seq)
	}
	return seqs[:end], last, nil
}

// behind returns the entries that belong to some others.
func (w *bagWriter) behind(entries []Entry) (seqs []uint64, err error) {
	return view(w.v, func(t *tx) ([]uint64, error) {
		for i := range entries {
			more, err := w.concern.behind(t, &entries[i].Entry)
			if err != nil {
				return nil, err
			}
			seqs = append(seqs, more...)
		}
		return seqs, nil
	})
}

// historyJSON spells entries, with their details, and adds them to the table of all.
func (w *bagWriter) historyJSON(documentID string, seqs []uint64) io.Reader {
	before, over := "[\n", false
	return &pages{fill: func() ([]byte, error) {
		if over {
			return nil, w.ctx.Err()
		}
		entries, err := w.v.entriesOf(seqs)
		if err != nil {
			return nil, err
		}
		var page bytes.Buffer
		for _, e := range entries {
			facts, _ := e.Facts.MarshalJSON() // they were read from a line, so they can be printed
			name, _ := view(w.v, func(t *tx) (string, error) { return w.names.of(t, e.Actor), nil })
			line, err := json.Marshal(baggedEntry{e.Seq, audit.FormatTime(e.Time), e.Op, e.Actor, name, e.Key, e.Version, facts, e.Detail, e.Hash})
			if err != nil {
				return nil, err
			}
			page.WriteString(before)
			page.Write(line)
			before = ",\n"
			w.tables["history.csv"].row(documentID, strconv.FormatUint(e.Seq, 10), audit.FormatTime(e.Time), string(e.Op), e.Actor, name, counted(e.Version), string(facts), string(e.Detail))
		}
		if seqs = seqs[len(entries):]; len(seqs) == 0 {
			over = true
			page.WriteString(strings.TrimPrefix(before, ",") + "]\n")
		}
		return page.Bytes(), nil
	}}
}

type baggedEntry struct {
	Seq       uint64          `json:"seq"`
	Time      string          `json:"time"`
	Op        audit.Op        `json:"op"`
	Actor     string          `json:"actor"`
	ActorName string          `json:"actorName"`
	Key       string          `json:"key"`
	Version   uint64          `json:"version"`
	Facts     json.RawMessage `json:"facts"`
	Detail    json.RawMessage `json:"detail,omitempty"`
	Hash      audit.Hash      `json:"hash"`
}

// itself adds the entry of the export, with its approval where it needed one.
func (w *bagWriter) itself() error {
	made, err := w.v.entriesOf([]uint64{w.Receipt.Seq})
	if err != nil {
		return err
	}
	approval, err := w.behind(made)
	for _, seq := range append(approval, w.Receipt.Seq) {
		w.seqs.add(seq)
	}
	return err
}

// lines reads the entries that concern the bag, in order.
func (w *bagWriter) lines(spell func([]byte, *Entry) ([]byte, error)) io.Reader {
	next := uint64(0)
	return &pages{fill: func() (page []byte, err error) {
		for len(page) == 0 {
			if err := w.ctx.Err(); err != nil {
				return nil, err
			}
			seqs := w.seqs.from(next, maxLimit)
			if len(seqs) == 0 {
				return nil, nil
			}
			entries, err := w.v.entriesOf(seqs)
			if err != nil {
				return nil, err
			}
			for i := range entries {
				if page, err = spell(page, &entries[i]); err != nil {
					return nil, err
				}
				next = entries[i].Seq + 1
			}
		}
		return page, nil
	}}
}

// leavingRun is a run of retention that has left documents of the bag alone, as for a
// hold: a bit for each of the bag's.
type leavingRun struct {
	began, ended uint64
	left         []uint64
}

// findLeaving reads the lists of what runs have left alone, of those runs whose lists
// are still kept.
func (w *bagWriter) findLeaving() error {
	lists, err := os.ReadDir(filepath.Join(w.v.dir, dirRetention))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, f := range lists {
		runID, isList := strings.CutSuffix(f.Name(), leftSuffix)
		if !isList {
			continue
		}
		r, err := view(w.v, func(t *tx) (*run, error) { return t.run(runID) })
		if errors.Is(err, ErrRunNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		leaving := leavingRun{began: r.began, ended: r.ended}
		for from, more := int64(0), true; more; {
			if err := w.ctx.Err(); err != nil {
				return err
			}
			lines, next, err := w.v.leftLines(runID, from, maxLimit)
			if err != nil {
				return err
			}
			for i := range lines {
				if at, is := w.place(lines[i].documentID); is {
					if leaving.left == nil {
						leaving.left = make([]uint64, len(w.ids)/64+1)
					}
					leaving.left[at/64] |= 1 << (at % 64)
				}
			}
			from, more = next, len(lines) == maxLimit
		}
		if leaving.left != nil {
			w.leaving = append(w.leaving, leaving)
		}
	}
	return nil
}

// place finds a document among those of the bag.
func (w *bagWriter) place(documentID string) (int, bool) {
	key, _ := store.ParseID(documentID)
	return slices.BinarySearchFunc(w.ids, key, func(x, y id) int { return bytes.Compare(x[:], y[:]) })
}

// leftBy returns the entries of the runs that have left a document alone.
func (w *bagWriter) leftBy(doc id) (seqs []uint64) {
	at, _ := w.place(doc.String())
	for i := range w.leaving {
		if r := &w.leaving[i]; r.left[at/64]&(1<<(at%64)) != 0 {
			seqs = append(seqs, r.began, r.ended)
		}
	}
	return seqs
}

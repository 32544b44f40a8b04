package search

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"strongroom/engine/search/segment"
	"strongroom/engine/search/words"
)

// maxResets is how often one Run makes the index anew that is damaged again and
// again, before it says so.
const maxResets = 3

// errLanguage: the settings ask for another language than that of the index.
var errLanguage = errors.New("the language of the index has changed")

// errLost: the directory of the index was deleted.
var errLost = errors.New("the files of the index are gone")

// Run keeps the index up to the log until ctx ends, and saves it then; it returns nil
// then. With an error, such as a full disk, it may be called again. One call at
// a time.
func (x *Index) Run(ctx context.Context) error {
	x.update(func() { x.stopped = false })
	defer x.update(func() { x.stopped = true })
	for resets := 0; ; resets++ {
		err := x.run(ctx)
		language := x.language
		switch {
		case ctx.Err() != nil && x.store.Lost():
			return nil
		case ctx.Err() != nil:
			return x.store.Save()
		case errors.Is(err, errLanguage):
			s, settingsErr := x.vault.Settings(ctx)
			if settingsErr != nil {
				return settingsErr
			}
			language, resets = s.SearchLanguage, 0
		case !damaged(err) && !errors.Is(err, errLost) && !errors.Is(err, fs.ErrNotExist) || resets == maxResets:
			return fmt.Errorf("keep the search index: %w", err)
		}
		if err := x.reset(language); err != nil {
			return err
		}
	}
}

// run indexes in this goroutine, and compacts and reads in others that end with it.
func (x *Index) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var beside sync.WaitGroup
	beside.Go(func() {
		if err := x.compact(ctx); err != nil {
			cancel(err)
		}
	})
	beside.Go(func() { x.readTexts(ctx) })
	err := x.index(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(err)
	beside.Wait()
	return err
}

// compact checks what was there when it began, then merges files whenever
// there may be something to merge. After each time it rests as long as that took, so that
// a long run of deletions does not keep it busy with writing the same files.
func (x *Index) compact(ctx context.Context) error {
	if err := x.store.Check(ctx.Err); err != nil {
		return err
	}
	for {
		if x.suspect.Swap(false) {
			return segment.ErrDamaged
		}
		began := time.Now()
		if err := x.store.Compact(ctx.Err); err != nil {
			return err
		}
		x.update(func() {})
		rest := time.NewTimer(time.Since(began))
		select {
		case <-rest.C:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-x.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// index makes the index, if there is none, and follows the log.
func (x *Index) index(ctx context.Context) error {
	split, err := words.NewSplitter(x.language)
	if err != nil {
		return err
	}
	b := &batch{x: x, state: x.state, split: newSplit(split), saved: time.Now()}
	b.begin()
	ids, err := x.unread()
	if err != nil {
		return err
	}
	x.reading.refill(ids)
	if b.state.Building {
		if err := b.build(ctx); err != nil {
			return err
		}
	}
	for {
		if err := b.follow(ctx); err != nil {
			return err
		}
	}
}

func (x *Index) signal() {
	select {
	case x.wake <- struct{}{}:
	default: // it has been told
	}
}

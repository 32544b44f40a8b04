package object

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// ErrLies says that a store does not keep what package object says of it. The error
// around it says what it did.
var ErrLies = errors.New("the store does not keep its promises")

const (
	// often is how many times is asked what has no answer, unless it takes longer than
	// enough.
	often  = 5
	enough = 10 * time.Second
	// rounds is how many times one object is written and read, since a cache shows now and
	// then only.
	rounds = 4
	// tidying is how long what the trial has put is removed, whoever has given up.
	tidying = 30 * time.Second
)

// Trial tries whether a store keeps what package object says of it, with some hundred
// requests below trial/, and removes what it has put. ErrLies: it does not, and the
// error says what it did; any other error: it could not be tried. It takes a second or
// so where the store is near. A store that passes may still lie when it is in trouble.
func Trial(ctx context.Context, s Store) error {
	t := &trial{s: s, below: "trial/" + rand.Text() + "/"}
	err := t.run(ctx)
	tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidying)
	defer cancel()
	for _, key := range t.put {
		removed := t.sure(tidy, func() error { return s.Delete(tidy, key) })
		if removed != nil && err == nil {
			err = fmt.Errorf("remove what the trial of the store has put: %w", removed)
		}
		if !decided(removed) {
			break // it is not reached: neither are the others
		}
	}
	return err
}

type trial struct {
	s     Store
	below string
	put   []string // what is to be removed
}

func (t *trial) run(ctx context.Context) error {
	for _, try := range []func(context.Context) error{
		t.tryOverwrites, t.tryAbsent, t.tryMatch, t.tryRange, t.tryDelete, t.tryList, t.tryAbsentAtOnce, t.tryMatchAtOnce,
	} {
		if err := try(ctx); err != nil {
			return err
		}
	}
	return nil
}

func lie(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrLies, fmt.Sprintf(format, args...))
}

// key is one that nobody has ever used: a request that comes late hits nothing else.
func (t *trial) key(name string) string {
	key := t.below + name
	t.put = append(t.put, key)
	return key
}

// words are bytes that nobody has ever put.
func words() []byte { return []byte("trial " + rand.Text()) }

// decided reports whether the store was reached and has answered.
func decided(err error) bool {
	return err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrExists) || errors.Is(err, ErrChanged)
}

// sure asks until there is an answer.
func (t *trial) sure(ctx context.Context, ask func() error) error {
	began := time.Now()
	for failed := 1; ; failed++ {
		err := ask()
		if decided(err) || failed == often || time.Since(began) > enough || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(failed) * 100 * time.Millisecond):
		}
	}
}

// write puts b, which nobody else has ever put, and finds out whether it did: a
// condition that does not hold because b stands there already has held.
func (t *trial) write(ctx context.Context, key string, b []byte, c Condition) (Info, error) {
	var info Info
	err := t.sure(ctx, func() (err error) {
		info, err = t.s.Put(ctx, key, b, c)
		return err
	})
	if errors.Is(err, ErrExists) || errors.Is(err, ErrChanged) {
		if is, found, read := t.read(ctx, key); read == nil && bytes.Equal(is, b) {
			return found, nil
		}
	}
	return info, err
}

func (t *trial) read(ctx context.Context, key string) (b []byte, info Info, err error) {
	err = t.sure(ctx, func() error {
		b, info, err = Read(ctx, t.s, key)
		return err
	})
	return b, info, err
}

// expect reads what was acknowledged last. after says what that was.
func (t *trial) expect(ctx context.Context, key string, want []byte, put Info, after string) error {
	b, info, err := t.read(ctx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && bytes.Equal(b, want) {
		stat, err := t.stat(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if info.ETag != put.ETag || stat.ETag != put.ETag || stat.Size != int64(len(want)) {
			return lie("it tells three things of one object: %s of %d bytes when it is put, %s when it is read, %s of %d bytes when it is looked at", put.ETag, len(want), info.ETag, stat.ETag, stat.Size)
		}
		return nil
	}
	// What is late comes, what is lost does not.
	for range often {
		if again, _, err := t.read(ctx, key); err == nil && bytes.Equal(again, want) {
			return lie("it answers reads from a stale copy: %s, what stood there before was read", after)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return lie("it loses what it has acknowledged: %s, nothing is there", after)
	}
	return lie("it changes the order of what it has acknowledged, or loses it: %s, other bytes are there", after)
}

func (t *trial) stat(ctx context.Context, key string) (info Info, err error) {
	err = t.sure(ctx, func() error {
		info, err = t.s.Stat(ctx, key)
		return err
	})
	return info, err
}

// tryOverwrites reads after each write. Each is on the condition of the one before, so
// that one which comes late changes nothing.
func (t *trial) tryOverwrites(ctx context.Context) error {
	key := t.key("overwritten")
	// Asked for before it is there, since some remember that it was not.
	if _, _, err := t.read(ctx, key); !errors.Is(err, ErrNotFound) {
		return orLie(err, "it has an object that nobody has put")
	}
	b := words()
	was, err := t.write(ctx, key, b, Condition{Absent: true})
	if err != nil {
		return orLie(err, "it refuses If-None-Match: * for what is not there")
	}
	if err := t.expect(ctx, key, b, was, "after a put"); err != nil {
		return err
	}
	for range rounds {
		b = words()
		is, err := t.write(ctx, key, b, Condition{Match: was.ETag})
		if err != nil {
			return orLie(err, "it refuses If-Match with the ETag that it gave")
		}
		if is.ETag == was.ETag {
			return lie("it gives other bytes the ETag of those before: If-Match cannot tell them apart")
		}
		if err := t.expect(ctx, key, b, is, "after it was overwritten"); err != nil {
			return err
		}
		was = is
	}
	return nil
}

// orLie is a lie where the store has decided, and err where it was not reached.
func orLie(err error, format string, args ...any) error {
	if !decided(err) {
		return err
	}
	return lie(format, args...)
}

func (t *trial) tryAbsent(ctx context.Context) error {
	key, b := t.key("absent"), words()
	put, err := t.write(ctx, key, b, Condition{Absent: true})
	if err != nil {
		return orLie(err, "it refuses If-None-Match: * for what is not there")
	}
	if _, err := t.write(ctx, key, words(), Condition{Absent: true}); !errors.Is(err, ErrExists) {
		return orLie(err, "it accepts If-None-Match: * and ignores it")
	}
	return t.expect(ctx, key, b, put, "after a put that it had refused")
}

func (t *trial) tryMatch(ctx context.Context) error {
	key, b := t.key("matched"), words()
	first, err := t.write(ctx, key, words(), Condition{Absent: true})
	if err != nil {
		return orLie(err, "it refuses If-None-Match: * for what is not there")
	}
	second, err := t.write(ctx, key, b, Condition{Match: first.ETag})
	if err != nil {
		return orLie(err, "it refuses If-Match with the ETag that it gave")
	}
	if _, err := t.write(ctx, key, words(), Condition{Match: first.ETag}); !errors.Is(err, ErrChanged) {
		return orLie(err, "it accepts If-Match and ignores it: an ETag from before has won")
	}
	if err := t.expect(ctx, key, b, second, "after a put that it had refused"); err != nil {
		return err
	}
	gone := t.key("gone")
	if _, err := t.write(ctx, gone, words(), Condition{Match: first.ETag}); !errors.Is(err, ErrChanged) {
		return orLie(err, "it accepts If-Match and ignores it: what is not there has matched")
	}
	return nil
}

func (t *trial) tryRange(ctx context.Context) error {
	key, b := t.key("long"), bytes.Repeat(words(), 2000)
	if _, err := t.write(ctx, key, b, Condition{Absent: true}); err != nil {
		return orLie(err, "it refuses If-None-Match: * for what is not there")
	}
	for _, at := range []int{1, len(b) / 2, len(b) - 1} {
		var got []byte
		err := t.sure(ctx, func() error {
			r, _, err := t.s.Get(ctx, key, int64(at))
			if err != nil {
				return err
			}
			defer r.Close()
			got, err = io.ReadAll(r)
			return err
		})
		if err != nil && !decided(err) {
			return err
		}
		if err != nil || !bytes.Equal(got, b[at:]) {
			return lie("asked for the bytes from %d on, it gives others", at)
		}
	}
	return nil
}

func (t *trial) tryDelete(ctx context.Context) error {
	key := t.key("deleted")
	for range 2 { // nothing remembers that it was there, or that it was not
		b := words()
		put, err := t.write(ctx, key, b, Condition{Absent: true})
		if err != nil {
			return orLie(err, "it refuses If-None-Match: * for what was deleted")
		}
		if err := t.expect(ctx, key, b, put, "after a put"); err != nil {
			return err
		}
		if err := t.sure(ctx, func() error { return t.s.Delete(ctx, key) }); err != nil {
			return orLie(err, "it refuses to delete what is there")
		}
		if _, _, err := t.read(ctx, key); !errors.Is(err, ErrNotFound) {
			return orLie(err, "what was deleted can be read")
		}
		if _, err := t.stat(ctx, key); !errors.Is(err, ErrNotFound) {
			return orLie(err, "what was deleted is there when it is looked at")
		}
	}
	return nil
}

func (t *trial) tryList(ctx context.Context) error {
	var keys []string
	list := func() (found []string, err error) {
		err = t.sure(ctx, func() error {
			found = nil
			return t.s.List(ctx, t.below+"list/", "", func(info Info) error {
				found = append(found, info.Key)
				return nil
			})
		})
		return found, err
	}
	for _, name := range []string{"list/c", "list/a", "list/b/a", "list/b-a"} {
		key := t.key(name)
		keys = append(keys, key)
		slices.Sort(keys)
		if _, err := t.write(ctx, key, words(), Condition{Absent: true}); err != nil {
			return orLie(err, "it refuses If-None-Match: * for what is not there")
		}
		found, err := list()
		if err != nil {
			return err
		}
		if !slices.Equal(found, keys) {
			return lie("it lists %q after %q were put", found, keys)
		}
	}
	if err := t.sure(ctx, func() error { return t.s.Delete(ctx, keys[0]) }); err != nil {
		return orLie(err, "it refuses to delete what is there")
	}
	found, err := list()
	if err == nil && !slices.Equal(found, keys[1:]) {
		return lie("it lists %q when %q are left", found, keys[1:])
	}
	return err
}

package object_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/blobstore/object"
	"strongroom/blobstore/object/objecttest"
)

// said is what the trial says of each lie.
var said = map[objecttest.Lie]string{
	objecttest.IgnoresAbsent: "accepts If-None-Match: * and ignores it",
	objecttest.IgnoresMatch:  "accepts If-Match and ignores it",
	objecttest.ChecksEarly:   "32 of 32 puts at once have won",
	objecttest.Loses:         "loses what it has acknowledged",
	objecttest.Reorders:      "changes the order of what it has acknowledged",
	objecttest.Stale:         "answers reads from a stale copy",
	objecttest.KeepsETag:     "gives other bytes the ETag of those before",
	objecttest.KeepsDeleted:  "what was deleted can be read",
	objecttest.IgnoresOffset: "asked for the bytes from 1 on, it gives others",
	objecttest.ListsLate:     "it lists",
}

func TestTrialNamesEachLie(t *testing.T) {
	for _, lie := range objecttest.Lies() {
		t.Run(lie.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err := object.Trial(t.Context(), objecttest.NewLiar(object.NewMemory(), lie))
				if !errors.Is(err, object.ErrLies) || said[lie] == "" || !strings.Contains(err.Error(), said[lie]) {
					t.Errorf("%v, want %q", err, said[lie])
				}
			})
		})
	}
}

// What happens to good stores, often, does not make them bad ones.
func TestTrialStandsTroubles(t *testing.T) {
	for _, trouble := range objecttest.Troubles() {
		for _, every := range []int{2, 3, 7} {
			t.Run(fmt.Sprint(trouble, " ", every), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					liar := objecttest.NewLiar(object.NewMemory(), trouble)
					liar.Only(every, "trial/")
					if err := object.Trial(t.Context(), liar); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// unreachable is a store that nobody reaches.
type unreachable struct{ object.Store }

var errUnreachable = errors.New("unreachable")

func (unreachable) Get(context.Context, string, int64) (io.ReadCloser, object.Info, error) {
	return nil, object.Info{}, errUnreachable
}

func (unreachable) Delete(context.Context, string) error { return errUnreachable }

func TestTrialOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := object.Trial(t.Context(), unreachable{object.NewMemory()})
		if !errors.Is(err, errUnreachable) || errors.Is(err, object.ErrLies) {
			t.Errorf("%v", err)
		}
	})
}

// few takes only some at once, and has the others wait.
type few struct {
	*object.Memory
	slots chan struct{}
}

func (f few) PutHeld(ctx context.Context, key string, b []byte, c object.Condition, ready func() error) (object.Info, error) {
	f.slots <- struct{}{}
	defer func() { <-f.slots }()
	return f.Memory.PutHeld(ctx, key, b, c, ready)
}

func TestTrialOfAStoreThatTakesFewAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if err := object.Trial(t.Context(), few{object.NewMemory(), make(chan struct{}, 5)}); err != nil {
			t.Error(err)
		}
	})
}

// plain hides that a store can hold back.
type plain struct{ object.Store }

func TestTrialWithoutHolding(t *testing.T) {
	if err := object.Trial(t.Context(), plain{object.NewMemory()}); err != nil {
		t.Error(err)
	}
}

// waiting takes a tenth of a second for each put.
type waiting struct{ *object.Memory }

func (w waiting) Put(ctx context.Context, key string, b []byte, c object.Condition) (object.Info, error) {
	select {
	case <-ctx.Done():
		return object.Info{}, ctx.Err()
	case <-time.After(100 * time.Millisecond):
		return w.Memory.Put(ctx, key, b, c)
	}
}

func TestTrialIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		inner := object.NewMemory()
		err := object.Trial(ctx, waiting{inner})
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, object.ErrLies) {
			t.Errorf("%v", err)
		}
		if err := inner.List(t.Context(), "", "", func(info object.Info) error { return errors.New(info.Key) }); err != nil {
			t.Errorf("it leaves %v", err)
		}
	})
}

package engine_test

import (
	"errors"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func TestWritable(t *testing.T) {
	k := enginetest.New(t)
	if err := k.Writable(); err != nil {
		t.Error(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if err := k.Writable(); !errors.Is(err, engine.ErrUnavailable) {
		t.Error("closed, and yet: ", err)
	}
	v, err := engine.Open(k.Dir, engine.Options{ReserveBytes: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Writable(); !errors.Is(err, engine.ErrNoSpace) {
		t.Error("below the reserve, and yet: ", err)
	}
}

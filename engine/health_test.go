package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

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

func TestClockDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		if doubt, err := k.ClockDoubt(); doubt != "" || err != nil {
			t.Error(doubt, err)
		}
		time.Sleep(31 * 24 * time.Hour)
		if doubt, err := k.ClockDoubt(); doubt != engine.DoubtSilence || err != nil {
			t.Error(doubt, err)
		}
	})
}

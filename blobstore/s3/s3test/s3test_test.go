package s3test_test

import (
	"errors"
	"testing"
	"time"

	"strongroom/blobstore/object"
	"strongroom/blobstore/s3"
	"strongroom/blobstore/s3/s3test"
)

// What was acknowledged survives the end of the server; while it is gone nobody knows.
func TestKill(t *testing.T) {
	server := s3test.Start(t)
	c := server.Open("p")
	put := func(key string) error {
		_, err := c.Put(t.Context(), key, []byte("of "+key), object.Condition{Absent: true})
		return err
	}
	if err := put("before"); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if err := put("meanwhile"); err == nil || errors.Is(err, object.ErrExists) {
		t.Errorf("meanwhile: %v", err)
	}
	if _, err := c.Stat(t.Context(), "before"); err == nil || errors.Is(err, object.ErrNotFound) {
		t.Errorf("looked at meanwhile: %v", err)
	}
	server.Restart()
	if b, _, err := object.Read(t.Context(), c, "before"); err != nil || string(b) != "of before" {
		t.Errorf("%q, %v", b, err)
	}
	if err := put("before"); !errors.Is(err, object.ErrExists) {
		t.Errorf("%v", err)
	}
	if err := put("after"); err != nil {
		t.Error(err)
	}
}

// A put that a paused server has taken is unknown, and may be carried out when nobody
// waits any more. Who puts the same again finds out.
func TestPause(t *testing.T) {
	server := s3test.Start(t)
	config := server.Config("p")
	config.Patience = 100 * time.Millisecond
	impatient, err := s3.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	absent := object.Condition{Absent: true}
	server.Pause()
	if _, err := impatient.Put(t.Context(), "k", []byte("one"), absent); err == nil || errors.Is(err, object.ErrExists) {
		t.Errorf("paused: %v", err)
	}
	server.Resume()
	c := server.Open("p")
	if _, err := c.Put(t.Context(), "k", []byte("one"), absent); err != nil && !errors.Is(err, object.ErrExists) {
		t.Errorf("again: %v", err)
	}
	if b, _, err := object.Read(t.Context(), c, "k"); err != nil || string(b) != "one" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := c.Put(t.Context(), "k", []byte("two"), absent); !errors.Is(err, object.ErrExists) {
		t.Errorf("another: %v", err)
	}
}

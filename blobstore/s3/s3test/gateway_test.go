package s3test

import (
	"errors"
	"testing"

	"strongroom/blobstore/object"
	"strongroom/blobstore/s3"
)

// TestThroughTheProxy holds that a real store takes what comes through a proxy: passed
// on, sent twice, and signed anew without its conditions.
func TestThroughTheProxy(t *testing.T) {
	s := Start(t)
	config := s.Config("proxy")
	p, err := NewProxy(s.URL, config.SecretKey)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	port, err := p.Port()
	if err != nil {
		t.Fatal(err)
	}
	config.Endpoint = port.URL()
	c, err := s3.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	put := func(text string, want error) {
		t.Helper()
		if _, err := c.Put(t.Context(), "k", []byte(text), object.Condition{Absent: true}); !errors.Is(err, want) {
			t.Errorf("put %s: %v, want %v", text, err, want)
		}
	}
	has := func(want string) {
		t.Helper()
		if b, _, err := object.Read(t.Context(), c, "k"); err != nil || string(b) != want {
			t.Errorf("there is %q, %v, want %q", b, err, want)
		}
	}
	port.Set(Rules{Repeat: true})
	put("first", object.ErrExists) // its own
	has("first")
	port.Set(Rules{})
	put("second", object.ErrExists)
	port.Set(Rules{IgnoreConditions: true})
	put("third", nil)
	has("third")
	port.Set(Rules{Forget: true})
	if _, err := c.Put(t.Context(), "k", []byte("fourth"), object.Condition{}); err != nil {
		t.Error(err)
	}
	port.Set(Rules{})
	has("third")
	// None of these is an answer.
	for _, rules := range []Rules{{LoseAnswer: true}, {Refuse: true}, {Late: 1}} {
		port.Set(rules)
		_, err := c.Put(t.Context(), "k", []byte("fifth"), object.Condition{Absent: true})
		if err == nil || errors.Is(err, object.ErrExists) {
			t.Errorf("%+v: %v", rules, err)
		}
	}
}

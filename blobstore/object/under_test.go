package object_test

import (
	"testing"

	"strongroom/blobstore/object"
	"strongroom/blobstore/object/objecttest"
)

// Two below one store do all that a store does, and neither sees the other.
func TestUnder(t *testing.T) {
	store := object.NewMemory()
	other := object.Under(store, "other/")
	if _, err := other.Put(t.Context(), "key", []byte("theirs"), object.Condition{}); err != nil {
		t.Fatal(err)
	}
	objecttest.Test(t, func(t *testing.T) object.Store { return object.Under(store, t.Name()+"/") })
	if b, info, err := object.Read(t.Context(), other, "key"); err != nil || string(b) != "theirs" || info.Key != "key" {
		t.Errorf("%q, %+v, %v", b, info, err)
	}
}

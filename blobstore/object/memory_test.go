package object_test

import (
	"testing"

	"strongroom/blobstore/object"
	"strongroom/blobstore/object/objecttest"
)

func TestMemory(t *testing.T) {
	objecttest.Test(t, func(*testing.T) object.Store { return object.NewMemory() })
}

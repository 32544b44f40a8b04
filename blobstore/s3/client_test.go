package s3_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"strongroom/blobstore/object"
	"strongroom/blobstore/object/objecttest"
	"strongroom/blobstore/s3/s3test"
)

func TestStore(t *testing.T) {
	server := s3test.Start(t)
	var n atomic.Int64
	objecttest.Test(t, func(t *testing.T) object.Store {
		return server.Open(fmt.Sprintf("test/%d", n.Add(1)))
	})
}

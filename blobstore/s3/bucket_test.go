package s3_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"strongroom/blobstore/object"
	"strongroom/blobstore/object/objecttest"
	"strongroom/blobstore/s3"
	"strongroom/blobstore/s3/s3test"
)

func TestCheckOfARealBucket(t *testing.T) {
	server := s3test.Start(t)
	check := func(bucket string) error {
		c := server.Config("p")
		c.Bucket = bucket
		return open(t, c).Check(t.Context())
	}
	if err := check(s3test.Bucket); err != nil {
		t.Error(err)
	}
	if err := check("another"); !errors.Is(err, s3.ErrNoBucket) || !strings.Contains(err.Error(), "another") {
		t.Errorf("a bucket that is not there: %v", err)
	}
	c := server.Config("")
	c.SecretKey = "of somebody else"
	if err := open(t, c).Check(t.Context()); !errors.Is(err, s3.ErrDenied) {
		t.Errorf("a wrong secret: %v", err)
	}

	server.MakeBucket("versions")
	server.SetVersioning("versions", true)
	if err := check("versions"); !errors.Is(err, s3.ErrVersioned) || !strings.Contains(err.Error(), "enabled") {
		t.Errorf("with versioning: %v", err)
	}
	server.SetVersioning("versions", false)
	if err := check("versions"); err != nil {
		t.Errorf("without any version: %v", err)
	}
	c = server.Config("p")
	c.Bucket = "versions"
	store := open(t, c)
	objecttest.Put(t, store, "null", "of the version null", object.Condition{})
	if err := check("versions"); err != nil {
		t.Errorf("with the version null alone: %v", err)
	}
	server.SetVersioning("versions", true)
	objecttest.Put(t, store, "k", "of a version", object.Condition{})
	server.SetVersioning("versions", false)
	if err := check("versions"); !errors.Is(err, s3.ErrVersioned) || !strings.Contains(err.Error(), "p/k") {
		t.Errorf("with a version from before: %v", err)
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name       string
		head       int
		versioning http.HandlerFunc
		want       error
		says       string
	}{
		{"a store without versioning", 200, s3Error(501, "NotImplemented"), nil, ""},
		{"no bucket", 404, nil, s3.ErrNoBucket, "make it"},
		{"denied", 403, nil, s3.ErrDenied, "delete and list"},
		{"versioning may not be read", 200, s3Error(403, "AccessDenied"), s3.ErrDenied, "versioning"},
		{"the store has failed", 500, nil, errUnknown, "500"},
		{"it fails then", 200, s3Error(503, "SlowDown"), errUnknown, "503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, c := answering(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					w.WriteHeader(test.head)
					return
				}
				test.versioning(w, r)
			})
			err := c.Check(t.Context())
			if test.want == errUnknown {
				if err == nil || errors.Is(err, s3.ErrNoBucket) || errors.Is(err, s3.ErrDenied) || errors.Is(err, s3.ErrVersioned) {
					t.Errorf("%v", err)
				}
			} else if !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q does not say %q", err, test.says)
			}
		})
	}
}

var errUnknown = errors.New("nobody knows")

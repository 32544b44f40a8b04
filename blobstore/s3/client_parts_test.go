package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"strongroom/blobstore/object"
)

// parts is a store that takes uploads in parts, and answers as a test says.
type parts struct {
	mu       sync.Mutex // guards what follows
	took     map[string][]byte
	aborted  int
	complete int
	part     func(n, try string) http.HandlerFunc // nil: it is taken
	finish   http.HandlerFunc
	tries    map[string]int
}

func (p *parts) answer(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	b, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case q.Has("uploads"):
		fmt.Fprint(w, `<InitiateMultipartUploadResult><Bucket>vaults</Bucket><Key>k</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>`)
	case r.Method == http.MethodDelete:
		p.aborted++
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPut:
		n := q.Get("partNumber")
		p.tries[n]++
		if f := p.part(n, fmt.Sprint(p.tries[n])); f != nil {
			f(w, r)
			return
		}
		p.took[n] = b
		w.Header().Set("ETag", `"part"`)
	default:
		p.complete++
		p.finish(w, r)
	}
}

func completed(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, `<CompleteMultipartUploadResult><Bucket>vaults</Bucket><Key>k</Key><ETag>"whole-2"</ETag></CompleteMultipartUploadResult>`)
}

func TestPartsThatFail(t *testing.T) {
	if testing.Short() {
		t.Skip("parts are long")
	}
	b := bytes.Repeat([]byte("0123456789abcdef"), 1<<20+1) // 16 MiB and a little
	for _, test := range []struct {
		name              string
		part              func(n, try string) http.HandlerFunc
		finish            http.HandlerFunc
		want              string // of the error, "" if there is none
		complete, aborted int
	}{
		{"all is well", func(string, string) http.HandlerFunc { return nil }, completed, "", 1, 0},
		{"a part fails twice", func(n, try string) http.HandlerFunc {
			if n == "2" && try < "3" {
				return s3Error(503, "SlowDown")
			}
			return nil
		}, completed, "", 1, 0},
		{"a part fails for good", func(string, string) http.HandlerFunc { return s3Error(500, "InternalError") }, completed, "500", 0, 1},
		{"a part is refused", func(string, string) http.HandlerFunc { return s3Error(403, "AccessDenied") }, completed, "does not allow", 0, 1},
		{"the bucket is gone", func(string, string) http.HandlerFunc { return s3Error(404, "NoSuchBucket") }, completed, "no such bucket", 0, 1},
		{"it cannot be completed", func(string, string) http.HandlerFunc { return nil }, s3Error(500, "InternalError"), "500", 1, 1},
		{"it says so with 200", func(string, string) http.HandlerFunc { return nil }, s3Error(200, "InternalError"), "InternalError", 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := &parts{took: map[string][]byte{}, tries: map[string]int{}, part: test.part, finish: test.finish}
			_, c := answering(t, p.answer)
			info, err := c.PutStream(t.Context(), "k", bytes.NewReader(b), int64(len(b)))
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, object.ErrNotFound) {
					t.Errorf("%v, want %q", err, test.want)
				}
			} else if err != nil || info.ETag != "whole-2" || info.Size != int64(len(b)) {
				t.Errorf("%+v, %v", info, err)
			} else if got := append(p.took["1"], p.took["2"]...); !bytes.Equal(got, b) {
				t.Errorf("%d of %d bytes", len(got), len(b))
			}
			if p.complete != test.complete || p.aborted != test.aborted {
				t.Errorf("completed %d times, aborted %d", p.complete, p.aborted)
			}
		})
	}
}

package s3test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// held is the body of a request that can be sent more than once.
type held struct {
	*bytes.Reader
	b []byte
}

func (held) Close() error { return nil }

var errTooLarge = errors.New("the body is too large to be held back")

// hold reads the body of a request, so that it can be sent again.
func hold(r *http.Request) error {
	if _, already := r.Body.(held); already {
		return nil
	}
	const most = 64 << 20
	b, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err == nil && len(b) > most {
		err = errTooLarge
	}
	r.Body = held{bytes.NewReader(b), b}
	return err
}

// again is a request to be carried out once more. Its body is held.
func again(r *http.Request, ctx context.Context) *http.Request {
	b := r.Body.(held).b
	twin := r.Clone(ctx)
	twin.Body = held{bytes.NewReader(b), b}
	return twin
}

// told answers a change as if it had been made.
func told(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	sum := md5.Sum(plain(r))
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	w.WriteHeader(http.StatusOK)
}

// plain returns the body of a request, which is held, without the framing of
// aws-chunked.
func plain(r *http.Request) []byte {
	b := r.Body.(held).b
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return b
	}
	var out bytes.Buffer
	in := bufio.NewReader(bytes.NewReader(b))
	for {
		line, err := in.ReadString('\n')
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		n, bad := strconv.ParseInt(size, 16, 64)
		if err != nil || bad != nil || n == 0 {
			return out.Bytes() // the end, and checksums after it
		}
		if _, err := io.CopyN(&out, in, n); err != nil {
			return out.Bytes()
		}
		in.ReadString('\n')
	}
}

package s3test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// withoutConditions takes the conditions off a request and signs it anew: what was
// signed can be neither left out nor changed.
func withoutConditions(r *http.Request, secret string) {
	b := plain(r)
	for _, name := range []string{"If-None-Match", "If-Match", "Content-Encoding", "X-Amz-Trailer", "X-Amz-Decoded-Content-Length"} {
		r.Header.Del(name)
	}
	r.Body, r.ContentLength = held{bytes.NewReader(b), b}, int64(len(b))
	r.Header.Set("Content-Length", strconv.Itoa(len(b)))
	sum := sha256.Sum256(b)
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	sign(r, secret)
}

// sign is Amazon's signature version 4 with the key, day and region that the request
// was signed with before, over what S3 asks for.
func sign(r *http.Request, secret string) {
	scope := between(r.Header.Get("Authorization"), "Credential=", ",")
	_, within, _ := strings.Cut(scope, "/") // day/region/s3/aws4_request
	names := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var canonical strings.Builder
	canonical.WriteString(r.Method + "\n" + r.URL.EscapedPath() + "\n" + query(r.URL) + "\n")
	for _, name := range names {
		value := r.Host
		if name != "host" {
			value = strings.TrimSpace(strings.Join(r.Header.Values(name), ","))
		}
		canonical.WriteString(name + ":" + value + "\n")
	}
	signed := strings.Join(names, ";")
	canonical.WriteString("\n" + signed + "\n" + r.Header.Get("X-Amz-Content-Sha256"))
	sum := sha256.Sum256([]byte(canonical.String()))
	key := []byte("AWS4" + secret)
	for _, part := range strings.Split(within, "/") {
		key = mac(key, part)
	}
	text := "AWS4-HMAC-SHA256\n" + r.Header.Get("X-Amz-Date") + "\n" + within + "\n" + hex.EncodeToString(sum[:])
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+scope+",SignedHeaders="+signed+",Signature="+hex.EncodeToString(mac(key, text)))
}

// query is what is signed of a query: sorted, and with %20 for a space.
func query(u *url.URL) string { return strings.ReplaceAll(u.Query().Encode(), "+", "%20") }

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return strings.TrimSpace(s)
}

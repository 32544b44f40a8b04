package daemon

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// hopHeader is on what a server of a cluster passes on to another. It says from whom it
// came and how, which counts if it is signed by the key that the servers share: who
// guesses API keys is slowed down by address, and must not choose that himself. And it
// says that there was a hop, so that there is no second one.
//
//	Strongroom-Hop: v1 <unix seconds> <plain|tls> <client's ip:port> <hex HMAC-SHA256>
const hopHeader = "Strongroom-Hop"

// hopAge is how far the clocks of two servers may be apart, and how long a header that
// somebody has heard is good for.
const hopAge = time.Minute

// hops signs and reads these headers.
type hops struct {
	key []byte           // nil: nobody is believed
	now func() time.Time // for tests
}

// newHops derives its key from that of the store, which is never used twice.
func newHops(storeKey *[32]byte) hops {
	h := hops{now: time.Now}
	if storeKey != nil {
		mac := hmac.New(sha256.New, storeKey[:])
		mac.Write([]byte("strongroom hop v1"))
		h.key = mac.Sum(nil)
	}
	return h
}

// sign is the header of a request that is passed on.
func (h hops) sign(r *http.Request) string {
	how := "plain"
	if r.TLS != nil {
		how = "tls"
	}
	said := strings.Join([]string{"v1", strconv.FormatInt(h.now().Unix(), 10), how, r.RemoteAddr}, " ")
	return said + " " + h.mac(said, r)
}

// mac binds what is said to its request: heard on the way, it is good for no other.
func (h hops) mac(said string, r *http.Request) string {
	mac := hmac.New(sha256.New, h.key)
	mac.Write([]byte(said + "\n" + r.Method + "\n" + r.Host + "\n" + r.URL.RequestURI() + "\n" + strings.Join(r.Header.Values("Authorization"), "\n")))
	return hex.EncodeToString(mac.Sum(nil))
}

// arrive takes the header off a request, and reports whether there was one. If it
// is signed, the request is from then on as it was where it first came in.
func (h hops) arrive(r *http.Request) (passedOn bool) {
	values := r.Header.Values(hopHeader)
	if len(values) == 0 {
		return false
	}
	r.Header.Del(hopHeader)
	words := strings.Split(values[0], " ")
	if len(values) > 1 || len(words) != 5 || h.key == nil {
		return true
	}
	said := strings.Join(words[:4], " ")
	if !hmac.Equal([]byte(words[4]), []byte(h.mac(said, r))) {
		return true
	}
	at, err := strconv.ParseInt(words[1], 10, 64)
	if age := h.now().Sub(time.Unix(at, 0)); err != nil || words[0] != "v1" || age > hopAge || age < -hopAge {
		return true
	}
	if _, err := netip.ParseAddrPort(words[3]); err != nil {
		return true
	}
	r.RemoteAddr = words[3]
	if r.TLS = nil; words[2] == "tls" {
		// That there was TLS is all that anybody asks of it.
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	dropLast(r.Header, "X-Forwarded-For")
	return true
}

// dropLast takes off what the server that passed it on has added.
func dropLast(h http.Header, name string) {
	all := strings.Join(h.Values(name), ", ")
	before, _, more := cutLast(all, ",")
	if !more {
		h.Del(name)
		return
	}
	h.Set(name, strings.TrimSpace(before))
}

func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

package httpapi

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
)

func TestRateLimit(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{Rate: 0.001, Burst: 2})
	for left := 1; left >= 0; left-- {
		a, body := k.do("view", "GET", "/v1/me", nil)
		if want := fmt.Sprintf(`"key";r=%d;t=`, left); a.StatusCode != 200 || !strings.HasPrefix(a.Header.Get("RateLimit"), want) ||
			a.Header.Get("RateLimit-Policy") != `"key";q=2;w=2000` {
			t.Errorf("%d %s %v", a.StatusCode, body, a.Header)
		}
	}
	a, body := k.do("view", "GET", "/v1/me", nil)
	after, _ := strconv.Atoi(a.Header.Get("Retry-After"))
	if a.StatusCode != 429 || !strings.Contains(body, `"errorCode":"RATE_LIMITED"`) || after < 900 || after > 1000 ||
		!strings.HasPrefix(a.Header.Get("RateLimit"), `"key";r=0;t=`) {
		t.Errorf("%d %s %v", a.StatusCode, body, a.Header)
	}
	if a, _ := k.do("upload", "GET", "/v1/me", nil); a.StatusCode != 200 {
		t.Errorf("another user gets %d", a.StatusCode)
	}
	if a, body := k.do("view", "GET", "/restapi/v2.1/accounts/main/envelopes/"+someID+"/lock", nil); a.StatusCode != 429 ||
		a.Header.Get("Retry-After") == "" || !strings.HasPrefix(body, `{"errorCode":"RATE_LIMITED","message":`) {
		t.Errorf("in the other dress: %d %s", a.StatusCode, body)
	}
	for range 3 { // what is open to all is not counted
		if a, _ := k.do("view", "GET", "/v1/version", nil); a.StatusCode != 200 || a.Header.Get("RateLimit") != "" {
			t.Errorf("%d %v", a.StatusCode, a.Header)
		}
	}
}

// TestRateLimitOfAUser: more keys are no more requests.
func TestRateLimitOfAUser(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{Rate: 0.001, Burst: 4})
	_, body := k.do("view", "GET", "/v1/me", nil)
	var me struct{ Key struct{ ID string } }
	if err := json.Unmarshal([]byte(body), &me); err != nil {
		t.Fatal(err)
	}
	a, body := k.do("view", "POST", "/v1/api-keys/"+me.Key.ID+"/rotate", strings.NewReader(`{"overlapSeconds":60}`), "Content-Type", "application/json")
	var next struct{ Secret string }
	if err := json.Unmarshal([]byte(body), &next); err != nil || a.StatusCode != 201 {
		t.Fatal(body, err)
	}
	k.tokens["next"] = next.Secret
	for i, key := range []string{"next", "view"} {
		if a, body := k.do(key, "GET", "/v1/me", nil); a.StatusCode != 200 || !strings.HasPrefix(a.Header.Get("RateLimit"), fmt.Sprintf(`"key";r=%d;`, 1-i)) {
			t.Errorf("%s: %d %s %v", key, a.StatusCode, body, a.Header)
		}
	}
	for _, key := range []string{"next", "view"} {
		if a, body := k.do(key, "GET", "/v1/me", nil); a.StatusCode != 429 {
			t.Errorf("%s: %d %s", key, a.StatusCode, body)
		}
	}
	if a, _ := k.do("upload", "GET", "/v1/me", nil); a.StatusCode != 200 {
		t.Errorf("another user gets %d", a.StatusCode)
	}
}

// Limits that are as good as none, or as nothing, are what they say.
func TestRateLimitsBeyondMeasure(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		rate    float64
		burst   int
		granted bool // the second, too
	}{{1, math.MaxInt, true}, {1e12, 0, true}, {1e12, 1, false}, {1e-9, 1000, true}, {1e-300, 1, false}, {math.Inf(1), math.MaxInt, true}} {
		l := newRateLimit(c.rate, c.burst)
		first := l.take(spender{}, now)
		if second := l.take(spender{}, now); first.wait > 0 || (second.wait == 0) != c.granted || first.left < 0 || first.reset <= 0 {
			t.Errorf("%v, %d: %+v, then %+v", c.rate, c.burst, first, second)
		}
	}
}

func TestNoRateLimit(t *testing.T) {
	t.Parallel()
	var k *kit
	k = newKit(t, Options{Rate: 0.001, Burst: 1, Authenticate: func(*http.Request) (*engine.Vault, engine.Actor, error) {
		return k.vaults["main"].Vault, engine.Operator(), nil
	}})
	for range 3 {
		if a, _ := k.do("", "GET", "/v1/me", nil); a.StatusCode != 200 || a.Header.Get("RateLimit") != "" {
			t.Errorf("the operator gets %d %v", a.StatusCode, a.Header)
		}
	}
	if newRateLimit(0, 5) != nil {
		t.Error("there is a limit where there is no rate")
	}
}

func TestBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newRateLimit(10, 3)
		me := spender{id: "me"}
		for left := 2; left >= 0; left-- {
			if a := l.take(me, time.Now()); a.wait != 0 || a.left != left || a.reset != time.Duration(3-left)*100*time.Millisecond {
				t.Errorf("with %d left: %+v", left, a)
			}
		}
		if a := l.take(me, time.Now()); a.wait != 100*time.Millisecond || a.left != 0 {
			t.Errorf("empty: %+v", a)
		}
		time.Sleep(99 * time.Millisecond)
		if a := l.take(me, time.Now()); a.wait != time.Millisecond {
			t.Errorf("nearly a token: %+v", a)
		}
		time.Sleep(time.Millisecond)
		if a := l.take(me, time.Now()); a.wait != 0 || a.left != 0 {
			t.Errorf("a token: %+v", a)
		}
		time.Sleep(time.Hour)
		if a := l.take(me, time.Now()); a.left != 2 {
			t.Errorf("full, and no fuller than that: %+v", a)
		}
	})
}

// TestBucketsAreForgotten holds that the limiter keeps what is in use and not
// all it has ever seen.
func TestBucketsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newRateLimit(10, 3)
		for i := range 100 * fewBuckets {
			l.take(spender{id: strconv.Itoa(i)}, time.Now())
			time.Sleep(time.Millisecond)
		}
		if n := len(l.full); n > 2*fewBuckets {
			t.Errorf("%d buckets are kept, of which at most 100 are not full", n)
		}
	})
}

func TestUploadsAtATime(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{MaxUploads: 1})
	body, client := io.Pipe()
	done := make(chan int)
	go func() {
		a, _ := k.do("upload", "POST", "/v1/documents?fileName=slow.txt", body)
		done <- a.StatusCode
	}()
	io.WriteString(client, "once ")
	for k.server.uploads.Load() == 0 { // the place is taken once the header has arrived
		time.Sleep(time.Millisecond)
	}
	a, said := k.do("upload", "POST", "/v1/documents?fileName=b.txt", strings.NewReader("b"))
	if a.StatusCode != 429 || a.Header.Get("Retry-After") != "1" || !strings.Contains(said, "RATE_LIMITED") {
		t.Errorf("%d %s %v", a.StatusCode, said, a.Header)
	}
	if a, _ := k.do("upload", "GET", "/v1/documents", nil); a.StatusCode != 200 {
		t.Errorf("reading gets %d", a.StatusCode)
	}
	io.WriteString(client, "upon a time")
	client.Close()
	if status := <-done; status != 201 {
		t.Errorf("the first gets %d", status)
	}
	if a, said := k.do("upload", "POST", "/v1/documents?fileName=b.txt", strings.NewReader("b")); a.StatusCode != 201 {
		t.Errorf("after it: %d %s", a.StatusCode, said)
	}
}

// TestShares holds that one user, with all keys there are, leaves places for
// uploads to others, however slowly its own proceed.
func TestShares(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{MaxUploads: 8})
	main := k.vaults["main"]
	by := func(id string) caller {
		return caller{vault: main.Vault, actor: engine.Actor{UserID: id, KeyID: engine.NewID()}}
	}
	var ends []func()
	take := func(id string) (n int) {
		for {
			end, err := k.server.beginUpload(by(id))
			if err != nil {
				return n
			}
			ends = append(ends, end)
			n++
		}
	}
	for i, want := range []struct {
		user   string
		places int
	}{{"a", 4}, {"a", 0}, {"b", 2}, {"c", 2}, {"d", 0}} {
		if n := take(want.user); n != want.places {
			t.Errorf("%d: %s gets %d places, want %d", i, want.user, n, want.places)
		}
	}
	for _, end := range ends {
		end()
	}
	if n := take("d"); n != 4 || len(k.server.places.taken) != 1 {
		t.Errorf("afterwards %d, %v", n, k.server.places.taken)
	}
	if a, said := k.do("upload", "POST", "/v1/documents?fileName=b.txt", strings.NewReader("b")); a.StatusCode != 201 {
		t.Errorf("%d %s", a.StatusCode, said)
	}
}

// drip is a body that brings so many bytes with each wait.
type drip struct {
	wait  time.Duration
	bytes int
	left  int
}

func (d *drip) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(d.wait)
	n := min(d.bytes, d.left, len(p))
	d.left -= n
	return n, nil
}

// TestPace holds that a body which drips is given up after a minute, one that is
// slow is not, and that no client pays for the time the server takes.
func TestPace(t *testing.T) {
	for _, c := range []struct {
		name  string
		drip  drip
		works time.Duration // the server, after each read
		after time.Duration
		err   error
	}{
		{"a byte in ten seconds", drip{10 * time.Second, 1, 1 << 20}, 0, time.Minute, errSlowBody},
		{"slow", drip{10 * time.Second, 11 << 10, 110 << 10}, 0, 100 * time.Second, nil},
		{"short", drip{10 * time.Second, 1, 5}, 0, 50 * time.Second, nil},
		{"slows down", drip{time.Second, 1 << 10, 70 << 10}, 0, time.Minute, errSlowBody},
		{"waits for the server", drip{time.Millisecond, 1 << 10, 10 << 10}, time.Minute, 10*time.Minute + 10*time.Millisecond, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			var count int64
			body := &patientBody{ReadCloser: io.NopCloser(&c.drip), control: http.NewResponseController(httptest.NewRecorder()), patience: 30 * time.Second, count: &count}
			began := time.Now()
			var err error
			for p := make([]byte, 64<<10); err == nil; {
				if _, err = body.Read(p); err == nil {
					time.Sleep(c.works)
				}
			}
			if err == io.EOF {
				err = nil
			}
			if took := time.Since(began); err != c.err || took != c.after {
				t.Errorf("%s: %v after %v, want %v after %v", c.name, err, took, c.err, c.after)
			}
		})
	}
}

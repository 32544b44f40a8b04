package webhook_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// An endpoint that takes connections and says nothing, or only half a word of TLS,
// holds none of them longer than an attempt lasts.
func TestSilentHandshakes(t *testing.T) {
	for name, says := range map[string]string{"silence": "", "half a record": "\x16\x03\x03\x40\x00"} {
		inBubble(t, func(k *kit) {
			var open, came atomic.Int64
			l := k.net.listen("10.0.0.7:443")
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					open.Add(1)
					came.Add(1)
					go func() {
						defer open.Add(-1)
						defer c.Close()
						go io.WriteString(c, says)
						io.Copy(io.Discard, c)
					}()
				}
			}()
			k.t.Cleanup(func() { l.Close() })
			k.start()
			w := k.hook(&receiver{url: "https://10.0.0.7/in"}, "document.*")
			k.make("one")
			time.Sleep(time.Hour)
			if open.Load() > 0 || came.Load() != 4 {
				t.Errorf("%s: %d of %d connections are open", name, open.Load(), came.Load())
			}
			if d := k.deliveries(w)[0]; !strings.Contains(d.Error, "no answer within 15s") {
				t.Errorf("%s: %+v", name, d)
			}
		})
	}
}

// blackHole is a network where some addresses never answer.
type blackHole struct {
	*network
	silent  string
	waiting atomic.Int64
}

func (b *blackHole) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if address != b.silent {
		return b.network.DialContext(ctx, network, address)
	}
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	<-ctx.Done()
	return nil, errors.New("connection timed out")
}

// An address that does not answer leaves the next one of its name time enough, and
// is not waited for once the attempt is over.
func TestAddressesThatDoNotAnswer(t *testing.T) {
	inBubble(t, func(k *kit) {
		hole := &blackHole{network: k.net, silent: "10.0.0.8:80"}
		k.options.Dialer = hole
		k.net.names = map[string][]netip.Addr{"two.example": addrs("10.0.0.8", "10.0.0.9"), "none.example": addrs("10.0.0.8")}
		r := k.receive("10.0.0.9:80", nil)
		r.url = "http://two.example/in"
		k.start()
		k.hook(r, "document.*")
		k.hook(&receiver{url: "http://none.example/in"}, "document.*")
		began := time.Now()
		seqs := k.make("one")
		time.Sleep(time.Hour)
		if got := r.messages(); !slices.Equal(r.seqs(), seqs) || got[0].at.Sub(began) > 15*time.Second {
			t.Errorf("told %d, want %d", r.seqs(), seqs)
		}
		if hole.waiting.Load() > 0 {
			t.Errorf("%d are waited for", hole.waiting.Load())
		}
	})
}

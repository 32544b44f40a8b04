package daemon

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// TestGate holds that requests wait between two terms, and for how long, and that a term
// does not end under those who are inside.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hurried := 0
		inside := make(chan struct{})
		rooms := func(name string) *rooms {
			answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					<-inside
				}
				fmt.Fprint(w, name)
			})
			return &rooms{operator: answer, metrics: answer, hurry: func() { hurried++ }, hurryOperator: func() {}}
		}
		g := newGate()
		ask := func(path string) (answer chan string) {
			answer = make(chan string, 1)
			go func() {
				w := httptest.NewRecorder()
				g.operator(w, httptest.NewRequest("GET", path, nil))
				answer <- fmt.Sprint(w.Code, w.Body)
			}()
			return answer
		}
		early := ask("/")
		time.Sleep(gatePatience / 2)
		g.open(rooms("one"))
		if got := <-early; got != "200 one" {
			t.Error(got)
		}
		slow := ask("/slow")
		synctest.Wait()
		shut := time.Now()
		ended := make(chan time.Duration)
		go func() { g.shut(); ended <- time.Since(shut) }()
		synctest.Wait()
		between := ask("/")
		time.Sleep(time.Second)
		close(inside)
		if took := <-ended; took != time.Second {
			t.Errorf("the term ended after %v, somebody was inside for a second", took)
		}
		if got := <-slow; got != "200 one" {
			t.Error(got)
		}
		began := time.Now()
		if got := <-between; got[:3] != "503" || time.Since(began) > gatePatience {
			t.Errorf("%s after %v", got, time.Since(began))
		}
		g.shut() // again: nothing is on

		// Stopped between two terms: nobody waits any more, and a term that begins is told.
		waits := ask("/")
		synctest.Wait()
		g.stop()
		if got := <-waits; got[:3] != "503" {
			t.Error(got)
		}
		hurried = 0
		g.open(rooms("two"))
		if hurried != 1 {
			t.Error("the last term is not told to hurry")
		}
		g.stop()
		g.shut()

		// Stopped within one: those who are inside end, and it may be shut.
		g = newGate()
		g.open(rooms("three"))
		g.stop()
		if got := <-ask("/"); got != "200 three" {
			t.Error(got)
		}
		g.shut()
		if got := <-ask("/"); got[:3] != "503" {
			t.Error(got)
		}
		g.open(rooms("four"))
	})
}

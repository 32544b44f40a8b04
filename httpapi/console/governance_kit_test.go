package console

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// seat is a person before the console of a real vault, without a script.
type seat struct {
	*enginetest.Kit
	t       *testing.T
	base    string
	client  *http.Client
	console *Console
	later   *atomic.Int64 // how much later than it is the sessions think it is
}

// answered is a page that came.
type answered struct {
	*testing.T
	status int
	html   string
	path   string // where it ended
	header http.Header
}

func takeSeat(t *testing.T) *seat {
	t.Helper()
	kit := enginetest.New(t)
	c, err := New(map[string]*engine.Vault{"main": kit.Vault}, Options{Logger: zerolog.New(zerolog.NewTestWriter(t))})
	if err != nil {
		t.Fatal(err)
	}
	s := &seat{Kit: kit, t: t, console: c, later: new(atomic.Int64)}
	c.sessions.now = func() time.Time { return time.Now().Add(time.Duration(s.later.Load())) }
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	s.base = server.URL
	return s.as(kit.Token)
}

// as is another person at the same console.
func (s *seat) as(token string) *seat {
	s.t.Helper()
	other := *s
	jar, _ := cookiejar.New(nil)
	other.client = &http.Client{Jar: jar}
	if p := other.send("/console/sign-in", url.Values{"key": {token}}); p.status != 200 {
		s.t.Fatalf("signing in: %d", p.status)
	}
	return &other
}

// comesBack sends a form of a page into a session that has ended, signs in again, and
// returns the page that comes then.
func (s *seat) comesBack(p answered, action string, typed ...string) answered {
	s.t.Helper()
	s.later.Add(int64(time.Hour))
	again := s.submit(p, action, typed...).says("Your session ended")
	return s.submit(again, "/sign-in", "key", s.Token)
}

func (s *seat) get(path string) answered {
	s.t.Helper()
	r, err := s.client.Get(s.base + "/console" + strings.TrimPrefix(path, "/console"))
	return s.read(r, err)
}

func (s *seat) send(path string, form url.Values) answered {
	s.t.Helper()
	r, err := s.client.PostForm(s.base+path, form)
	return s.read(r, err)
}

func (s *seat) read(r *http.Response, err error) answered {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if r.StatusCode >= 500 {
		s.t.Errorf("%s: %d", r.Request.URL, r.StatusCode)
	}
	return answered{s.t, r.StatusCode, string(b), r.Request.URL.RequestURI(), r.Header}
}

var (
	formOf   = regexp.MustCompile(`(?s)<form([^>]*)>(.*?)</form>`)
	inputOf  = regexp.MustCompile(`<input([^>]*)>`)
	selectOf = regexp.MustCompile(`(?s)<select name="([^"]*)">(.*?)</select>`)
	optionOf = regexp.MustCompile(`<option(?: value="([^"]*)")?( selected)?>([^<]*)`)
	areaOf   = regexp.MustCompile(`(?s)<textarea name="([^"]*)"[^>]*>(.*?)</textarea>`)
	attrOf   = regexp.MustCompile(`([a-z]+)="([^"]*)"`)
	tagsOf   = regexp.MustCompile(`<[^>]*>`)
)

// fill is the form of a page that is sent to an address, as a browser would send it,
// with what is typed.
func (p answered) fill(action string, typed ...string) (method, to string, form url.Values) {
	p.Helper()
	for _, found := range formOf.FindAllStringSubmatch(p.html, -1) {
		is := attributes(found[1])
		if is["action"] != "/console"+action {
			continue
		}
		form = url.Values{}
		for _, in := range inputOf.FindAllStringSubmatch(found[2], -1) {
			if a := attributes(in[1]); a["name"] != "" && a["type"] != "checkbox" {
				form.Add(a["name"], a["value"])
			}
		}
		for _, in := range selectOf.FindAllStringSubmatch(found[2], -1) {
			for i, o := range optionOf.FindAllStringSubmatch(in[2], -1) {
				value := o[1]
				if !strings.Contains(o[0], "value=") {
					value = o[3]
				}
				if i == 0 || o[2] != "" {
					form.Set(in[1], html.UnescapeString(value))
				}
			}
		}
		for _, in := range areaOf.FindAllStringSubmatch(found[2], -1) {
			form.Set(in[1], strings.TrimPrefix(html.UnescapeString(in[2]), "\n")) // as browsers read it
		}
		for i := 0; i+1 < len(typed); i += 2 {
			form.Set(typed[i], typed[i+1])
		}
		return is["method"], is["action"], form
	}
	p.Fatalf("%s has no form to %s", p.path, action)
	return "", "", nil
}

func attributes(text string) map[string]string {
	out := map[string]string{}
	for _, a := range attrOf.FindAllStringSubmatch(text, -1) {
		out[a[1]] = html.UnescapeString(a[2])
	}
	return out
}

// submit sends a form of a page.
func (s *seat) submit(p answered, action string, typed ...string) answered {
	s.t.Helper()
	method, to, form := p.fill(action, typed...)
	if method == "post" {
		return s.send(to, form)
	}
	return s.get(to + "?" + form.Encode())
}

// says fails unless the words stand on the page, without its marks.
func (p answered) says(words ...string) answered {
	p.Helper()
	text := p.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			p.Errorf("%s (%d) does not say %q:\n%s", p.path, p.status, w, text)
		}
	}
	return p
}

func (p answered) saysNot(words ...string) answered {
	p.Helper()
	for _, w := range words {
		if strings.Contains(p.text(), w) {
			p.Errorf("%s says %q", p.path, w)
		}
	}
	return p
}

func (p answered) text() string {
	text := html.UnescapeString(tagsOf.ReplaceAllString(p.html, ""))
	return strings.Join(strings.Fields(text), " ")
}

func (p answered) is(status int) answered {
	p.Helper()
	if p.status != status {
		p.Errorf("%s: %d, want %d: %s", p.path, p.status, status, p.text())
	}
	return p
}

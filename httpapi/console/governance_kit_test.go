package console

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// seat is a person before the console: a browser that says which page a form is of.
type seat struct {
	*kit
	t *testing.T
	b *browser
}

// answered is a page that came, read without its marks.
type answered struct {
	*testing.T
	seen
	status int
	html   string
	path   string // where it ended
	header http.Header
}

func takeSeat(t *testing.T) *seat {
	t.Helper()
	k := newKit(t)
	return &seat{kit: k, t: t, b: k.admin()}
}

// as is another person at the same console.
func (s *seat) as(token string) *seat { return &seat{s.kit, s.t, s.signedIn(token)} }

// comesBack sends a form of a page into a session that has ended, signs in again, and
// returns the page that comes then.
func (s *seat) comesBack(p answered, action string, typed ...string) answered {
	s.t.Helper()
	s.passes(time.Hour)
	again := s.submit(p, action, typed...).says("Your session ended")
	return s.submit(again, "/sign-in", "key", s.Token)
}

func (s *seat) get(path string) answered {
	s.t.Helper()
	return s.read(s.b.get("/console" + strings.TrimPrefix(path, "/console")))
}

func (s *seat) send(path string, form url.Values) answered {
	s.t.Helper()
	return s.read(s.b.do("POST", path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode())))
}

func (s *seat) read(p seen) answered {
	s.t.Helper()
	if p.Status >= 500 {
		s.t.Errorf("%s: %d", p.Path, p.Status)
	}
	return answered{s.t, p, p.Status, p.HTML, p.Path, p.Header}
}

// fill is the form of a page that is sent to an address, as a browser would send it,
// with what is typed.
func (p answered) fill(action string, typed ...string) (method, to string, form url.Values) {
	p.Helper()
	form = p.form("/console" + action)
	for name, values := range fields(typed...) {
		form[name] = values
	}
	for _, tag := range formPattern.FindAllString(p.html, -1) {
		head := tag[:strings.Index(tag, ">")+1]
		if attribute(head, "action") == "/console"+action {
			method = attribute(head, "method")
		}
	}
	return method, "/console" + action, form
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

// text is what stands on the page, with nothing in the place of its marks.
func (p answered) text() string {
	return strings.Join(strings.Fields(html.UnescapeString(tagPattern.ReplaceAllString(p.html, ""))), " ")
}

func (p answered) is(status int) answered {
	p.Helper()
	if p.status != status {
		p.Errorf("%s: %d, want %d: %s", p.path, p.status, status, p.text())
	}
	return p
}

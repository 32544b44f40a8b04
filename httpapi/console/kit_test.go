package console

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/engine/enginetest"
	"strongroom/engine/search"
	"strongroom/httpapi"
)

// kit is the console of a real vault, served over a real connection.
type kit struct {
	*enginetest.Kit
	t       testing.TB
	console *Console
	server  *httptest.Server
	options Options

	mu    sync.Mutex
	later time.Duration // how much later than it is the console thinks
}

func newKit(t testing.TB) *kit { return newKitWith(t, Options{}) }

// newKitWith serves with options; sessions are kept in a file in any case.
func newKitWith(t testing.TB, o Options) *kit {
	t.Helper()
	k := &kit{Kit: enginetest.New(t), t: t, options: o}
	if k.options.Sessions == "" {
		k.options.Sessions = filepath.Join(t.TempDir(), "sessions.json")
	}
	k.options.Logger = zerolog.New(zerolog.NewTestWriter(t))
	k.start()
	t.Cleanup(k.stop)
	return k
}

func (k *kit) start() {
	k.t.Helper()
	c, err := New(map[string]*engine.Vault{"main": k.Vault}, k.options)
	if err != nil {
		k.t.Fatal(err)
	}
	c.sessions.now = k.now
	k.console = c
	k.server = httptest.NewServer(c)
}

func (k *kit) stop() {
	k.server.Close()
	if err := k.console.Close(); err != nil {
		k.t.Error(err)
	}
}

func (k *kit) now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Add(k.later)
}

// passes lets time pass for the sessions of the console.
func (k *kit) passes(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.later += d
}

// browser is a person at a browser.
type browser struct {
	k      *kit
	client *http.Client
	header http.Header // sent along with everything
	last   seen        // the page before
}

// seen is a page as it was answered.
type seen struct {
	t        testing.TB
	Status   int
	Header   http.Header
	Path     string // where it ended, after redirects
	HTML     string
	Redirect string // the first one
}

// stranger is a browser in which nobody has signed in.
func (k *kit) stranger() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		k.t.Fatal(err)
	}
	return &browser{k: k, client: &http.Client{Jar: jar}, header: http.Header{}}
}

// signedIn is a browser in which somebody has signed in with a key.
func (k *kit) signedIn(token string) *browser {
	k.t.Helper()
	b := k.stranger()
	b.post("/console/sign-in", "key", token).ok("/console/main/documents")
	return b
}

// admin, uploader and viewer are new people with that access.
func (k *kit) admin() *browser { return k.signedIn(k.Token) }

func (k *kit) uploader() *browser {
	_, token := k.Person("Ulla Uploader", engine.AccessUpload)
	return k.signedIn(token)
}

func (k *kit) viewer() *browser {
	_, token := k.Person("Vera Viewer", engine.AccessView)
	return k.signedIn(token)
}

func (b *browser) do(method, path, mediaType string, body io.Reader) seen {
	b.k.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = b.k.server.URL + path
	}
	r, err := http.NewRequestWithContext(context.Background(), method, path, body)
	if err != nil {
		b.k.t.Fatal(err)
	}
	r.Header = b.header.Clone()
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	page := seen{t: b.k.t}
	client := *b.client
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) == 1 {
			page.Redirect = next.URL.RequestURI()
		}
		return nil
	}
	resp, err := client.Do(r)
	if err != nil {
		b.k.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.k.t.Fatal(err)
	}
	page.Status, page.Header, page.Path, page.HTML = resp.StatusCode, resp.Header, resp.Request.URL.RequestURI(), string(text)
	b.last = page
	return page
}

// get asks for a page.
func (b *browser) get(path string) seen {
	b.k.t.Helper()
	return b.do("GET", path, "", nil)
}

// fields are pairs of a name and a value.
func fields(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values
}

// post sends a form as it is given.
func (b *browser) post(path string, pairs ...string) seen {
	b.k.t.Helper()
	return b.do("POST", path, "application/x-www-form-urlencoded", strings.NewReader(fields(pairs...).Encode()))
}

// file is one to be sent.
type file struct{ name, mediaType, content string }

// send posts a form with files.
func (b *browser) send(path string, values url.Values, files ...file) seen {
	b.k.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, list := range values {
		for _, value := range list {
			w.WriteField(name, value)
		}
	}
	for _, f := range files {
		part, err := w.CreatePart(map[string][]string{
			"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename=%q`, f.name)}, "Content-Type": {f.mediaType}})
		if err != nil {
			b.k.t.Fatal(err)
		}
		io.WriteString(part, f.content)
	}
	w.Close()
	return b.do("POST", path, w.FormDataContentType(), &body)
}

// submit fills the form on the page before that is sent to an address, and sends
// it, with all it has in it already. A page without that form fails the test.
func (b *browser) submit(path string, pairs ...string) seen {
	b.k.t.Helper()
	form := b.last.form(path)
	for name, values := range fields(pairs...) {
		form[name] = values
	}
	for _, values := range form {
		for i, value := range values { // as browsers send the ends of lines
			values[i] = strings.ReplaceAll(unified(value), "\n", "\r\n")
		}
	}
	return b.do("POST", path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// form is what the form has in it that is sent to an address. It fails the test if
// there is none.
func (p seen) form(path string) url.Values {
	p.t.Helper()
	values, ok := p.formOf(path)
	if !ok {
		p.t.Fatalf("no form to %s on %s:\n%s", path, p.Path, p.text())
	}
	return values
}

func (p seen) formOf(path string) (url.Values, bool) {
	for _, form := range formPattern.FindAllString(p.HTML, -1) {
		action, _, _ := strings.Cut(attribute(form[:strings.Index(form, ">")+1], "action"), "?")
		if action == path {
			return formValues(form), true
		}
	}
	return nil, false
}

func formValues(form string) url.Values {
	values := url.Values{}
	for _, tag := range inputPattern.FindAllString(form, -1) {
		kind := attribute(tag, "type")
		if kind == "file" || (kind == "checkbox" || kind == "radio") && !strings.Contains(tag, " checked") {
			continue
		}
		value := attribute(tag, "value")
		if kind == "checkbox" && value == "" { // as browsers say it
			value = "on"
		}
		if name := attribute(tag, "name"); name != "" {
			values.Add(name, value)
		}
	}
	for _, area := range textareaPattern.FindAllStringSubmatch(form, -1) {
		values.Add(attribute(area[1], "name"), strings.TrimPrefix(html.UnescapeString(area[2]), "\n"))
	}
	for _, choice := range selectPattern.FindAllStringSubmatch(form, -1) {
		for i, o := range optionPattern.FindAllStringSubmatch(choice[2], -1) {
			value := html.UnescapeString(o[2])
			if strings.Contains(o[1], ` value="`) {
				value = attribute(o[1], "value")
			}
			if name := attribute(choice[1], "name"); i == 0 || strings.Contains(o[1], " selected") {
				values.Set(name, value)
			}
		}
	}
	return values
}

var (
	tagPattern   = regexp.MustCompile(`(?s)<!--.*?-->|<(script|style)\b.*?</(script|style)>|<[^>]*>`)
	blankPattern = regexp.MustCompile(`\s+`)
)

// text is what a person reads of the page.
func (p seen) text() string {
	return strings.TrimSpace(blankPattern.ReplaceAllString(html.UnescapeString(tagPattern.ReplaceAllString(p.HTML, " ")), " "))
}

// ok fails the test unless it is a page at this path.
func (p seen) ok(path string) seen {
	p.t.Helper()
	if p.Status != 200 || p.Path != path {
		p.t.Fatalf("status %d at %s, want 200 at %s:\n%s", p.Status, p.Path, path, p.text())
	}
	return p
}

// is fails the test unless the page has this status.
func (p seen) is(status int) seen {
	p.t.Helper()
	if p.Status != status {
		p.t.Fatalf("status %d at %s, want %d:\n%s", p.Status, p.Path, status, p.text())
	}
	return p
}

// says fails the test unless a person reads all these words on the page.
func (p seen) says(words ...string) seen {
	p.t.Helper()
	for _, w := range words {
		if !strings.Contains(p.text(), w) {
			p.t.Errorf("%s does not say %q:\n%s", p.Path, w, p.text())
		}
	}
	return p
}

// lacks fails the test if a person reads any of these words.
func (p seen) lacks(words ...string) seen {
	p.t.Helper()
	for _, w := range words {
		if strings.Contains(p.text(), w) {
			p.t.Errorf("%s says %q:\n%s", p.Path, w, p.text())
		}
	}
	return p
}

// offers fails the test unless there are forms to these addresses, or links.
func (p seen) offers(paths ...string) seen {
	p.t.Helper()
	for _, path := range paths {
		if !p.offered(path) {
			p.t.Errorf("%s does not offer %s", p.Path, path)
		}
	}
	return p
}

// withholds fails the test if any of these is offered.
func (p seen) withholds(paths ...string) seen {
	p.t.Helper()
	for _, path := range paths {
		if p.offered(path) {
			p.t.Errorf("%s offers %s", p.Path, path)
		}
	}
	return p
}

func (p seen) offered(path string) bool {
	_, ok := p.formOf(path)
	return ok || strings.Contains(p.HTML, ` href="`+path+`"`)
}

// document reads a document of the vault.
func (k *kit) document(id string) engine.Document {
	k.t.Helper()
	d, err := k.Document(context.Background(), id)
	if err != nil {
		k.t.Fatal(err)
	}
	return d
}

// documents counts them.
func (k *kit) documents() int {
	k.t.Helper()
	page, err := k.Documents(context.Background(), engine.DocumentQuery{Status: engine.StatusAll, Paging: engine.Paging{Limit: 500}})
	if err != nil {
		k.t.Fatal(err)
	}
	return len(page.Items)
}

// searches gives the console a search.
func (k *kit) searches() {
	k.t.Helper()
	index, err := search.Open(k.Vault, filepath.Join(k.t.TempDir(), "search"), search.Options{})
	if err != nil {
		k.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { index.Run(ctx) })
	k.t.Cleanup(func() { stop(); running.Wait(); index.Close() })
	k.options.Search = indexed{index}
	k.server.Close()
	k.start()
}

// indexed is a search of one vault.
type indexed struct{ index *search.Index }

func (s indexed) Search(ctx context.Context, _ *engine.Vault, q httpapi.SearchQuery) (httpapi.SearchResult, error) {
	r, err := s.index.Search(ctx, search.Query(q))
	out := httpapi.SearchResult{Total: r.Total, NextCursor: r.NextCursor, Complete: r.Complete, Through: r.Through}
	for _, h := range r.Hits {
		out.Hits = append(out.Hits, httpapi.SearchHit(h))
	}
	return out, err
}

func (s indexed) Match(ctx context.Context, _ *engine.Vault, text string, filter engine.DocumentQuery) ([]string, bool, error) {
	return s.index.Match(ctx, text, filter)
}

// The pages of these tests ask nothing of what has been read.

func (indexed) Texts(*engine.Vault, []engine.Document) ([]httpapi.TextState, error) { return nil, nil }

func (indexed) WithText(context.Context, *engine.Vault, string, engine.DocumentQuery, engine.Paging) ([]string, string, error) {
	return nil, "", nil
}

func (s indexed) Text(ctx context.Context, _ *engine.Vault, v engine.Version) (string, httpapi.TextState, error) {
	r, err := s.index.Text(ctx, &v)
	return r.Text, httpapi.TextState{State: string(r.State), Reason: r.Reason}, err
}

func (indexed) Reading(context.Context, *engine.Vault, engine.DocumentQuery) (httpapi.Reading, error) {
	return httpapi.Reading{}, nil
}

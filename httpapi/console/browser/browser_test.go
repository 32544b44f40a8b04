// Package browser drives a real Chromium over the console, as a person does who looks
// at pages, types and clicks. It has tests and nothing else, so that no program has
// chromedp in it.
//
// Without Chromium the tests are left out, and say so; without axe-core (see .ci/run)
// the one that needs it. Pages are in a browser context of their own for each test.
package browser

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/engine/enginetest"
	"strongroom/httpapi/console"
)

var screenshots = flag.Bool("screenshots", false, "make the pictures of README.md anew, in testdata/console")

// chromium is the browser all tests share; nil: there is none.
var chromium context.Context

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		fmt.Fprintln(os.Stderr, "LEFT OUT: the console was not tried in a browser: there is no chromium here")
		return m.Run()
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path), chromedp.Flag("no-sandbox", os.Geteuid() == 0), chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("disable-gpu", true), chromedp.Flag("ignore-certificate-errors", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	defer stop()
	browser, end := chromedp.NewContext(allocator)
	defer end()
	if err := chromedp.Do(browser); err != nil {
		fmt.Fprintln(os.Stderr, "LEFT OUT: the console was not tried in a browser: chromium does not start:", err)
		return m.Run()
	}
	chromium = browser
	return m.Run()
}

// house is the console of a real vault with people in it.
type house struct {
	*enginetest.Kit
	url    string // what the address of a page begins with
	prefix string // its path
	pages  *console.Console
	rest   http.Handler // what is served beside the pages; nil: nothing
	cut    atomic.Bool  // connections are lost
}

func newHouse(t *testing.T) *house { return openHouse(t, vault(t), console.Options{}) }

// thorough leaves a test out with -short, and under the race detector: it looks at
// pages, and others drive the same code at once.
func thorough(t *testing.T) {
	t.Helper()
	if testing.Short() || raced {
		t.Skip("LEFT OUT: it is about what is seen, and runs without -short and -race")
	}
}

// vault is one that is there only if there is a browser.
func vault(t *testing.T) *enginetest.Kit {
	t.Helper()
	if chromium == nil {
		t.Skip("LEFT OUT: there is no chromium")
	}
	return enginetest.New(t)
}

// openHouse is the console of a vault with these options, over http.
func openHouse(t *testing.T, kit *enginetest.Kit, o console.Options) *house {
	t.Helper()
	h := &house{Kit: kit, prefix: o.Prefix}
	o.Logger, o.Guides = zerolog.New(zerolog.NewTestWriter(t)), os.DirFS("../../..")
	var err error
	if h.pages, err = console.New(map[string]*engine.Vault{"main": kit.Vault}, o); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := h.pages.Close(); err != nil {
			t.Error(err)
		}
	})
	h.url = server.URL + o.Prefix
	return h
}

// ServeHTTP serves the pages and what is beside them, unless the connection is lost.
func (h *house) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.cut.Load() {
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			c.Close()
		}
		return
	}
	if h.rest != nil && !h.pages.Serves(r.URL.Path) {
		h.rest.ServeHTTP(w, r)
		return
	}
	h.pages.ServeHTTP(w, r)
}

// tab is a page somebody looks at.
type tab struct {
	*testing.T
	h       *house
	ctx     context.Context
	trouble chan string // what the browser says against the pages
}

// tab opens a browser in which nobody has signed in. If script is false, none runs.
// When the test ends, what the browser had against the pages fails it.
func (h *house) tab(t *testing.T, script bool) *tab {
	t.Helper()
	return h.open(t, script, chromium, chromedp.WithNewBrowserContext())
}

// beside is another tab of the same browser, in which who has signed in has done so.
func (b *tab) beside() *tab { return b.h.open(b.T, true, b.ctx) }

func (h *house) open(t *testing.T, script bool, in context.Context, how ...chromedp.ContextOption) *tab {
	t.Helper()
	opened, end := chromedp.NewContext(in, how...)
	if err := chromedp.Do(opened); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(opened, 4*time.Minute)
	b := &tab{T: t, h: h, ctx: ctx, trouble: make(chan string, 1000)}
	if err := chromedp.Listen(opened, b.hears); err != nil {
		t.Fatal(err)
	}
	call(b, audits.Enable, cdp.Empty{})
	call(b, log.Enable, cdp.Empty{})
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !script})
	b.size(1280, 900)
	t.Cleanup(func() {
		for len(b.trouble) > 0 {
			t.Error(<-b.trouble)
		}
		cancel()
		end()
	})
	return b
}

// hears what the browser says of the pages, and keeps what is against them.
func (b *tab) hears(event any) {
	against := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Source != log.EntrySourceNetwork && e.Entry.Level == log.EntryLevelError || strings.Contains(e.Entry.Text, "Content Security Policy") {
			against = fmt.Sprintf("the browser's log: %s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			against = fmt.Sprintf("a script says an error: %s", e.Args[0].Value)
		}
	case *runtime.EventExceptionThrown:
		against = fmt.Sprintf("a script failed: %s", e.ExceptionDetails.Text)
	case *audits.EventIssueAdded:
		if d := e.Issue.Details.ContentSecurityPolicyIssueDetails; d != nil {
			against = fmt.Sprintf("against the Content-Security-Policy: %s %s", d.ViolatedDirective, d.BlockedURL)
		}
	case *page.EventJavascriptDialogOpening:
		against = "a dialog opened: " + e.Message
		go chromedp.Run(b.ctx, func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
			return cdp.Call(ctx, t, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
		})
	}
	if against != "" {
		select {
		case b.trouble <- against:
		default: // it says enough
		}
	}
}

// call sends the browser a command.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	answer, err := chromedp.Run(b.ctx, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, command, params) })
	if err != nil {
		b.Fatal(err)
	}
	return answer
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

func (b *tab) size(width, height int64) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// scheme is "light" or "dark".
func (b *tab) scheme(name string) {
	b.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
}

// ask evaluates an expression in the page, whether scripts of its own may run or not.
func (b *tab) ask(expression string, to any) error { return b.askIn(0, expression, to) }

// askIn is ask in a world of the page; 0: its own.
func (b *tab) askIn(world runtime.ExecutionContextID, expression string, to any) error {
	yes := true
	answer, err := chromedp.Run(b.ctx, func(ctx context.Context, t *chromedp.Target) (runtime.EvaluateResult, error) {
		return cdp.Call(ctx, t, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ContextID: world, ReturnByValue: &yes, AwaitPromise: &yes})
	})
	if err != nil {
		return err
	}
	if d := answer.ExceptionDetails; d != nil {
		text := d.Text
		if d.Exception != nil {
			text += " " + d.Exception.Description
		}
		return errors.New(text)
	}
	if to == nil || len(answer.Result.Value) == 0 {
		return nil
	}
	return json.Unmarshal(answer.Result.Value, to)
}

// get is ask of what cannot fail.
func get[T any](b *tab, expression string) T {
	b.Helper()
	var v T
	if err := b.ask(expression, &v); err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for a condition of the page.
func (b *tab) until(what, condition string) {
	b.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		var is bool
		if err := b.ask(condition, &is); err == nil && is {
			return
		}
		if time.Now().After(deadline) || b.ctx.Err() != nil {
			b.Fatalf("waited in vain for %s at %s:\n%s", what, b.path(), b.text())
		}
		time.Sleep(5 * time.Millisecond) // between two questions, not for an answer
	}
}

// leads does what makes another page, and waits until that is there.
func (b *tab) leads(do func()) {
	b.Helper()
	get[any](b, "void (window.before = true)")
	do()
	b.until("another page", "!window.before && document.readyState === 'complete'")
}

// open goes to a page of the vault, or to an address that begins with /.
func (b *tab) open(path string) {
	b.Helper()
	if !strings.HasPrefix(path, "/") {
		path = "/console/main/" + path
	}
	b.do(chromedp.Navigate(b.h.url + path))
}

func (b *tab) reload() {
	b.Helper()
	b.leads(func() { call(b, page.Reload, page.ReloadParams{}) })
}

// history goes forward, or back, as the browser's buttons do.
func (b *tab) history(by int64) {
	b.Helper()
	h := call(b, page.GetNavigationHistory, cdp.Empty{})
	to := h.CurrentIndex + by
	if to < 0 || int(to) >= len(h.Entries) {
		b.Fatalf("the browser has no page %d of %d", to, len(h.Entries))
	}
	call(b, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: h.Entries[to].ID})
}

func (b *tab) text() string {
	var s string
	b.ask("document.body.innerText", &s)
	return s
}

func (b *tab) path() string {
	var s string
	b.ask("location.pathname + location.search", &s)
	return strings.TrimPrefix(s, b.h.prefix+"/console/main/")
}

// says fails the test unless these words are seen.
func (b *tab) says(words ...string) {
	b.Helper()
	text := b.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			b.Fatalf("%s does not say %q:\n%s", b.path(), w, text)
		}
	}
}

func (b *tab) lacks(words ...string) {
	b.Helper()
	text := b.text()
	for _, w := range words {
		if strings.Contains(text, w) {
			b.Errorf("%s says %q:\n%s", b.path(), w, text)
		}
	}
}

func quoted(s string) string {
	q, _ := json.Marshal(s)
	return string(q)
}

// seen finds what a person would click on, by what it says.
const seen = `(words => { const all = [...document.querySelectorAll('a,button,summary,label')].filter(e => e.checkVisibility() && e.getClientRects().length > 0);
 const said = e => e.innerText.trim();
 const main = all.filter(e => e.closest('main'));
 return main.find(e => said(e) === words) || all.find(e => said(e) === words) || main.find(e => said(e).startsWith(words)) || all.find(e => said(e).startsWith(words)); })`

// labelled finds a field by its label.
const labelled = `(words => { const all = [...document.querySelectorAll('input:not([type=hidden]),select,textarea')].filter(e => e.checkVisibility() && e.getClientRects().length > 0);
 const said = e => e.getAttribute('aria-label') || (e.labels && e.labels[0] ? e.labels[0].textContent.trim() : '');
 return all.find(e => said(e) === words) || all.find(e => said(e).startsWith(words)); })`

// click clicks on what says these words, with the mouse, where it is.
func (b *tab) click(words string) {
	b.Helper()
	b.clicks(words, 1)
}

func (b *tab) clicks(words string, times int) {
	b.Helper()
	b.clicksOn(seen, words, times)
}

// tick clicks on the box with a label.
func (b *tab) tick(label string) {
	b.Helper()
	b.clicksOn(labelled, label, 1)
}

// clicksOn clicks on what an expression finds by words.
func (b *tab) clicksOn(finds, words string, times int) {
	b.Helper()
	b.until(fmt.Sprintf("%q to click on", words), finds+"("+quoted(words)+") !== undefined")
	at := get[[]float64](b, "(e => { e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getClientRects()[0]; return [r.x + r.width / 2, r.y + r.height / 2]; })("+finds+"("+quoted(words)+"))")
	for i := range times {
		for _, kind := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
			call(b, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: at[0], Y: at[1], Button: input.MouseButtonLeft, ClickCount: int64(i + 1)})
		}
	}
}

// follow clicks on what leads to another page.
func (b *tab) follow(words string) {
	b.Helper()
	b.leads(func() { b.Helper(); b.click(words) })
}

// fill types into the field with a label, in place of what it has.
func (b *tab) fill(label, value string) {
	b.Helper()
	b.until(fmt.Sprintf("a field %q", label), labelled+"("+quoted(label)+") !== undefined")
	get[any](b, "(e => { e.focus(); if (e.select) e.select(); })("+labelled+"("+quoted(label)+"))")
	call(b, input.InsertText, input.InsertTextParams{Text: value})
}

// choose chooses, in the field with a label, what begins with these words.
func (b *tab) choose(label, words string) {
	b.Helper()
	b.until(fmt.Sprintf("%q in %q", words, label), "[...(("+labelled+"("+quoted(label)+") || {}).options || [])].some(o => o.text.trim().startsWith("+quoted(words)+"))")
	get[any](b, "void (e => { e.value = [...e.options].find(o => o.text.trim().startsWith("+quoted(words)+")).value; e.dispatchEvent(new Event('change', {bubbles: true})); })("+labelled+"("+quoted(label)+"))")
}

// puts puts a day, or lines, into the field with a label.
func (b *tab) puts(label, value string) {
	b.Helper()
	b.until(fmt.Sprintf("a field %q", label), labelled+"("+quoted(label)+") !== undefined")
	get[any](b, "void (("+labelled+"("+quoted(label)+")).value = "+quoted(value)+")")
}

// settled looks again until work in the background is done.
func (b *tab) settled() {
	b.Helper()
	for range 100 {
		if !strings.Contains(b.text(), "Look again") {
			return
		}
		b.reload()
	}
	b.Fatalf("what is under way at %s does not end", b.path())
}

// secret is what is shown once on the page that is open.
func (b *tab) secret() string {
	b.Helper()
	b.says("shown once")
	return get[string](b, "document.querySelector('.secret').innerText.trim()")
}

// hides fails the test if the page has a text anywhere, seen or not.
func (b *tab) hides(text string) {
	b.Helper()
	if get[bool](b, "document.documentElement.outerHTML.includes("+quoted(text)+")") {
		b.Errorf("%s has %q in it", b.path(), text)
	}
}

// value is what a field has.
func (b *tab) value(label string) string {
	b.Helper()
	return get[string](b, "("+labelled+"("+quoted(label)+") || {value: '(there is no such field)'}).value")
}

// files chooses files in the field with a label.
func (b *tab) files(label string, paths ...string) {
	b.Helper()
	field := call(b, runtime.Evaluate, runtime.EvaluateParams{Expression: labelled + "(" + quoted(label) + ")"})
	call(b, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: paths, ObjectID: field.Result.ObjectID})
}

// press presses keys, one after the other.
func (b *tab) press(keys ...string) {
	b.Helper()
	for _, k := range keys {
		b.do(chromedp.KeyEvent(k))
	}
}

// down presses a key as a keyboard does: what the page keeps from being typed is not.
func (b *tab) down(text, code string, number int64) {
	b.Helper()
	call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Text: text, Key: text, Code: code, WindowsVirtualKeyCode: number})
	call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: text, Code: code, WindowsVirtualKeyCode: number})
}

// tabTo presses Tab until what says these words has the focus.
func (b *tab) tabTo(words string) {
	b.Helper()
	for range 150 {
		b.press(kb.Tab)
		if get[bool](b, `(e => { const said = (e.innerText || '').trim() || e.getAttribute('aria-label') || (e.labels && e.labels[0] ? e.labels[0].textContent.trim() : ''); return said.startsWith(`+quoted(words)+`); })(document.activeElement)`) {
			if outline := get[string](b, "getComputedStyle(document.activeElement).outlineStyle"); outline == "none" {
				b.Errorf("nobody sees that %q has the focus", words)
			}
			return
		}
	}
	b.Fatalf("the keyboard does not reach %q at %s", words, b.path())
}

// signIn signs somebody in.
func (b *tab) signIn(token string) *tab {
	b.Helper()
	b.open("/console/sign-in")
	b.fill("API key", token)
	b.follow("Sign in")
	if at := b.path(); at != "documents" {
		b.Fatalf("signing in leads to %s:\n%s", at, b.text())
	}
	return b
}

// as is a tab of a new person with an access.
func (h *house) as(t *testing.T, name string, access engine.Access, script bool) *tab {
	t.Helper()
	_, token := h.Person(name, access)
	return h.tab(t, script).signIn(token)
}

package httpapi

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/cluster/clustertest"
	"strongroom/engine/enginetest"
)

// TestConversations replays testdata/http. A conversation is prose with steps
// in it:
//
//	> POST /v1/documents?name=Lease    the request, byte for byte
//	> Authorization: Bearer $admin     $name is a variable
//	>
//	> Hello
//	! crlf                             how to send it, see step.options
//	let doc = id                       a variable from the answer's body; or "header ETag"
//	< 201                              the answer, which -update writes
//	< ETag: "1"
//	<
//	< {"id": "$doc", …
//
// "! search" gives the server a search, "! pages" pictures of pages, "! public" has the
// log of main stand open, "! sign-in" the room of sign-in (signin_conversation_test.go). Host, Content-Length and Connection are added where they are not given. The
// variables admin, upload, view and other are keys, adminId and so on their
// users. ${repeat x 9}, ${hex 00ff}, ${base64 text}, ${sha256 text} and ${uuid id}
// stand for what they say. In answers, what differs from run to run is replaced by
// the variable that holds it, or by <id>, <time>, <hash>, <request>, <secret>.
func TestConversations(t *testing.T) { converse(t, false, conversation{}) }

// ConverseWithSignIn replays the conversations that need the room of sign-in.
func ConverseWithSignIn(t *testing.T, room func(*testing.T, map[string]*enginetest.Kit) Plugged) {
	converse(t, true, conversation{room: room})
}

// converse replays those that need the room of sign-in, or those that do not, each in a
// copy of a conversation that has nothing to say yet. What is said does not depend on it.
func converse(t *testing.T, signIn bool, as conversation) {
	files, err := filepath.Glob("../testdata/http/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, name := range files {
		was, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(was), "\n! sign-in\n") != signIn || as.skips != nil && as.skips(strings.TrimSuffix(filepath.Base(name), ".txt")) {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			t.Parallel()
			one := as
			c := &one
			c.options = Options{MaxUpload: 1 << 20, AllowedHosts: []string{"vault.example"}}
			c.parse(t, string(was))
			var is string
			if c.later { // the days of a bubble pass at once
				synctest.Test(t, func(t *testing.T) { is = c.replay(t) })
			} else {
				is = c.replay(t)
			}
			if *update && as.lives == nil {
				if err := os.WriteFile(name, []byte(is), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if is != string(was) {
				t.Errorf("the conversation goes otherwise now:\n%s", firstDifference(string(was), is))
			}
		})
	}
}

type conversation struct {
	options Options
	later   bool                                 // a step is some time later
	room    plug                                 // nil: none
	skips   func(name string) bool               // it is not for that one; nil: it is for all
	lives   func(*testing.T, *conversation) home // where its vaults do, as it begins; nil: on disk
	on      net.Listener                         // nil: one of this machine
	front   func(*testing.T) (address string)    // starts the server that is asked; nil: the kit's own is
	through string                               // that address
	parts   []part                               // in order; a part without a request is prose
	kit     *kit
	pipes   *pipes // nil: the server is reached over the network
	vars    map[string]string
	sent    int // requests
}

type part struct {
	text    []string // as it stands in the file, the answer excepted
	request []string
	options []string
	lets    [][2]string
}

func (c *conversation) parse(t *testing.T, text string) {
	var p part
	flush := func() {
		if len(p.text) > 0 {
			c.parts = append(c.parts, p)
		}
		p = part{}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		mark, rest, _ := strings.Cut(line, " ")
		switch {
		case mark == ">":
			p.request = append(p.request, rest)
		case mark == "!" && rest[:4] == "time":
			d, err := time.ParseDuration(strings.TrimPrefix(rest, "timeout "))
			if err != nil {
				t.Fatal(err)
			}
			c.options.BodyTimeout = d
		case line == "! search":
			c.options.Search = indexes{}
		case line == "! sign-in":
		case line == "! public":
			c.options.PublicLogs = []string{"main"}
		case line == "! pages":
			c.options.Pages = pictures{}
		case mark == "!":
			c.later = c.later || strings.HasPrefix(rest, "later ")
			p.options = append(p.options, rest)
		case mark == "let":
			name, path, _ := strings.Cut(rest, " = ")
			p.lets = append(p.lets, [2]string{name, path})
		case mark == "<":
			continue
		default:
			if p.request != nil {
				flush()
			}
		}
		p.text = append(p.text, line)
	}
	flush()
}

func (c *conversation) replay(t *testing.T) string {
	if c.later {
		c.pipes = &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		c.on = c.pipes
	}
	at := home(onDisk)
	if c.lives != nil {
		at = c.lives(t, c)
	}
	c.kit = newKitOn(t, c.options, c.on, c.room, at)
	if c.front != nil {
		c.through = c.front(t)
	}
	if x, ok := c.options.Search.(indexes); ok {
		x.follow(t, c.kit)
	}
	if x, ok := c.options.Pages.(pictures); ok {
		x.open(t, c.kit)
	}
	c.vars = maps.Clone(c.kit.tokens)
	for name, id := range c.kit.ids {
		c.vars[name+"Id"] = id
	}
	maps.Copy(c.vars, c.kit.room.Values)
	c.vars["mainVault"] = c.kit.vaults["main"].ID()
	var b strings.Builder
	for _, p := range c.parts {
		text := p.text
		var tail []string // blank lines after the step stay after the answer
		for p.request != nil && len(text) > 0 && text[len(text)-1] == "" {
			text, tail = text[:len(text)-1], append(tail, "")
		}
		for _, line := range text {
			b.WriteString(line + "\n")
		}
		if p.request != nil {
			b.WriteString(c.step(t, p))
		}
		for range tail {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// step sends one request over a connection of its own, and returns the answer
// as it is written down. Options:
//
//	crlf    the lines of the body end in CRLF, the last too
//	hangup  no more comes after what is written: the client closes its side
//	stall   nothing more comes, and the connection stays open
//	vanish  the client is gone before an answer can come
//	status  only the status is written down
//	show    only the status and the members named are
//	sweep   the vault is swept before, as the host does when it is due
//	erased  and what was erased is gone from a store, if the vault lives in one
//	later D so long is waited before, such as 168h
//	file F T   a file of the vault has this text before; "": it is gone
//	seen N     a witness says before that it has seen so many entries of the log
//	proof KEY  the answer is a proof that the verifier key in this variable signed,
//	           and what it proves is written down
func (c *conversation) step(t *testing.T, p part) string {
	has := func(option string) bool { return slices.Contains(p.options, option) }
	for _, option := range p.options {
		if err := c.before(t, option); err != nil {
			t.Fatal(option, err)
		}
	}
	for has("sweep") {
		next, err := c.kit.vaults["main"].Sweep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if time.Until(next) > time.Second { // else it waits for a reader to end
			break
		}
	}
	if h, ok := c.kit.vaults["main"].Host.(*clustertest.Home); ok && has("sweep") && has("erased") {
		if err := h.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := c.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := c.request(p.request, has("crlf"))
	c.sent++
	sent := make(chan struct{})
	go func() { // an answer may come before the whole request is taken
		defer close(sent)
		io.WriteString(conn, request)
		if has("hangup") {
			conn.(*net.TCPConn).CloseWrite()
		}
	}()
	if has("vanish") {
		<-sent
		c.kit.wait(&c.kit.began, c.sent)
		conn.Close()
		c.kit.wait(&c.kit.ended, c.sent)
		return "< (nobody is there to hear)\n"
	}
	method, _, _ := strings.Cut(request, " ")
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s: %v", p.request[0], err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s: %v", p.request[0], err)
	}
	for _, let := range p.lets {
		c.vars[let[0]] = capture(t, let[1], answer, body)
	}
	for _, option := range p.options {
		if key, ok := strings.CutPrefix(option, "proof "); ok {
			body = []byte(proved(t, c.vars[key], body))
		}
		if members, ok := strings.CutPrefix(option, "show "); ok {
			var b strings.Builder
			fmt.Fprintf(&b, "%d\n", answer.StatusCode)
			for path := range strings.FieldsSeq(members) {
				fmt.Fprintf(&b, "%s: %s\n", path, capture(t, path, answer, body))
			}
			return c.quoted(b.String(), answer)
		}
	}
	return c.writtenDown(answer, body, has("status"))
}

// before does what an option has happen before the request.
func (c *conversation) before(t *testing.T, option string) error {
	main := c.kit.vaults["main"]
	what, rest, _ := strings.Cut(option, " ")
	switch what {
	case "later":
		d, err := time.ParseDuration(rest)
		time.Sleep(d)
		return err
	case "file":
		name, text, _ := strings.Cut(rest, " ")
		path := filepath.Join(main.Dir, name)
		if text == "" {
			return os.Remove(path)
		}
		return os.WriteFile(path, []byte(text), 0o600)
	case "seen":
		size, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return err
		}
		key, err := main.LogKey(t.Context())
		if err == nil {
			err = main.WitnessSaw(t.Context(), key.Origin, size)
		}
		if !errors.Is(err, engine.ErrContradicted) {
			return err
		}
	}
	return nil
}

func (c *conversation) dial() (net.Conn, error) {
	if c.through != "" {
		return net.Dial("tcp", c.through)
	}
	if c.pipes == nil {
		return net.Dial("tcp", c.kit.http.Listener.Addr().String())
	}
	near, far := net.Pipe()
	c.pipes.conns <- far
	return near, nil
}

// pipes is a listener in memory: in a bubble, time stands still while somebody waits
// for a network.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

var function = regexp.MustCompile(`\$\{(repeat|hex|base64|sha256|uuid|jwt|code) ([^{}]*)\}`)

// request makes the bytes of a request.
func (c *conversation) request(lines []string, crlf bool) string {
	blank := slices.Index(lines, "")
	head, body := lines, ""
	if blank >= 0 {
		head, body = lines[:blank], strings.Join(lines[blank+1:], "\n")
		if crlf {
			body = strings.ReplaceAll(body, "\n", "\r\n") + "\r\n"
		}
	}
	body = c.expand(body)
	names := ""
	for i, line := range head[1:] {
		name, _, _ := strings.Cut(line, ":")
		names += strings.ToLower(name) + ";"
		head[i+1] = c.expand(line)
	}
	first := c.expand(head[0])
	if !strings.HasSuffix(first, " HTTP/1.1") {
		first += " HTTP/1.1"
	}
	head = append([]string{first}, head[1:]...)
	if c.through != "" && (strings.HasPrefix(first, "GET ") || strings.HasPrefix(first, "HEAD ")) {
		head = append(head, HeaderAtLeast+": "+c.least(head))
	}
	for name, value := range map[string]string{"Host": "vault.example", "Connection": "close", "Content-Length": strconv.Itoa(len(body))} {
		if !strings.Contains(names, strings.ToLower(name)+";") && !(name == "Content-Length" && (body == "" || strings.Contains(names, "transfer-encoding;"))) {
			head = append(head, name+": "+value)
		}
	}
	return strings.Join(head, "\r\n") + "\r\n\r\n" + body
}

// least is the last entry of the vault that a request is about: who asks elsewhere than
// at its owner sees what was changed before by asking for that.
func (c *conversation) least(head []string) string {
	v := c.kit.vaults["main"]
	if strings.Contains(strings.Join(head, "\n"), c.vars["other"]) {
		v = c.kit.vaults["other"]
	}
	return strconv.FormatUint(v.Head().Seq, 10)
}

func (c *conversation) expand(s string) string {
	for function.MatchString(s) { // the inner ones first
		s = function.ReplaceAllStringFunc(s, c.call)
	}
	for _, name := range c.names() {
		s = strings.ReplaceAll(s, "$"+name, c.vars[name])
	}
	return s
}

func (c *conversation) call(call string) string {
	m := function.FindStringSubmatch(call)
	switch arg := c.expand(m[2]); m[1] {
	case "repeat":
		text, n, _ := strings.Cut(arg, " ")
		times, _ := strconv.Atoi(n)
		return strings.Repeat(text, times)
	case "hex":
		b, _ := hex.DecodeString(arg)
		return string(b)
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(arg))
	case "uuid":
		id, _ := engine.UUID(arg)
		return id
	case "jwt", "code":
		return c.kit.room.Functions[m[1]](arg)
	default:
		sum := sha256.Sum256([]byte(arg))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
}

// names are the variables, the longest first, so that $adminId is not $admin.
func (c *conversation) names() []string {
	return slices.SortedFunc(maps.Keys(c.vars), func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
}

func firstDifference(was, is string) string {
	a, b := strings.Split(was, "\n"), strings.Split(is, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			from := max(0, i-8)
			return fmt.Sprintf("line %d:\n%s\nwas: %s\nis:  %s\n%s", i+1, strings.Join(a[from:i], "\n"), a[i], b[i], strings.Join(b[i+1:min(i+8, len(b))], "\n"))
		}
	}
	return fmt.Sprintf("%d lines were, %d lines are", len(a), len(b))
}

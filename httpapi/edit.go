package httpapi

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"strongroom/engine"
)

// change is what goes with every change of a document: which one, and on what
// condition. A locked document takes only changes that show its token.
type change struct {
	ID      string    `path:"id"`
	IfMatch ifMatch   `header:"If-Match"`
	Token   lockToken `header:"X-Lock-Token" doc:"The lockToken, if the document is locked."`
	Edit    edit      `header:"X-DocuSign-Edit" doc:"The same, as DocuSign's clients send it: {\"LockToken\":\"…\",\"LockDurationInSeconds\":\"600\"}, or <DocuSignEdit> with these two as elements. The duration, which may be left out, is the lock's window from now on."`
}

// check refuses two tokens of which the request can mean only one.
func (c change) check() error {
	if c.Token != "" && c.Edit.token != "" && string(c.Token) != c.Edit.token {
		return inParameter("X-DocuSign-Edit", "has another token than X-Lock-Token; send one of the two")
	}
	return nil
}

// condition is the one the change goes ahead on.
func (c change) condition() engine.Condition {
	out := engine.Condition{IfMatch: engine.Match(c.IfMatch), LockToken: c.Edit.token, LockDuration: c.Edit.window}
	if c.Token != "" {
		out.LockToken = string(c.Token)
	}
	return out
}

// reading is the token that goes with reading a document: its holder sees the
// scratchpad. Whatever else stands there is as good as nothing.
type reading struct {
	Token claimedToken `header:"X-Lock-Token" doc:"The holder of a lock with a scratchpad sees what is in it. Any other token is ignored."`
	Edit  claimedEdit  `header:"X-DocuSign-Edit" doc:"The same, as DocuSign's clients send it."`
}

func (r reading) token() string {
	switch {
	case r.Token == "":
		return edit(r.Edit).token
	case r.Edit.token == "" || r.Edit.token == string(r.Token):
		return string(r.Token)
	}
	return ""
}

// maxEdit is the size of a header that shows a token.
const maxEdit = 4 << 10

// lockToken is the header X-Lock-Token: a token as it was received.
type lockToken string

func (t *lockToken) bind(s string) error {
	if s = strings.Trim(s, " \t"); !isToken(s) {
		return errors.New("must be a lockToken as it was received")
	}
	*t = lockToken(s)
	return nil
}

// isToken reports whether s is spelled as tokens are: the engine says whether
// it is one.
func isToken(s string) bool {
	return s != "" && len(s) <= maxEdit && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.~+/=", r))
	})
}

type claimedToken lockToken

func (t *claimedToken) bind(s string) error {
	(*lockToken)(t).bind(s)
	return nil
}

// edit is the header X-DocuSign-Edit. Its two forms are read by a grammar of
// their own, in which there is nothing but what they need: no escapes, no
// attributes, no entities, no comments, no nesting.
//
//	json  = "{" pair { "," pair } "}"       pair = `"` name `"` ":" value
//	value = `"` text `"` | digits
//	xml   = "<DocuSignEdit>" { "<" name ">" text "</" name ">" } "</DocuSignEdit>"
//	name  = "LockToken" | "LockDurationInSeconds"       each once; the token is a must
//
// Blanks, tabs and line ends may stand between any two of these.
type edit struct {
	token  string
	window time.Duration // 0: none is given
}

var errEdit = errors.New(`must be {"LockToken":"…","LockDurationInSeconds":"600"} or ` +
	`<DocuSignEdit><LockToken>…</LockToken><LockDurationInSeconds>600</LockDurationInSeconds></DocuSignEdit>, where the duration may be left out`)

func (e *edit) bind(s string) error {
	if len(s) > maxEdit {
		return fmt.Errorf("must not be longer than %d bytes", maxEdit)
	}
	p := &editParser{rest: s}
	switch {
	case p.take("{"):
		p.json()
	case p.take("<DocuSignEdit>"):
		p.xml()
	default:
		return errEdit
	}
	if p.blanks(); p.broken || p.rest != "" || !isToken(p.values["LockToken"]) {
		return errEdit
	}
	e.token = p.values["LockToken"]
	duration, given := p.values["LockDurationInSeconds"]
	if !given {
		return nil
	}
	var n seconds
	if err := n.scalar(duration); err != nil {
		return fmt.Errorf("LockDurationInSeconds %w", err)
	}
	e.window = n.duration()
	return nil
}

type claimedEdit edit

func (e *claimedEdit) bind(s string) error {
	var strict edit
	if strict.bind(s) == nil {
		*e = claimedEdit(strict)
	}
	return nil
}

type editParser struct {
	rest   string
	values map[string]string
	broken bool
}

func (p *editParser) blanks() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// take goes past the token, if it is the next thing there is.
func (p *editParser) take(token string) bool {
	p.blanks()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

// until returns the text up to an end of it, and goes past that.
func (p *editParser) until(end string) string {
	text, rest, ok := strings.Cut(p.rest, end)
	p.rest, p.broken = rest, p.broken || !ok
	return text
}

func (p *editParser) set(name, value string) {
	_, again := p.values[name]
	if again || name != "LockToken" && name != "LockDurationInSeconds" {
		p.broken = true
	}
	if p.values == nil {
		p.values = map[string]string{}
	}
	p.values[name] = value
}

func (p *editParser) json() {
	for more := true; more && !p.broken; more = p.take(",") {
		p.broken = !p.take(`"`)
		name := p.until(`"`)
		p.broken = p.broken || !p.take(":")
		switch {
		case p.take(`"`):
			p.set(name, p.until(`"`))
		default:
			digits := len(p.rest) - len(strings.TrimLeft(p.rest, "0123456789"))
			p.broken = p.broken || digits == 0 || name == "LockToken"
			p.set(name, p.rest[:digits])
			p.rest = p.rest[digits:]
		}
	}
	p.broken = p.broken || !p.take("}")
}

func (p *editParser) xml() {
	for !p.broken && !p.take("</DocuSignEdit>") {
		p.broken = !p.take("<")
		name := p.until(">")
		p.set(name, strings.Trim(p.until("</"+name+">"), " \t\r\n"))
	}
}

package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"strongroom/audit"
	"strongroom/engine"
)

// How the answers of a conversation are written down.

// capture returns a member of the answer, as text if it is a string and as
// JSON if not, or a header. In a list, a path goes through all items.
func capture(t *testing.T, path string, answer *http.Response, body []byte) string {
	if name, ok := strings.CutPrefix(path, "header "); ok {
		return answer.Header.Get(name)
	}
	if name, ok := strings.CutPrefix(path, "header."); ok {
		return answer.Header.Get(name)
	}
	if name, ok := strings.CutPrefix(path, "xml "); ok { // the text of the first element of this name
		_, rest, _ := strings.Cut(string(body), "<"+name+">")
		text, _, _ := strings.Cut(rest, "<")
		return text
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v: %s", path, err, body)
	}
	v = follow(v, strings.Split(path, "."))
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func follow(v any, path []string) any {
	if len(path) == 0 {
		return v
	}
	switch in := v.(type) {
	case map[string]any:
		return follow(in[path[0]], path[1:])
	case []any:
		out := make([]any, len(in))
		for i, e := range in {
			out[i] = follow(e, path)
		}
		return out
	}
	return nil
}

// shown are the headers that are written down, if they are there.
var shown = []string{"Accept-Ranges", "Page-Count", "Allow", "Content-Disposition", "Content-Length", "Content-Range", "Content-Security-Policy", "Content-Type",
	"ETag", "Last-Modified", "Location", "Repr-Digest", "Retry-After", "WWW-Authenticate", "X-DocuSign-Edit", "X-Audit-Head", "X-Audit-Hash", "X-Audit-Seq"}

func (c *conversation) writtenDown(answer *http.Response, body []byte, statusOnly bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", answer.StatusCode)
	isJSON := answer.Header.Get("Content-Type") == "application/json"
	for _, name := range shown {
		if v := answer.Header.Get(name); v != "" && !(isJSON && (name == "Content-Type" || name == "Content-Length")) && !statusOnly {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if len(body) > 0 && !statusOnly {
		b.WriteString("\n")
		switch {
		case isJSON:
			body = lines(body)
		case !isText(body):
			body = fmt.Appendf(nil, "<%d bytes>", len(body))
		}
		b.Write(bytes.TrimSuffix(body, []byte("\n")))
		b.WriteString("\n")
	}
	return c.quoted(b.String(), answer)
}

func isText(body []byte) bool {
	return utf8.Valid(body) && !bytes.ContainsFunc(body, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' })
}

// proved is what a proof proves, to who knows the verifier key.
func proved(t *testing.T, vkey string, proof []byte) string {
	t.Helper()
	policy, err := audit.PolicyOf(vkey)
	if err != nil {
		t.Fatal(err)
	}
	read, err := audit.ParseProof(proof)
	if err != nil {
		t.Fatalf("%v: %s", err, proof)
	}
	is, err := read.Verify(policy)
	if err != nil {
		t.Fatalf("%v: %s", err, proof)
	}
	return fmt.Sprintf("(proves entry %d, %s, document %q, version %d, under a checkpoint of %d)", is.Entry.Seq, is.Entry.Op, is.Entry.Document, is.Entry.Version, is.Checkpoint.Size)
}

// lines puts each member of an object on a line of its own, and each element of
// a list.
func lines(text []byte) []byte {
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, text, "", "\t"); err != nil {
		return text
	}
	deeper := regexp.MustCompile(`\n\t{2,}|\n\t(?:[}\]])`)
	list := bytes.HasPrefix(pretty.Bytes(), []byte("{\n\t\"items\": [\n"))
	if list {
		deeper = regexp.MustCompile(`\n\t{3,}|\n\t\t(?:[}\]])`)
	}
	out := deeper.ReplaceAllFunc(pretty.Bytes(), func(gap []byte) []byte { return bytes.Trim(gap, "\n\t") })
	out = bytes.ReplaceAll(out, []byte(`,"`), []byte(`, "`))
	out = bytes.ReplaceAll(out, []byte(`,{`), []byte(`, {`))
	return bytes.ReplaceAll(out, []byte("\t"), []byte("  "))
}

// quoted is how an answer stands in the file.
func (c *conversation) quoted(text string, answer *http.Response) string {
	text = c.mask(text, answer.Header.Get("X-Request-Id"))
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.TrimRight("< "+strings.TrimRight(line, "\r\n"), " ") + "\n")
	}
	return out.String()
}

var secret = regexp.MustCompile(`\bsr_[a-z0-9-]+_[0-9A-Z]{26}_[A-Za-z0-9_-]{43}|\bwhsec_[A-Za-z0-9+/]{32}|\bsrs_[A-Za-z0-9_-]{43}|\bs[af]_[a-z0-9-]+_[A-Za-z0-9_-]{43}`)

var beginsToken = regexp.MustCompile(`^s[raf]_`)

var masks = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}0000Z`), "<time, seven digits>"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`), "<time>"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\dZ`), "<time of day>"},
	{regexp.MustCompile(`\b\d{8}T\d{6}Z`), "<time>"},
	{regexp.MustCompile(`ETag: "[0-9a-f]{32}"`), `ETag: "<hash>"`},
	{regexp.MustCompile(`("lockToken": ?")[\w-]{43}"`), `$1<token>"`},
	{regexp.MustCompile(`(<(?:lock|Lock)Token>)[\w-]{43}<`), `$1<token><`},
	{regexp.MustCompile(`\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT`), "<time>"},
	{regexp.MustCompile(`([^:0-9a-f])[0-9a-f]{64}\b`), "$1<hash>"},
	{regexp.MustCompile(`"nextCursor": ?"[^"]*[^"0-9][^"]*"`), `"nextCursor": "<cursor>"`},
	{regexp.MustCompile(`(\b\d+:)[0-9a-f]{64}\b`), "$1<hash>"},
	{regexp.MustCompile(`("(?:exp|iat)": ?)\d{10}`), "$1<seconds>"},
	{regexp.MustCompile(`"took": ?\d+`), `"took": <ms>`},
	{regexp.MustCompile(`"salt": ?"[0-9a-f]{32}"`), `"salt": "<salt>"`},
	{regexp.MustCompile(`(?m)^([^ \n]+ )?[A-Za-z0-9+/]{43}=$`), "$1<hash>"}, // of a tree
	{regexp.MustCompile(`(— \S+ )[A-Za-z0-9+/=]+`), "$1<signature>"},
	{regexp.MustCompile(`(?m)^extra [A-Za-z0-9+/=]+$`), "extra <line>"},
	{regexp.MustCompile(`\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}`), "+<key id>+<key>"},
	{regexp.MustCompile(`0[0-9A-HJKMNP-TV-Z]{25}`), "<id>"},
}

func (c *conversation) mask(s, request string) string {
	s = strings.ReplaceAll(s, request, "<request>")
	known := func(isToken bool) {
		for _, name := range c.names() {
			v := c.vars[name]
			if len(v) > 20 && beginsToken.MatchString(v) == isToken {
				s = strings.ReplaceAll(s, v, "$"+name)
			}
			if uuid, ok := engine.UUID(v); ok {
				s = strings.ReplaceAll(s, uuid, "${uuid $"+name+"}")
			}
		}
	}
	known(true)
	s = secret.ReplaceAllString(s, "<secret>") // whole, before the ids in it
	known(false)
	zeros := strings.Repeat("0", 64)
	s = strings.ReplaceAll(s, zeros, "<64 zeros>")
	for _, m := range masks {
		s = m.re.ReplaceAllString(s, m.by)
	}
	return s
}

package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// received takes a body as an upload in JSON.
func received(vault *enginetest.Kit, body io.Reader) (in createDocumentInput, err error) {
	r := httptest.NewRequest("POST", "/v1/documents", body)
	r.Header.Set("Content-Type", "application/json")
	x := &exchange{ResponseWriter: httptest.NewRecorder(), server: New(nil, Options{})}
	err = receive(&in, inputOf(reflect.TypeFor[createDocumentInput](), "POST"), caller{vault: vault.Vault, actor: vault.Admin}, x, r)
	in.release()
	return in, err
}

// TestJSONFiles holds that an upload in JSON means what it would be decoded to as
// a whole, however it comes in pieces.
func TestJSONFiles(t *testing.T) {
	vault := enginetest.New(t)
	text := "any bytes at all\x00\xff"
	coded := base64.StdEncoding.EncodeToString([]byte(text))
	escaped := ""
	for _, c := range coded {
		escaped += fmt.Sprintf(`\u%04x`, c)
	}
	for body, want := range map[string]string{
		`{"content":"` + coded + `","fileName":"a"}`:                       text,
		`{"fileName":"a","content":"` + coded + `"}`:                       text,
		` { "name" : "content" , "content" : "` + coded + `" } `:           text,
		`{"tags":["content","x"],"content":"` + coded + `"}`:               text,
		`{"customFields":{"content":"AAAA"},"content":"` + coded + `"}`:    text,
		`{"description":"\"content\":\"AAAA\"","content":"` + coded + `"}`: text,
		`{"\u0063ontent":"` + coded + `"}`:                                 text,
		`{"content":"` + escaped + `"}`:                                    text,
		`{"content":"` + coded[:4] + `\n` + coded[4:] + `\r\n"}`:           text,
		`{"content":"Pz8\/"}`:                                              "???",
		`{"content":"","fileName":"empty"}`:                                "",
		`{"content":""}`:                                                   "! content: is missing",
		`{"name":"a"}`:                                                     "! content: is missing",
		`{"content":null}`:                                                 "! content: must be a string in base64",
		`{"content":7}`:                                                    "! content: must be a string in base64",
		`{"content":["AAAA"]}`:                                             "! content: must be a string in base64",
		`{"content":"AAA"}`:                                                "! content: must be a string in base64",
		`{"content":"AA=="}`:                                               "\x00",
		`{"content":"AA==AAAA"}`:                                           "! content: must be a string in base64",
		`{"content":"AA===="}`:                                             "! content: must be a string in base64",
		`{"content":"AB=="}`:                                               "! content: must be a string in base64",
		`{"content":"A A="}`:                                               "! content: must be a string in base64",
		`{"content":"AA\t=="}`:                                             "! content: must be a string in base64",
		`{"content":"-_-_"}`:                                               "! content: must be a string in base64",
		`{"content":"ÄÄÄÄ"}`:                                               "! content: must be a string in base64",
		`{"content":"AAAA`:                                                 "! body: is not JSON",
		`{"content":"AAAA"`:                                                "! body: is not JSON",
		`{"content":"AAAA"}}`:                                              "! body: is not JSON",
		`{"content":"AAAA"}{}`:                                             "! body: is not JSON",
		`{"content" "AAAA"}`:                                               "! body: is not JSON",
		`{"content"::"AAAA"}`:                                              "! body: is not JSON",
		"{\"content\":\"AA\nAA\"}":                                         "! body: is not JSON",
		`["content","AAAA"]`:                                               "! body: must be an object",
		`{"content":"AAAA","content":"AAAA"}`:                              "! content: is given twice",
		`{"content":"AAAA","content":"` + strings.Repeat("AAAA", 1<<19) + `"`: "! content: is given twice",
		`{"Content":"AAAA"}`:                                             "! Content: is not a member",
		`{"content":"AAAA","nome":1}`:                                    "! nome: is not a member",
		`{"content":"AAAA","fileName":".."}`:                             "! fileName: has a path",
		`{"content":"AAAA","description":"` + strings.Repeat("a", 2<<20): "! description: is too long",
		`{"description":"` + strings.Repeat("a", 2<<20):                  "! description: is too long",
		strings.Repeat(" ", 2<<20):                                       "! body: is too long",
		``:                                                               "! body: is missing",
	} {
		for _, pieces := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader} {
			in, err := received(vault, pieces(strings.NewReader(body)))
			why, refused := strings.CutPrefix(want, "! ")
			switch {
			case refused && (err == nil || !strings.HasPrefix(err.Error(), why)):
				t.Errorf("%.80s: %v, want %s", body, err, why)
			case !refused && (err != nil || in.staged.Digest() != engine.Digest(sumOf(want))):
				t.Errorf("%.80s: %v", body, err)
			}
			if json.Valid([]byte(body)) && err != nil && strings.HasPrefix(err.Error(), "body: is not JSON") {
				t.Errorf("%.80s is JSON", body)
			}
		}
	}
}

// TestJSONFileCosts holds that a file of 6 MiB in JSON is not held in memory,
// whatever its text is like.
func TestJSONFileCosts(t *testing.T) {
	vault := enginetest.New(t)
	for what, text := range map[string]string{"plain": "AAAA", "escaped": `\u0041AAA`, "lines": "AAAA\\n"} {
		body := io.MultiReader(strings.NewReader(`{"fileName":"a","content":"`), &repeated{text: text, left: (2 << 20) * len(text)}, strings.NewReader(`"}`))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := received(vault, body)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; err != nil || spent > 5<<20 {
			t.Errorf("%s: %d KiB: %v", what, spent>>10, err)
		}
	}
}

// repeated is a text again and again.
type repeated struct {
	text string
	left int
	at   int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) && r.left > 0 {
		p[n] = r.text[r.at%len(r.text)]
		n, r.at, r.left = n+1, r.at+1, r.left-1
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func sumOf(text string) [32]byte { return sha256.Sum256([]byte(text)) }

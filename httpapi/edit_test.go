package httpapi

import (
	"strings"
	"testing"
	"time"
)

func TestEditHeader(t *testing.T) {
	for header, want := range map[string]edit{
		`{"LockToken":"a-b_C9","LockDurationInSeconds":"600"}`:    {"a-b_C9", 600 * time.Second},
		`{ "LockToken" : "a" , "LockDurationInSeconds" : "600" }`: {"a", 600 * time.Second},
		"{\t\"LockDurationInSeconds\":600,\"LockToken\":\"a\"}":   {"a", 600 * time.Second},
		`{"LockToken":"a"}`:  {"a", 0},
		` {"LockToken":"a"}`: {"a", 0},
		`{"LockToken":"a","LockDurationInSeconds":"000600"}`:                                                           {"a", 600 * time.Second},
		`{"LockToken":"a","LockDurationInSeconds":"99999999999999999999"}`:                                             {"a", 24 * time.Hour},
		`<DocuSignEdit><LockToken>a=</LockToken></DocuSignEdit>`:                                                       {"a=", 0},
		` <DocuSignEdit> <LockDurationInSeconds> 60 </LockDurationInSeconds><LockToken>a</LockToken> </DocuSignEdit> `: {"a", time.Minute},
	} {
		var e edit
		if err := e.bind(header); err != nil || e != want {
			t.Errorf("%s: %v %v, want %v", header, e, err, want)
		}
	}
	for _, header := range []string{
		``, ` `, `a`, `{}`, `{"LockToken":""}`, `{"LockToken":a}`, `{"LockToken":"a"`, `{"LockToken":"a",}`, `{"LockToken":"a"}}`, `{,"LockToken":"a"}`,
		`{"lockToken":"a"}`, `{"LockToken":"a","LockToken":"a"}`, `{"LockToken":"a" "LockDurationInSeconds":"6"}`, `{"LockToken":"a","LockDurationInSeconds":}`,
		`{"LockToken":"a","LockDurationInSeconds":""}`, `{"LockToken":"a","LockDurationInSeconds":"0"}`, `{"LockToken":"a","LockDurationInSeconds":-6}`,
		`{"LockToken":"a","LockDurationInSeconds":6.5}`, `{"LockToken":"a","LockDurationInSeconds":"6s"}`, `{"LockToken":"a","LockDurationInSeconds":null}`,
		`{"LockToken":"a","More":"b"}`, `{"LockToken":12}`, `{"LockToken":"\u0061"}`, `{"LockToken":"a\"b"}`, `{"LockToken":"a b"}`, `{"LockToken":"ä"}`, `["a"]`,
		`<DocuSignEdit></DocuSignEdit>`, `<DocuSignEdit><LockToken></LockToken></DocuSignEdit>`, `<DocuSignEdit><LockToken>a</LockToken>`, `<DocuSignEdit/>`,
		`<DocuSignEdit><LockToken>a</LockDurationInSeconds></DocuSignEdit>`, `<DocuSignEdit><LockToken>a</LockToken><LockToken>a</LockToken></DocuSignEdit>`,
		`<DocuSignEdit><LockToken><![CDATA[a]]></LockToken></DocuSignEdit>`, `<DocuSignEdit><LockToken>&#97;</LockToken></DocuSignEdit>`,
		`<DocuSignEdit a="b"><LockToken>a</LockToken></DocuSignEdit>`, `<DocuSignEdit>b<LockToken>a</LockToken></DocuSignEdit>`, `<a/><DocuSignEdit><LockToken>a</LockToken></DocuSignEdit>`,
		`<?xml version="1.0"?><DocuSignEdit><LockToken>a</LockToken></DocuSignEdit>`, `<!DOCTYPE a><DocuSignEdit><LockToken>a</LockToken></DocuSignEdit>`,
		`<DocuSignEdit><!-- --><LockToken>a</LockToken></DocuSignEdit>`, `<DocuSignEdit><LockToken>a</ LockToken></DocuSignEdit>`,
		`{"LockToken":"` + strings.Repeat("a", maxEdit) + `"}`,
	} {
		var e edit
		if err := e.bind(header); err == nil {
			t.Errorf("%s is %v", header, e)
		}
	}
}

// FuzzEditHeader: no header panics; what is accepted is short, and its token
// stands in it letter by letter.
func FuzzEditHeader(f *testing.F) {
	f.Add(`{"LockToken":"a","LockDurationInSeconds":"600"}`)
	f.Add(`{ "LockDurationInSeconds": 600, "LockToken": "a" }`)
	f.Add(`<DocuSignEdit><LockToken>a</LockToken><LockDurationInSeconds>600</LockDurationInSeconds></DocuSignEdit>`)
	f.Fuzz(func(t *testing.T, header string) {
		var e edit
		if e.bind(header) != nil {
			return
		}
		if len(header) > maxEdit || !isToken(e.token) || !strings.Contains(header, e.token) || e.window < 0 || e.window%time.Second != 0 {
			t.Errorf("%q is %v", header, e)
		}
		if strings.ContainsAny(header, `&\!?;#`) {
			t.Errorf("%q has more in it than it may", header)
		}
		var again edit
		if err := again.bind(`{"LockToken":"` + e.token + `"}`); err != nil || again.token != e.token {
			t.Errorf("%q: the token %q does not come back: %v", header, e.token, err)
		}
	})
}

package httpapi

import (
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

func lockRequestOf(data string) (lockRequest, error) {
	s := shapes{}
	s.add(typeOf[lockRequest]())
	var in lockRequest
	err := s.decodeXML([]byte(data), reflect.ValueOf(&in).Elem(), true)
	return in, err
}

func TestLockXML(t *testing.T) {
	const ns = `xmlns="http://www.docusign.com/restapi"`
	for body, app := range map[string]string{
		`<lockRequest ` + ns + `><lockedByApp>a</lockedByApp></lockRequest>`:                                            "a",
		`<lockRequest><useScratchPad>true</useScratchPad><lockedByApp>a</lockedByApp></lockRequest>`:                    "a",
		"\ufeff<?xml version=\"1.0\"?>\n<lockRequest>\n <lockedByApp> a </lockedByApp>\n</lockRequest>\n<!-- end -->\n": " a ",
		`<lockRequest><lockedByApp>a<!-- -->&amp;<![CDATA[<b>]]></lockedByApp></lockRequest>`:                           "a&<b>",
		`<lockRequest><other><lockedByApp>b</lockedByApp></other><lockedByApp>a</lockedByApp></lockRequest>`:            "a",
		`<lockRequest><lockedByApp/></lockRequest>`:                                                                     "",
		`<lockRequest ` + ns + `><x:lockedByApp xmlns:x="urn:x">b</x:lockedByApp></lockRequest>`:                        "-",
		`<lockRequest/>`: "-",
		`<lockRequest><lockDurationInSeconds/><useScratchPad></useScratchPad></lockRequest>`:                                                           "-",
		`<lockRequest><lockDurationInSeconds> </lockDurationInSeconds></lockRequest>`:                                                                  "-",
		`<lockRequest><lockDurationInSeconds><![CDATA[]]></lockDurationInSeconds></lockRequest>`:                                                       "-",
		`<lockRequest xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><lockedByApp i:nil="true"/><lockDurationInSeconds i:nil="1"/></lockRequest>`: "-",
	} {
		in, err := lockRequestOf(body)
		got := "-"
		if in.LockedByApp != nil {
			got = *in.LockedByApp
		}
		if err != nil || got != app || in.LockDurationInSeconds != nil {
			t.Errorf("%s: %q %v, want %q", body, got, err, app)
		}
	}
	for body, why := range map[string]string{
		``:                                "body: is not XML",
		`lockRequest`:                     "body: is not XML",
		`<lockRequest>`:                   "body: is not XML",
		`<lockRequest/><lockRequest/>`:    "body: is more than one element",
		`<lockRequest/>text`:              "body: is not XML",
		`<lockRequest>text</lockRequest>`: "body: has text",
		`<lockRequest>text<lockedByApp>a</lockedByApp></lockRequest>`: "body: has text beside",
		`<LockRequest/>`:                                                                "body: must be the element lockRequest",
		`<lockRequest xmlns="urn:x"/>`:                                                  "body: must be in the namespace",
		`<!DOCTYPE lockRequest><lockRequest/>`:                                          "body: must not have a document type",
		`<lockRequest><!DOCTYPE a></lockRequest>`:                                       "body: must not have a document type",
		`<?php evil() ?><lockRequest/>`:                                                 "body: must not have a document type",
		`<lockRequest/><?xml version="1.0"?>`:                                           "body: must not have a document type",
		`<?xml version="1.0" encoding="latin1"?><lockRequest/>`:                         "body: is not XML",
		`<?xml version="1.1"?><lockRequest/>`:                                           "body: is not XML",
		`<lockRequest><lockedByApp>&nbsp;</lockedByApp></lockRequest>`:                  "body: is not XML",
		`<lockRequest><lockedByApp>&#0;</lockedByApp></lockRequest>`:                    "body: is not XML",
		"<lockRequest><lockedByApp>\xff</lockedByApp></lockRequest>":                    "body: is not UTF-8",
		`<lockRequest><lockedByApp><b/></lockedByApp></lockRequest>`:                    "lockedByApp: must be text",
		`<lockRequest><lockType>edit</lockType><lockType>edit</lockType></lockRequest>`: "lockType: is given twice",
		`<lockRequest><lockDurationInSeconds>0</lockDurationInSeconds></lockRequest>`:   "lockDurationInSeconds: must be",
		`<lockRequest><useScratchPad>1</useScratchPad></lockRequest>`:                   "useScratchPad: must be true or false",
		strings.Repeat("<a>", maxElements+1):                                            "body: lies deeper",
	} {
		if _, err := lockRequestOf(body); err == nil || !strings.HasPrefix(err.Error(), why) {
			t.Errorf("%s: %v, want %s", body, err, why)
		}
	}
}

// FuzzLockXML: no body panics, and no text comes out that is not in it: nothing
// is looked up, and nothing multiplies.
func FuzzLockXML(f *testing.F) {
	f.Add(`<?xml version="1.0" encoding="utf-8"?><lockRequest xmlns="http://www.docusign.com/restapi"><lockDurationInSeconds>600</lockDurationInSeconds><lockedByApp>Tom &amp; Jerry</lockedByApp></lockRequest>`)
	f.Add(`<lockRequest xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><lockedByApp i:nil="true"/><lockType>edit</lockType></lockRequest>`)
	f.Add(`<!DOCTYPE a [<!ENTITY b "c">]><lockRequest><lockedByApp>&b;</lockedByApp></lockRequest>`)
	f.Add(`<lockRequest><lockedByApp><![CDATA[a]]><!-- b -->&#99;</lockedByApp></lockRequest>`)
	f.Fuzz(func(t *testing.T, body string) {
		in, err := lockRequestOf(body)
		if err != nil {
			if _, ok := err.(*invalidError); !ok {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		size := len(in.TemplatePassword) + len(in.LockType)
		if in.LockedByApp != nil {
			size += len(*in.LockedByApp)
			if !utf8.ValidString(*in.LockedByApp) {
				t.Errorf("%q: %q", body, *in.LockedByApp)
			}
		}
		if size > len(body) {
			t.Errorf("%q has become longer", body)
		}
	})
}

// TestXMLCostsWhatTheBodyDoes holds that no body of a request takes much more
// memory than it is long: what is kept of it is measured, and what the parser
// throws away again.
func TestXMLCostsWhatTheBodyDoes(t *testing.T) {
	const size = 1 << 20
	fill := func(before, unit, after string) string {
		return before + strings.Repeat(unit, (size-len(before)-len(after))/len(unit)) + after
	}
	for what, body := range map[string]string{
		"empty elements":     fill("<lockRequest>", "<a/>", "</lockRequest>"),
		"nested":             fill("<lockRequest><a>", "<b/>", "</a></lockRequest>"),
		"known":              fill("<lockRequest>", "<lockType/>", "</lockRequest>"),
		"attributes":         fill("<lockRequest", " a=''", "/>"),
		"quoted attributes":  fill("<lockRequest", ` a=">"`, "/>"),
		"namespaces":         fill("<lockRequest", " xmlns:a='b'", "/>"),
		"attributes of many": fill("<lockRequest>", "<a"+strings.Repeat(" a=''", 200)+"/>", "</lockRequest>"),
		"attributes at last": fill("<lockRequest><!--<a> '--><![CDATA[<b \"]]><a", " a=''", "/></lockRequest>"),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := lockRequestOf(body)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 25<<20 {
			t.Errorf("%s: %d MiB: %v", what, spent>>20, err)
		}
	}
	for _, body := range []string{
		fill("<lockRequest><lockedByApp>", "text ", "</lockedByApp></lockRequest>"),
		fill("<lockRequest><!-- ", "<a ", "--></lockRequest>"),
		fill("<lockRequest><lockedByApp><![CDATA[", "<a ' ", "]]></lockedByApp></lockRequest>"),
		fill("<lockRequest>", "<a>b</a>                                                                                                           ", "</lockRequest>"),
	} {
		if _, err := lockRequestOf(body); err != nil {
			t.Errorf("%.50s: %v", body, err)
		}
	}
}

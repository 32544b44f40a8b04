package extract

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzXML reads XML that no archive is around, where changes do not only break the
// archive.
func FuzzXML(f *testing.F) {
	f.Add([]byte(body(para("a&amp;b")) + "<!-- c --><![CDATA[d]]>"))
	f.Add([]byte(`<?xml version="1.0" encoding="koi8-r"?><!DOCTYPE a [<!ENTITY b "c">]><a xmlns:b="urn:c:1.0" b:d='e'/>`))
	f.Add([]byte("\xff\xfe<\x00a\x00/\x00>\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := newScanner(t.Context(), bytes.NewReader(data))
		depth := 0
		for err == nil {
			if err = s.next(); err != nil {
				break
			}
			switch s.is {
			case begun:
				if depth++; s.depth != depth {
					t.Fatalf("depth %d, want %d", s.depth, depth)
				}
				s.attr("d")
			case ended:
				if s.depth != depth {
					t.Fatalf("depth %d, want %d", s.depth, depth)
				}
				depth--
			}
		}
		if errors.Is(err, io.EOF) && depth > 0 {
			t.Error("it ends within an element")
		}
		d := &prose{office: &office{out: &Output{}}, flow: flow{into: &Output{}}}
		s, err = newScanner(t.Context(), bytes.NewReader(data))
		for err == nil {
			if err = s.next(); err == nil {
				err = d.step(s)
			}
		}
		d.finish()
	})
}

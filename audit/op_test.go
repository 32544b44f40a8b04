package audit

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

func TestOpsAreTheConstants(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "op.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var constants []Op
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Op" {
			s, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			constants = append(constants, Op(s))
		}
		return true
	})
	if got := Ops(); !slices.Equal(got, constants) {
		t.Errorf("Ops returns %d\n%v, the constants are %d\n%v", len(got), got, len(constants), constants)
	}
	for _, op := range constants {
		if !op.Known() || !isOp([]byte(op)) {
			t.Errorf("%s is not known, or not spelled as an operation", op)
		}
	}
	if Op("").Known() || Op("later.added").Known() {
		t.Error("what is no operation is known")
	}
}

// Whatever the table allows can be written and read.
func TestEveryOperationCanBeLogged(t *testing.T) {
	of := map[kind]Value{
		aWord: Text("w"), aText: Text(""), aFlag: Text("true"), aTime: Text("2026-11-21T17:36:01.123Z"),
		aHash: Text(Hash{1}.String()), aDigest: Text(digestPrefix + Hash{1}.String()), aNumber: Number(0), aList: Texts("a"),
	}
	var h Head
	for _, r := range rules {
		for _, all := range []bool{true, false} {
			e := Event{Op: r.op, Facts: Facts{}}
			for _, f := range r.facts {
				if all || !f.optional {
					e.Facts[f.name] = of[f.kind]
				}
			}
			if r.subject != noDocument && (all || r.subject != maybeDocument) {
				e.Document = "d"
			}
			if r.subject == firstVersion || r.subject == oneVersion {
				e.Version = 1
			}
			var detail Hash
			if all && r.detail != "" {
				e.Detail = []byte(`{}`)
				detail = DetailHash([16]byte{}, e.Detail)
			}
			if r.op == OpVaultCreated && !all {
				continue
			}
			line, next, err := h.Next(Stamp{Time: testStart}, e, detail)
			if err != nil {
				t.Fatal(err)
			}
			if followed, err := h.Follow(line); err != nil || followed != next {
				t.Errorf("%s: %v", line, err)
			}
			h = next
		}
	}
}

func TestValuesGiveBackWhatTheyAreMadeOf(t *testing.T) {
	if s, ok := Text("a").AsText(); s != "a" || !ok {
		t.Error(s, ok)
	}
	if n, ok := Number(7).AsNumber(); n != 7 || !ok {
		t.Error(n, ok)
	}
	given := []string{"a", "b"}
	v := Texts(given...)
	given[0] = "changed"
	if s, ok := v.AsTexts(); !slices.Equal(s, []string{"a", "b"}) || !ok {
		t.Error(s, ok)
	}
	_, text := Number(7).AsText()
	_, num := Text("7").AsNumber()
	_, list := (Value{}).AsTexts()
	_, none := (Facts{})["absent"].AsText()
	if text || num || list || none {
		t.Error("a value is taken for one of another kind")
	}
	if _, err := (Value{}).MarshalJSON(); err == nil {
		t.Error("no value has a spelling")
	}
	if b, err := Facts(nil).MarshalJSON(); string(b) != "{}" || err != nil {
		t.Error(string(b), err)
	}
}

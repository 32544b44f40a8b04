package engine_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestStoredFormsAreTheirOwn: no stored form is made by marshalling an exported
// struct, or read into one, because renaming a field of the public API would
// change it then. What is stored has a codec, or an unexported type of its own,
// whose names are those that are stored.
//
// It looks at all that package engine and those below it hand to encoding/json,
// directly or as an any, which may end there; and at other encoders that follow
// the names of fields: there are none. A type that spells itself, by a method,
// is its own codec.
func TestStoredFormsAreTheirOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("it type-checks the engine")
	}
	t.Parallel()
	fset := token.NewFileSet()
	look := exportData(t)
	for _, dir := range packageDirs(t) {
		for _, finding := range marshalled(t, fset, look, dir, parseDir(t, fset, dir)) {
			t.Error(finding)
		}
	}
}

// TestTheLawOfStoredFormsBites: it finds each way there is to break it.
func TestTheLawOfStoredFormsBites(t *testing.T) {
	t.Parallel()
	const source = `package p
import ("encoding/json"; "io"; "time"; "fmt"; "strongroom/engine")
type Open struct{ Name string }
type closed struct{ Name string; at time.Time; When time.Time }
type holds struct{ In []map[string]*Open }
type skips struct{ In Open ` + "`json:\"-\"`" + ` }
type wraps struct{ Old, New any }
func put(value any) ([]byte, error) { return json.Marshal(value) }
func same(a, b any) bool { return a == b }
func each(w io.Writer, o Open, c closed, d engine.Digest, all []engine.Document) {
	json.Marshal(o) // bad
	json.MarshalIndent(&o, "", "") // bad
	json.NewEncoder(w).Encode([]Open{o}) // bad
	json.Marshal(holds{}) // bad
	json.Marshal(struct{ engine.DocumentPatch }{}) // bad
	json.Unmarshal(nil, &o) // bad
	json.NewDecoder(nil).Decode(&all) // bad
	put(o) // bad
	put(map[string]any{"o": o}) // bad
	put(wraps{New: o}) // bad
	m := map[string]any{}
	m["o"] = all // bad
	json.Marshal(c)
	json.Marshal(skips{})
	json.Marshal(map[string]engine.Digest{"d": d})
	json.Unmarshal(nil, &c)
	put(wraps{"x", 1})
	note := func(name string, value any) { m[name] = value }
	note("o", o) // bad
	same(o, o)
	fmt.Println(o)
}`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, parser.ParseComments)
	must(t, err)
	want := map[string]bool{}
	for _, c := range file.Comments {
		want[fset.Position(c.Pos()).String()[:len("p.go:00")]] = true
	}
	got := map[string]bool{}
	for _, finding := range marshalled(t, fset, exportData(t), "p", []*ast.File{file}) {
		got[finding[:len("p.go:00")]] = true
	}
	if len(want) != 12 || !reflect.DeepEqual(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// followers are the encoders besides encoding/json that follow names of fields.
var followers = []string{"encoding/gob", "encoding/xml", "encoding/asn1"}

// marshalled tells where a package hands over what the law forbids.
func marshalled(t *testing.T, fset *token.FileSet, look importer.Lookup, dir string, files []*ast.File) (findings []string) {
	t.Helper()
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", look)}
	pkg, err := config.Check("strongroom/engine/"+dir, fset, files, info)
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	l := &storedLaw{info: info, pkg: pkg, passed: map[types.Object]bool{}, spelled: map[string]bool{}, at: func(n ast.Node, text string) {
		findings = append(findings, fset.Position(n.Pos()).String()+": "+text)
	}}
	// First, which parameters are handed on; then, what is given for those.
	for _, l.judging = range []bool{false, true} {
		for _, file := range files {
			ast.Inspect(file, l.look)
		}
	}
	for _, file := range files {
		for _, spec := range file.Imports {
			for _, encoder := range followers {
				if spec.Path.Value == fmt.Sprintf("%q", encoder) && filepath.Base(dir) != "extract" { // which reads what others wrote
					l.at(spec, encoder+" follows the names of fields")
				}
			}
		}
	}
	return findings
}

type storedLaw struct {
	info    *types.Info
	at      func(n ast.Node, text string)
	pkg     *types.Package
	judging bool
	passed  map[types.Object]bool // parameters of type any that become another one
	spelled map[string]bool       // types of what becomes an any
}

// look judges what becomes an any: an argument, a member or an assigned value.
func (l *storedLaw) look(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		l.call(n)
	case *ast.CompositeLit:
		l.literal(n)
	case *ast.AssignStmt:
		for i, to := range n.Lhs {
			if len(n.Lhs) == len(n.Rhs) && isAny(l.info.TypeOf(to)) {
				l.judge(n.Rhs[i])
			}
		}
	}
	return true
}

func (l *storedLaw) call(n *ast.CallExpr) {
	signature, ok := l.info.TypeOf(n.Fun).(*types.Signature)
	if !ok {
		return
	}
	pkg := l.calls(n.Fun)
	if pkg != nil && pkg.Path() != "encoding/json" && !strings.HasPrefix(pkg.Path(), "strongroom") {
		return // the standard library stores nothing
	}
	for i, arg := range n.Args {
		last := signature.Params().Len() - 1
		if signature.Variadic() && i >= last {
			return // words of a message
		}
		if i > last || !isAny(signature.Params().At(i).Type()) {
			continue
		}
		// One of this package that only compares its parameter, or says it in a
		// message, stores nothing either.
		if here := pkg == nil || pkg == l.pkg; here && l.judging && !l.passed[signature.Params().At(i)] {
			continue
		}
		l.judge(arg)
	}
}

// calls is the package of what is called; nil: a value.
func (l *storedLaw) calls(fun ast.Expr) *types.Package {
	switch fun := ast.Unparen(fun).(type) {
	case *ast.Ident:
		if f, ok := l.info.Uses[fun].(*types.Func); ok {
			return f.Pkg()
		}
	case *ast.SelectorExpr:
		if f, ok := l.info.Uses[fun.Sel].(*types.Func); ok {
			return f.Pkg()
		}
	}
	return nil
}

func (l *storedLaw) literal(n *ast.CompositeLit) {
	of := l.info.TypeOf(n).Underlying()
	if p, ok := of.(*types.Pointer); ok {
		of = p.Elem().Underlying()
	}
	for i, element := range n.Elts {
		value, key := element, ast.Expr(nil)
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			key, value = pair.Key, pair.Value
		}
		var to types.Type
		switch of := of.(type) {
		case *types.Map:
			to = of.Elem()
		case *types.Slice:
			to = of.Elem()
		case *types.Array:
			to = of.Elem()
		case *types.Struct: // one that never becomes an any is not spelled itself
			for f := range of.NumFields() {
				if l.judging && !l.spelled[l.info.TypeOf(n).String()] {
					break
				}
				if name, ok := key.(*ast.Ident); ok && of.Field(f).Name() == name.Name || key == nil && f == i {
					to = of.Field(f).Type()
				}
			}
		}
		if to != nil && isAny(to) {
			l.judge(value)
		}
	}
}

func (l *storedLaw) judge(value ast.Expr) {
	if !l.judging {
		if name, ok := ast.Unparen(value).(*ast.Ident); ok {
			l.passed[l.info.Uses[name]] = true
		}
		l.spelled[strings.TrimLeft(l.info.TypeOf(value).String(), "*[]")] = true
		return
	}
	if name := exportedStruct(l.info.TypeOf(value), nil); name != "" {
		l.at(value, name+" is an exported struct: give what is stored a type of its own")
	}
}

func isAny(t types.Type) bool {
	i, ok := types.Unalias(t).(*types.Interface)
	return ok && i.Empty()
}

// exportedStruct is the name of an exported struct of this module that a
// spelling of t would follow; "" if there is none.
func exportedStruct(t types.Type, seen []types.Type) string {
	t = types.Unalias(t)
	if t == nil || containsType(seen, t) || spellsItself(t) {
		return ""
	}
	seen = append(seen, t)
	switch of := t.(type) {
	case *types.Named:
		if _, is := of.Underlying().(*types.Struct); is && of.Obj().Exported() {
			return of.Obj().Name()
		}
		return exportedStruct(of.Underlying(), seen)
	case *types.Struct:
		for i := range of.NumFields() {
			f := of.Field(i)
			if (f.Exported() || f.Embedded()) && reflect.StructTag(of.Tag(i)).Get("json") != "-" {
				if name := exportedStruct(f.Type(), seen); name != "" {
					return name
				}
			}
		}
	case *types.Map:
		return exportedStruct(of.Elem(), seen)
	case interface{ Elem() types.Type }: // a pointer, a slice or an array
		return exportedStruct(of.Elem(), seen)
	}
	return ""
}

func containsType(seen []types.Type, t types.Type) bool {
	for _, s := range seen {
		if types.Identical(s, t) {
			return true
		}
	}
	return false
}

// spellsItself says whether a type has a method that spells it.
func spellsItself(t types.Type) bool {
	if _, pointer := t.(*types.Pointer); !pointer {
		t = types.NewPointer(t)
	}
	methods := types.NewMethodSet(t)
	return methods.Lookup(nil, "MarshalJSON") != nil || methods.Lookup(nil, "MarshalText") != nil
}

// packageDirs are those of package engine and below it, but for what is only
// for tests.
func packageDirs(t *testing.T) (dirs []string) {
	t.Helper()
	for _, line := range strings.Fields(golist(t, "-f", "{{.Dir}}", "./...")) {
		if filepath.Base(line) != "enginetest" {
			dirs = append(dirs, line)
		}
	}
	if len(dirs) < 3 {
		t.Fatalf("go list says nothing to be believed: %q", dirs)
	}
	return dirs
}

func parseDir(t *testing.T, fset *token.FileSet, dir string) (files []*ast.File) {
	t.Helper()
	for _, name := range strings.Fields(golist(t, "-f", "{{range .GoFiles}}{{.}} {{end}}", dir)) {
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		must(t, err)
		files = append(files, file)
	}
	return files
}

// exportData finds what the compiler knows of each package.
func exportData(t *testing.T) importer.Lookup {
	t.Helper()
	paths := map[string]string{}
	for _, line := range strings.Split(golist(t, "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./..."), "\n") {
		if path, file, ok := strings.Cut(line, " "); ok {
			paths[path] = file
		}
	}
	return func(path string) (io.ReadCloser, error) {
		if paths[path] == "" {
			return nil, errors.New("no export data of " + path)
		}
		return os.Open(paths[path])
	}
}

func golist(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	must(t, err)
	return string(out)
}

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// importRule is what a package may import beyond the standard library, and
// what it must not import even from there. A path stands for itself and for
// what is below it.
type importRule struct {
	may   []string
	never []string
	still []string // what it may import all the same: the spelling of addresses is no network
}

// programOnly is what a library keeps its hands off: it returns errors and
// leaves logging, signals and flags to the program.
var programOnly = []string{"log", "flag", "os/signal"}

var importLaw = map[string]importRule{
	"audit":              {never: append([]string{"net"}, programOnly...)},
	"blobstore":          {may: []string{"golang.org/x/sys"}, never: append([]string{"net"}, programOnly...)},
	"blobstore/blobtest": {may: []string{"strongroom/blobstore"}, never: programOnly},
	"engine": {
		may: []string{"strongroom/audit", "strongroom/blobstore", "strongroom/engine/internal", "go.etcd.io/bbolt",
			"github.com/oklog/ulid/v2", "golang.org/x/sys", "golang.org/x/crypto"},
		never: append([]string{"net"}, programOnly...),
		still: []string{"net/url", "net/netip"},
	},
	// It shares no type with what writes vaults, or it could not contradict it.
	"engine/internal/replay": {may: []string{"strongroom/audit"}, never: append([]string{"net"}, programOnly...)},
	"engine/search": {
		may:   []string{"strongroom/engine", "strongroom/audit"},
		never: append([]string{"net", "strongroom/engine/enginetest"}, programOnly...),
	},
	"engine/search/extract": {never: append([]string{"net", "os"}, programOnly...)},
	"engine/search/segment": {never: append([]string{"net"}, programOnly...)},
	"engine/search/words":   {may: []string{"github.com/blevesearch/snowballstem"}, never: append([]string{"net"}, programOnly...)},
	"engine/enginetest":     {may: []string{"strongroom/engine", "strongroom/audit"}, never: programOnly},
	"engine/webhook": {
		may:   []string{"strongroom/engine", "strongroom/audit", "go.etcd.io/bbolt"},
		never: append([]string{"strongroom/blobstore", "strongroom/httpapi"}, programOnly...),
	},
	"httpapi": {
		may: []string{"strongroom/audit", "strongroom/engine", "github.com/julienschmidt/httprouter", "github.com/rs/zerolog"},
		// The children of engine are plugged in by main.
		never: append([]string{"strongroom/engine/"}, programOnly...),
	},
	".": {may: []string{"strongroom", "github.com/mattn/go-isatty", "github.com/rs/zerolog", "golang.org/x/sys"}},
}

// source is one Go file of this module, for whatever platform it is.
type source struct {
	dir, name string // dir is "." for the root
	file      *ast.File
	fset      *token.FileSet
}

func (s source) at(n ast.Node) string { return s.fset.Position(n.Pos()).String() }

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() && (base == "testdata" || base == "vendor" || len(base) > 1 && base[0] == '.') {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(base, ".go") {
			return nil
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		found = append(found, source{filepath.ToSlash(filepath.Dir(name)), base, file, fset})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestImportLaw holds the table of design: which package may know which.
func TestImportLaw(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources(t) {
		seen[s.dir] = true
		rule, known := importLaw[s.dir]
		if !known {
			t.Errorf("%s/%s: the law knows no package %q: add it there first", s.dir, s.name, s.dir)
			continue
		}
		if s.isTest() {
			continue
		}
		for _, spec := range s.file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if below(imported, rule.never) && !below(imported, rule.still) || !isStandard(imported) && !below(imported, rule.may) {
				t.Errorf("%s: package %s may not import %s", s.at(spec), s.dir, imported)
			}
		}
	}
	for dir := range importLaw {
		if !seen[dir] {
			t.Errorf("the law is about a package %q that is not there", dir)
		}
	}
}

func isStandard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return first != "strongroom" && !strings.Contains(first, ".")
}

func below(imported string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		if strings.HasSuffix(root, "/") {
			return strings.HasPrefix(imported, root)
		}
		return imported == root || strings.HasPrefix(imported, root+"/")
	})
}

// TestEngineBringsLittle holds the promise to embedders: what importing engine
// brings into their program.
func TestEngineBringsLittle(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./engine").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "go.etcd.io/bbolt") {
		t.Fatalf("go list says nothing to be believed: %q", deps)
	}
	allowed := append([]string{"strongroom/engine"}, importLaw["engine"].may...)
	for _, dep := range deps {
		if !isStandard(dep) && !below(dep, allowed) || dep == "net/http" {
			t.Errorf("importing engine brings %s", dep)
		}
	}
}

// TestOneOwner holds the laws that name one place for a thing.
func TestOneOwner(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		in := "" // the function declaration we are in, "" outside of any
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				in = n.Name.Name
			case *ast.BasicLit:
				// The test kit, which looks at the file for its users, is a part of engine.
				if n.Kind == token.STRING && strings.Trim(n.Value, "`\"") == "vault.db" && !below(s.dir, []string{"engine"}) {
					t.Errorf("%s: only engine knows vault.db", s.at(n))
				}
			case *ast.GoStmt:
				if s.dir == "engine" || s.dir == "audit" || s.dir == "httpapi" {
					t.Errorf("%s: a library starts no goroutine", s.at(n))
				}
			case *ast.SelectorExpr:
				called := selected(n)
				switch {
				case s.dir == "engine" && s.name != "clock.go" && slices.Contains([]string{"time.Now", "time.Since", "time.Until"}, called):
					t.Errorf("%s: %s: the engine reads its clock in clock.go alone", s.at(n), called)
				case called == "os.Exit" && (s.dir != "." || in != "main"):
					t.Errorf("%s: only main ends the process", s.at(n))
				case s.dir != "." && slices.Contains([]string{"os.Stdout", "os.Stderr", "os.Getenv", "os.LookupEnv", "fmt.Print", "fmt.Printf", "fmt.Println"}, called):
					t.Errorf("%s: %s: what is said to people, and the environment, are the program's", s.at(n), called)
				}
			}
			return true
		})
	}
}

// selected returns x.y as it is written, "" for anything deeper.
func selected(n *ast.SelectorExpr) string {
	if x, ok := n.X.(*ast.Ident); ok {
		return x.Name + "." + n.Sel.Name
	}
	return ""
}

// TestTopLevel holds that the rooms of the house are those of its plan.
func TestTopLevel(t *testing.T) {
	plan := []string{"audit", "blobstore", "engine", "httpapi", "testdata", "go.mod", "go.sum", "README.md", "LICENSE"}
	ignored, err := os.ReadFile(".gitignore")
	if err != nil {
		t.Fatal(err)
	}
	patterns := strings.Split(string(ignored), "\n")
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if name[0] == '.' || slices.Contains(plan, name) || !entry.IsDir() && path.Ext(name) == ".go" {
			continue
		}
		if !slices.ContainsFunc(patterns, func(pattern string) bool {
			matched, _ := path.Match(strings.Trim(pattern, "/"), name)
			return matched
		}) {
			t.Errorf("%s has no place at the top level", name)
		}
	}
}

// TestActorIsAParameter holds that whoever changes something says who they are:
// a method that gives a receipt takes the context first and the actor second.
func TestActorIsAParameter(t *testing.T) {
	changes := 0
	for _, s := range sources(t) {
		if s.dir != "engine" || s.isTest() {
			continue
		}
		for _, decl := range s.file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || !fn.Name.IsExported() || !gives(fn, "Receipt") {
				continue
			}
			changes++
			var types []string
			for _, p := range fn.Type.Params.List {
				for range max(len(p.Names), 1) {
					types = append(types, typeName(p.Type))
				}
			}
			if len(types) < 2 || types[0] != "context.Context" || types[1] != "Actor" {
				t.Errorf("%s: %s must take a context first and the actor second", s.at(fn), fn.Name.Name)
			}
		}
	}
	if changes < 10 {
		t.Errorf("only %d methods give a receipt: the test looks in the wrong place", changes)
	}
}

func gives(fn *ast.FuncDecl, result string) bool {
	return fn.Type.Results != nil && slices.ContainsFunc(fn.Type.Results.List, func(f *ast.Field) bool { return typeName(f.Type) == result })
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return typeName(e.X) + "." + e.Sel.Name
	}
	return ""
}

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
	"audit":              {may: []string{"golang.org/x/mod/sumdb"}, never: append([]string{"net"}, programOnly...)},
	"audit/verifier":     {may: []string{"strongroom/audit"}, never: append([]string{"net", "os"}, programOnly...)},
	"blobstore":          {may: []string{"golang.org/x/sys"}, never: append([]string{"net"}, programOnly...)},
	"blobstore/blobtest": {may: []string{"strongroom/blobstore"}, never: programOnly},
	"blobstore/object":   {never: append([]string{"net", "os"}, programOnly...)},
	"blobstore/s3":       {may: []string{"strongroom/blobstore", "github.com/minio/minio-go/v7"}, never: programOnly},
	// What tests of a store need, a real one among it.
	"blobstore/object/objecttest": {may: []string{"strongroom/blobstore"}, never: append([]string{"net", "os"}, programOnly...)},
	"blobstore/s3/s3test":         {may: []string{"strongroom/blobstore", "github.com/minio/minio-go/v7"}, never: programOnly},
	"engine": {
		may: []string{"strongroom/engine/internal", "strongroom/audit", "strongroom/blobstore",
			"github.com/oklog/ulid/v2"},
		never: append([]string{"net"}, programOnly...),
		still: []string{"net/url", "net/netip"},
	},
	"engine/internal/bag":    {never: append([]string{"net", "os"}, programOnly...)},
	"engine/internal/check":  {never: append([]string{"net", "os"}, programOnly...), still: []string{"net/url", "net/netip"}},
	"engine/internal/fixity": {never: append([]string{"net", "os"}, programOnly...)},
	// It shares no type with what writes vaults, or it could not contradict it.
	"engine/internal/replay":  {may: []string{"strongroom/audit"}, never: append([]string{"net", "os"}, programOnly...)},
	"engine/internal/logtree": {may: []string{"strongroom/audit", "golang.org/x/mod/sumdb/tlog"}, never: append([]string{"net"}, programOnly...)},
	"engine/internal/secret":  {may: []string{"golang.org/x/crypto"}, never: append([]string{"net", "os"}, programOnly...)},
	// Rules are pure: no file, no network, and no clock (see TestOneOwner).
	"engine/internal/retention": {never: append([]string{"net", "os"}, programOnly...)},
	"engine/internal/store": {
		may: []string{"strongroom/audit", "strongroom/blobstore", "strongroom/engine/internal/store/wal",
			"go.etcd.io/bbolt", "github.com/oklog/ulid/v2", "golang.org/x/sys"},
		never: append([]string{"net"}, programOnly...),
	},
	// It knows records and files, and no database: what a checkpoint names is the store's.
	"engine/internal/store/wal": {may: []string{"strongroom/audit", "strongroom/blobstore", "golang.org/x/sys"}, never: append([]string{"net"}, programOnly...)},
	"engine/search": {
		may: []string{"strongroom/engine", "strongroom/audit"},
		// PDFium is plugged in by who wants it: it is 11 MB.
		never: append([]string{"net", "strongroom/engine/enginetest", "strongroom/engine/internal", "strongroom/engine/search/pdf", "strongroom/engine/search/worker"}, programOnly...),
	},
	"engine/search/extract": {may: []string{"golang.org/x/net/html", "golang.org/x/text"}, never: append([]string{"net", "os"}, programOnly...)},
	"engine/search/pdf": {
		may:   []string{"strongroom/engine/search/extract", "github.com/klippa-app/go-pdfium", "github.com/tetratelabs/wazero"},
		never: append([]string{"net", "strongroom/engine/internal"}, programOnly...),
	},
	"engine/search/worker": {may: []string{"strongroom/engine/search/extract"}, never: append([]string{"net"}, programOnly...)},
	"engine/search/pages": {
		may:   []string{"strongroom/engine", "strongroom/audit"},
		never: append([]string{"net", "strongroom/engine/enginetest", "strongroom/engine/internal", "strongroom/engine/search/pdf", "strongroom/engine/search/worker"}, programOnly...),
	},
	"engine/search/segment": {never: append([]string{"net"}, programOnly...)},
	"engine/search/words":   {may: []string{"github.com/blevesearch/snowballstem", "golang.org/x/text"}, never: append([]string{"net"}, programOnly...)},
	"engine/enginetest":     {may: []string{"strongroom/engine", "strongroom/audit"}, never: programOnly},
	"engine/webhook": {
		may:   []string{"strongroom/engine", "strongroom/audit", "go.etcd.io/bbolt"},
		never: append([]string{"strongroom/blobstore", "strongroom/httpapi", "strongroom/engine/internal"}, programOnly...),
	},
	// It knows objects and records, and neither S3 nor HTTP.
	"engine/cluster": {
		may:   []string{"strongroom/engine", "strongroom/audit", "strongroom/blobstore", "golang.org/x/crypto", "golang.org/x/sys"},
		never: append([]string{"net", "strongroom/blobstore/s3", "strongroom/httpapi", "strongroom/engine/internal"}, programOnly...),
	},
	// What tests need of a vault in a store.
	"engine/cluster/clustertest": {
		may:   []string{"strongroom/engine", "strongroom/audit", "strongroom/blobstore"},
		never: append([]string{"net", "strongroom/httpapi", "strongroom/engine/internal"}, programOnly...),
	},
	"httpapi": {
		may: []string{"strongroom/audit", "strongroom/engine", "github.com/julienschmidt/httprouter", "github.com/rs/zerolog"},
		// The children of engine are plugged in by the program.
		never: append([]string{"strongroom/engine/", "strongroom/httpapi/"}, programOnly...),
	},
	"httpapi/datadir": {
		may:   []string{"strongroom/blobstore", "strongroom/engine", "golang.org/x/sys", "filippo.io/mldsa"},
		never: append([]string{"strongroom/engine/"}, programOnly...),
	},
	"httpapi/control": {
		may: []string{"strongroom/audit", "strongroom/engine", "strongroom/httpapi",
			"github.com/rs/zerolog", "golang.org/x/sys"},
		never: append([]string{"strongroom/engine/"}, "flag", "os/signal"),
	},
	// Rules stay in engine: pages know no more of a vault than the API does.
	"httpapi/console": {
		may:   []string{"strongroom/audit", "strongroom/engine", "strongroom/httpapi", "github.com/rs/zerolog"},
		never: append([]string{"strongroom/engine/"}, programOnly...),
	},
	// It proves who somebody is; the console and engine say what that opens.
	"httpapi/oidc": {
		may:   []string{"strongroom/engine", "strongroom/httpapi/console", "github.com/coreos/go-oidc/v3", "golang.org/x/oauth2"},
		never: append([]string{"strongroom/engine/"}, programOnly...),
	},
	"httpapi/console/browser":   {}, // tests alone
	"httpapi/console/guides":    {may: []string{"github.com/yuin/goldmark"}, never: append([]string{"net", "os"}, programOnly...), still: []string{"net/url"}},
	"httpapi/console/reference": {never: append([]string{"net", "os"}, programOnly...)},
	// The console has the sessions, and the page of consent.
	"httpapi/signin": {
		may:   []string{"strongroom/engine", "strongroom/httpapi", "github.com/rs/zerolog", "go.etcd.io/bbolt"},
		never: append([]string{"strongroom/engine/"}, programOnly...),
	},
	// What is signed, and when, is a rule of audit.
	"httpapi/witness": {
		may:   []string{"strongroom/audit", "strongroom/blobstore", "strongroom/engine", "strongroom/httpapi/datadir", "github.com/rs/zerolog"},
		never: append([]string{"strongroom/engine/"}, programOnly...),
	},
	"httpapi/daemon": {
		may: []string{"strongroom/audit", "strongroom/blobstore", "strongroom/engine", "strongroom/httpapi",
			"github.com/rs/zerolog"},
		never: []string{"flag", "os/signal", "strongroom/engine/enginetest"},
	},
	"httpapi/cli": {
		may: []string{"strongroom/audit", "strongroom/blobstore", "strongroom/engine", "strongroom/httpapi",
			"github.com/mattn/go-isatty", "github.com/rs/zerolog"},
		never: []string{"log", "strongroom/engine/"},
	},
	"httpapi/cli/importer": {
		may:   []string{"strongroom/engine", "strongroom/httpapi/control"},
		never: append([]string{"strongroom/engine/"}, programOnly...),
	},
	".": {may: []string{"strongroom/httpapi/cli"}, never: []string{"strongroom/httpapi/cli/"}},
}

// floors are the rooms of the program below httpapi, the lowest first: each may
// import those below it. What is below a room is on its floor.
var floors = []string{"datadir", "witness", "control", "console", "oidc", "signin", "daemon", "cli"}

// floor returns the number of the floor that a package is on, of 1 and up; 0 if it
// is none of the program's.
func floor(dir string) int {
	room, below := strings.CutPrefix(dir, "httpapi/")
	if !below {
		return 0
	}
	room, _, _ = strings.Cut(room, "/")
	return slices.Index(floors, room) + 1
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
			if to := floor(strings.TrimPrefix(imported, "strongroom/")); to > floor(s.dir) && s.dir != "." {
				t.Errorf("%s: package %s may not import %s, which lies above it", s.at(spec), s.dir, imported)
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
	allowed := slices.Concat([]string{"strongroom/engine"}, importLaw["engine"].may, importLaw["audit"].may)
	for dir, rule := range importLaw {
		if below(dir, []string{"engine/internal"}) {
			allowed = append(allowed, rule.may...)
		}
	}
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
				if name := strings.Trim(n.Value, "`\""); n.Kind == token.STRING && (name == "vault.db" || name == "rows.db") && !below(s.dir, []string{"engine"}) {
					t.Errorf("%s: only engine knows %s", s.at(n), name)
				}
			case *ast.GoStmt:
				if below(s.dir, []string{"engine/internal"}) || s.dir == "engine" || s.dir == "audit" || s.dir == "httpapi" {
					t.Errorf("%s: a library starts no goroutine", s.at(n))
				}
			case *ast.SelectorExpr:
				called := selected(n)
				switch {
				case (s.dir == "engine" || below(s.dir, []string{"engine/internal"})) && s.name != "clock.go" && slices.Contains([]string{"time.Now", "time.Since", "time.Until"}, called):
					t.Errorf("%s: %s: the engine reads its clock in the store's clock.go alone", s.at(n), called)
				case called == "os.Exit" && (s.dir != "httpapi/cli" || in != "Main"):
					t.Errorf("%s: only cli.Main ends the process", s.at(n))
				// The kit with a real store is for tests, which are told of it as all tests are.
				case (s.dir != "httpapi/cli" || in != "Main") && s.dir != "blobstore/s3/s3test" && slices.Contains([]string{"os.Stdin", "os.Stdout", "os.Stderr", "os.Args", "os.Getenv", "os.LookupEnv"}, called):
					t.Errorf("%s: %s: what is the process's, cli.Main hands over", s.at(n), called)
				case slices.Contains([]string{"fmt.Print", "fmt.Printf", "fmt.Println"}, called):
					t.Errorf("%s: %s: what is said to people is written to where the command line has it", s.at(n), called)
				case below(s.dir, []string{"httpapi"}) && s.dir != "httpapi/daemon" && (n.Sel.Name == "Sweep" || n.Sel.Name == "Scrub"):
					t.Errorf("%s: %s: only daemon ticks", s.at(n), n.Sel.Name)
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
	plan := []string{"main.go", "audit", "blobstore", "engine", "httpapi", "testdata", "go.mod", "go.sum", "README.md", "LICENSE"}
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
		if name[0] == '.' || slices.Contains(plan, name) || !entry.IsDir() && strings.HasSuffix(name, "_test.go") {
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

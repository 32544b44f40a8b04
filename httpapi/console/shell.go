package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"strongroom/engine"
)

//go:embed pages parts
var templateFiles embed.FS

// shell is what every page has around what is on it, and the words and addresses
// templates ask it for.
type shell struct {
	Title   string
	Body    any
	Flashes []flash
	Now     When
	Vault   string // "": nobody has signed in
	Person  engine.User
	Access  engine.Access
	Here    string   // the path of this page, for the menu
	Once    string   // the number of the next form
	Guides  bool     // there are guides
	Hosted  bool     // who this is, the host knows: there is nothing to sign out of
	Lost    []option // what was typed into a form that this page does not have

	called  func(string) string // see visit.called
	base    string              // the address of the console
	assets  map[string]string
	zone    *time.Location
	paused  bool
	two     []engine.Covered // what needs two persons
	request *http.Request
}

func (c *Console) stranger(r *http.Request) *visit {
	s := &shell{base: c.options.Prefix + root, assets: c.assets.named, zone: time.UTC, Here: r.URL.Path, request: r, Guides: c.options.Guides != nil, Once: randomText()[:22]}
	v := &visit{shell: s, console: c, r: r}
	s.called = v.called
	return v
}

func (s *shell) enter(vault string, user engine.User, access engine.Access, zone *time.Location) {
	s.Vault, s.Person, s.Access, s.zone = vault, user, access, zone
}

// Path is the address of a page of the vault.
func (s *shell) Path(parts ...string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = url.PathEscape(p)
	}
	return s.base + "/" + path.Join(append([]string{s.Vault}, escaped...)...)
}

// Root is the address of a page of no vault.
func (s *shell) Root(part string) string { return s.base + "/" + part }

// Called is how a person is written who is chosen by the id.
func (s *shell) Called(userID string) string { return s.called(userID) }

// Asset is the address of a file.
func (s *shell) Asset(name string) string { return s.assets[name] }

// May reports whether the person has this access: what is done, "upload" or
// "admin", or looked at, "view" or "auditor".
func (s *shell) May(access string) bool {
	var needed engine.Access
	return needed.UnmarshalText([]byte(access)) == nil && s.Access.Permits(needed) == nil
}

// Reads reports whether the person reads what admins read: an admin does, and an
// auditor. What it shows must offer nothing to change: May("admin") does that.
func (s *shell) Reads() bool { return s.Access.Permits(engine.AccessAuditor) == nil }

// In reports whether this page is one of a part of the console.
func (s *shell) In(part string) bool {
	below := s.Path(part)
	return s.Here == below || strings.HasPrefix(s.Here, below+"/")
}

// At reports whether this is one page.
func (s *shell) At(parts ...string) bool { return s.Here == s.Path(parts...) }

// Below reports whether this page is one of a part, or below it.
func (s *shell) Below(parts ...string) bool {
	below := s.Path(parts...)
	return s.Here == below || strings.HasPrefix(s.Here, below+"/")
}

// Paused says that the vault stands still after a restore.
func (s *shell) Paused() bool { return s.paused }

// With is the address of this page with a parameter changed; "" takes it away.
func (s *shell) With(pairs ...string) string {
	q := s.request.URL.Query()
	q.Del("cursor")
	for i := 0; i+1 < len(pairs); i += 2 {
		if q.Del(pairs[i]); pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return s.request.URL.Path
	}
	return s.request.URL.Path + "?" + q.Encode()
}

// When is a time as people read it: by day or by minute, in the vault's zone,
// with the exact time beside it.
type When struct{ Exact, Minute, Day, Title, Ago string }

// When spells a time; the zero time is the zero When.
func (s *shell) When(t time.Time) When {
	if t.IsZero() {
		return When{}
	}
	local := t.In(s.zone)
	return When{
		Exact:  t.UTC().Format("2006-01-02T15:04:05.000Z"),
		Minute: local.Format("2 Jan 2006, 15:04"),
		Day:    local.Format("2 Jan 2006"),
		Title:  local.Format("Monday, 2 January 2006, 15:04:05 ") + s.zone.String(),
		Ago:    ago(time.Since(t), local),
	}
}

// ago is how long ago it was, and, from a week on, the day.
func ago(d time.Duration, at time.Time) string {
	switch {
	case d < 0:
		return at.Format("2 Jan 2006")
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return counted(int(d.Minutes()), "minute") + " ago"
	case d < 24*time.Hour:
		return counted(int(d.Hours()), "hour") + " ago"
	case d < 7*24*time.Hour:
		return counted(int(d.Hours()/24), "day") + " ago"
	case at.Year() == time.Now().Year():
		return at.Format("2 Jan")
	}
	return at.Format("2 Jan 2006")
}

// counted is "1 day" or "3 days".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%s %ss", thousands(n), what)
}

// thousands writes 12,408.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Query is the query of this page's address, with its question mark.
func (s *shell) Query() string {
	q := s.request.URL.Query()
	q.Del("cursor")
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// option is a row of a choice.
type option struct{ Value, Text string }

// Statuses are the states a list can be asked for, beside the usual one.
func (s *shell) Statuses() []option {
	return []option{{"active", "Active"}, {"legal_hold", "Legal Hold"}, {"archived", "Archived"}, {"deleted", "Deleted"}, {"all", "All"}}
}

// Sorts are the orders of a list, the usual one first.
func (s *shell) Sorts() []option {
	return []option{{"-createdAt", "Newest first"}, {"createdAt", "Oldest first"}, {"-updatedAt", "Last changed first"}, {"name", "By name"}, {"-name", "By name, backwards"}}
}

// Zone is the name of the vault's zone.
func (s *shell) Zone() string { return s.zone.String() }

// pages are the templates, by name.
type pages map[string]*template.Template

func (c *Console) loadPages() (pages, error) {
	files, err := fs.Glob(templateFiles, "pages/*.html")
	if err != nil {
		return nil, err
	}
	parts, err := template.New("").Funcs(functions).ParseFS(templateFiles, "parts/*.html")
	if err != nil {
		return nil, err
	}
	all := pages{}
	for _, file := range files {
		page, err := template.Must(parts.Clone()).ParseFS(templateFiles, file)
		if err != nil {
			return nil, err
		}
		all[strings.TrimSuffix(path.Base(file), ".html")] = page
	}
	return all, nil
}

// render appends a page.
func (p pages) render(b *bytes.Buffer, name string, s *shell) error {
	page := p[name]
	if page == nil {
		return fmt.Errorf("there is no page %q", name)
	}
	return page.ExecuteTemplate(b, "frame", s)
}

// functions are what templates can call beside the methods of what they are given.
var functions = template.FuncMap{
	"counted": func(n any, what string) string { return counted(toInt(n), what) },
	"number":  func(n any) string { return thousands(toInt(n)) },
	"toInt":   toInt,
	"sub":     func(a, b int) int { return a - b },
	"bytes":   bytesText,
	"first":   func(s string, n int) string { return s[:min(n, len(s))] },
	"snippet": snippet,
	"of":      withArguments,
	"options": chosenOf,
	"toSize":  func(n uint64) int64 { return int64(min(n, 1<<62)) },
}

func toInt(n any) int {
	switch n := n.(type) {
	case int:
		return n
	case int64:
		return int(n)
	case uint64:
		return int(n)
	}
	return 0
}

// bytesText is a size as people read it.
func bytesText(n int64) string {
	units := []string{"B", "KB", "MB", "GB", "TB"}
	size, unit := float64(n), 0
	for size >= 1000 && unit < len(units)-1 {
		size, unit = size/1000, unit+1
	}
	if unit == 0 || size >= 100 {
		return fmt.Sprintf("%.0f %s", size, units[unit])
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}

// snippet shows a passage that search found: what was found is marked, and all
// else is text, whatever it says.
func snippet(passage string) template.HTML {
	escaped := template.HTMLEscapeString(htmlText(passage))
	return template.HTML(strings.NewReplacer("\x01", "<mark>", "\x02", "</mark>").Replace(escaped))
}

// htmlText undoes the escapes of a passage, with its marks as two bytes that no
// text has. So the page's own escaping is what counts.
func htmlText(passage string) string {
	passage = strings.NewReplacer("\x01", "", "\x02", "").Replace(passage)
	return strings.NewReplacer("<mark>", "\x01", "</mark>", "\x02", "&lt;", "<", "&gt;", ">", "&#34;", `"`, "&#39;", "'", "&amp;", "&").Replace(passage)
}

// withArguments gives a part several values by name.
func withArguments(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("%v is no name", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

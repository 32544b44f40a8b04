package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"strongroom/engine"
	"strongroom/httpapi/control"
)

// file is a row that can be imported.
type file struct {
	row        Row
	path       string // below the root, clean, with slashes
	size       int64
	info       fs.FileInfo // of the file that was found
	externalID string
	document   url.Values // fields of the upload that makes the document, those of version included
	version    url.Values // fields of the upload that adds a version
}

// judge turns rows into files to import, or says what is wrong with them. It
// asks the vault once, for what rows can refer to.
type judge struct {
	root       *os.Root
	spelled    spellings
	data       fs.FileInfo // the data directory; nil: there is none
	columns    []string
	fields     map[string]fieldRow
	users      map[string]string // id, and e-mail address, as foldUser has them, to id
	categories []string
	category   string
	tags       []string
	owner      string
	defaulted  string // who the owner is, if nobody was asked for
}

// foldUser is how a user is looked up by what a person wrote.
func foldUser(s string) string { return engine.NFC(strings.ToLower(engine.NFC(s))) }

// userRow is what an import needs of a user.
type userRow struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Email  string `json:"email"`
	Access string `json:"access"`
	Status string `json:"status"`
}

// fieldRow is what an import needs of a custom field.
type fieldRow struct {
	Key     string           `json:"key"`
	Type    engine.FieldType `json:"type"`
	Choices []string         `json:"choices"`
}

func newJudge(ctx context.Context, line *control.Client, root *os.Root, data fs.FileInfo, columns []string, o Options) (*judge, error) {
	j := &judge{root: root, spelled: spellings{root: root}, data: data, columns: columns, category: o.Category, tags: cells(o.Tags), fields: map[string]fieldRow{}}
	if err := j.learn(ctx, line); err != nil {
		return nil, err
	}
	for _, column := range columns {
		key, ok := strings.CutPrefix(column, fieldColumn)
		if _, known := j.fields[key]; ok && !known {
			return nil, &OptionError{"csv", o.CSV, fmt.Errorf("there is no custom field for the column %q; an admin can define it", column)}
		}
	}
	if o.Category != "" && !slices.Contains(j.categories, o.Category) {
		return nil, &OptionError{"category", o.Category, fmt.Errorf("want one of %s", strings.Join(j.categories, ", "))}
	}
	if o.Owner != "" {
		id, ok := j.users[foldUser(o.Owner)]
		if !ok {
			return nil, &OptionError{"owner", o.Owner, errors.New("no user has this id or e-mail address")}
		}
		j.owner, j.defaulted = id, ""
	}
	sample := engine.NewDocument{Name: "x", Tags: slices.Clone(j.tags)}
	if err := sample.Check(); err != nil {
		return nil, &OptionError{"tags", o.Tags, err}
	}
	return j, nil
}

// learn asks the vault for its users, fields and categories.
func (j *judge) learn(ctx context.Context, line *control.Client) error {
	items, err := line.List(ctx, "/v1/users")
	if err != nil {
		return err
	}
	j.users = make(map[string]string, 2*len(items))
	for _, item := range items {
		var u userRow
		if err := json.Unmarshal(item, &u); err != nil {
			return err
		}
		j.users[strings.ToLower(u.ID)] = u.ID
		if u.Email != "" {
			j.users[foldUser(u.Email)] = u.ID
		}
		// Ids rise with time.
		if u.Access == "admin" && u.Status == "active" && (j.owner == "" || u.ID < j.owner) {
			j.owner, j.defaulted = u.ID, u.Name
		}
	}
	if items, err = line.List(ctx, "/v1/fields"); err != nil {
		return err
	}
	for _, item := range items {
		var f fieldRow
		if err := json.Unmarshal(item, &f); err != nil {
			return err
		}
		j.fields[f.Key] = f
	}
	var settings struct {
		Categories []string `json:"categories"`
	}
	err = line.Call(ctx, "GET", "/v1/settings", nil, &settings)
	j.categories = append(engine.BuiltinCategories(), settings.Categories...)
	return err
}

// mistakes are all that is wrong with one row.
type mistakes []error

func (m mistakes) Error() string {
	parts := make([]string, len(m))
	for i, err := range m {
		parts[i] = err.Error()
	}
	return strings.Join(parts, "; ")
}

// Unwrap lets errors.Is and errors.As look at each.
func (m mistakes) Unwrap() []error { return m }

// err is nil if nothing is wrong.
func (m mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	return m
}

// also adds err, unless it is nil.
func (m *mistakes) also(err error) {
	if err != nil {
		*m = append(*m, err)
	}
}

// file judges a row, and says all that is wrong with it. If its path is right, the
// file is returned with the error.
func (j *judge) file(row Row) (*file, error) {
	if row.defect != nil {
		return nil, row.defect
	}
	f := &file{row: row}
	var wrong mistakes
	wrong.also(j.locate(f))
	n := j.describe(f, &wrong)
	switch err := wrong.err(); {
	case err != nil && f.path == "":
		return nil, err
	case err != nil:
		f.externalID = n.ExternalID
		return f, err
	}
	f.externalID = n.ExternalID
	f.version = url.Values{}
	set(f.version, "comment", n.Version.Comment)
	set(f.version, "label", n.Version.Label)
	f.document = url.Values{"ownerId": {n.OwnerID}, "tags": n.Tags}
	for name, value := range map[string]string{
		"name": n.Name, "category": n.Category, "description": n.Description, "externalId": n.ExternalID, "product": n.Product,
		"templateId": n.TemplateID, "agreementId": n.AgreementID, "path": n.Path, "comment": n.Version.Comment, "label": n.Version.Label,
	} {
		set(f.document, name, value)
	}
	if len(n.CustomFields) > 0 {
		encoded, err := json.Marshal(n.CustomFields)
		if err != nil {
			return nil, err
		}
		f.document.Set("customFields", string(encoded))
	}
	return f, nil
}

// lastSlash is where the name of a file begins, less one, for the API, which
// takes either way of writing paths for one.
func lastSlash(path string) int { return strings.LastIndexAny(path, `/\`) }

// folderOf is the folder of a file as a document's path; of one too deep or too
// long for that, the deepest above it that can be one.
func folderOf(file string) string {
	folder := path.Clean(strings.ReplaceAll(file[:max(lastSlash(file), 0)], `\`, "/"))
	for ; folder != "."; folder = path.Dir(folder) {
		n := engine.NewDocument{Name: "x", Path: folder}
		if n.Check() == nil {
			return n.Path
		}
		if folder == "/" {
			break
		}
	}
	return ""
}

func set(values url.Values, name, value string) {
	if value != "" {
		values.Set(name, value)
	}
}

// locate finds the file of a row.
func (j *judge) locate(f *file) error {
	local := filepath.FromSlash(f.row.Path)
	switch {
	case f.row.Path == "":
		return errors.New("path: is missing")
	case !utf8.ValidString(f.row.Path):
		return errors.New("path: is not UTF-8; rename the file")
	case !filepath.IsLocal(local):
		return errors.New("path: must lie below the directory that is imported, and be written from there")
	}
	clean := path.Clean(filepath.ToSlash(local))
	info, err := locate(j.root, clean, j.data)
	if errors.Is(err, fs.ErrNotExist) { // a table and a file system may compose letters otherwise
		if clean, err = j.spelled.path(clean); err == nil {
			info, err = locate(j.root, clean, j.data)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("path: there is no such file")
	case err != nil:
		return fmt.Errorf("path: %w", err)
	}
	f.path, f.size, f.info = clean, info.Size(), info
	return nil
}

// describe is what the document of a row is to be. It adds what is wrong with that;
// nothing is said of the name of a file that was not found.
func (j *judge) describe(f *file, wrong *mistakes) engine.NewDocument {
	n := engine.NewDocument{
		Category: j.category, OwnerID: j.owner, Tags: slices.Clone(j.tags),
		CustomFields: map[string]any{}, Version: engine.NewVersion{FileName: "unknown"},
	}
	if f.path != "" {
		n.ExternalID, n.Version.FileName, n.Path = defaultExternalID(f.path), f.path[lastSlash(f.path)+1:], folderOf(f.path)
	}
	texts := map[string]*string{
		"name": &n.Name, "category": &n.Category, "description": &n.Description, "externalId": &n.ExternalID, "product": &n.Product,
		"templateId": &n.TemplateID, "agreementId": &n.AgreementID, "comment": &n.Version.Comment, "label": &n.Version.Label,
	}
	for i, column := range j.columns {
		cell := f.row.cells[i]
		if cell == "" {
			continue
		}
		key, isField := strings.CutPrefix(column, fieldColumn)
		switch text := texts[column]; {
		case text != nil:
			*text = cell
		case column == "tags":
			n.Tags = append(n.Tags, cells(cell)...)
		case column == "owner":
			id, ok := j.users[foldUser(cell)]
			if !ok {
				wrong.also(errors.New("owner: no user has this id or e-mail address"))
				continue
			}
			n.OwnerID = id
		case isField:
			value, err := j.value(j.fields[key], cell)
			if err != nil {
				wrong.also(fmt.Errorf("%s: %w", column, err))
				continue
			}
			n.CustomFields[key] = value
		}
	}
	wrong.also(n.Check())
	if !slices.Contains(j.categories, n.Category) {
		wrong.also(fmt.Errorf("category: must be one of %s", strings.Join(j.categories, ", ")))
	}
	return n
}

// value reads a cell as the custom field has it.
func (j *judge) value(f fieldRow, cell string) (any, error) {
	switch f.Type {
	case engine.NumberField:
		if !json.Valid([]byte(cell)) || strings.ContainsAny(cell[:1], `"[{tfn`) {
			return nil, errors.New("must be a number such as 1250.5")
		}
		return json.Number(cell), nil
	case engine.BooleanField:
		b, err := strconv.ParseBool(strings.ToLower(cell))
		if err != nil {
			return nil, errors.New("must be true or false")
		}
		return b, nil
	case engine.DateField:
		if _, err := time.Parse(time.DateOnly, cell); err != nil {
			return nil, errors.New("must be a date such as 2026-11-21")
		}
	case engine.ChoiceField:
		if !slices.Contains(f.Choices, cell) {
			return nil, fmt.Errorf("must be one of %s", strings.Join(f.Choices, ", "))
		}
	case engine.UserField:
		id, ok := j.users[foldUser(cell)]
		if !ok {
			return nil, errors.New("no user has this id or e-mail address")
		}
		return id, nil
	}
	return cell, nil
}

// cells are the values in a cell that lists some.
func cells(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	return strings.Split(s, ",")
}

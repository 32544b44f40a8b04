package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strconv"
	"strings"

	"strongroom/engine"
	"strongroom/httpapi"
)

// uploading is the page of uploads.
type uploading struct {
	Categories kinds
	People     people
	Fields     []engine.Field
	Limit      int64
	Own        []int  // numbers of the files that have fields of their own
	More       string // where more of them are; "": nowhere
	Again      bool   // it was sent before signing in
}

// maxOwn is how many files a form can give fields of their own without a script.
const maxOwn = 20

func askFiles(v *visit) (answer, error) {
	body := uploading{Limit: v.console.options.MaxUpload}
	own, err := strconv.Atoi(v.r.URL.Query().Get("own"))
	if err != nil || own < 1 {
		own = 1
	}
	if v.unsent != nil { // as many as were filled in
		body.Again = true
		for name := range v.unsent.fields {
			number, _, _ := strings.Cut(name, ".")
			n, _ := strconv.Atoi(number)
			own = max(own, n)
		}
	}
	for n := range min(own, maxOwn) {
		body.Own = append(body.Own, n+1)
	}
	if own < maxOwn {
		body.More = v.Path("upload") + "?own=" + strconv.Itoa(min(own+4, maxOwn))
	}
	if body.Categories, err = v.kinds(); err != nil {
		return answer{}, err
	}
	if body.People, err = v.people(false); err != nil {
		return answer{}, err
	}
	fields, err := v.vault.Fields(v.ctx(), engine.Paging{Limit: 500})
	body.Fields = fields.Items
	return page("upload", "Upload", body), err
}

// received is what became of one file.
type received struct {
	File, ID, Name string
	Wrong          string
	Next           string
	Fields         []engine.FieldError
}

// upload takes files and the fields for all of them, the fields first, as a
// browser sends what stands first in the form. Each file is a document of its own:
// one that cannot be kept does not keep the others from it.
func upload(v *visit) (answer, error) {
	form, err := v.r.MultipartReader()
	if err != nil {
		return answer{}, errForm
	}
	meta := map[string][]string{}
	var results []received
	err = eachPart(form, meta, func(file *multipart.Part) error {
		made, err := v.keepFile(file, meta)
		results = append(results, made)
		return err
	})
	toScripts := v.r.Header.Get("Accept") == "application/json" // for one file
	if err != nil && toScripts {
		var made received
		if made, err = v.refused(received{}, err); err == nil {
			return toScript(v, made), nil
		}
	}
	if err != nil {
		return answer{}, err
	}
	if len(results) == 0 {
		return answer{}, &engine.InvalidError{Fields: []engine.FieldError{{Field: "file", Message: "choose one at least"}}}
	}
	wrong := 0
	for _, r := range results {
		if r.Wrong != "" {
			wrong++
		}
	}
	if toScripts {
		return toScript(v, results[0]), nil
	}
	if len(results) == 1 && wrong == 0 {
		return see(v.Path("documents", results[0].ID), "%s is kept.", results[0].Name), nil
	}
	return answer{page: "uploaded", title: "What became of the files", body: results}, nil
}

// eachPart reads fields into meta, and hands over each file.
func eachPart(form *multipart.Reader, meta map[string][]string, file func(*multipart.Part) error) error {
	for size := 0; ; {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return errForm
		case part.FormName() == "file" || strings.HasPrefix(part.FormName(), ownFile):
			if part.FileName() == "" { // a field for files that was left empty
				continue
			}
			if err := file(part); err != nil {
				return err
			}
		default:
			value, err := io.ReadAll(io.LimitReader(part, maxForm+1))
			if size += len(value); err != nil || size > maxForm {
				return errForm
			}
			meta[part.FormName()] = append(meta[part.FormName()], strings.TrimSpace(unified(string(value))))
		}
	}
}

// ownFile begins the name of a file that has fields of its own: those of file.3 are
// 3.name, 3.tags and so on.
const ownFile = "file."

// written is what a form says of one file: its own fields, and where they are empty
// those for all.
type written struct {
	meta map[string][]string
	own  string // what the names of its own fields begin with; "": it has none
}

func (t written) one(name string) string {
	if t.own != "" {
		if values := t.meta[t.own+name]; len(values) > 0 && values[0] != "" {
			return values[0]
		}
	}
	if values := t.meta[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// tags are its own beside those for all.
func (t written) tags() []string {
	all := splitTags(t.meta["tags"])
	if t.own != "" {
		all = append(all, splitTags(t.meta[t.own+"tags"])...)
	}
	return all
}

// described is what is to be kept with a file. What is wrong with fields of its own is told
// with it, what is wrong with those for all ends the upload.
func (v *visit) described(file *multipart.Part, meta map[string][]string) (n engine.NewDocument, own bool, err error) {
	t := written{meta: meta}
	if number, is := strings.CutPrefix(file.FormName(), ownFile); is {
		t.own = number + "."
	}
	n = engine.NewDocument{
		Name: t.one("name"), Category: t.one("category"), Description: t.one("description"), ExternalID: t.one("externalId"), Tags: t.tags(),
		Version: engine.NewVersion{FileName: fileName(file.FileName()), MediaType: file.Header.Get("Content-Type"), Comment: t.one("comment")},
	}
	if n.OwnerID, err = v.person("ownerId", t.one("ownerId")); err != nil {
		return n, t.own != "", err
	}
	n.CustomFields, err = v.customFields(func(key string) (string, bool) { value := t.one("field." + key); return value, value != "" }, false)
	return n, t.own != "", err
}

// keepFile makes a document of a file. What is refused about one file is told with
// it; an error ends the upload.
func (v *visit) keepFile(file *multipart.Part, meta map[string][]string) (received, error) {
	out := received{File: fileName(file.FileName())}
	n, own, err := v.described(file, meta)
	if err != nil && own {
		return v.refused(out, err)
	}
	if err != nil {
		return out, err
	}
	staged, err := v.vault.Stage(v.ctx(), file, v.console.options.MaxUpload)
	if err != nil {
		return v.refused(out, err)
	}
	defer staged.Discard()
	n.Version.MediaType, err = httpapi.MediaType(n.Version.MediaType, out.File, staged.Prefix())
	if err != nil {
		return v.refused(out, err)
	}
	d, _, err := v.vault.CreateDocument(v.ctx(), v.actor, n, staged)
	if err != nil {
		return v.refused(out, err)
	}
	out.ID, out.Name = d.ID, d.Name
	return out, nil
}

// refused tells what is wrong with a file, if the words for it are known.
func (v *visit) refused(out received, err error) (received, error) {
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		out.Wrong, out.Fields = "It cannot be kept as it is", invalid.Fields
		return out, nil
	}
	for _, r := range refusals {
		if errors.Is(err, r.is) && r.status != http.StatusServiceUnavailable {
			out.Wrong, out.Next = r.title, r.next
			return out, nil
		}
	}
	return out, err
}

// fileName is the last part of a name: some browsers send the path.
func fileName(name string) string {
	return path.Base(strings.ReplaceAll(strings.ReplaceAll(name, "%22", `"`), `\`, "/"))
}

// splitTags takes tags with commas between.
func splitTags(values []string) (tags []string) {
	for _, value := range values {
		for tag := range strings.SplitSeq(value, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				tags = append(tags, tag)
			}
		}
	}
	return tags
}

// customFields reads the values of fields from a form. An empty one is absent in
// something new, and taken away from what is there.
func (v *visit) customFields(get func(key string) (string, bool), clears bool) (map[string]any, error) {
	fields, err := v.vault.Fields(v.ctx(), engine.Paging{Limit: 500})
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, f := range fields.Items {
		value, ok := get(f.Key)
		switch {
		case !ok:
		case value == "" && clears:
			out[f.Key] = nil
		case value == "":
		default:
			if out[f.Key], err = v.fieldValue(f, value); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (v *visit) fieldValue(f engine.Field, value string) (any, error) {
	switch f.Type {
	case engine.NumberField:
		if !numberPattern.MatchString(value) {
			return nil, &engine.InvalidError{Fields: []engine.FieldError{{Field: f.Label, Message: fmt.Sprintf("%q is no number", value)}}}
		}
		return jsonNumber(value), nil
	case engine.BooleanField:
		return value == "true", nil
	case engine.UserField:
		return v.person(f.Label, value)
	}
	return value, nil
}

// toScript is the answer to the script, which sends one file a form.
func toScript(v *visit, r received) answer {
	a := answer{to: v.Path("documents", r.ID), raw: func(w http.ResponseWriter) { writeReceived(w, r) }}
	if r.Wrong != "" {
		a.status = http.StatusUnprocessableEntity
	}
	return a
}

// writeReceived tells a script what became of one file.
func writeReceived(w http.ResponseWriter, r received) {
	w.Header().Set("Content-Type", "application/json")
	if r.Wrong != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	json.NewEncoder(w).Encode(r)
}

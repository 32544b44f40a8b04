package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path"
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
}

func askFiles(v *visit) (answer, error) {
	body := uploading{Limit: v.console.options.MaxUpload}
	var err error
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
	if v.r.Header.Get("Accept") == "application/json" { // the script, for one file
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
		case part.FormName() == "file":
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
			meta[part.FormName()] = append(meta[part.FormName()], strings.TrimSpace(string(value)))
		}
	}
}

// keepFile makes a document of a file. What is refused about one file is told with
// it; an error ends the upload.
func (v *visit) keepFile(file *multipart.Part, meta map[string][]string) (received, error) {
	out := received{File: fileName(file.FileName())}
	one := func(name string) string {
		if values := meta[name]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
	n := engine.NewDocument{
		Name: one("name"), Category: one("category"), Description: one("description"), OwnerID: one("ownerId"), ExternalID: one("externalId"),
		Tags: splitTags(meta["tags"]), Version: engine.NewVersion{FileName: out.File, MediaType: file.Header.Get("Content-Type"), Comment: one("comment")},
	}
	var err error
	if n.OwnerID, err = v.person("ownerId", n.OwnerID); err != nil {
		return out, err
	}
	fields, err := v.customFields(func(key string) (string, bool) { value, ok := meta["field."+key]; return strings.Join(value, ""), ok }, false)
	if err != nil {
		return out, err
	}
	n.CustomFields = fields
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

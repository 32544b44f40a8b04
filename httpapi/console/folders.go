package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"strongroom/engine"
	"strongroom/httpapi"
)

// shelf is the page of the folders below one.
type shelf struct {
	Path    string
	Crumbs  []crumb // the folders it lies in, and itself
	Folders []engine.Folder
	Next    string
}

// crumb is a folder on the way to another.
type crumb struct{ Name, Path string }

func crumbsOf(path string) (crumbs []crumb) {
	if path == "" {
		return nil
	}
	names := strings.Split(path, "/")
	for i, name := range names {
		crumbs = append(crumbs, crumb{name, strings.Join(names[:i+1], "/")})
	}
	return crumbs
}

func listFolders(v *visit) (answer, error) {
	q := v.r.URL.Query()
	body := shelf{Path: strings.TrimSpace(q.Get("path"))}
	page, err := v.vault.Folders(v.ctx(), engine.FolderQuery{Path: body.Path, Paging: engine.Paging{Limit: 100, Cursor: q.Get("cursor")}})
	if err != nil {
		return answer{}, err
	}
	body.Crumbs, body.Folders = crumbsOf(body.Path), page.Items
	if page.NextCursor != "" {
		body.Next = v.With("cursor", page.NextCursor)
	}
	return answer{page: "folders", title: "Folders", body: body}, nil
}

// exportDocuments streams a bag of a matter, of the documents that were chosen, or of
// all that a list matches. It is a form, for it writes an entry.
func exportDocuments(v *visit) (answer, error) {
	choice := engine.BagChoice{Matter: v.form("matter")}
	var err error
	switch {
	case v.form("all") != "" || v.form("what") == "all":
		choice, err = v.allThatMatch()
	case choice.Matter == "" || v.form("what") == "chosen":
		choice = engine.BagChoice{DocumentIDs: append([]string{}, v.r.PostForm["document"]...), Says: "Chosen documents"}
		if len(choice.DocumentIDs) == 0 {
			err = &engine.InvalidError{Fields: []engine.FieldError{{Field: "documents", Message: "choose some first"}}}
		}
	}
	if err != nil {
		return answer{}, err
	}
	b, err := v.vault.MakeBag(v.ctx(), v.actor, choice)
	if err != nil {
		return answer{}, err
	}
	return v.bag(b), nil
}

// bag streams a bag that was made.
func (v *visit) bag(b *engine.Bag) answer {
	return answer{raw: func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/zip")
		w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.zip"`, b.Name()))
		if b.Write(v.ctx(), w) != nil {
			panic(http.ErrAbortHandler) // half an export must not look like a whole one
		}
	}}
}

// allThatMatch is what the filter in the form chooses, on every page.
func (v *visit) allThatMatch() (choice engine.BagChoice, err error) {
	values, err := url.ParseQuery(v.form("filter"))
	if err != nil {
		return choice, errForm
	}
	text, q, err := httpapi.ParseDocumentQuery(values)
	if err != nil {
		return choice, err
	}
	choice.Says = "Documents by filter " + v.form("filter")
	if text == "" {
		choice.Query = &q
		return choice, nil
	}
	found, err := httpapi.MatchDocuments(v.ctx(), v.vault, v.console.options.Search, values)
	choice.DocumentIDs = append([]string{}, found...)
	return choice, err
}

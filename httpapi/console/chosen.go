package console

import (
	"errors"
	"net/http"
	"slices"

	"strongroom/engine"
)

// choice is the page that shows what would be, before anything is.
type choice struct {
	Action  string // tags, category or owner
	Words   string // what is done, in a sentence
	IDs     []string
	Rows    []outcomeRow
	Would   int
	Fails   int
	Fields  map[string]string // what is sent again
	Applied bool
}

type outcomeRow struct {
	ID, Name, What, Kind string
}

// maxChosen is how many documents one form may carry.
const maxChosen = 500

// chosen shows the dry run.
func chosen(v *visit) (answer, error) { return v.change(true) }

// applyToChosen does what the dry run showed, each document by itself.
func applyToChosen(v *visit) (answer, error) { return v.change(false) }

func (v *visit) change(dryRun bool) (answer, error) {
	c := choice{Action: v.form("action"), IDs: v.r.PostForm["document"], Applied: !dryRun}
	if len(c.IDs) == 0 || len(c.IDs) > maxChosen {
		return answer{}, &engine.InvalidError{Fields: []engine.FieldError{{Field: "documents", Message: "choose 1 to 500 in the list first"}}}
	}
	patch, err := v.chosenPatch(&c)
	if err != nil {
		return answer{}, err
	}
	changes := make([]engine.DocumentChange, len(c.IDs))
	for i, id := range c.IDs {
		changes[i] = engine.DocumentChange{DocumentID: id, Patch: patch}
	}
	outcomes, err := v.vault.UpdateDocuments(v.ctx(), v.actor, changes, dryRun)
	if err != nil {
		return answer{}, err
	}
	for _, o := range outcomes {
		if err := v.addOutcome(&c, o); err != nil {
			return answer{}, err
		}
	}
	title := "What would be"
	if c.Applied {
		title = "What became of it"
	}
	return page("chosen", title, c), nil
}

func (v *visit) addOutcome(c *choice, o engine.DocumentOutcome) error {
	row := outcomeRow{ID: o.DocumentID, Name: o.DocumentID}
	if d, err := v.vault.Document(v.ctx(), o.DocumentID); err == nil {
		row.Name = d.Name
	}
	switch {
	case o.Err != nil:
		c.Fails++
		row.Kind, row.What = "hold", v.refusalWords(o.Err)
		if row.What == "" {
			return o.Err
		}
	case !o.Changed:
		row.Kind, row.What = "idle", "stays as it is"
	default:
		c.Would++
		row.Kind, row.What = "active", "changed"
		if !c.Applied {
			row.What = "would be changed"
		}
	}
	c.Rows = append(c.Rows, row)
	return nil
}

// refusalWords are what a person is told of an error, in one line; "" if it is none
// of those that are told.
func (v *visit) refusalWords(err error) string {
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return invalid.Error()
	}
	for _, r := range refusals {
		if errors.Is(err, r.is) && r.status < http.StatusInternalServerError {
			return r.title + ". " + r.next
		}
	}
	return ""
}

func (v *visit) chosenPatch(c *choice) (p engine.DocumentPatch, err error) {
	c.Fields = map[string]string{}
	value := func(name string) string {
		c.Fields[name] = v.form(name)
		return c.Fields[name]
	}
	switch c.Action {
	case "tags":
		p.AddTags, p.RemoveTags = splitTags([]string{value("addTags")}), splitTags([]string{value("removeTags")})
		if len(p.AddTags)+len(p.RemoveTags) == 0 {
			return p, &engine.InvalidError{Fields: []engine.FieldError{{Field: "tags", Message: "write at least one tag to add or to take away"}}}
		}
		c.Words = "tags are added or taken away"
	case "category":
		category := value("category")
		p.Category = &category
		if all, err := v.categories(); err != nil || !slices.Contains(all, category) {
			return p, errors.Join(err, &engine.InvalidError{Fields: []engine.FieldError{{Field: "category", Message: "choose one"}}})
		}
		c.Words = "the category becomes " + category
	case "owner":
		owner := value("ownerId")
		p.OwnerID = &owner
		name, err := v.name(owner)
		if err != nil || owner == "" {
			return p, errors.Join(err, &engine.InvalidError{Fields: []engine.FieldError{{Field: "owner", Message: "choose somebody"}}})
		}
		c.Words = "the owner becomes " + name
	default:
		return p, errNoPage
	}
	return p, nil
}

package httpapi

import (
	"context"
	"errors"
	"net/http"

	"strongroom/engine"
)

// shown are documents as clients see them, with what is known of their texts. That
// is left out where there is no search, of scratchpads, which it does not read, and
// while nothing can be said: a document is more than its text.
func (c caller) shown(documents []engine.Document) []Document {
	out := mapped(documents, func(d engine.Document) Document { return documentOf(c.vault, d) })
	if c.search == nil {
		return out
	}
	states, err := c.search.Texts(c.vault, documents)
	if err != nil || len(states) != len(out) {
		return out
	}
	for i, d := range documents {
		if d.Current != nil && d.Current.Draft == 0 && states[i].State != "" {
			out[i].Text = &states[i]
		}
	}
	return out
}

// listByText lists documents by the state of their text.
func listByText(ctx context.Context, c caller, in documentQuery) (reply[List[Document]], error) {
	wrong := func(field, message string) error {
		return &engine.InvalidError{Fields: []engine.FieldError{{Field: field, Message: message}}}
	}
	switch {
	case c.search == nil:
		return reply[List[Document]]{}, wrong("text", "cannot be asked for: this server keeps no full-text index")
	case in.Sort != "" && in.Sort != "-createdAt":
		return reply[List[Document]]{}, wrong("sort", "must be -createdAt with text")
	}
	ids, next, err := c.search.WithText(ctx, c.vault, in.Text, in.documentFilter.engine(), in.paging.engine())
	if err != nil {
		return reply[List[Document]]{}, err
	}
	var documents []engine.Document
	for _, id := range ids {
		d, err := c.vault.Document(ctx, id)
		if errors.Is(err, engine.ErrDocumentNotFound) || errors.Is(err, engine.ErrDocumentDeleted) {
			continue // meanwhile
		}
		if err != nil {
			return reply[List[Document]]{}, err
		}
		documents = append(documents, d)
	}
	return answer(List[Document]{c.shown(documents), next}), nil
}

type textInput struct {
	ID     string        `path:"id"`
	Number versionNumber `path:"n"`
}

// versionText answers with the text of a version. It is read as its file is: who
// reads it is recorded if the settings say so.
func versionText(c caller, x *exchange, r *http.Request, in textInput) error {
	v, err := c.vault.Version(r.Context(), in.ID, uint64(in.Number))
	if err != nil {
		return err
	}
	text, state, err := c.search.Text(r.Context(), c.vault, v)
	if err != nil {
		return err
	}
	if state.State == "waiting" {
		return &engine.UnavailableError{Reason: "indexing", Err: errBehind}
	}
	if err := c.vault.RecordShown(r.Context(), c.actor, []engine.Document{{ID: v.DocumentID, Current: &v}}); err != nil {
		return err
	}
	x.Header().Set("Text-State", state.State)
	if state.Reason != "" {
		x.Header().Set("Text-Reason", state.Reason)
	}
	x.Header().Set("Content-Security-Policy", "sandbox")
	x.answerBytes(http.StatusOK, "text/plain; charset=utf-8", []byte(text))
	return nil
}

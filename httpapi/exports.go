package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"strongroom/engine"
)

func exportRoutes() []route {
	return []route{
		stream("GET", "/v1/matters/:matter/export", readAll, "Export the documents of a matter as a BagIt bag in a ZIP file", zipMedia, exportMatter, engine.ErrMatterNotFound, noSpace).orApproval(),
		stream("POST", "/v1/exports", readAll, "Export documents as a BagIt bag in a ZIP file", zipMedia, exportDocuments, engine.ErrMatterNotFound, noSpace).orApproval(),
	}
}

const zipMedia = "application/zip"

type matterExportInput struct {
	Matter string `path:"matter"`
}

func exportMatter(c caller, x *exchange, r *http.Request, in matterExportInput) error {
	return sendBag(c, x, r, engine.BagChoice{Matter: in.Matter})
}

type newExport struct {
	DocumentIDs *[]string      `json:"documentIds" doc:"10,000 at most, of deleted documents too. This, filter or matter."`
	Filter      map[string]any `json:"filter" doc:"As in POST /v1/bulk/documents: without status, archived documents are left out; status all takes them in, and deleted ones."`
	Matter      string         `json:"matter" doc:"All that was ever held for it, as in GET /v1/matters/{matter}/export; for names with a slash."`
}

type exportsInput struct {
	Export newExport `body:"json"`
}

func exportDocuments(c caller, x *exchange, r *http.Request, in exportsInput) error {
	choice, err := c.bagChoice(r.Context(), in.Export)
	if err != nil {
		return err
	}
	return sendBag(c, x, r, choice)
}

func (c caller) bagChoice(ctx context.Context, in newExport) (choice engine.BagChoice, err error) {
	switch {
	case in.Matter != "" && in.DocumentIDs == nil && in.Filter == nil:
		return engine.BagChoice{Matter: strings.TrimSpace(in.Matter)}, nil
	case in.Matter == "" && in.DocumentIDs != nil && in.Filter == nil:
		return engine.BagChoice{DocumentIDs: orEmpty(*in.DocumentIDs)}, nil
	case in.Matter != "" || in.DocumentIDs != nil || in.Filter == nil:
		return choice, inBody("documentIds", "must choose the documents, or filter must, or matter, and only one of them")
	}
	filter, err := c.filterOf(in.Filter)
	if err != nil {
		return choice, err
	}
	asked, err := json.Marshal(in.Filter)
	if err != nil {
		return choice, err
	}
	choice.Says = "Documents by filter " + string(asked)
	if filter.Q != "" {
		choice.DocumentIDs, err = c.found(ctx, filter.Q, filter.engine())
		choice.DocumentIDs = orEmpty(choice.DocumentIDs)
		return choice, inFilter(err)
	}
	choice.Query = new(filter.engine())
	return choice, nil
}

// sendBag streams a bag. Whoever gets half of it has no ZIP file: its directory comes
// last, and the connection is dropped before that.
func sendBag(c caller, x *exchange, r *http.Request, choice engine.BagChoice) error {
	h := x.Header()
	if r.Method == http.MethodHead { // exports nothing, so it is not recorded
		_, err := c.vault.Matter(r.Context(), choice.Matter)
		h.Set("Content-Type", zipMedia)
		return err
	}
	b, err := c.vault.MakeBag(r.Context(), c.actor, choice)
	if choice.Query != nil {
		err = inFilter(err)
	}
	if err != nil {
		return err
	}
	return streamBag(x, r, b)
}

func streamBag(x *exchange, r *http.Request, b *engine.Bag) error {
	h := x.Header()
	h.Set("Content-Type", zipMedia)
	h.Set("Content-Disposition", disposition("attachment", b.Name()+".zip"))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	x.receipt(b.Receipt)
	x.WriteHeader(http.StatusOK)
	return b.Write(r.Context(), x)
}

// This program uses a client that ogen made from openapi.json, which reads
// strictly: it uploads, patches, lists, searches and holds.
package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	"client/api"
)

func main() {
	if err := run(context.Background(), os.Getenv("STRONGROOM_URL"), token(os.Getenv("STRONGROOM_KEY"))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type token string

func (t token) Token(context.Context, api.OperationName) (api.Token, error) {
	return api.Token{Token: string(t)}, nil
}

// want is an answer of a type, or an error that shows the other one.
func want[T any](answer any, err error) (T, error) {
	is, ok := answer.(T)
	if err == nil && !ok {
		err = fmt.Errorf("%T: %+v", answer, answer)
	}
	return is, err
}

func run(ctx context.Context, url string, key token) error {
	c, err := api.NewClient(strings.TrimSuffix(url, "/"), key)
	if err != nil {
		return err
	}
	made, err := want[*api.DocumentHeaders](c.CreateDocument(ctx, &api.CreateDocument{
		Name: api.NewOptString("Lease East.txt"), FileName: api.NewOptString("lease.txt"), Category: api.NewOptString("contract"),
		Tags: []string{"lease", "east"}, Content: base64.StdEncoding.EncodeToString([]byte("The lease of the east building.")),
	}, api.CreateDocumentParams{}))
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	id := made.Response.ID
	if _, err := want[*api.UpdateDocumentOKHeaders](c.UpdateDocument(ctx, &api.UpdateDocumentApplicationJSON{
		AddTags: []string{"signed"},
	}, api.UpdateDocumentParams{ID: id, IfMatch: made.ETag})); err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	listed, err := want[*api.DocumentListHeaders](c.ListDocuments(ctx, api.ListDocumentsParams{Tag: []string{"east", "signed"}}))
	if err != nil || len(listed.Response.Items) != 1 {
		return fmt.Errorf("list: %w", err)
	}
	found, err := want[*api.FoundHeaders](c.SearchDocuments(ctx, api.SearchDocumentsParams{Q: "east building"}))
	if err != nil || found.Response.Total != 1 {
		return fmt.Errorf("search: %w", err)
	}
	if _, err := want[*api.HoldHeaders](c.PlaceHold(ctx, &api.NewHold{Reason: "Litigation"}, api.PlaceHoldParams{ID: id})); err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	if _, err := want[*api.DeleteDocumentConflict](c.DeleteDocument(ctx, api.OptDeletion{}, api.DeleteDocumentParams{ID: id})); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

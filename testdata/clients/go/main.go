// This program uses a client that oapi-codegen made from openapi.json: it
// uploads, patches, lists, searches and holds.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"

	"client/api"
)

func main() {
	if err := run(context.Background(), os.Getenv("STRONGROOM_URL"), os.Getenv("STRONGROOM_KEY")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url, key string) error {
	c, err := api.NewClientWithResponses(url, api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	}))
	if err != nil {
		return err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range map[string]string{"name": "Lease North.txt", "category": "contract", "tags": "lease,north"} {
		if err := form.WriteField(name, value); err != nil {
			return err
		}
	}
	file, err := form.CreateFormFile("file", "lease.txt")
	if err != nil {
		return err
	}
	io.WriteString(file, "The lease of the north building.")
	form.Close()
	made, err := c.CreateDocumentWithBodyWithResponse(ctx, nil, form.FormDataContentType(), &body)
	if err != nil || made.JSON201 == nil {
		return fmt.Errorf("upload: %v %s", err, made.Body)
	}
	doc := made.JSON201

	etag, renewal := made.HTTPResponse.Header.Get("ETag"), &api.CustomFieldsPatch_AdditionalProperties{}
	if err := renewal.FromCustomFieldsPatch0("2027-03-31"); err != nil {
		return err
	}
	patched, err := c.UpdateDocumentWithResponse(ctx, doc.Id, &api.UpdateDocumentParams{IfMatch: &etag}, api.UpdateDocumentJSONRequestBody{
		Name: new("Lease North 2026.txt"), AddTags: &[]string{"signed"}, CustomFields: &api.CustomFieldsPatch{"renewalDate": renewal},
	})
	if err != nil || patched.JSON200 == nil || len(patched.JSON200.Tags) != 3 {
		return fmt.Errorf("patch: %v %s", err, patched.Body)
	}
	stale, err := c.UpdateDocumentWithResponse(ctx, doc.Id, &api.UpdateDocumentParams{IfMatch: &etag}, api.UpdateDocumentJSONRequestBody{Name: new("late")})
	if err != nil || stale.StatusCode() != http.StatusPreconditionFailed {
		return fmt.Errorf("a stale patch: %v %s", err, stale.Body)
	}

	listed, err := c.ListDocumentsWithResponse(ctx, &api.ListDocumentsParams{Tag: &[]string{"lease", "signed"}})
	if err != nil || listed.JSON200 == nil || len(listed.JSON200.Items) != 1 || listed.JSON200.Items[0].Id != doc.Id {
		return fmt.Errorf("list: %v %s", err, listed.Body)
	}
	found, err := c.SearchDocumentsWithResponse(ctx, &api.SearchDocumentsParams{Q: "north building"})
	if err != nil || found.JSON200 == nil || found.JSON200.Total != 1 {
		return fmt.Errorf("search: %v %s", err, found.Body)
	}
	held, err := c.PlaceHoldWithResponse(ctx, doc.Id, nil, api.PlaceHoldJSONRequestBody{Reason: "Litigation", Matter: new("Smith v. Jones")})
	if err != nil || held.JSON201 == nil || held.JSON201.Status != "active" {
		return fmt.Errorf("hold: %v %s", err, held.Body)
	}
	refused, err := c.DeleteDocumentWithResponse(ctx, doc.Id, nil, api.DeleteDocumentJSONRequestBody{})
	if err != nil || refused.StatusCode() != http.StatusConflict {
		return fmt.Errorf("delete: %v %s", err, refused.Body)
	}
	return nil
}

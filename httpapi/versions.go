package httpapi

import (
	"context"
	"slices"
	"strconv"

	"strongroom/engine"
)

// versionNumber is the number of a version in a path. What is not the one
// spelling of a number from 1 is a version that is not there.
type versionNumber uint64

func (n *versionNumber) bind(s string) error {
	number, err := strconv.ParseUint(s, 10, 64)
	if err != nil || number == 0 || strconv.FormatUint(number, 10) != s {
		return engine.ErrVersionNotFound
	}
	*n = versionNumber(number)
	return nil
}

type addVersionInput struct {
	ID      string  `path:"id"`
	IfMatch ifMatch `header:"If-Match"`
	upload
	versionFields
}

// expected asks what the engine asks again, in the same order, when the file is
// there.
func (in *addVersionInput) expected(ctx context.Context, c caller) error {
	d, err := c.vault.Document(ctx, in.ID)
	switch {
	case err != nil:
		return err
	case in.IfMatch != nil && !slices.Contains(in.IfMatch, d.Revision):
		return &engine.PreconditionError{Revision: d.Revision}
	case d.Archived:
		return engine.ErrDocumentArchived
	}
	return nil
}

func addVersion(ctx context.Context, c caller, in addVersionInput) (reply[Version], error) {
	d, receipt, err := c.vault.AddVersion(ctx, c.actor, in.ID, in.IfMatch.condition(), in.version(in.versionFields), in.staged)
	return newVersion(d, receipt, err)
}

// newVersion answers with the version that was made, the ETag of its document
// and where it is.
func newVersion(d engine.Document, receipt engine.Receipt, err error) (reply[Version], error) {
	if err != nil {
		return reply[Version]{}, err
	}
	return reply[Version]{body: versionOf(*d.Current), revision: d.Revision, receipt: receipt, location: versionPath(*d.Current)}, nil
}

type listVersionsInput struct {
	ID string `path:"id"`
	paging
}

func listVersions(ctx context.Context, c caller, in listVersionsInput) (reply[List[Version]], error) {
	page, err := c.vault.Versions(ctx, in.ID, in.paging.engine())
	return answer(listOf(page, versionOf)), err
}

type versionInput struct {
	ID     string        `path:"id"`
	Number versionNumber `path:"n"`
}

func getVersion(ctx context.Context, c caller, in versionInput) (reply[Version], error) {
	v, err := c.vault.Version(ctx, in.ID, uint64(in.Number))
	return answer(versionOf(v)), err
}

type restoreVersionInput struct {
	ID      string        `path:"id"`
	Number  versionNumber `path:"n"`
	IfMatch ifMatch       `header:"If-Match"`
}

func restoreVersion(ctx context.Context, c caller, in restoreVersionInput) (reply[Version], error) {
	d, receipt, err := c.vault.RestoreVersion(ctx, c.actor, in.ID, uint64(in.Number), in.IfMatch.condition())
	return newVersion(d, receipt, err)
}

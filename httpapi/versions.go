package httpapi

import (
	"context"
	"errors"
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
	change
	upload
	versionFields
}

// expected asks what the engine asks again, in the same order, when the file is
// there.
func (in *addVersionInput) expected(ctx context.Context, c caller) error {
	return c.vault.Expect(ctx, c.actor, in.ID, in.condition())
}

func addVersion(ctx context.Context, c caller, in addVersionInput) (reply[Version], error) {
	d, receipt, err := c.vault.AddVersion(ctx, c.actor, in.ID, in.condition(), in.version(in.versionFields), in.staged)
	return newVersion(d, receipt, err)
}

// newVersion answers with the version that was made, the ETag of its document
// and where it is.
func newVersion(d engine.Document, receipt engine.Receipt, err error) (reply[Version], error) {
	if err != nil {
		return reply[Version]{}, err
	}
	out := reply[Version]{body: versionOf(*d.Current), revision: d.Revision, receipt: receipt}
	if d.Current.Draft == 0 { // a draft has no address before it is saved
		out.location = versionPath(*d.Current)
	}
	return out, nil
}

type listVersionsInput struct {
	ID string `path:"id"`
	paging
	reading
}

func listVersions(ctx context.Context, c caller, in listVersionsInput) (reply[List[Version]], error) {
	if token := in.token(); token != "" {
		page, err := c.vault.SketchVersions(ctx, c.actor, in.ID, engine.Condition{LockToken: token}, in.paging.engine())
		if !errors.Is(err, engine.ErrNotLocked) {
			return answer(listOf(page, versionOf)), err
		}
	}
	page, err := c.vault.Versions(ctx, in.ID, in.paging.engine())
	return answer(listOf(page, versionOf)), err
}

type versionInput struct {
	ID     string        `path:"id"`
	Number versionNumber `path:"n"`
	reading
}

func getVersion(ctx context.Context, c caller, in versionInput) (reply[Version], error) {
	v, err := c.vault.Version(ctx, in.ID, uint64(in.Number))
	if err == nil && v.Current && in.token() != "" { // it may not be to the holder of a scratchpad
		var d engine.Document
		d, err = c.document(ctx, in.ID, in.reading)
		v.Current = err == nil && d.Current.Number == v.Number
	}
	return answer(versionOf(v)), err
}

type restoreVersionInput struct {
	change
	Number versionNumber `path:"n"`
}

func restoreVersion(ctx context.Context, c caller, in restoreVersionInput) (reply[Version], error) {
	d, receipt, err := c.vault.RestoreVersion(ctx, c.actor, in.ID, in.condition(), uint64(in.Number))
	return newVersion(d, receipt, err)
}

type setTextInput struct {
	change
	Number versionNumber `path:"n"`
	Text   string        `body:"text" doc:"UTF-8, 4 MiB at most. Empty takes away what was given before."`
}

// setText keeps the text that a client has read in a version.
func setText(ctx context.Context, c caller, in setTextInput) (reply[Version], error) {
	v, receipt, err := c.vault.SetText(ctx, c.actor, in.ID, uint64(in.Number), in.condition(), in.Text)
	return reply[Version]{body: versionOf(v.Version), revision: v.Revision, receipt: receipt}, err
}

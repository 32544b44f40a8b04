package importer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/url"
	"os"

	"strongroom/httpapi/control"
)

// presentRow is what an import needs of a document that is in the vault.
type presentRow struct {
	ID             string     `json:"id"`
	CurrentVersion versionRow `json:"currentVersion"`
}

// versionRow is what an import needs of a version.
type versionRow struct {
	DocumentID   string    `json:"documentId"`
	Number       uint64    `json:"number"`
	Digest       string    `json:"digest"`
	SuppliedText *struct{} `json:"suppliedText"` // nil: none was given
}

// put brings a file into the vault, unless it is there, and returns the version that
// has its bytes.
func (m *Import) put(ctx context.Context, f *file) (outcome, versionRow, error) {
	present, err := m.find(ctx, f.externalID)
	if former := formerExternalID(f.path); err == nil && present == nil && former != "" && f.externalID == defaultExternalID(f.path) {
		present, err = m.find(ctx, former)
	}
	if err != nil {
		return failed, versionRow{}, err
	}
	if present == nil {
		var made presentRow
		err := m.upload(ctx, "/v1/documents", f, f.document, &made)
		refused, ok := errors.AsType[*control.Refusal](err)
		if !ok || refused.Code != "ALREADY_EXISTS" {
			return became(imported, made.CurrentVersion, err)
		}
		// Another import was quicker.
		if present, err = m.find(ctx, f.externalID); err != nil || present == nil {
			return failed, versionRow{}, errors.Join(refused, err)
		}
	}
	digest, err := m.digest(f)
	switch {
	case err != nil:
		return failed, versionRow{}, err
	case digest == present.CurrentVersion.Digest:
		return skipped, present.CurrentVersion, nil
	case !m.source.options.Update:
		return failed, versionRow{}, &OtherBytesError{present.ID}
	}
	var made versionRow
	err = m.upload(ctx, "/v1/documents/"+present.ID+"/versions", f, f.version, &made)
	return became(versioned, made, err)
}

func became(o outcome, made versionRow, err error) (outcome, versionRow, error) {
	if err != nil {
		return failed, versionRow{}, err
	}
	return o, made, nil
}

// find returns the document that has an externalId; nil if there is none.
func (m *Import) find(ctx context.Context, externalID string) (*presentRow, error) {
	var page struct {
		Items []presentRow `json:"items"`
	}
	query := url.Values{"externalId": {externalID}, "status": {"all"}, "limit": {"1"}}
	if err := m.line.Call(ctx, "GET", "/v1/documents?"+query.Encode(), nil, &page); err != nil {
		return nil, final(err)
	}
	if len(page.Items) == 0 {
		return nil, nil
	}
	return &page.Items[0], nil
}

// digest is the digest of a file as the API spells it.
func (m *Import) digest(f *file) (string, error) {
	file, err := open(m.source.root, f)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// upload sends a file with its fields, and reads what is answered into made. They go into the body, where they may be
// as long as they are allowed to be, and the file is not held in memory.
func (m *Import) upload(ctx context.Context, path string, f *file, fields url.Values, made any) error {
	file, err := open(m.source.root, f)
	if err != nil {
		return err
	}
	defer file.Close()
	var before, after bytes.Buffer
	form := multipart.NewWriter(&before)
	for name, values := range fields {
		for _, value := range values {
			form.WriteField(name, value) // to memory: it cannot fail
		}
	}
	form.CreateFormFile("file", f.path[lastSlash(f.path)+1:])
	fmt.Fprintf(&after, "\r\n--%s--\r\n", form.Boundary())
	content := &exactly{from: file, left: f.size}
	length := int64(before.Len()) + f.size + int64(after.Len())
	req, err := m.line.Request(ctx, "POST", path, io.MultiReader(&before, content, &after))
	if err != nil {
		return err
	}
	req.ContentLength = length
	req.Header.Set("Content-Type", form.FormDataContentType())
	if err := m.line.Exchange(req, made); content.err != nil {
		return content.err
	} else if err != nil {
		return final(err)
	}
	return unchanged(file, f)
}

// OtherBytesError says that a document which is there already has other bytes than
// the file. It is an error only if Options.Update is not set.
type OtherBytesError struct{ DocumentID string }

func (e *OtherBytesError) Error() string {
	return fmt.Sprintf("document %s has other bytes", e.DocumentID)
}

// ErrChanged says that a file was written to while it was read: the document may
// have bytes that the file never had at any one time.
var ErrChanged = errors.New("it changed while it was read")

// ErrReplaced says that the name of a file stood for another one, or for something
// that is no file, when it was to be read.
var ErrReplaced = errors.New("another file took its place while it was imported")

// unchanged holds that what was sent is the file: it may have been written to
// meanwhile.
func unchanged(file *os.File, f *file) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != f.size {
		return ErrChanged
	}
	return nil
}

// exactly reads so many bytes and fails if there are fewer. Its error is the
// file's, where that of the request would say that the connection broke.
type exactly struct {
	from io.Reader
	left int64
	err  error
}

func (r *exactly) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.from.Read(p[:min(int64(len(p)), r.left)])
	if r.left -= int64(n); err == io.EOF && r.left > 0 {
		err = errors.New("it became shorter while it was read")
	}
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

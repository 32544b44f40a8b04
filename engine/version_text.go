package engine

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"strongroom/audit"
)

// MaxText is how long the text that is given for a version may be, in bytes.
const MaxText = 4 << 20

// VersionText is a version after its text was set, and the revision of its document.
type VersionText struct {
	Version
	Revision uint64
}

// textChange is what setting a text came to, and the bytes it put out of use.
type textChange struct {
	VersionText
	former Digest
}

// SetText gives a version, the current one for number 0, the text that somebody has
// read in it: of a scan, say. It stands beside what the file says itself and in the
// place of a text given before; "" takes that away. It is kept as bytes, and goes
// with the document. It needs upload access, and obeys the lock; a scratchpad must be
// saved or dropped first. An archived or held document takes it too, and neither
// revision nor metadata changes. Giving the text that is there writes nothing.
// ErrDocumentNotFound, ErrVersionNotFound, *DeletedError; *InvalidError for what is
// not UTF-8, ErrTooLarge for more than MaxText.
func (v *Vault) SetText(ctx context.Context, actor Actor, documentID string, number uint64, cond Condition, text string) (VersionText, Receipt, error) {
	switch {
	case len(text) > MaxText:
		return VersionText{}, Receipt{}, fmt.Errorf("%w: a text may have %d bytes", ErrTooLarge, MaxText)
	case !utf8.ValidString(text):
		return VersionText{}, Receipt{}, invalid("text", "must be UTF-8")
	}
	record := func(digest Digest, u *Upload) (textChange, Receipt, error) {
		return update(v, ctx, actor, func(t *tx) (textChange, audit.Event, error) {
			t.upload = u
			return t.setText(documentID, number, cond, digest, int64(len(text)))
		})
	}
	var change textChange
	var receipt Receipt
	var err error
	if text == "" {
		change, receipt, err = record(Digest{}, nil)
	} else {
		var u *Upload
		if u, err = v.Stage(ctx, strings.NewReader(text), MaxText); err != nil {
			return VersionText{}, Receipt{}, err
		}
		defer u.Discard()
		change, receipt, err = keep(v, ctx, u, func() (textChange, Receipt, error) { return record(u.Digest(), u) })
	}
	if err == nil && change.former != (Digest{}) {
		v.purge(context.WithoutCancel(ctx), change.former) // what it cannot do now, Sweep does
	}
	return change.VersionText, receipt, err
}

func (t *tx) setText(documentID string, number uint64, cond Condition, digest Digest, size int64) (textChange, audit.Event, error) {
	old, g, err := t.writable(documentID, AccessUpload, cond)
	if err != nil {
		return textChange{}, audit.Event{}, err
	}
	if number == 0 {
		number = old.Current.Number
	}
	was, err := t.version(old, number)
	if err != nil {
		return textChange{}, audit.Event{}, err
	}
	if was.TextDigest == digest && was.TextSize == size {
		return textChange{VersionText: VersionText{*was, old.Revision}}, audit.Event{}, nil
	}
	if t.inScratchpad(old) {
		return textChange{}, audit.Event{}, fmt.Errorf("%w: its scratchpad is open; save or drop it first", ErrLockState)
	}
	d, ver := old.clone(), *was
	ver.TextDigest, ver.TextSize = digest, size
	if d.Current.Number == number {
		d.Current = &ver
	}
	t.Put(bucketVersions, versionKey(d.id, number), encodeVersion(&ver))
	facts := audit.Facts{"size": audit.Number(uint64(size))}
	if was.TextSize > 0 {
		t.Delete(bucketRefs, refKey(was.TextDigest, d.id, textRef(number)))
	}
	if size > 0 {
		t.refer(digest, refKey(digest, d.id, textRef(number)))
		facts["digest"] = audit.Text(digest.String())
	}
	t.store(old, d, g).tell(facts)
	return textChange{VersionText{ver, d.Revision}, was.TextDigest}, audit.Event{
		Op: audit.OpDocumentTextSet, Document: d.ID, Version: number, Facts: facts,
	}, nil
}

// textDigest spells the digest of the text that was given, "" if none was.
func (v *Version) textDigest() string {
	if v.TextSize == 0 {
		return ""
	}
	return v.TextDigest.String()
}

// textRef is the number under which a version refers to the bytes of its text, in a
// range that neither a version's number nor draftRef reaches.
func textRef(number uint64) uint64 { return 1<<62 | number }

// versionOfText returns the number of the version whose text a reference is for.
func versionOfText(ref uint64) (number uint64, isText bool) {
	return ref &^ (1 << 62), ref>>62 == 1
}

// OpenText opens the text that was given for the version; nil if none was. Like
// OpenContent it writes no entry. The caller closes it. ErrVersionNotFound when its
// bytes are gone.
func (r LogReader) OpenText(ctx context.Context, ver *Version) (io.ReadSeekCloser, error) {
	if ver.TextSize == 0 {
		return nil, nil
	}
	return r.open(ver.TextDigest)
}

// Package extract is the frame of the readers that get the text out of files:
// what a file is, who reads it, and what is said of it afterwards. It holds the
// readers that are written here: text in any charset, HTML, XML, JSON, RTF, office
// files, mail, messages of Outlook and ZIP. Others are in packages of their own, such
// as PDF in engine/search/pdf.
//
// What a file is, is judged by its content first ([KindOf]): the media type and
// the name are what a client said. A [Reader] reads one kind. A host puts a table
// of them together, and [Read] takes the one for a file.
//
// Files come from anywhere, and some are made to harm. A reader is bounded in the
// text it gives out by [Output], in what it takes in by [MaxInput], and in time by
// the context, which ends after [Reader].Limit. It bounds by itself how deep and
// how often it follows what refers to something else, and what it lets swell. A
// goroutine cannot be killed, so a reader that does not look at its context is
// left behind here, and goes on taking memory and time: what reads the files of
// strangers runs in a process that can be killed (engine/search/worker).
//
// Files within a file are read by the same table, within one budget for all of them
// and at most half the time that is left for each. What of them could not be read is
// counted, and said beside the text of the others.
//
// It is written for finding, not for showing: the words come in about the order
// in which they are read, and where they stood is lost. A picture of text, as a
// scanner makes it, has no text.
package extract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"time"
)

const (
	// MaxInput is how large a file is read, in bytes.
	MaxInput = 64 << 20
	// MaxText is how much text is taken from one, in bytes; what follows is left.
	MaxText = 4 << 20
	// DefaultLimit is how long the reading of one file may take.
	DefaultLimit = 10 * time.Second
	// grace is how long a reader may go on once its time is over.
	grace = time.Second
)

// File is what is read. ReadAt may be called by one goroutine at a time.
type File struct {
	io.ReaderAt
	Size      int64
	MediaType string // as the client said; "" if it did not
	Name      string // likewise

	nest  *nest // of what it is within; nil: it stands alone
	depth int
}

// Bytes reads all of a file. ErrTooLarge for more than MaxInput.
func (f File) Bytes(ctx context.Context) ([]byte, error) {
	if f.Size > MaxInput {
		return nil, ErrTooLarge
	}
	if m, ok := f.ReaderAt.(memory); ok {
		return m.data, ctx.Err()
	}
	data, err := io.ReadAll(&interruptible{ctx, io.NewSectionReader(f, 0, f.Size)})
	if err == nil && int64(len(data)) < f.Size {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}

// Reader reads the text of one kind of file.
type Reader struct {
	Kind Kind
	// Version rises when the reader reads what it could not before: then the
	// files it has read are read again.
	Version int
	// Limit is how long one file may take; 0 is DefaultLimit, and negative that Read
	// sees to it itself.
	Limit time.Duration
	// Read hands text to out as it finds it, and returns when out is full. With an
	// error, what out has by then is kept. The errors of this package say what is
	// wrong with a file, ErrUnavailable that nothing is known of it; any other is
	// ErrMalformed. It returns soon after ctx ends.
	Read func(ctx context.Context, f File, out *Output) error
}

// Readers returns those that are written in this package.
func Readers() []Reader {
	return []Reader{
		{Kind: Text, Version: 2, Read: plainText},
		{Kind: JSON, Version: 1, Read: jsonText},
		{Kind: XML, Version: 1, Read: xmlFileText},
		{Kind: HTML, Version: 1, Read: htmlFileText},
		{Kind: RTF, Version: 1, Read: inMemory(rtfText)},
		{Kind: ZIP, Version: 1, Read: containing(zipText)},
		{Kind: EML, Version: 1, Read: containing(emlText)},
		{Kind: MSG, Version: 1, Read: containing(msgText)},
		{Kind: DOCX, Version: 3, Read: inMemory(officeText)},
		{Kind: XLSX, Version: 1, Read: inMemory(officeText)},
		{Kind: PPTX, Version: 1, Read: inMemory(officeText)},
		{Kind: ODF, Version: 1, Read: inMemory(odfText)},
	}
}

// inMemory adapts what reads a file that is in memory.
func inMemory(read func(context.Context, []byte, *Output) error) func(context.Context, File, *Output) error {
	return func(ctx context.Context, f File, out *Output) error {
		data, err := f.Bytes(ctx)
		if err != nil {
			return err
		}
		return read(ctx, data, out)
	}
}

// State is whether the text of a file is known.
type State string

// The states of a text.
const (
	Indexed State = "indexed" // it was read
	None    State = "none"    // the file has none, or nobody here reads its kind
	Failed  State = "failed"  // it was not read, or not to its end
	Waiting State = "waiting" // it will be read
)

// States are all states.
func States() []State { return []State{Indexed, None, Failed, Waiting} }

// Result is what is known of the text of a file.
type Result struct {
	State  State
	Reason string // why, for people; "" if all is well
	// Kind and Version are the reader's. Of a file whose kind nobody reads, Version
	// is that of the table (see VersionOf).
	Kind    Kind
	Version int
	// Text is valid UTF-8 without control characters but newlines. One that failed
	// may have some, of what was read by then.
	Text string
}

// VersionOf is the version with which a file of this kind is read: that of its
// reader, with those of all others if there are files in it; if there is none, a
// number that changes with the table.
func VersionOf(readers []Reader, kind Kind) int {
	if r, ok := readerOf(readers, kind); ok {
		version := r.Version
		for _, other := range readers {
			if kind.HoldsFiles() { // which any of them may read better than before
				version += other.Version
			}
		}
		return version
	}
	sum := fnv.New32a()
	for _, r := range readers {
		fmt.Fprintln(sum, r.Kind)
	}
	return int(sum.Sum32() &^ (1 << 31))
}

func readerOf(readers []Reader, kind Kind) (Reader, bool) {
	i := slices.IndexFunc(readers, func(r Reader) bool { return r.Kind == kind })
	if i < 0 {
		return Reader{}, false
	}
	return readers[i], true
}

// Read reads a file with the reader of its kind. It returns at the latest a second
// after the reader's limit. The error is that of ctx, of the file's bytes, or
// ErrUnavailable, and then nothing is known of the file.
func Read(ctx context.Context, readers []Reader, f File) (Result, error) {
	kind, err := KindOf(ctx, f)
	if err != nil {
		return Result{}, err
	}
	return ReadAs(ctx, readers, kind, f)
}

// ReadAs is Read for who knows what KindOf says of the file.
func ReadAs(ctx context.Context, readers []Reader, kind Kind, f File) (Result, error) {
	result := Result{State: None, Kind: kind, Version: VersionOf(readers, kind)}
	reader, ok := readerOf(readers, kind)
	if !ok {
		result.Reason = kind.unread()
		return result, nil
	}
	if f.Size > MaxInput {
		result.State, result.Reason = Failed, ErrTooLarge.Error()
		return result, nil
	}
	f.nest = newNest(readers)
	text, note, err := reader.run(ctx, f)
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	if errors.Is(err, ErrUnavailable) {
		return Result{}, err
	}
	result.Text = text
	switch {
	case err != nil:
		result.State, result.Reason = Failed, reason(err)
	case text == "":
		result.Reason = cmp.Or(note, "there is no text in it")
	case len(text) >= MaxText:
		result.State, result.Reason = Indexed, fmt.Sprintf("only its first %d MiB of text", MaxText>>20)
	default:
		result.State, result.Reason = Indexed, note
	}
	return result, nil
}

// run reads. A panic is a defect of the reader, which a hostile file finds first: it
// ends that file's reading and nothing else.
func (r Reader) run(ctx context.Context, f File) (text, note string, err error) {
	type told struct{ text, note string }
	is, err := bounded(ctx, r.Limit, func(ctx context.Context) (is told, err error) {
		out := &Output{}
		defer func() { is = told{out.String(), out.note} }()
		defer guard(&err)
		return told{}, r.Read(ctx, f, out)
	})
	return is.text, is.note, err
}

// guard makes an error of a panic.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: reading it failed: %v", ErrMalformed, p)
	}
}

// bounded does something in a goroutine of its own, and leaves that behind if it
// does not come back in time.
func bounded[T any](ctx context.Context, limit time.Duration, do func(context.Context) (T, error)) (T, error) {
	cancel := context.CancelFunc(func() {})
	if limit == 0 {
		limit = DefaultLimit
	}
	if limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	type end struct {
		of  T
		err error
	}
	ended := make(chan end, 1)
	go func() {
		of, err := do(ctx)
		ended <- end{of, err}
	}()
	select {
	case e := <-ended:
		return e.of, e.err
	case <-ctx.Done():
	}
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case e := <-ended:
		return e.of, e.err
	case <-patience.C:
		var none T
		return none, ErrTooLong
	}
}

// reason says for people what an error says. Only the texts of this package are
// told: those of a library may have parts of the file in them.
func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		err = ErrTooLong
	}
	for _, known := range reasons {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return ErrMalformed.Error()
}

// ErrorOf returns the error of this package that a reason of a failure stands for.
func ErrorOf(reason string) error {
	for _, known := range reasons {
		if known.Error() == reason {
			return known
		}
	}
	return ErrMalformed
}

package extract

import (
	"errors"
	"fmt"
)

var (
	// ErrTooLarge: the file is larger than MaxInput.
	ErrTooLarge = fmt.Errorf("the file is larger than %d MiB", MaxInput>>20)
	// ErrEncrypted: it takes a password to read the file.
	ErrEncrypted = errors.New("the file is encrypted")
	// ErrMalformed: the file is not what it says it is, or swells beyond measure.
	ErrMalformed = errors.New("the file is malformed")
	// ErrTruncated: the end of the file is missing, with the directory in it.
	ErrTruncated = errors.New("the file is cut off: its end is missing")
	// ErrSwells: it unpacks to far more than such files do.
	ErrSwells = errors.New("the file unpacks to more than it may")
	// ErrTooDeep: it is a file in a file in a file, and so on.
	ErrTooDeep = errors.New("it is too deep within other files")
	// ErrTooLong: the reader had to be stopped.
	ErrTooLong = errors.New("reading it takes longer than it may")
	// ErrTooMuch: it takes more memory than a reader has.
	ErrTooMuch = errors.New("reading it takes more memory than it may")
	// ErrCrashed: the process that read it came to an end.
	ErrCrashed = errors.New("the reader ended while it read it")
	// ErrUnavailable: the reader cannot run now. The file is not to blame, and is
	// read later.
	ErrUnavailable = errors.New("the reader cannot run now")
)

// reasons are what can be said of a file that failed.
var reasons = []error{ErrTooLarge, ErrEncrypted, ErrTruncated, ErrSwells, ErrTooDeep, ErrTooLong, ErrTooMuch, ErrCrashed, ErrMalformed, ErrNoPage}

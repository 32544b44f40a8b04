package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"strongroom/engine"
)

// OCR is what reads the text of files that say nothing themselves.
type OCR struct {
	// Command is a program and its arguments, in which {} stands for the name of a
	// copy of the file. Without one, the file is its standard input. What it writes to
	// its standard output is the text.
	Command []string
	// Timeout is how long it may take for a file; 0 is DefaultOCRTimeout.
	Timeout time.Duration
	// Wanted says whether a file, of this name, has no text of its own.
	Wanted func(ctx context.Context, f io.ReaderAt, size int64, name string) (bool, error)
}

// DefaultOCRTimeout is how long a command may take for a file.
const DefaultOCRTimeout = 10 * time.Minute

// OCRError says that a file, which is in the vault, got no text.
type OCRError struct{ Err error }

func (e *OCRError) Error() string {
	return fmt.Sprintf("it is in the vault, without a text: %v", e.Err)
}

func (e *OCRError) Unwrap() error { return e.Err }

// ocr gives a version the text that the command reads in its file, if that has none.
// The error is an *OCRError, or a *StoppedError.
func (m *Import) ocr(ctx context.Context, f *file, of versionRow) (read bool, err error) {
	select {
	case m.ocrs <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-m.ocrs }()
	text, err := m.ocrText(ctx, f)
	if err != nil {
		return false, &OCRError{err}
	}
	if text == "" {
		return false, nil
	}
	at := fmt.Sprintf("/v1/documents/%s/versions/%d/text", of.DocumentID, of.Number)
	req, err := m.line.Request(ctx, "PUT", at, strings.NewReader(text))
	if err != nil {
		return false, &OCRError{err}
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	if err := m.line.Exchange(req, &versionRow{}); err != nil {
		if err = final(err); errors.As(err, new(*StoppedError)) {
			return false, err
		}
		return false, &OCRError{err}
	}
	return true, nil
}

// ocrText is what the command reads in a file; "" if there is nothing, or the file
// says something itself.
func (m *Import) ocrText(ctx context.Context, f *file) (string, error) {
	from, err := open(m.source.root, f)
	if err != nil {
		return "", err
	}
	defer from.Close()
	name := path.Base(f.path)
	if wanted, err := m.source.options.OCR.Wanted(ctx, from, f.size, name); err != nil || !wanted {
		return "", err
	}
	text, err := m.source.options.OCR.run(ctx, io.NewSectionReader(from, 0, f.size), strings.ToLower(path.Ext(name)))
	if err == nil && !utf8.ValidString(text) {
		err = errors.New("what the command wrote is not UTF-8")
	}
	if strings.TrimSpace(text) == "" {
		text = ""
	}
	return text, err
}

// run runs the command. It is given a copy: the name of the file might stand for
// another by now, or be taken for an option.
func (o *OCR) run(ctx context.Context, file io.Reader, extension string) (string, error) {
	timeout := o.Timeout
	if timeout == 0 {
		timeout = DefaultOCRTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	arguments := slices.Clone(o.Command)
	if slices.ContainsFunc(arguments, func(a string) bool { return strings.Contains(a, "{}") }) {
		dir, err := os.MkdirTemp("", "strongroom-ocr-*")
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(dir)
		name := filepath.Join(dir, "file"+extension)
		if err := copyTo(name, file); err != nil {
			return "", err
		}
		for i, a := range arguments {
			arguments[i] = strings.ReplaceAll(a, "{}", name)
		}
		file = nil
	}
	cmd := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	out, said := &bounded{most: engine.MaxText, stop: cancel}, &bounded{most: 500}
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = file, out, said, 2*time.Second
	err := cmd.Run()
	switch {
	case out.over:
		return "", fmt.Errorf("the command wrote more than %d MiB of text", engine.MaxText>>20)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", fmt.Errorf("the command took longer than %v", timeout)
	case err != nil:
		return "", fmt.Errorf("the command failed: %w", errors.Join(err, said.words()))
	}
	return out.String(), nil
}

func copyTo(name string, from io.Reader) error {
	to, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// bounded keeps the beginning of what is written to it, and may stop who writes more.
type bounded struct {
	bytes.Buffer
	most int
	over bool
	stop func()
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.most - b.Len()
	if b.Buffer.Write(p[:min(len(p), room)]); len(p) > room {
		if b.over = true; b.stop != nil {
			b.stop()
		}
	}
	return len(p), nil
}

// words are those that were written, on one line, as an error; nil if there are none.
func (b *bounded) words() error {
	words := strings.Join(strings.Fields(strings.ToValidUTF8(b.String(), "?")), " ")
	if words == "" {
		return nil
	}
	return errors.New(words)
}

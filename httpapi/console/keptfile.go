package console

import "os"

// keptFile writes a file whole or not at all: it is written beside it and renamed, so
// that a crash leaves the one from before. It is not synced: what these files hold may
// be lost. kept is told of it; nil: nobody.
func keptFile(file string, content []byte, kept func(string) error) error {
	beside := file + ".new"
	if err := os.WriteFile(beside, content, 0o600); err != nil {
		return err
	}
	if err := os.Rename(beside, file); err != nil || kept == nil {
		return err
	}
	return kept(file)
}

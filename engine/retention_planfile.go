package engine

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

// The plans of runs, and the lists of what they left alone, are files below the
// vault's directory. They are derived, so they may be deleted at any time. A run
// whose plan is gone ends with what it has done, and the next run does the rest.
// Of a run whose list is gone, only the log still tells what it did.
//
//	retention/<digest>.plan   of the run that is not completed: a line for each document
//	retention/<run>.left      of completed runs: the lines of the documents left alone
//
// A line is
//
//	document " " action " " policy " " because LF
//
// and the SHA-256 of a plan's lines is its digest.
const (
	dirRetention = "retention"
	planSuffix   = ".plan"
	leftSuffix   = ".left"
)

// leftKept is how many runs' lists of what was left alone are kept.
const leftKept = 100

// appendTo spells a line.
func (p *planLine) appendTo(b []byte) []byte {
	return fmt.Appendf(b, "%s %s %s %s\n", p.documentID, p.action, p.policyID, p.because)
}

var errPlanLine = errors.New("not a line of a plan")

// parsePlanLine reads a line.
func parsePlanLine(line string) (p planLine, err error) {
	parts := strings.Split(line, " ")
	if len(parts) != 4 {
		return p, errPlanLine
	}
	p.documentID, p.policyID = parts[0], parts[2]
	p.action, p.because = Action(parts[1]), Result(parts[3])
	_, isID := store.ParseID(p.documentID)
	if !isID || p.action != ActionArchive && p.action != ActionDelete ||
		!slices.Contains([]Result{ResultDue, ResultHeld, ResultLocked, ResultProtected, ResultFailed}, p.because) {
		return p, errPlanLine
	}
	return p, nil
}

// digester makes the digest of a plan.
type digester struct {
	hash  hash.Hash
	lines int
	text  []byte // of the last page
}

func newDigester() *digester { return &digester{hash: sha256.New()} }

func (d *digester) add(lines []planLine) {
	d.text = d.text[:0]
	for i := range lines {
		d.text = lines[i].appendTo(d.text)
	}
	d.lines += len(lines)
	d.hash.Write(d.text)
}

func (d *digester) digest() audit.Hash { return audit.Hash(d.hash.Sum(nil)) }

// emptyPlan is the digest of a plan without a line.
func emptyPlan() audit.Hash { return newDigester().digest() }

// plan is the file that a run works off.
type plan struct {
	digest audit.Hash
	lines  int
}

// writePlan makes a plan. If it has a line, its file is on disk afterwards.
func (v *Vault) writePlan(ctx context.Context, p *planner) (plan, error) {
	d := newDigester()
	var f *os.File
	fresh := v.retentionFile("new" + planSuffix)
	err := p.each(ctx, func(lines []planLine) (err error) {
		if f == nil {
			if f, err = v.newRetentionFile(fresh); err != nil {
				return err
			}
		}
		d.add(lines)
		_, err = f.Write(d.text)
		return err
	})
	if f == nil {
		return plan{d.digest(), 0}, err
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return plan{}, errors.Join(err, os.Remove(fresh))
	}
	return plan{d.digest(), d.lines}, blobstore.Rename(fresh, v.planFile(d.digest()))
}

func (v *Vault) retentionFile(name string) string { return filepath.Join(v.dir, dirRetention, name) }

func (v *Vault) planFile(digest audit.Hash) string {
	return v.retentionFile(digest.String() + planSuffix)
}

func (v *Vault) leftFile(runID string) string { return v.retentionFile(runID + leftSuffix) }

func (v *Vault) newRetentionFile(path string) (*os.File, error) {
	if err := os.Mkdir(filepath.Dir(path), 0o700); err == nil {
		if err := blobstore.SyncDir(v.dir); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

// readPlan reads the lines of a plan, at most so many at a time, and hands them
// to fn. A file that is gone, or is not the plan of that digest, has none.
func (v *Vault) readPlan(digest audit.Hash, most int, fn func([]planLine) error) error {
	f, err := os.Open(v.planFile(digest))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil || audit.Hash(h.Sum(nil)) != digest {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var page []planLine
	lines := bufio.NewScanner(f)
	for more := true; more; {
		page = page[:0]
		for more = lines.Scan(); more; more = lines.Scan() {
			line, err := parsePlanLine(lines.Text())
			if err != nil {
				return err
			}
			if page = append(page, line); len(page) == most {
				break
			}
		}
		if len(page) == 0 {
			break
		}
		if err := fn(page); err != nil {
			return err
		}
	}
	return lines.Err()
}

// dropPlans removes all plans. The caller holds planning, and no run is
// unfinished, so nobody works one off.
func (v *Vault) dropPlans() error {
	paths, err := v.retentionFiles(planSuffix)
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// dropLeft removes the oldest lists of what was left alone.
func (v *Vault) dropLeft() error {
	paths, err := v.retentionFiles(leftSuffix) // in the order of the runs
	for len(paths) > leftKept {
		err = errors.Join(err, os.Remove(paths[0]))
		paths = paths[1:]
	}
	return err
}

// retentionFiles lists files by name.
func (v *Vault) retentionFiles(suffix string) (paths []string, err error) {
	entries, err := os.ReadDir(filepath.Join(v.dir, dirRetention))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			paths = append(paths, v.retentionFile(e.Name()))
		}
	}
	return paths, err
}

// leftLines reads the lines of a run's list from a place in it, at most so many,
// and says where to go on. A list that is gone, or damaged, has none.
func (v *Vault) leftLines(runID string, from int64, most int) (lines []planLine, next int64, err error) {
	f, err := os.Open(v.leftFile(runID))
	if errors.Is(err, os.ErrNotExist) {
		return nil, from, nil
	}
	if err != nil {
		return nil, from, err
	}
	defer f.Close()
	r := bufio.NewReader(io.NewSectionReader(f, from, 1<<62))
	for len(lines) < most {
		text, err := r.ReadBytes('\n')
		line, bad := parsePlanLine(string(bytes.TrimSuffix(text, []byte("\n"))))
		if err != nil || bad != nil {
			return lines, from, nil
		}
		lines, from = append(lines, line), from+int64(len(text))
	}
	return lines, from, nil
}

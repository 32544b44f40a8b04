package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

// Made is a backup that counts.
type Made struct {
	Head        string `json:"head"`
	Documents   uint64 `json:"documents"`
	Versions    uint64 `json:"versions"`
	Files       uint64 `json:"files"`
	Bytes       int64  `json:"bytes"`
	Copied      uint64 `json:"copied"`
	CopiedBytes int64  `json:"copiedBytes"`
	Removed     uint64 `json:"removed"`
	Rechecked   uint64 `json:"rechecked"` // files of the earlier backup that were read again
	Mended      uint64 `json:"mended"`    // of those
	Missing     uint64 `json:"missing"`   // files that neither vault nor backup has whole
	// Damaged are the files that were damaged in the vault or in the backup.
	Damaged []Damaged `json:"damaged"`
}

// Damaged is a file that a backup found damaged.
type Damaged struct {
	Digest   string   `json:"digest"`
	Versions []string `json:"versions"`         // "<document> version <n>"
	Vault    string   `json:"vault,omitzero"`   // what is wrong with the vault's
	Backup   string   `json:"backup,omitzero"`  // what was wrong with the backup's
	Missing  bool     `json:"missing,omitzero"` // neither is whole
	Says     string   `json:"says"`             // all of that, for a person
}

func madeOf(r engine.BackupReport) *Made {
	made := &Made{
		Head: r.Head.Text(), Documents: r.Documents, Versions: r.Versions, Files: r.Blobs, Bytes: r.Bytes, Copied: r.CopiedBlobs,
		CopiedBytes: r.CopiedBytes, Removed: r.RemovedBlobs, Rechecked: r.Reread, Mended: r.Mended, Missing: r.Lost, Damaged: []Damaged{},
	}
	for _, f := range r.Damaged {
		made.Damaged = append(made.Damaged, Damaged{f.Digest.String(), append([]string{}, f.Versions...), f.Vault, f.Backup, f.Missing, f.String()})
	}
	return made
}

// backupLine is a line of the answer: how far it is, or, last, what came of it.
type backupLine struct {
	Done  int64  `json:"done,omitzero"`
	Total int64  `json:"total,omitzero"`
	Made  *Made  `json:"made,omitzero"`
	Error string `json:"error,omitzero"`
}

// Backup asks the other end to back its vault up to the directory named after it
// below to, an absolute path of this machine. recheck and signKey are those of engine.BackupOptions. While it is at work, it says how many
// bytes of how many are done, every second or so. A backup that counts, but found
// something damaged or has no entry, comes with an error.
func (c *Client) Backup(ctx context.Context, to string, recheck float64, signKey bool, progress func(done, total int64)) (*Made, error) {
	resp, err := c.open(ctx, "POST", RouteBackup, backupInput{to, recheck, signKey})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	for lines := json.NewDecoder(bufio.NewReader(resp.Body)); ; {
		var line backupLine
		if err := lines.Decode(&line); err != nil {
			return nil, fmt.Errorf("the backup was broken off: %w", err)
		}
		switch {
		case line.Error != "":
			return line.Made, errors.New(line.Error)
		case line.Made != nil:
			return line.Made, nil
		}
		progress(line.Done, line.Total)
	}
}

type backupInput struct {
	To      string  `json:"to"`
	Recheck float64 `json:"recheck,omitzero"`
	SignKey bool    `json:"signKey,omitzero"`
}

// backup is that route of the control socket, and of no other listener: it
// writes to a path of this machine.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	var in backupInput
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&in); err != nil || !filepath.IsAbs(in.To) {
		refuse(w, http.StatusBadRequest, "INVALID_REQUEST_BODY", "to must be an absolute path")
		return
	}
	if err := os.Mkdir(in.To, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		refuse(w, http.StatusBadRequest, "INVALID_REQUEST_BODY", err.Error())
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.running, cancel)() // a server that stops does not wait for it
	name := r.Header.Get(vaultHeader)
	out := json.NewEncoder(w)
	var said time.Time
	report, _, err := s.vaults[name].Backup(ctx, engine.Operator(), engine.BackupOptions{
		To: filepath.Join(in.To, name), Recheck: in.Recheck, SignKey: in.SignKey,
		Progress: func(done, total int64) {
			if now := time.Now(); now.Sub(said) > time.Second {
				said = now
				out.Encode(backupLine{Done: done, Total: total})
				http.NewResponseController(w).Flush()
			}
		},
	})
	var last backupLine
	if report.Head.Seq != 0 { // it counts
		last.Made = madeOf(report)
		s.log.Info().Str("vault", name).Str("to", in.To).Uint64("seq", report.Head.Seq).Str("made", audit.FormatTime(report.Made)).Msg("backup")
	}
	if err != nil {
		os.Remove(in.To) // if it was made for this, and is empty
		last.Error = err.Error()
		s.log.Error().Str("vault", name).Str("to", in.To).Err(err).Msg("backup failed")
	}
	out.Encode(last)
}

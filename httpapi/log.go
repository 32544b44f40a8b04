package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"strongroom/audit"
	"strongroom/engine"
)

// The log as a tiled transparency log (C2SP tlog-tiles): its checkpoint, the hashes
// of its tree, its lines; and proofs of single entries.

const (
	textMedia = "text/plain; charset=utf-8"
	tileMedia = "application/octet-stream"
	// proofMedia is of a .tlog-proof, which is text.
	proofMedia = textMedia
)

func (s *Server) logRoutes() []route {
	routes := []route{
		stream("GET", "/v1/log/checkpoint", view, "Read a checkpoint of the log that is signed now, or was when anything changed last (C2SP tlog-checkpoint)", textMedia, getCheckpoint,
			engine.ErrContradicted, engine.ErrSignKey, noSpace),
		endpoint("GET", "/v1/log/key", 200, view, "Read the key that checkpoints are checked with", getLogKey, engine.ErrSignKey, noSpace),
		stream("GET", "/v1/log/tile/*tile", view, "Read hashes of the log's tree, or lines of the log (C2SP tlog-tiles)", tileMedia, getTile, engine.ErrTileNotFound),
		stream("GET", "/v1/audit/entries/:seq/proof", view, "Prove an audit entry to anybody, offline (C2SP tlog-proof)", proofMedia, proveEntry,
			engine.ErrEntryNotFound, engine.ErrNoCheckpoint, engine.ErrContradicted, engine.ErrSignKey, noSpace),
		stream("GET", "/v1/documents/:id/versions/:n/proof", view, "Prove to anybody, offline, that the vault took this version, and when (C2SP tlog-proof)", proofMedia, proveVersion,
			noDocument, noVersion, engine.ErrContradicted, engine.ErrSignKey, noSpace),
		endpoint("GET", "/v1/documents/:id/integrity-report", 200, view, "Read all that the vault can show of a document, from reception to now, signed by the key of the log", getIntegrityReport,
			noDocument, engine.ErrContradicted, engine.ErrSignKey, noSpace),
	}
	if len(s.options.PublicLogs) > 0 {
		routes = append(routes,
			stream("GET", "/log/:vault/checkpoint", open, "Read the last checkpoint of a log that stands open to all", textMedia, s.getPublicCheckpoint, engine.ErrNoCheckpoint, engine.ErrUnavailable),
			stream("GET", "/log/:vault/tile/*tile", open, "Read hashes of the tree of a log that stands open to all, and its lines if these do", tileMedia, s.getPublicTile, engine.ErrTileNotFound, engine.ErrUnavailable),
		)
	}
	return routes
}

// LogKey is what checkpoints and proofs are checked with.
type LogKey struct {
	Origin string `json:"origin" doc:"The name of the log, the first line of its checkpoints."`
	VKey   string `json:"vkey" doc:"The verifier key, as C2SP signed-note has it. Keep it where the vault cannot change it: a proof is worth what is known of its key."`
	MLDSA  string `json:"mldsa,omitzero" doc:"The verifier key of the second signature on checkpoints, of ML-DSA-44; absent if the vault has no such key: see serve --mldsa."`
}

func getLogKey(ctx context.Context, c caller, _ struct{}) (reply[LogKey], error) {
	key, err := c.vault.LogKey(ctx)
	return answer(LogKey{key.Origin, key.Verifier, key.MLDSA}), err
}

func getCheckpoint(c caller, x *exchange, r *http.Request, _ struct{}) error {
	checkpoint, err := c.vault.Checkpoint(r.Context())
	if err != nil {
		return err
	}
	return x.checkpoint(r.Context(), c.vault, checkpoint, "no-store")
}

// checkpoint answers with a checkpoint and all its signatures.
func (x *exchange) checkpoint(ctx context.Context, v *engine.Vault, c engine.Checkpoint, cache string) error {
	note, err := v.SignTwice(ctx, c)
	if err != nil {
		return err
	}
	x.Header().Set("Cache-Control", cache)
	return x.write(textMedia, note)
}

// write answers with bytes that are there.
func (x *exchange) write(media string, body []byte) error {
	h := x.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	x.WriteHeader(http.StatusOK)
	_, err := x.Write(body)
	return err
}

type proofInput struct {
	Seq   entrySeq `path:"seq"`
	MLDSA bool     `query:"mldsa" doc:"With the second signature, of ML-DSA-44, on the checkpoint, if the vault has such a key: 3.3 KB more."`
}

func proveEntry(c caller, x *exchange, r *http.Request, in proofInput) error {
	proof, err := c.vault.ProveEntry(r.Context(), uint64(in.Seq))
	if err == nil && in.MLDSA {
		proof.Proof.Checkpoint, err = c.vault.SignTwice(r.Context(), proof.Checkpoint)
	}
	if err != nil {
		return err
	}
	return x.proof(proof.Proof, "entry-"+strconv.FormatUint(uint64(in.Seq), 10))
}

type versionProofInput struct {
	ID     string        `path:"id"`
	Number versionNumber `path:"n"`
	MLDSA  bool          `query:"mldsa" doc:"With the second signature, of ML-DSA-44, on the checkpoint, if the vault has such a key: 3.3 KB more."`
}

func proveVersion(c caller, x *exchange, r *http.Request, in versionProofInput) error {
	proof, err := c.vault.ProveVersion(r.Context(), in.ID, uint64(in.Number))
	if err == nil && in.MLDSA {
		proof.Proof.Checkpoint, err = c.vault.SignTwice(r.Context(), proof.Checkpoint)
	}
	if err != nil {
		return err
	}
	return x.proof(proof.Proof, in.ID+"-"+strconv.FormatUint(uint64(in.Number), 10))
}

// IntegrityReport is a report and its signature.
type IntegrityReport struct {
	Report    json.RawMessage `json:"report" doc:"The document, its versions with digest, time, entry and proof, the holds, what protects it today and has protected it over time (protection.overTime), what was decided on it, its history, and the checkpoint. No claim of conformance with any standard."`
	Digest    string          `json:"digest" doc:"The SHA-256 of the bytes of report as they stand in this answer, without blanks around them: jq -jc .report prints them."`
	Signature string          `json:"signature" doc:"A signed note (C2SP signed-note) of the key that GET /v1/log/key names: a title, the document's id, the time, and the digest."`
}

type reportInput struct {
	ID string `path:"id"`
}

func getIntegrityReport(ctx context.Context, c caller, in reportInput) (reply[IntegrityReport], error) {
	r, err := c.vault.IntegrityReport(ctx, in.ID)
	return answer(IntegrityReport{r.JSON, "sha256:" + r.Digest.String(), string(r.Signature)}), err
}

func (x *exchange) proof(p audit.Proof, name string) error {
	h := x.Header()
	h.Set("Content-Disposition", disposition("attachment", name+".tlog-proof"))
	h.Set("Cache-Control", "no-store")
	return x.write(proofMedia, p.Marshal())
}

// tilePath is what stands behind tile/ in the address of a tile, as tlog-tiles has
// it: LEVEL/N, or entries/N for lines, and for one that is not full .p/WIDTH. N is
// cut in threes: x001/x234/067.
type tilePath struct {
	engine.Tile
	lines bool
}

// bind knows one spelling of each tile.
func (p *tilePath) bind(s string) error {
	level, rest, ok := strings.Cut(strings.TrimPrefix(s, "/"), "/")
	if level == "entries" {
		p.lines, level = true, "0"
	}
	p.Width = 256
	if name, width, partial := strings.Cut(rest, ".p/"); partial {
		n, err := strconv.ParseUint(width, 10, 8)
		ok = ok && err == nil && n > 0 && strconv.FormatUint(n, 10) == width
		rest, p.Width = name, int(n)
	}
	n, err := strconv.ParseUint(level, 10, 6)
	ok = ok && err == nil && strconv.FormatUint(n, 10) == level
	p.Level = int64(n)
	parts := strings.Split(rest, "/")
	for i, part := range parts {
		digits, more := strings.CutPrefix(part, "x")
		n, err := strconv.ParseUint(digits, 10, 16)
		ok = ok && more == (i < len(parts)-1) && len(digits) == 3 && err == nil && (i > 0 || !more || n > 0) && i < 6
		p.N = p.N*1000 + int64(n)
	}
	if !ok {
		return engine.ErrTileNotFound
	}
	return nil
}

type tileInput struct {
	Tile tilePath `path:"tile" doc:"LEVEL/N, or entries/N for the lines: N in groups of three digits, all but the last behind an x and a slash (x001/x234/067); .p/WIDTH behind it for a tile that is not full."`
}

func getTile(c caller, x *exchange, r *http.Request, in tileInput) error {
	return sendTile(c.vault, x, r, in.Tile, "private")
}

func sendTile(v *engine.Vault, x *exchange, r *http.Request, tile tilePath, scope string) error {
	var body []byte
	var err error
	if tile.lines {
		body, err = v.LogLines(r.Context(), tile.N, tile.Width)
	} else {
		body, err = v.LogTile(r.Context(), tile.Tile)
	}
	if err != nil {
		return err
	}
	// A tile never changes, but for the vault that a backup takes the place of.
	x.Header().Set("Cache-Control", scope+", max-age=600")
	return x.write(tileMedia, body)
}

type publicLogInput struct {
	Vault string `path:"vault" doc:"The name of the vault."`
}

// publicLog is a vault whose log stands open; nil for any other, as for one that is
// not there.
func (s *Server) publicLog(name string) *engine.Vault {
	if !slices.Contains(s.options.PublicLogs, name) {
		return nil
	}
	return s.vaults[name]
}

// getPublicCheckpoint signs nothing: strangers cause no entry.
func (s *Server) getPublicCheckpoint(_ caller, x *exchange, r *http.Request, in publicLogInput) error {
	v := s.publicLog(in.Vault)
	if v == nil {
		return engine.ErrNoCheckpoint
	}
	checkpoint, err := v.LastCheckpoint(r.Context())
	if err != nil {
		return err
	}
	return x.checkpoint(r.Context(), v, checkpoint, "no-cache")
}

type publicTileInput struct {
	Vault string   `path:"vault" doc:"The name of the vault."`
	Tile  tilePath `path:"tile" doc:"As in GET /v1/log/tile/{tile}."`
}

func (s *Server) getPublicTile(_ caller, x *exchange, r *http.Request, in publicTileInput) error {
	v := s.publicLog(in.Vault)
	if v == nil || in.Tile.lines && !s.options.PublicEntries {
		return engine.ErrTileNotFound
	}
	err := sendTile(v, x, r, in.Tile, "public")
	if errors.Is(err, engine.ErrEntryNotFound) {
		err = engine.ErrTileNotFound
	}
	return err
}

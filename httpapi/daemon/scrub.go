package daemon

import (
	"context"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
)

// scrub reads the bytes of a vault in the background, a second's worth at a
// time, and logs each file that is found damaged, once.
func scrub(ctx context.Context, v *engine.Vault, rate int64, log zerolog.Logger) {
	logged := map[engine.Digest]bool{}
	for ctx.Err() == nil {
		next, err := v.Scrub(ctx, rate)
		logDamaged(v, logged, log)
		pause := time.Second
		switch {
		case err != nil && ctx.Err() == nil:
			log.Error().Err(err).Msg("scrubbing failed; it is tried again")
			pause = sweepRetry
		case !next.IsZero():
			pause = min(max(time.Until(next), sweepPause), sweepLimit)
		}
		wait(ctx, pause)
	}
}

func logDamaged(v *engine.Vault, logged map[engine.Digest]bool, log zerolog.Logger) {
	damaged := v.Fixity().Damaged
	for digest := range logged {
		if !slices.ContainsFunc(damaged, func(d engine.DamagedBlob) bool { return d.Digest == digest }) {
			delete(logged, digest)
			log.Info().Str("digest", digest.String()).Msg("a file that was damaged, or not to be read, is whole again, or not needed any more")
		}
	}
	for _, d := range damaged {
		if !logged[d.Digest] {
			logged[d.Digest] = true
			says := "a file does not have the bytes it came with; restore it from a backup"
			if d.Denied {
				says = "a file may not be read by the user this runs as; give the vault's directory to that user (chown -R)"
			}
			log.Error().Str("digest", d.Digest.String()).Strs("versions", d.Versions).Str("problem", d.Problem).
				Msg(says)
		}
	}
}

package httpapi

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"strongroom/audit/verifier"
	"strongroom/engine"
)

//go:embed openapi.json
var openAPI []byte

// Description is the description of the API, as /openapi.json answers it: JSON of
// OpenAPI 3.1. The caller may keep it and change it.
func Description() []byte { return slices.Clone(openAPI) }

//go:embed openapi-docusign.json
var openAPIDocuSign []byte

func livez(context.Context, caller, struct{}) (reply[State], error) {
	return answer(State{Status: "ok"}), nil
}

// outage is a vault that cannot be used.
type outage struct {
	name  string
	vault *engine.Vault // nil if it was never opened
	err   error
}

func (o outage) String() string { return fmt.Sprintf("vault %q: %v", o.name, o.err) }

// down lists the vaults that cannot be used, by name.
func (s *Server) down() []outage {
	var list []outage
	for name, v := range s.vaults {
		if err := v.Ready(); err != nil {
			list = append(list, outage{name, v, err})
		}
	}
	for name, reason := range s.options.Unopened {
		list = append(list, outage{name, nil, errors.New(reason)})
	}
	slices.SortFunc(list, func(a, b outage) int { return strings.Compare(a.name, b.name) })
	return list
}

// readyz says whether every vault can be used, and, of those that can, what
// somebody has to look after: then it is ready all the same, but degraded. Why,
// is told to callers the server knows: the operator everything, others what
// concerns their own vault, and of other organizations nothing but that there is
// something that cannot be used.
func (s *Server) readyz(_ caller, x *exchange, r *http.Request, _ struct{}) error {
	vault, actor, err := s.options.Authenticate(r)
	down, warnings := s.down(), s.warnings(r.Context(), func(v *engine.Vault) *engine.Vault {
		if err == nil && vault != nil && vault.ID() == v.ID() {
			return v.As(actor) // what concerns their own vault is told as they may see it
		}
		return v
	})
	out, status := State{Status: "ok"}, http.StatusOK
	switch {
	case len(down) > 0:
		out.Status, status = "unavailable", http.StatusServiceUnavailable
		x.Header().Set("Retry-After", retryAfter)
	case len(warnings) > 0:
		out.Status = "degraded"
	case s.options.Search == nil && s.options.Cluster == nil:
		return x.answer(status, out)
	}
	if err == nil {
		x.user = actor.UserID
		for _, o := range down {
			out.Reasons = append(out.Reasons, o.toldTo(vault, actor))
		}
		out.Reasons = append(out.Reasons, told(warnings, vault, actor)...)
		slices.Sort(out.Reasons)
		out.Reasons = slices.Compact(out.Reasons)
		out.Search = s.reading(r.Context(), vault, actor)
		if s.options.Cluster != nil && vault != nil {
			out.Cluster = s.options.Cluster(vault)
		}
	}
	return x.answer(status, out)
}

// reading tells a caller how far search has come; nil of a vault that cannot be
// asked.
func (s *Server) reading(ctx context.Context, vault *engine.Vault, actor engine.Actor) *Reading {
	if s.options.Search == nil {
		return nil
	}
	if actor != engine.Operator() {
		r, err := s.options.Search.Reading(ctx, vault.As(actor), engine.DocumentQuery{})
		if err != nil {
			return nil
		}
		return &r
	}
	sum := &Reading{}
	for _, v := range s.vaults {
		r, err := s.options.Search.Reading(ctx, v, engine.DocumentQuery{})
		if err != nil {
			continue
		}
		sum.Behind, sum.Waiting, sum.Failed = sum.Behind+r.Behind, sum.Waiting+r.Waiting, sum.Failed+r.Failed
	}
	return sum
}

// warnings are what somebody has to look after, by the name of the vault. seen is a
// vault as they see it who are told.
func (s *Server) warnings(ctx context.Context, seen func(*engine.Vault) *engine.Vault) map[string][]string {
	all := map[string][]string{}
	if s.options.Warnings != nil {
		maps.Copy(all, s.options.Warnings()) // the host's own map is not written to
	}
	for name, v := range s.vaults {
		if own := concerns(ctx, seen(v)); len(own) > 0 {
			all[name] = append(slices.Clip(all[name]), own...)
		}
	}
	return all
}

// concerns are what a vault itself knows of: it can be read, but not all goes on.
func concerns(ctx context.Context, v *engine.Vault) []string {
	if v.Ready() != nil {
		return nil // worse than a concern, and told as such
	}
	list, err := v.Concerns(ctx)
	if err != nil {
		list = append(list, "its state cannot be read")
	}
	if err := v.Writable(); errors.Is(err, engine.ErrNoSpace) {
		list = append(list, "nothing can be written: "+err.Error())
	}
	return list
}

// told are the warnings that a caller may know.
func told(warnings map[string][]string, vault *engine.Vault, actor engine.Actor) (list []string) {
	for name, reasons := range warnings {
		for _, reason := range reasons {
			switch {
			case name != "" && actor == engine.Operator():
				list = append(list, fmt.Sprintf("vault %q: %s", name, reason))
			case name == "" || vault != nil && vault.Name() == name:
				list = append(list, reason)
			}
		}
	}
	return list
}

func (o outage) toldTo(vault *engine.Vault, actor engine.Actor) string {
	switch {
	case actor == engine.Operator():
		return o.String()
	case o.vault != nil && o.vault == vault:
		if e, ok := errors.AsType[*engine.UnavailableError](o.err); ok {
			return "the vault cannot be used: " + string(e.Reason)
		}
		return "the vault cannot be used"
	}
	return "another vault of this server cannot be used"
}

func (s *Server) version(context.Context, caller, struct{}) (reply[Build], error) {
	return answer(s.options.Build), nil
}

// getVerifier answers the page that checks proofs. It comes in a sandbox of its own, so
// that it reaches nothing here, whatever becomes of it.
func getVerifier(_ caller, x *exchange, _ *http.Request, _ struct{}) error {
	x.Header().Set("Content-Security-Policy", verifier.SecurityPolicy())
	x.Header().Set("Referrer-Policy", "no-referrer")
	x.answerBytes(http.StatusOK, "text/html; charset=utf-8", verifier.Page())
	return nil
}

func describeAPI(_ caller, x *exchange, _ *http.Request, _ struct{}) error {
	x.answerBytes(http.StatusOK, "application/json", openAPI)
	return nil
}

func describeDocuSign(_ caller, x *exchange, _ *http.Request, _ struct{}) error {
	x.answerBytes(http.StatusOK, "application/json", openAPIDocuSign)
	return nil
}

package httpapi

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"strongroom/engine"
)

//go:embed openapi.json
var openAPI []byte

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

// readyz says whether every vault can be used. Why not, is told to callers the
// server knows: the operator everything, others what concerns their own vault,
// and of other organizations nothing but that there is something. A vault that
// works, and has concerns, is ready: they are told to its own people.
func (s *Server) readyz(_ caller, x *exchange, r *http.Request, _ struct{}) error {
	down := s.down()
	if len(down) == 0 {
		return x.answer(http.StatusOK, s.concerns(x, r))
	}
	out := State{Status: "unavailable"}
	if vault, actor, err := s.options.Authenticate(r); err == nil {
		x.user = actor.UserID
		for _, o := range down {
			out.Reasons = append(out.Reasons, o.toldTo(vault, actor))
		}
		slices.Sort(out.Reasons)
		out.Reasons = slices.Compact(out.Reasons)
	}
	x.Header().Set("Retry-After", retryAfter)
	return x.answer(http.StatusServiceUnavailable, out)
}

// concerns is the state of a server whose vaults all work, as the caller may know
// it.
func (s *Server) concerns(x *exchange, r *http.Request) State {
	vault, actor, err := s.options.Authenticate(r)
	if err != nil {
		return State{Status: "ok"}
	}
	x.user = actor.UserID
	var reasons []string
	for name, v := range s.vaults {
		if v != vault && actor != engine.Operator() {
			continue
		}
		concerns, err := v.Concerns(r.Context())
		if err != nil {
			concerns = append(concerns, "its state cannot be read")
		}
		for _, concern := range concerns {
			reasons = append(reasons, fmt.Sprintf("vault %q: %s", name, concern))
		}
	}
	slices.Sort(reasons)
	if len(reasons) > 0 {
		return State{Status: "degraded", Reasons: reasons}
	}
	return State{Status: "ok"}
}

func (o outage) toldTo(vault *engine.Vault, actor engine.Actor) string {
	switch {
	case actor == engine.Operator():
		return o.String()
	case o.vault != nil && o.vault == vault:
		if e, ok := errors.AsType[*engine.UnavailableError](o.err); ok {
			return "the vault cannot be used: " + e.Reason
		}
		return "the vault cannot be used"
	}
	return "another vault of this server cannot be used"
}

func (s *Server) version(context.Context, caller, struct{}) (reply[Build], error) {
	return answer(s.options.Build), nil
}

func describeAPI(_ caller, x *exchange, _ *http.Request, _ struct{}) error {
	x.answerBytes(http.StatusOK, "application/json", openAPI)
	return nil
}

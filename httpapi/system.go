package httpapi

import (
	"context"
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var openAPI []byte

func livez(context.Context, caller, struct{}) (reply[State], error) {
	return answer(State{"ok"}), nil
}

// readyz says whether every vault can be used. Which one cannot, and why, is
// not for everybody: its own callers are told with each request.
func (s *Server) readyz(context.Context, caller, struct{}) (reply[State], error) {
	for _, v := range s.vaults {
		if err := v.Ready(); err != nil {
			return reply[State]{}, errNotReady
		}
	}
	return answer(State{"ok"}), nil
}

func (s *Server) version(context.Context, caller, struct{}) (reply[Build], error) {
	return answer(s.options.Build), nil
}

func describeAPI(_ caller, x *exchange, _ *http.Request, _ struct{}) error {
	x.answerBytes(http.StatusOK, "application/json", openAPI)
	return nil
}

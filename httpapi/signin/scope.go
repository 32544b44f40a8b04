package signin

import (
	"slices"
	"strings"

	"strongroom/engine"
)

// scopes are what may be asked for, and the access each stands for. The last three
// are DocuSign's: what its clients do with them is to upload.
var scopes = map[string]engine.Access{
	"view": engine.AccessView, "upload": engine.AccessUpload, "admin": engine.AccessAdmin,
	"signature": engine.AccessUpload, "extended": engine.AccessUpload, "impersonation": engine.AccessUpload,
}

var scopeNames = []string{"view", "upload", "admin", "signature", "extended", "impersonation"}

// parseScope returns the access that a scope asks for, and its one spelling. None
// asks for all there is.
func parseScope(text string) (engine.Access, string, error) {
	if text == "" {
		return engine.AccessAdmin, "", nil
	}
	var most engine.Access
	var names []string
	for name := range strings.SplitSeq(text, " ") {
		access, known := scopes[name]
		switch {
		case name == "":
		case !known:
			return 0, "", refuse(invalidScope, "a scope that is not known; there are %s", strings.Join(scopeNames, ", "))
		case !slices.Contains(names, name):
			most, names = max(most, access), append(names, name)
		}
	}
	if names == nil {
		return engine.AccessAdmin, "", nil
	}
	return most, strings.Join(names, " "), nil
}

// granted is the scope that an answer tells: what was asked for, if all of it is
// given, or else the access that is.
func granted(asked string, access engine.Access) string {
	most, _, _ := parseScope(asked)
	if asked == "" || most > access {
		return access.String()
	}
	return asked
}

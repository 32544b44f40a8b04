package signin

import (
	"slices"
	"strings"

	"strongroom/engine"
)

// scopes are what may be asked for, and the access each stands for. The last three
// are DocuSign's: what its clients do with them is to upload.
var scopes = map[string]engine.Access{
	"view": engine.AccessView, "upload": engine.AccessUpload, "admin": engine.AccessAdmin, "auditor": engine.AccessAuditor,
	"signature": engine.AccessUpload, "extended": engine.AccessUpload, "impersonation": engine.AccessUpload,
}

var scopeNames = []string{"view", "upload", "admin", "auditor", "signature", "extended", "impersonation"}

const maxScope = 500 // bytes

// parseScope returns the access that a scope asks for, and its one spelling. None
// asks for all there is. What is asked for is never widened: uploads and the reading
// of an auditor together are an admin's alone, and are not had without asking for
// that.
func parseScope(text string) (engine.Access, string, error) {
	if len(text) > maxScope {
		return 0, "", refuse(invalidScope, "the scope is too long")
	}
	most := engine.AccessNone
	var names []string
	for name := range strings.SplitSeq(text, " ") {
		access, known := scopes[name]
		switch {
		case name == "" || slices.Contains(names, name):
			continue
		case !known:
			return 0, "", refuse(invalidScope, "a scope that is not known; there are %s", strings.Join(scopeNames, ", "))
		case engine.Meet(most, access) == most:
			most = access
		case engine.Meet(most, access) != access:
			return 0, "", refuse(invalidScope, "auditor and upload cannot be had in one token; ask for one of them, or for admin")
		}
		names = append(names, name)
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
	if asked == "" || engine.Meet(most, access) != most {
		return access.String()
	}
	return asked
}

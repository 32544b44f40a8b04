package httpapi

import (
	"slices"

	"strongroom/engine"
)

const (
	open  = engine.AccessNone // to all, without a token
	view  = engine.AccessView
	write = engine.AccessUpload
	// to auditors and admins: what admins read, and nothing that changes
	readAll = engine.AccessAuditor
	admin   = engine.AccessAdmin
)

var (
	noUser     = engine.ErrUserNotFound
	noKey      = engine.ErrKeyNotFound
	noDocument = engine.ErrDocumentNotFound
	noField    = engine.ErrFieldNotFound
	noVersion  = engine.ErrVersionNotFound
	archived   = engine.ErrDocumentArchived
	deleted    = engine.ErrDocumentDeleted
	retained   = engine.ErrRetained
	onHold     = engine.ErrOnHold
	noSpace    = engine.ErrNoSpace // for the entry of a read

	noObligation = engine.ErrObligationNotFound
)

// routes is the table: method, path, status of success, access, what it does,
// the function that does it, and the errors it alone may answer with. It is
// written down in parts, one for each chapter of what the vault does.
func (s *Server) routes() []route {
	return slices.Concat(
		s.systemRoutes(), accessRoutes(), clientRoutes(), documentRoutes(), lockRoutes(), versionRoutes(), s.catalogueRoutes(),
		s.searchRoutes(), s.pageRoutes(), s.obligationRoutes(), s.holdRoutes(), exportRoutes(), s.retentionRoutes(), erasureRoutes(), approvalRoutes(),
		s.webhookRoutes(), s.auditRoutes(), s.logRoutes(), s.witnessRoutes(), docusign("/restapi/v2.1"), docusign("/v2.1"),
	)
}

func (s *Server) systemRoutes() []route {
	return []route{
		endpoint("GET", "/livez", 200, open, "Whether the server runs", livez),
		stream("GET", "/readyz", open, "Whether every vault can be used; why not, for callers with a key", jsonMedia, s.readyz),
		stream("GET", "/metrics", readAll, "What there is to be measured, for Prometheus", expositionMedia, s.getMetrics),
		endpoint("GET", "/v1/version", 200, open, "Which program this is", s.version),
		stream("GET", "/v1/verifier.html", open, "The page that checks a proof, in a browser and without a server: one file to be kept", "text/html", getVerifier),
		stream("GET", "/openapi.json", open, "This description", jsonMedia, describeAPI),
		stream("GET", "/openapi-docusign.json", open, "The description of what DocuSign's clients speak", jsonMedia, describeDocuSign),

		endpoint("GET", "/oauth/userinfo", 200, view, "Who asks, as OpenID Connect has it", getUserInfo),
		endpoint("GET", "/restapi/service_information", 200, open, "Which versions of DocuSign's API there are", s.serviceInformation),
		endpoint("GET", "/restapi/v2.1", 200, open, "What there is of DocuSign's API", listResources),
	}
}

func accessRoutes() []route {
	return []route{
		endpoint("GET", "/v1/me", 200, view, "Who asks, and what they may do", getMe),
		endpoint("POST", "/v1/me/calendar", 200, view, "Make the address of the calendar of one's own obligations; the one before ends", startCalendar),
		endpoint("DELETE", "/v1/me/calendar", 200, view, "End the address of one's calendar", endCalendar),

		endpoint("POST", "/v1/users", 201, admin, "Create a user", createUser, engine.ErrExists).orApproval(),
		endpoint("GET", "/v1/users", 200, view, "List the users", listUsers),
		endpoint("GET", "/v1/users/:id", 200, view, "Read a user", getUser, noUser),
		endpoint("PATCH", "/v1/users/:id", 200, admin, "Change or close a user", updateUser, noUser, engine.ErrExists, engine.ErrLastAdmin).orApproval(),

		endpoint("POST", "/v1/api-keys", 201, admin, "Create an API key; its secret is shown this once", createKey).orApproval(),
		endpoint("GET", "/v1/api-keys", 200, readAll, "List the API keys, without their secrets", listKeys),
		// Admin, or the key itself: the engine tells them apart.
		endpoint("POST", "/v1/api-keys/:id/rotate", 201, view, "Replace an API key by a successor (admin, or that key itself)", rotateKey, noKey).orApproval(),
		endpoint("DELETE", "/v1/api-keys/:id", 200, admin, "Revoke an API key at once", revokeKey, noKey),
	}
}

func documentRoutes() []route {
	return []route{
		endpoint("POST", "/v1/documents", 201, write, "Upload a document", createDocument, engine.ErrExists),
		endpoint("GET", "/v1/documents", 200, view, "List documents", listDocuments),
		endpoint("GET", "/v1/folders", 200, view, "List the folders below one, with how many documents lie there", listFolders),
		endpoint("GET", "/v1/documents/:id", 200, view, "Read a document", getDocument, noDocument, deleted),
		endpoint("PATCH", "/v1/documents/:id", 200, write, "Change the metadata of a document", updateDocument, noDocument, deleted, retained, engine.ErrExists),
		endpoint("DELETE", "/v1/documents/:id", 200, admin, "Delete a document with all its versions, for good", deleteDocument, noDocument, archived, onHold, retained).orApproval(),
		endpoint("POST", "/v1/documents/:id/archive", 200, admin, "Archive a document", archiveDocument, noDocument, deleted, onHold),
		endpoint("POST", "/v1/documents/:id/unarchive", 200, admin, "Take a document out of the archive", unarchiveDocument, noDocument, deleted),
		endpoint("POST", "/v1/documents/:id/restriction", 200, admin, "Restrict a document: only admins and auditors see it then", restrictDocument, noDocument, deleted),
		endpoint("DELETE", "/v1/documents/:id/restriction", 200, admin, "Show a document to all again that was restricted by hand", unrestrictDocument, noDocument, deleted),
	}
}

func lockRoutes() []route {
	return []route{
		endpoint("POST", "/v1/documents/:id/lock", 201, write, "Lock a document for editing", acquireLock, noDocument, deleted, engine.ErrLocked, engine.ErrLockState, engine.ErrThrottled),
		endpoint("GET", "/v1/documents/:id/lock", 200, view, "Read the lock of a document; the token only with the API key that took it", getLock, noDocument, deleted, engine.ErrNotLocked),
		endpoint("PUT", "/v1/documents/:id/lock", 200, write, "Prolong one's lock", renewLock, noDocument, deleted),
		endpoint("DELETE", "/v1/documents/:id/lock", 200, write, "Release one's lock, and save or drop what was done under it", releaseLock, noDocument, deleted, onHold, retained, engine.ErrExists),
		endpoint("POST", "/v1/documents/:id/lock/break", 200, admin, "Break somebody's lock", breakLock, noDocument, deleted, engine.ErrNotLocked).orApproval(),
	}
}

func versionRoutes() []route {
	return []route{
		stream("GET", "/v1/documents/:id/content", view, "Download the current version", anyMedia, downloadCurrent, noDocument, deleted, errPrecondition, errRange, noSpace),
		endpoint("POST", "/v1/documents/:id/versions", 201, write, "Upload a version; it becomes the current one", addVersion, noDocument, deleted, archived),
		endpoint("GET", "/v1/documents/:id/versions", 200, view, "List the versions of a document, newest first", listVersions, noDocument, deleted),
		endpoint("GET", "/v1/documents/:id/versions/:n", 200, view, "Read a version", getVersion, noDocument, noVersion, deleted),
		stream("GET", "/v1/documents/:id/versions/:n/content", view, "Download a version", anyMedia, downloadVersion, noDocument, noVersion, deleted, errPrecondition, errRange, noSpace),
		endpoint("PUT", "/v1/documents/:id/versions/:n/text", 200, write, "Give a version a text, as OCR has read it; it is found beside what the file says", setText,
			noDocument, noVersion, deleted, engine.ErrLocked, engine.ErrLockState, engine.ErrTooLarge),
		endpoint("POST", "/v1/documents/:id/versions/:n/restore", 201, write, "Make a new version with the bytes of an old one", restoreVersion, noDocument, noVersion, deleted, archived),
		endpoint("GET", "/v1/certificates/:documentId", 200, view, "Read the deletion certificate of a document", getCertificate, engine.ErrCertificateNotFound),
	}
}

func (s *Server) catalogueRoutes() []route {
	return []route{
		stream("POST", "/v1/bulk/documents", write, "Change the metadata of many documents, each by itself", jsonMedia, s.bulkDocuments),
		stream("POST", "/v1/bulk/archive", admin, "Archive many documents, each by itself", jsonMedia, s.bulkArchive),
		stream("POST", "/v1/bulk/unarchive", admin, "Take many documents out of the archive, each by itself", jsonMedia, s.bulkUnarchive),

		endpoint("POST", "/v1/fields", 201, admin, "Define a custom field", createField, engine.ErrExists),
		endpoint("GET", "/v1/fields", 200, view, "List the custom fields, in the order of their keys", listFields),
		endpoint("GET", "/v1/fields/:key", 200, view, "Read the definition of a custom field", getField, noField),
		endpoint("PATCH", "/v1/fields/:key", 200, admin, "Change the definition of a custom field", updateField, noField, engine.ErrFieldInUse),
		endpoint("DELETE", "/v1/fields/:key", 200, admin, "Delete a custom field", deleteField, noField, engine.ErrFieldInUse),

		endpoint("GET", "/v1/settings", 200, readAll, "Read the settings", getSettings),
		endpoint("PATCH", "/v1/settings", 200, admin, "Change the settings", updateSettings, engine.ErrPreviewRequired).orApproval(),
	}
}

func (s *Server) obligationRoutes() []route {
	return []route{
		// Static, beside /v1/obligations/:id: see find.
		stream("GET", calendarPattern, open, "Read the obligations of a user as a calendar (RFC 5545), by the token of its address", calendarMedia, s.getCalendar, engine.ErrCalendarNotFound, ErrLimited, errUnverified),
		endpoint("POST", "/v1/obligations", 201, write, "Create an obligation", createObligation),
		endpoint("GET", "/v1/obligations", 200, view, "List obligations as they are due", listObligations),
		endpoint("GET", "/v1/obligations/:id", 200, view, "Read an obligation", getObligation, noObligation),
		endpoint("PATCH", "/v1/obligations/:id", 200, write, "Change an obligation", updateObligation, noObligation),
		endpoint("DELETE", "/v1/obligations/:id", 200, write, "Delete an obligation; the answer is what it was", deleteObligation, noObligation),
		endpoint("POST", "/v1/obligations/:id/complete", 200, write, "Complete an obligation; one that recurs is followed by the next", completeObligation, noObligation),
		endpoint("POST", "/v1/obligations/:id/reopen", 200, write, "Undo the completion of an obligation", reopenObligation, noObligation),
		endpoint("GET", "/v1/dashboard/obligations", 200, view, "Count the obligations by status, month and owner, and read those due next", obligationDashboard),
	}
}

func (s *Server) auditRoutes() []route {
	return []route{
		endpoint("GET", "/v1/audit/entries", 200, view, "List audit entries in order, or wait for the next", s.listEntries, noDocument, engine.ErrLogBehind),
		endpoint("GET", "/v1/audit/entries/:seq", 200, view, "Read an audit entry", getEntry, engine.ErrEntryNotFound),
		endpoint("GET", "/v1/audit/head", 200, view, "Read the head of the audit log", getHead),
		stream("GET", "/v1/audit/export", readAll, "Export the exact lines of the audit log", ndjson, exportLog, noSpace, engine.ErrLogBehind),
		stream("GET", "/v1/audit/details", readAll, "Export the details of the audit log", ndjson, exportDetails, noSpace, engine.ErrLogBehind),
		endpoint("POST", "/v1/audit/verify", 200, view, "Verify the audit log and the vault against it, one request at a time, admins first (bytes: admin or auditor)", s.verify, engine.ErrLacksPermission, errVerifying),
	}
}

const (
	anyMedia = "*/*"
	ndjson   = "application/x-ndjson"

	jsonMedia = "application/json"
)

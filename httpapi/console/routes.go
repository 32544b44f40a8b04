package console

import (
	"slices"

	"strongroom/engine"
)

const (
	open  = engine.AccessNone // to all
	view  = engine.AccessView
	write = engine.AccessUpload
	admin = engine.AccessAdmin // to change
	// to admins and auditors: what admins read, and nothing that changes
	readAll = engine.AccessAuditor
)

// routes is the table: method, address below the console, access, and what makes
// the page. A POST changes something, and nothing else does.
func (c *Console) routes() []route {
	return slices.Concat([]route{
		{"GET", "/{$}", open, home},
		{"GET", "/sign-in", open, askKey},
		{"POST", "/sign-in", open, signIn},
		{"GET", "/oidc/start", open, beginProvider},
		{"GET", "/oidc/callback", open, finishProvider},
		{"GET", "/_authorize", open, askConsent},
		{"POST", "/_authorize", open, consent},
		{"GET", "/_authorize/docusign", open, askConsent},
		{"POST", "/_authorize/docusign", open, consent},
		{"POST", "/{vault}/sign-out", view, signOut},

		{"GET", "/{vault}/{$}", view, vaultHome},
		{"GET", "/{vault}/documents", view, listDocuments},
		{"GET", "/{vault}/documents.csv", view, register},
		{"GET", "/{vault}/folders", view, listFolders},
		{"POST", "/{vault}/exports", engine.AccessAuditor, exportDocuments},

		{"GET", "/{vault}/upload", write, askFiles},
		{"POST", "/{vault}/upload", write, upload},

		{"GET", "/{vault}/documents/{id}", view, showDocument},
		{"GET", "/{vault}/documents/{id}/edit", write, editDocument},
		{"POST", "/{vault}/documents/{id}/edit", write, saveDocument},
		{"GET", "/{vault}/documents/{id}/content", view, download},
		{"GET", "/{vault}/documents/{id}/picture", view, picture},
		{"GET", "/{vault}/documents/{id}/pages", view, leafThrough},
		{"GET", "/{vault}/documents/{id}/pages/picture", view, pagePicture},
		{"GET", "/{vault}/documents/{id}/compare", view, compareVersions},
		{"POST", "/{vault}/documents/{id}/versions", write, addVersion},
		{"POST", "/{vault}/documents/{id}/restore", write, restoreVersion},
		{"POST", "/{vault}/documents/{id}/lock", write, lockDocument},
		{"POST", "/{vault}/documents/{id}/renew", write, renewLock},
		{"POST", "/{vault}/documents/{id}/release", write, releaseLock},
		{"POST", "/{vault}/documents/{id}/break", admin, breakLock},
		{"POST", "/{vault}/documents/{id}/password", admin, setPassword},
		{"POST", "/{vault}/documents/{id}/hold", admin, placeHold},
		{"POST", "/{vault}/documents/{id}/unhold", admin, releaseHold},
		{"POST", "/{vault}/documents/{id}/restrict", admin, restrictDocument},
		{"POST", "/{vault}/documents/{id}/unrestrict", admin, unrestrictDocument},
		{"POST", "/{vault}/documents/{id}/archive", admin, archiveDocument},
		{"POST", "/{vault}/documents/{id}/unarchive", admin, unarchiveDocument},
		{"GET", "/{vault}/documents/{id}/delete", admin, askDelete},
		{"POST", "/{vault}/documents/{id}/delete", admin, deleteDocument},
	}, obligationRoutes(), meRoutes(), workRoutes(), governanceRoutes(), approvalsRoutes(), auditRoutes(), proofRoutes(), settingsRoutes(), learnRoutes())
}

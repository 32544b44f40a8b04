package console

import (
	"errors"
	"mime/multipart"
	"strconv"
	"strings"
	"time"

	"strongroom/engine"
	"strongroom/httpapi"
)

func addVersion(v *visit) (answer, error) {
	form, err := v.r.MultipartReader()
	if err != nil {
		return answer{}, errForm
	}
	meta := map[string][]string{}
	kept := false
	err = eachPart(form, meta, func(file *multipart.Part) error {
		staged, err := v.vault.Stage(v.ctx(), file, v.console.options.MaxUpload)
		if err != nil {
			return err
		}
		defer staged.Discard()
		n := engine.NewVersion{FileName: fileName(file.FileName()), MediaType: file.Header.Get("Content-Type")}
		if c := meta["comment"]; len(c) > 0 {
			n.Comment = c[0]
		}
		if n.MediaType, err = httpapi.MediaType(n.MediaType, n.FileName, staged.Prefix()); err != nil {
			return err
		}
		cond := v.holding()
		cond.IfMatch = conditionOf(strings.Join(meta["revision"], "")).IfMatch
		_, _, err = v.vault.AddVersion(v.ctx(), v.actor, v.id("id"), cond, n, staged)
		kept = err == nil
		return err
	})
	if err == nil && !kept {
		err = &engine.InvalidError{Fields: []engine.FieldError{{Field: "file", Message: "choose one"}}}
	}
	return v.deed(err, "The new version is kept.")
}

func restoreVersion(v *visit) (answer, error) {
	number, err := strconv.ParseUint(v.form("number"), 10, 64)
	if err != nil {
		return answer{}, engine.ErrVersionNotFound
	}
	_, _, err = v.vault.RestoreVersion(v.ctx(), v.actor, v.id("id"), v.holding(), number)
	return v.deed(err, "Version %d is the current one again, as a new version.", number)
}

// consoleApp is what locks taken here say.
const consoleApp = "Strongroom console"

func lockDocument(v *visit) (answer, error) {
	_, _, err := v.vault.AcquireLock(v.ctx(), v.actor, v.id("id"), v.revision(), engine.NewLock{
		Duration: 30 * time.Minute, LockedByApp: consoleApp, UseScratchPad: v.form("scratchpad") != "", Password: v.r.PostForm.Get("password"),
	})
	if refused, ok := errors.AsType[*engine.PermissionError](err); ok && refused.Reason != "" { // it is not the access
		if err = errPassword; !v.user.CanLockEnvelopes {
			err = errNoLocks
		}
	}
	return v.deed(err, "The document is locked for you. The lock ends 30 minutes after your last change.")
}

func renewLock(v *visit) (answer, error) {
	longer := 30 * time.Minute
	_, _, err := v.vault.RenewLock(v.ctx(), v.actor, v.id("id"), v.holding(), engine.LockPatch{Duration: &longer})
	return v.deed(err, "The lock is renewed.")
}

func releaseLock(v *visit) (answer, error) {
	save := v.form("save") != "false"
	cond := v.holding()
	cond.IfMatch = nil
	_, _, err := v.vault.ReleaseLock(v.ctx(), v.actor, v.id("id"), cond, save)
	if save {
		return v.deed(err, "The lock is released, and what was changed under it is kept.")
	}
	return v.deed(err, "The lock is released, and what was changed under it is taken back.")
}

func breakLock(v *visit) (answer, error) {
	_, _, err := v.vault.BreakLock(v.ctx(), v.actor, v.id("id"), engine.Condition{}, v.form("reason"))
	return v.deed(err, "The lock is broken. Whoever held it is told so at the next change.")
}

func setPassword(v *visit) (answer, error) {
	p := engine.DocumentPatch{EditPassword: &engine.EditPassword{Password: v.r.PostForm.Get("editPassword")}}
	_, _, err := v.vault.UpdateDocument(v.ctx(), v.actor, v.id("id"), v.holding(), p)
	if p.EditPassword.Password == "" {
		return v.deed(err, "The edit password is removed.")
	}
	return v.deed(err, "It takes the edit password now to lock the document.")
}

func placeHold(v *visit) (answer, error) {
	_, _, err := v.vault.PlaceHold(v.ctx(), v.actor, v.id("id"), engine.Condition{}, engine.NewHold{Reason: v.form("reason"), Matter: v.form("matter")})
	return v.deed(err, "The document is on legal hold. Nobody can archive or delete it.")
}

func releaseHold(v *visit) (answer, error) {
	h, err := v.vault.Hold(v.ctx(), v.form("hold"))
	if err == nil && h.DocumentID != v.id("id") {
		err = engine.ErrHoldNotFound
	}
	if err != nil {
		return answer{}, err
	}
	_, _, err = v.vault.ReleaseHold(v.ctx(), v.actor, h.ID, engine.Condition{}, v.form("reason"))
	return v.deed(err, "The hold is released. Nothing happens to the document before the next run of retention.")
}

func archiveDocument(v *visit) (answer, error) {
	_, _, err := v.vault.ArchiveDocument(v.ctx(), v.actor, v.id("id"), v.holding())
	return v.deed(err, "The document is archived. It left the list; choose Archived there to see it.")
}

func unarchiveDocument(v *visit) (answer, error) {
	_, _, err := v.vault.UnarchiveDocument(v.ctx(), v.actor, v.id("id"), v.holding())
	return v.deed(err, "The document is active again.")
}

// deleting is the page before a document is deleted.
type deleting struct {
	*sheet
	Typed  string
	Differ bool // what was typed is not its name
}

func askDelete(v *visit) (answer, error) { return v.deletePage("", false) }

func (v *visit) deletePage(typed string, differ bool) (answer, error) {
	d, err := v.vault.Document(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	s, err := v.sheet(d)
	status := 200
	if differ {
		status = 400
	}
	return answer{page: "delete", title: "Delete " + d.Name, body: deleting{s, typed, differ}, status: status}, err
}

// deleteDocument deletes what was named: the name is typed, so that nobody deletes
// one document for another.
func deleteDocument(v *visit) (answer, error) {
	d, err := v.vault.Document(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	if v.form("name") != d.Name {
		return v.deletePage(v.form("name"), true)
	}
	cond := v.holding()
	if cond.BypassGovernance = v.form("bypass") != ""; cond.BypassGovernance {
		cond.Reason = v.form("reason")
	}
	_, _, err = v.vault.DeleteDocument(v.ctx(), v.actor, d.ID, cond)
	return v.deed(err, "The document is deleted. This is its certificate.")
}

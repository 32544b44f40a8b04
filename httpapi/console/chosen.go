package console

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"strongroom/engine"
)

// outcomeRow is what became of a document, or would.
type outcomeRow struct {
	ID, Name, What string
	Kind           string // of the badge: hold is refused, idle as it was, active changed
}

// bulkOutcome is what became of one document, or would.
type bulkOutcome struct {
	engine.DocumentOutcome
	what    string // in words, where "changed" does not say it
	erasure string // the case that was opened for it
}

// bulkStep does something to documents, or tells what would be. The revisions are
// those that were looked at; 0 asks for none.
type bulkStep func(ctx context.Context, actor engine.Actor, ids []string, revisions []uint64, dryRun bool) ([]bulkOutcome, error)

// step is what the form asks for, or, once it was sent, what the job says.
func (v *visit) step(one *job) (bulkStep, error) {
	if one.Fields == nil {
		one.Fields = map[string]string{}
		for _, name := range []string{"addTags", "removeTags", "category", "ownerId", "path", "field", "value", "reason", "matter", "legalBasis", "requester"} {
			if value := v.form(name); value != "" {
				one.Fields[name] = value
			}
		}
	}
	switch one.Action {
	case "archive", "unarchive", "hold", "erase":
		if err := v.actor.Access.Permits(admin); err != nil {
			return nil, err
		}
	}
	switch one.Action {
	case "archive", "unarchive":
		archived := one.Action == "archive"
		one.Words = map[bool]string{true: "The documents are archived.", false: "The documents become active again."}[archived]
		return func(ctx context.Context, actor engine.Actor, ids []string, _ []uint64, dryRun bool) ([]bulkOutcome, error) {
			outcomes, err := v.vault.ArchiveDocuments(ctx, actor, ids, archived, dryRun)
			return plainOutcomes(outcomes), err
		}, nil
	case "hold":
		return v.holdStep(one)
	case "erase":
		return v.eraseStep(one)
	}
	patch, err := v.chosenPatch(one)
	return func(ctx context.Context, actor engine.Actor, ids []string, revisions []uint64, dryRun bool) ([]bulkOutcome, error) {
		changes := make([]engine.DocumentChange, len(ids))
		for i, id := range ids {
			changes[i] = engine.DocumentChange{DocumentID: id, Patch: patch}
			if revisions[i] != 0 { // whoever changed it meanwhile was not looked at
				changes[i].Condition.IfMatch = engine.Match{revisions[i]}
			}
		}
		outcomes, err := v.vault.UpdateDocuments(ctx, actor, changes, dryRun)
		return plainOutcomes(outcomes), err
	}, err
}

func plainOutcomes(outcomes []engine.DocumentOutcome) []bulkOutcome {
	out := make([]bulkOutcome, len(outcomes))
	for i, o := range outcomes {
		out[i].DocumentOutcome = o
	}
	return out
}

func (v *visit) holdStep(one *job) (bulkStep, error) {
	n := engine.NewHold{Reason: one.Fields["reason"], Matter: one.Fields["matter"]}
	one.Words = "The documents are placed on legal hold for " + n.Matter + ": nobody can archive or delete them."
	if _, err := v.vault.PlaceHolds(v.ctx(), v.actor, nil, n, true); err != nil { // of none: is the hold itself right?
		return nil, err
	}
	return func(ctx context.Context, actor engine.Actor, ids []string, _ []uint64, dryRun bool) ([]bulkOutcome, error) {
		outcomes, err := v.vault.PlaceHolds(ctx, actor, ids, n, dryRun)
		out := make([]bulkOutcome, len(outcomes))
		for i, o := range outcomes {
			out[i].DocumentOutcome = engine.DocumentOutcome{DocumentID: o.DocumentID, Changed: o.Changed, Err: o.Err}
			switch {
			case !o.Changed && o.Err == nil:
				out[i].what = "is held for this matter already"
			case dryRun && o.Err == nil:
				out[i].what = "would be held"
			case o.Err == nil:
				out[i].what = "held"
			}
		}
		return out, err
	}, nil
}

// eraseStep opens one case for all of them.
func (v *visit) eraseStep(one *job) (bulkStep, error) {
	one.Words = "The documents are erased for good, by " + one.Fields["legalBasis"] + ", as " + one.Fields["requester"] + " asks."
	if one.Fields["legalBasis"] == "" || one.Fields["requester"] == "" {
		return nil, &engine.InvalidError{Fields: []engine.FieldError{{Field: "legal basis and requester", Message: "must both be there: they are what the case proves"}}}
	}
	return func(ctx context.Context, actor engine.Actor, ids []string, _ []uint64, dryRun bool) ([]bulkOutcome, error) {
		if len(ids) > engine.MaxErased {
			return nil, errTooManyErased
		}
		if len(ids) == 0 {
			return nil, nil
		}
		n := engine.NewErasure{DocumentIDs: ids, LegalBasis: one.Fields["legalBasis"], Requester: one.Fields["requester"]}
		var e engine.Erasure
		var err error
		if dryRun {
			e, err = v.vault.PreviewErasure(ctx, actor, n)
		} else {
			e, _, err = v.vault.RequestErasure(ctx, actor, n)
		}
		out := make([]bulkOutcome, len(e.Documents))
		for i, d := range e.Documents {
			out[i] = bulkOutcome{DocumentOutcome: engine.DocumentOutcome{DocumentID: d.DocumentID, Changed: d.Why == ""}, what: "is erased now", erasure: e.ID}
			if dryRun {
				out[i].what = "would be erased"
			}
			if d.Why != "" {
				out[i].what = "waits, " + v.deferredWords(d)
			}
		}
		return out, err
	}, nil
}

// deferredWords say why an erasure waits.
func (v *visit) deferredWords(d engine.ErasedDocument) string {
	switch {
	case d.Why == engine.DeferredHeld:
		return "because a legal hold keeps it: it is erased after the last one is released"
	case !d.Until.IsZero():
		return "because compliance protects it until " + v.When(d.Until).Day
	}
	return "because it is protected, and nobody can say yet until when"
}

// refusalWords are what a person is told of an error, in one line; "" if it is none
// of those that are told.
func refusalWords(err error) string {
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return invalid.Error()
	}
	for _, r := range refusals {
		if errors.Is(err, r.is) && r.status < http.StatusInternalServerError {
			return r.title + ". " + r.next
		}
	}
	return ""
}

func (v *visit) chosenPatch(one *job) (p engine.DocumentPatch, err error) {
	wrong := func(field, message string) error {
		return &engine.InvalidError{Fields: []engine.FieldError{{Field: field, Message: message}}}
	}
	switch one.Action {
	case "tags":
		p.AddTags, p.RemoveTags = splitTags([]string{one.Fields["addTags"]}), splitTags([]string{one.Fields["removeTags"]})
		if len(p.AddTags)+len(p.RemoveTags) == 0 {
			return p, wrong("tags", "write at least one tag to add or to take away")
		}
		one.Words = "Tags are added or taken away."
	case "category":
		category := one.Fields["category"]
		p.Category = &category
		if all, err := v.categories(); err != nil || !slices.Contains(all, category) {
			return p, errors.Join(err, wrong("category", "choose one"))
		}
		one.Words = "The category becomes " + category + "."
	case "owner":
		owner, err := v.person("owner", one.Fields["ownerId"])
		if err != nil {
			return p, err
		}
		p.OwnerID = &owner
		if owner == "" {
			return p, wrong("owner", "choose somebody")
		}
		name, err := v.name(owner)
		if err != nil {
			return p, err
		}
		one.Words = "The owner becomes " + name + "."
	case "path":
		folder := one.Fields["path"]
		p.Path = &folder
		if one.Words = "The documents move to the folder " + folder + "."; folder == "" {
			one.Words = "The documents are taken out of their folders."
		}
	case "field":
		return v.fieldPatch(one)
	default:
		return p, errNoPage
	}
	return p, nil
}

// fieldPatch sets one custom field, or clears it.
func (v *visit) fieldPatch(one *job) (p engine.DocumentPatch, err error) {
	f, err := v.vault.Field(v.ctx(), one.Fields["field"])
	if err != nil {
		return p, err
	}
	p.CustomFields = map[string]any{f.Key: nil}
	if one.Words = f.Label + " is emptied."; one.Fields["value"] != "" {
		one.Words = f.Label + " becomes " + one.Fields["value"] + "."
		p.CustomFields[f.Key], err = v.fieldValue(f, one.Fields["value"])
	}
	return p, err
}

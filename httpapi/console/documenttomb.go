package console

import (
	"cmp"
	"encoding/json"

	"strongroom/engine"
	"strongroom/httpapi"
)

// tombstone is the page of a deleted document.
type tombstone struct {
	engine.Certificate
	Name    string // what it was called; "": an erasure took that too, or whoever looks may not know
	By, How string
	At      When
	Hash    string
	History []event
}

func (v *visit) showTombstone() (answer, error) {
	c, err := v.vault.Certificate(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	body := tombstone{Certificate: c, At: v.When(c.DeletedAt), Hash: c.AuditHash.String()}
	body.How = rightWords(c.Right)
	if body.By, err = v.name(c.DeletedBy); err != nil {
		return answer{}, err
	}
	if body.Name, err = v.nameOfDeleted(c.AuditSeq); err != nil {
		return answer{}, err
	}
	body.History, _, err = v.history(c.DocumentID)
	return answer{page: "deleted", title: cmp.Or(body.Name, "A deleted document"), status: 410, body: body}, err
}

// nameOfDeleted is the name in the detail of the entry by which a document went.
func (v *visit) nameOfDeleted(seq uint64) (string, error) {
	e, err := v.vault.Entry(v.ctx(), seq)
	if err != nil || e.Detail == nil || !httpapi.ShowsDetail(e.Op, v.actor.Access) {
		return "", err
	}
	var detail struct{ Name string }
	return detail.Name, json.Unmarshal(e.Detail, &detail)
}

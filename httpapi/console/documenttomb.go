package console

import (
	"strongroom/engine"
)

// tombstone is the page of a deleted document.
type tombstone struct {
	engine.Certificate
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
	body.How = map[engine.Right]string{engine.RightManual: "by hand", engine.RightRetention: "by a retention policy", engine.RightErasure: "by an erasure"}[c.Right]
	if body.By, err = v.name(c.DeletedBy); err != nil {
		return answer{}, err
	}
	body.History, _, err = v.history(c.DocumentID)
	return answer{page: "deleted", title: "A deleted document", status: 410, body: body}, err
}

package signin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"go.etcd.io/bbolt"

	"strongroom/engine"
	"strongroom/httpapi/console"
)

// Consents are the programs that a person has let act for her and that can do so still,
// by name, each once.
func (s *Server) Consents(ctx context.Context, vault *engine.Vault, userID string) ([]console.Consented, error) {
	t := s.tokens[vault.Name()]
	if t == nil {
		return nil, nil
	}
	of := map[string]*console.Consented{}
	err := t.db.View(func(b *bbolt.Tx) error {
		return s.consents(b, userID, func(f *family) error {
			one := of[f.Client]
			if one == nil {
				one = &console.Consented{ClientID: f.Client}
				of[f.Client] = one
			}
			one.Access = max(one.Access, f.Access)
			if until := f.Forget.Add(-stillKnown); until.After(one.Until) {
				one.Until = until
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	var list []console.Consented
	for _, one := range of {
		c, err := vault.Client(ctx, one.ClientID)
		switch {
		case errors.Is(err, engine.ErrClientNotFound): // the vault is an earlier state of itself
			continue
		case err != nil:
			return nil, err
		case c.Status != engine.ClientActive:
			continue
		}
		one.Program, one.Access = c.Name, engine.Meet(one.Access, c.Access)
		list = append(list, *one)
	}
	slices.SortFunc(list, func(a, b console.Consented) int {
		return cmp.Or(cmp.Compare(a.Program, b.Program), cmp.Compare(a.ClientID, b.ClientID))
	})
	return list, nil
}

// Withdraw ends all that a person has let a program do for her. It may ask again.
func (s *Server) Withdraw(_ context.Context, vault *engine.Vault, userID, clientID string) error {
	t := s.tokens[vault.Name()]
	if t == nil {
		return nil
	}
	return t.change(s.now(), func(b *bbolt.Tx) (touched []string, err error) {
		var ends []*family // a bucket is not written while it is read through
		err = s.consents(b, userID, func(f *family) error {
			if f.Client == clientID {
				ends = append(ends, f)
			}
			return nil
		})
		for _, f := range ends {
			touched, err = append(touched, f.ID), errors.Join(err, revoke(b, f))
		}
		return touched, err
	})
}

// consents goes through what a person has said yes to and what has not ended.
func (s *Server) consents(b *bbolt.Tx, userID string, each func(*family) error) error {
	now := s.now()
	return b.Bucket(bucketFamilies).ForEach(func(id, row []byte) error {
		f := &family{ID: string(id)}
		if err := json.Unmarshal(row, f); err != nil {
			return err
		}
		if f.User != userID || f.Grant != engine.GrantAuthorizationCode || f.Revoked || !f.Forget.Add(-stillKnown).After(now) {
			return nil
		}
		return each(f)
	})
}

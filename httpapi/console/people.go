package console

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"strongroom/engine"
)

// maxOffered is how many people, or categories, a form offers to choose from. Where
// there are more they are typed: a page must not grow with the organization.
const maxOffered = 50

// people are whom a form can choose from.
type people struct {
	List []engine.User
	Many bool // too many to list them: one of them is typed
}

// people reads those who are active, or all.
func (v *visit) people(all bool) (p people, err error) {
	found, err := v.vault.Users(v.ctx(), engine.Paging{Limit: maxOffered + 1})
	if found.NextCursor != "" || len(found.Items) > maxOffered {
		return people{Many: true}, err
	}
	for _, u := range found.Items {
		if all || u.Status == engine.UserActive {
			p.List = append(p.List, u)
		}
	}
	return p, err
}

// Has reports whether somebody is in the list. Who is chosen already and is not in
// it is offered beside it.
func (p people) Has(userID string) bool {
	for _, u := range p.List {
		if u.ID == userID {
			return true
		}
	}
	return false
}

// person is the id of whom a form names: by the id, the e-mail address, or the name
// where nobody else has it.
func (v *visit) person(field, typed string) (string, error) {
	if typed = strings.TrimSpace(typed); typed == "" {
		return "", nil
	}
	if u, err := v.vault.User(v.ctx(), typed); err == nil {
		return u.ID, nil
	} else if !errors.Is(err, engine.ErrUserNotFound) {
		return "", err
	}
	var named []engine.User
	for p := (engine.Paging{Limit: 500}); ; {
		found, err := v.vault.Users(v.ctx(), p)
		if err != nil {
			return "", err
		}
		for _, u := range found.Items {
			if u.Email != "" && strings.EqualFold(u.Email, typed) {
				return u.ID, nil
			}
			if strings.EqualFold(u.Name, typed) {
				named = append(named, u)
			}
		}
		if p.Cursor = found.NextCursor; p.Cursor == "" {
			break
		}
	}
	switch len(named) {
	case 0:
		return "", wrongField(field, "names nobody here: write an e-mail address, or the name as Settings has it")
	case 1:
		return named[0].ID, nil
	}
	return "", wrongField(field, "names several people: write the e-mail address of the one you mean")
}

// maxClosed is how many people who are closed a form offers.
const maxClosed = 200

// closed are those who are closed and not erased yet.
func (v *visit) closed() (list []engine.User, err error) {
	for p := (engine.Paging{Limit: 500}); ; {
		found, err := v.vault.Users(v.ctx(), p)
		if err != nil {
			return nil, err
		}
		for _, u := range found.Items {
			if u.Status == engine.UserClosed && u.Name != "" && len(list) < maxClosed {
				list = append(list, u)
			}
		}
		if p.Cursor = found.NextCursor; p.Cursor == "" || len(list) == maxClosed {
			return list, nil
		}
	}
}

// called is how a person is written who was chosen: as they can be typed.
func (v *visit) called(userID string) string {
	u, err := v.vault.User(v.ctx(), userID)
	if err != nil {
		return userID
	}
	return cmp.Or(u.Email, u.Name, u.ID)
}

// kinds are the categories a form can choose from.
type kinds struct {
	List []string // at most maxKinds
	Many bool     // too many for a choice: one of them is typed
}

// maxKinds is how many categories are offered while one is typed.
const maxKinds = 200

func (v *visit) kinds() (kinds, error) {
	all, err := v.categories()
	return kinds{all[:min(len(all), maxKinds)], len(all) > maxOffered}, err
}

// Has reports whether a category is in the list.
func (k kinds) Has(name string) bool { return slices.Contains(k.List, name) }

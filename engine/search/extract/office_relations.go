package extract

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// follow reads what a part refers to: by rank, then as it appears in the part. What
// is late waits.
func (o *office) follow(p *part, relations []*relation, depth int) error {
	if depth >= maxFollowed {
		return nil
	}
	if relations == nil {
		var err error
		if relations, err = o.relations(p); fatal(err) {
			return err
		}
	}
	slices.SortStableFunc(relations, func(a, b *relation) int {
		return cmp.Or(cmp.Compare(a.role.rank, b.role.rank), cmp.Compare(a.order, b.order))
	})
	for _, r := range relations {
		if r.role.read == nil || r.role.kind == "slide" && o.roleOf(p).rank != 1 {
			continue // a slide is also where a button on another leads
		}
		if r.role.rank >= late {
			if !r.part.read && !slices.Contains(o.late, r.part) {
				o.late = append(o.late, r.part)
			}
			continue
		}
		if err := o.visit(r.part, r.role, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// relations are the relationships of a part to parts that are there.
func (o *office) relations(p *part) ([]*relation, error) {
	dir, file := path.Split(p.name)
	if p.name == "root" {
		file = ""
	}
	list := o.parts[dir+"_rels/"+file+".rels"]
	if list == nil {
		return nil, nil
	}
	var relations []*relation
	err := o.scan(list, func(s *scanner) error {
		if s.is != begun || s.name.local != "Relationship" || s.attr("TargetMode") == "External" {
			return nil
		}
		to := o.target(p, s.attr("Target"))
		if to == nil || len(relations) >= maxParts {
			return nil
		}
		kind := s.attr("Type")
		kind = strings.ToLower(first(kind[strings.LastIndexByte(kind, '/')+1:], 64))
		if to.role == "" && slices.ContainsFunc(o.roles, func(r role) bool { return r.kind == kind }) {
			to.role = kind
		}
		r := &relation{id: first(s.attr("Id"), 128), part: to, order: maxParts}
		if to.role == kind { // not what leads back, or is no text
			r.role = o.roleOf(to)
		}
		relations = append(relations, r)
		return nil
	})
	return relations, err
}

// refer remembers that a part's text has come to where it refers to another one: by
// an attribute whose namespace is that of relationships.
func (o *office) refer(s *scanner) {
	if len(o.links) == 0 {
		return
	}
	for _, a := range s.attributes {
		key := s.tag[a.from:a.mid]
		if !slices.Contains(key, ':') || s.resolve(key, false).space != "relationships" {
			continue
		}
		if r := o.links[string(s.tag[a.mid:a.to])]; r != nil && r.order == maxParts {
			o.refers++
			r.order = o.refers - 1<<30
		}
	}
}

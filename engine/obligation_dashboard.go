package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// ObligationSummary tells how the obligations of a vault stand.
type ObligationSummary struct {
	ByStatus ObligationCounts
	ByMonth  []MonthCounts // of 12 months before this one, this one, and 24 after it, those with some
	ByOwner  []OwnerCounts // most open obligations first, 100 at most
	Next     []Obligation  // the 10 pending ones due next
	// Partial: there are more than were counted, of those open or of those
	// completed, which are counted separately.
	Partial bool
}

// ObligationCounts are numbers of obligations.
type ObligationCounts struct{ Pending, Overdue, Completed uint64 }

// MonthCounts are those due in one month.
type MonthCounts struct {
	Month string // 2026-11, in the vault's time zone
	ObligationCounts
}

// OwnerCounts are those of one user.
type OwnerCounts struct {
	OwnerID   string
	OwnerName string
	ObligationCounts
}

const (
	summaryNext   = 10
	summaryOwners = 100
	summaryPast   = 12 // months
	summaryAhead  = 24
)

// A summary counts so many obligations of each state at most, in transactions of
// so many rows.
const (
	summaryMost = 100_000
	summaryPage = 5_000
)

// ObligationSummary counts the obligations. Its parts are read one after the
// other, so what changes meanwhile may be in one of them only.
func (v *Vault) ObligationSummary(ctx context.Context) (ObligationSummary, error) {
	return v.obligationSummary(ctx, summaryMost)
}

func (v *Vault) obligationSummary(ctx context.Context, most int) (ObligationSummary, error) {
	c := &dueCounter{months: map[int]*ObligationCounts{}, owners: map[id]*ObligationCounts{}}
	var s ObligationSummary
	for _, state := range []string{dueOpen, dueCompleted} {
		c.state, c.at, c.left = state, []byte{dueOwner}, most
		for more := true; more; {
			err := ctx.Err()
			if err == nil {
				more, err = view(v, c.page)
			}
			if err != nil {
				return s, err
			}
		}
	}
	page, err := v.Obligations(ctx, ObligationQuery{Status: ObligationPending, Paging: Paging{Limit: summaryNext}})
	if err != nil {
		return s, err
	}
	s.ByStatus, s.Next, s.Partial = c.all, page.Items, c.partial
	return view(v, func(t *tx) (ObligationSummary, error) {
		s.ByMonth = c.byMonth()
		s.ByOwner, err = c.byOwner(t)
		return s, err
	})
}

// dueCounter counts the rows that stand by owner. They say all there is to
// count.
type dueCounter struct {
	state   string
	at      []byte // the row to go on with
	left    int    // how many more may be counted
	partial bool   // there were more
	now     time.Time
	zone    *time.Location
	all     ObligationCounts
	months  map[int]*ObligationCounts
	owners  map[id]*ObligationCounts
}

// page counts some rows in the state, and leaps over those in another.
func (c *dueCounter) page(t *tx) (more bool, err error) {
	if c.zone, err = t.zone(); err != nil {
		return false, err
	}
	c.now = t.Now()
	hidden, err := t.hiddenObligations()
	if err != nil {
		return false, err
	}
	const ownerSize = 1 + len(id{})
	rows := t.Cursor(bucketDues)
	row, _ := rows.Seek(c.at)
	for range summaryPage {
		if len(row) != ownerSize+1+dueSize+len(id{}) || row[0] != dueOwner {
			return false, nil
		}
		state := string(row[ownerSize : ownerSize+1])
		if state != c.state {
			leap := append(slices.Clone(row[:ownerSize]), c.state...)
			if state > c.state {
				leap[ownerSize] = 0xff // to the next owner
			}
			row, _ = rows.Seek(leap)
			continue
		}
		if hidden[id(row[len(row)-len(id{}):])] {
			row, _ = rows.Next()
			continue
		}
		if c.left == 0 {
			c.partial = true
			return false, nil
		}
		c.left--
		c.count(id(row[1:ownerSize]), dueAt(row[ownerSize+1:]))
		row, _ = rows.Next()
	}
	c.at = slices.Clone(row)
	return row != nil, nil
}

func (c *dueCounter) count(owner id, due Due) {
	status := statusAt(c.now, due, c.state == dueCompleted, c.zone)
	c.all.add(status)
	if c.owners[owner] == nil {
		c.owners[owner] = &ObligationCounts{}
	}
	c.owners[owner].add(status)
	day := due.at
	if !due.date {
		day = due.at.In(c.zone)
	}
	month := monthOf(day)
	if this := monthOf(c.now.In(c.zone)); month < this-summaryPast || month > this+summaryAhead {
		return
	}
	if c.months[month] == nil {
		c.months[month] = &ObligationCounts{}
	}
	c.months[month].add(status)
}

func monthOf(at time.Time) int { return 12*at.Year() + int(at.Month()) - 1 }

func (n *ObligationCounts) add(s ObligationStatus) {
	switch s {
	case ObligationPending:
		n.Pending++
	case ObligationOverdue:
		n.Overdue++
	case ObligationCompleted:
		n.Completed++
	}
}

func (c *dueCounter) byMonth() (list []MonthCounts) {
	for month, n := range c.months {
		first := time.Date(month/12, time.Month(month%12+1), 1, 0, 0, 0, 0, time.UTC)
		list = append(list, MonthCounts{first.Format("2006-01"), *n})
	}
	slices.SortFunc(list, func(a, b MonthCounts) int { return cmp.Compare(a.Month, b.Month) })
	return list
}

func (c *dueCounter) byOwner(t *tx) (list []OwnerCounts, err error) {
	for owner, n := range c.owners {
		list = append(list, OwnerCounts{OwnerID: owner.String(), ObligationCounts: *n})
	}
	slices.SortFunc(list, func(a, b OwnerCounts) int {
		return cmp.Or(cmp.Compare(b.Pending+b.Overdue, a.Pending+a.Overdue), cmp.Compare(a.OwnerID, b.OwnerID))
	})
	list = list[:min(len(list), summaryOwners)]
	for i := range list {
		u, err := t.user(list[i].OwnerID)
		if err != nil && !errors.Is(err, ErrUserNotFound) {
			return nil, err
		}
		list[i].OwnerName = u.Name
	}
	return list, nil
}

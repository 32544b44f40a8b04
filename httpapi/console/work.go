package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"strongroom/engine"
	"strongroom/httpapi"
)

func workRoutes() []route {
	return []route{
		{"POST", "/{vault}/documents/chosen", write, chosen},
		{"GET", "/{vault}/jobs/{job}", write, showWork},
		{"POST", "/{vault}/jobs/{job}/start", write, startWork},
		{"POST", "/{vault}/jobs/{job}/stop", write, stopWork},
	}
}

// chosen looks at what would become of the documents that were chosen, and leads to
// the page that tells it. Nothing is changed.
func chosen(v *visit) (answer, error) {
	one := &job{Vault: v.vault.Name(), UserID: v.user.ID, Action: v.form("action"), actor: v.actor, ids: slices.Clone(v.r.PostForm["document"])}
	slices.Sort(one.ids)
	one.ids = slices.Compact(one.ids)
	if v.form("all") != "" {
		one.Filter, one.ids = v.form("filter"), nil
		if err := v.checkFilter(one); err != nil {
			return answer{}, err
		}
	} else if len(one.ids) == 0 {
		return answer{}, &engine.InvalidError{Fields: []engine.FieldError{{Field: "documents", Message: "choose some in the list first"}}}
	}
	step, err := v.step(one)
	if err != nil {
		return answer{}, err
	}
	all := v.console.jobs
	if !all.add(one) {
		return answer{}, errBusy
	}
	all.work(one, func(ctx context.Context) { v.console.look(ctx, v.vault, one, step) })
	all.settled(v.ctx(), one)
	return answer{to: v.Path("jobs", one.ID)}, nil
}

// checkFilter refuses a filter that chooses by nothing: a form that lost its filter
// would change every document there is.
func (v *visit) checkFilter(one *job) error {
	text, q, err := httpapi.ParseDocumentQuery(one.query())
	if err != nil {
		return err
	}
	q.Sort, q.Paging = "", engine.Paging{}
	if q.Status == engine.StatusAll {
		q.Status = ""
	}
	if q.Archived != nil && !*q.Archived {
		q.Archived = nil
	}
	if text == "" && reflect.DeepEqual(q, engine.DocumentQuery{}) {
		return &engine.InvalidError{Fields: []engine.FieldError{{Field: "filter", Message: "must choose by something: without one it is every document there is"}}}
	}
	if text != "" && v.console.options.Search == nil {
		return &engine.InvalidError{Fields: []engine.FieldError{{Field: "q", Message: "cannot be searched for here"}}}
	}
	return nil
}

// matching evaluates the filter of a job, once.
func (c *Console) matching(ctx context.Context, vault *engine.Vault, one *job) (ids []string, err error) {
	text, q, err := httpapi.ParseDocumentQuery(one.query())
	if err != nil {
		return nil, err
	}
	if archived := true; one.Action == "unarchive" && q.Status == "" && q.Archived == nil {
		q.Archived = &archived
	}
	q.Sort, q.Paging = "", engine.Paging{Limit: 500}
	if text != "" {
		q.Paging = engine.Paging{}
		ids, complete, err := c.options.Search.Match(ctx, vault, text, q)
		if err == nil && !complete {
			err = errIndexing
		}
		if err == nil && len(ids) > maxJob {
			err = errTooMany
		}
		return ids, err
	}
	q.Sort = "createdAt"
	for {
		page, err := vault.Documents(ctx, q)
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		for _, d := range page.Items {
			ids = append(ids, d.ID)
		}
		if len(ids) > maxJob {
			return nil, errTooMany
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return ids, nil
		}
	}
}

// look is the dry run.
func (c *Console) look(ctx context.Context, vault *engine.Vault, one *job, step bulkStep) {
	if one.Filter != "" {
		ids, err := c.matching(ctx, vault, one)
		if err != nil {
			c.stopped(one, err)
			return
		}
		c.jobs.change(one, func() { one.ids = ids })
	}
	if err := c.steps(ctx, vault, one, step, true); err != nil {
		c.stopped(one, err)
		return
	}
	c.jobs.change(one, func() { one.State = jobPlanned })
}

// begin does what was looked at.
func (c *Console) begin(ctx context.Context, vault *engine.Vault, one *job, step bulkStep) {
	if err := c.steps(ctx, vault, one, step, false); err != nil {
		c.stopped(one, err)
	} else {
		c.jobs.change(one, func() { one.State, one.Ended = jobDone, c.jobs.now() })
	}
	c.jobs.change(one, func() { one.ids, one.revisions = nil, nil })
	c.keepJobs()
}

// steps goes through the documents of a job, some at a time. What is refused of one
// does not stop the others; an error of the vault stops them all.
func (c *Console) steps(ctx context.Context, vault *engine.Vault, one *job, step bulkStep, dryRun bool) error {
	c.jobs.change(one, func() {
		one.Counts, one.rows, one.Failures = Counts{Total: len(one.ids)}, nil, nil
		if dryRun {
			one.revisions = make([]uint64, len(one.ids))
		}
	})
	each := jobStep
	if one.Action == "erase" { // one case
		each = max(1, len(one.ids))
	}
	for at, n := 0, 1; at < len(one.ids); at, n = at+each, n+1 {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(at+each, len(one.ids))
		outcomes, err := step(ctx, one.actor, one.ids[at:end], one.revisions[at:end], dryRun)
		if err != nil {
			return err
		}
		for i, o := range outcomes {
			if err := c.count(ctx, vault, one, &o, dryRun); err != nil {
				return err
			}
			if dryRun {
				one.revisions[at+i] = o.Revision
			}
		}
		if !dryRun && n%jobSaveSteps == 0 {
			c.keepJobs()
		}
	}
	return nil
}

// count adds one outcome.
func (c *Console) count(ctx context.Context, vault *engine.Vault, one *job, o *bulkOutcome, dryRun bool) error {
	row := outcomeRow{ID: o.DocumentID, Name: o.DocumentID, What: o.what}
	switch {
	case o.Err != nil:
		row.Kind = "hold"
		if row.What = refusalWords(o.Err); row.What == "" {
			return o.Err
		}
	case !o.Changed:
		row.Kind = "idle"
	default:
		row.Kind = "active"
	}
	if row.What == "" {
		row.What = map[string]string{"idle": "stays as it is", "active": "changed"}[row.Kind]
		if dryRun && o.Changed {
			row.What = "would be changed"
		}
	}
	told := len(one.rows) < maxRows // nobody else writes them
	if o.Err != nil {
		told = len(one.Failures) < maxFailures
	}
	if d, err := vault.Document(ctx, o.DocumentID); told && err == nil && d.Name != "" {
		row.Name = d.Name
	}
	c.jobs.change(one, func() {
		one.Done++
		switch {
		case o.Err != nil:
			one.Failed++
			if told {
				one.Failures = append(one.Failures, row)
			}
			return
		case o.Changed:
			one.Changed++
		}
		if told {
			one.rows = append(one.rows, row)
		}
		if o.erasure != "" {
			one.Erasure = o.erasure
		}
	})
	return nil
}

// stopped tells why a job ended before it was done.
func (c *Console) stopped(one *job, err error) {
	why := refusalWords(err)
	state := jobStopped
	switch {
	case c.jobs.ctx.Err() != nil:
		state, why = jobInterrupted, "The program was stopped."
	case errors.Is(err, context.Canceled):
		why = "Somebody stopped it."
	case why == "":
		why = "Something went wrong; the server's log says more."
		c.options.Logger.Error().Err(err).Str("job", one.ID).Msg("a change of many documents stopped")
	}
	c.jobs.change(one, func() { one.State, one.Why, one.Ended = state, why, c.jobs.now() })
}

func (c *Console) keepJobs() {
	if err := c.jobs.save(); err != nil {
		c.options.Logger.Warn().Err(err).Msg("the results of changes of many documents cannot be kept")
	}
}

// working is the page of a job.
type working struct {
	job
	Rows    []outcomeRow
	Erasing bool
	Holds   bool // it is one of holds
	Left    int  // failures that are not told one by one
	More    int  // others that are not
	When    [2]When
	Back    string
}

func showWork(v *visit) (answer, error) {
	_, is, ok := v.console.jobs.find(v.id("job"), v.vault.Name(), v.user.ID)
	if !ok {
		return answer{}, errNoJob
	}
	if v.r.Header.Get("Accept") == "application/json" { // the script asks how far it is
		return answer{raw: func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(map[string]any{"state": is.State, "total": is.Total, "done": is.Done, "changed": is.Changed, "failed": is.Failed})
		}}, nil
	}
	body := working{job: is, Rows: append(slices.Clone(is.Failures), is.rows...), Erasing: is.Action == "erase", Back: v.Path("documents")}
	body.Left, body.More = is.Failed-len(is.Failures), is.Done-is.Failed-len(is.rows)
	body.When = [2]When{v.When(is.Began), v.When(is.Ended)}
	switch {
	case is.Action == "place" || is.Action == "release":
		body.Back, body.Holds = holdsFor(v, is.Fields["matter"]), true
	case is.Filter != "":
		body.Back += "?" + is.Filter
	}
	title := map[jobState]string{jobLooking: "What would be", jobPlanned: "What would be", jobRunning: "Under way"}[is.State]
	if title == "" {
		title = "What became of it"
	}
	return page("work", title, body), nil
}

func startWork(v *visit) (answer, error) {
	all := v.console.jobs
	one, _, ok := all.find(v.id("job"), v.vault.Name(), v.user.ID)
	if !ok {
		return answer{}, errNoJob
	}
	step, err := v.step(one)
	if err != nil {
		return answer{}, err
	}
	mine := false
	all.change(one, func() {
		if mine = one.State == jobPlanned; mine {
			one.State, one.actor, one.Began = jobRunning, v.actor, all.now()
		}
	})
	if mine {
		v.console.keepJobs()
		all.work(one, func(ctx context.Context) { v.console.begin(ctx, v.vault, one, step) })
		all.settled(v.ctx(), one)
	}
	return answer{to: v.Path("jobs", one.ID)}, nil
}

func stopWork(v *visit) (answer, error) {
	all := v.console.jobs
	one, _, ok := all.find(v.id("job"), v.vault.Name(), v.user.ID)
	if !ok {
		return answer{}, errNoJob
	}
	all.change(one, func() {
		if one.stop != nil {
			one.stop()
		}
	})
	all.settled(v.ctx(), one)
	return answer{to: v.Path("jobs", one.ID)}, nil
}

// State is how a job stands, for the badge of a list.
func (one job) Badge() badge {
	switch one.State {
	case jobDone:
		if one.Failed > 0 {
			return badge{"due", "check", strings.Join([]string{"done,", counted(one.Failed, "failure")}, " "), ""}
		}
		return badge{"active", "check", "done", ""}
	case jobRunning:
		return badge{"due", "clock", "under way", ""}
	}
	return badge{"hold", "gone", string(one.State), ""}
}

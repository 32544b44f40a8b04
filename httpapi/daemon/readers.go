package daemon

import "strongroom/httpapi"

// readers are those who read the logs of the vaults beside the API.
type readers struct {
	deliveries *deliveries
	search     *searches // nil: there is none
	pictures   *pictures
	witnesses  *witnessing // nil: nobody signs
}

// collector tells the metrics of the process and of the readers.
func (r readers) collector(process func(*httpapi.Exposition)) func(*httpapi.Exposition) {
	return func(e *httpapi.Exposition) {
		process(e)
		r.deliveries.collect(e)
		if r.search != nil {
			r.search.expose(e)
		}
	}
}

// warnings tell of the vaults that are served without one of them, which starting
// anew may mend.
func (r readers) warnings() map[string][]string {
	all := map[string][]string{}
	for _, name := range r.deliveries.silent {
		all[name] = append(all[name], "webhooks are not delivered; the log says why, and starting the server anew tries again")
	}
	if r.search != nil {
		for _, name := range r.search.blind {
			all[name] = append(all[name], "there is no search; the log says why, and starting the server anew tries again")
		}
		for v, x := range r.search.indexes {
			if x.Stats().Stuck != nil {
				all[v.Name()] = append(all[v.Name()], "the text of new files is not read, for the reader cannot run; it is tried again")
			}
		}
	}
	for name, miss := range r.witnesses.warnings() {
		all[name] = append(all[name], miss)
	}
	return all
}

package console

import (
	"strconv"

	"strongroom/engine"
)

// comparison is the page of what differs between the texts of two versions.
type comparison struct {
	Document engine.Document
	Was, Is  versionRow
	Versions []versionRow // to choose from: the newest
	Passages []passage
	How      fineness
	Cut      bool
	Why      string // they cannot be compared
	Equal    bool   // the bytes are the same
	Gone     int    // words
	New      int
}

// compareVersions compares the version of one address, n, with the one before it and,
// where b says so, with another.
func compareVersions(v *visit) (answer, error) {
	d, err := v.vault.Document(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	if d.Current == nil {
		return answer{}, engine.ErrDocumentDeleted
	}
	q := v.r.URL.Query()
	is, err := versionOr(q.Get("b"), d.Current.Number)
	if err != nil {
		return answer{}, err
	}
	was, err := versionOr(q.Get("a"), max(1, is-1))
	if err != nil {
		return answer{}, err
	}
	body := comparison{Document: d}
	if body.Was, err = v.versionNumbered(d.ID, was); err != nil {
		return answer{}, err
	}
	if body.Is, err = v.versionNumbered(d.ID, is); err != nil {
		return answer{}, err
	}
	versions, err := v.vault.Versions(v.ctx(), d.ID, engine.Paging{Limit: 100})
	if err != nil {
		return answer{}, err
	}
	for _, ver := range versions.Items {
		body.Versions = append(body.Versions, versionRow{Version: ver, At: v.When(ver.CreatedAt)})
	}
	return page("compare", "Compare versions", &body), v.compare(&body)
}

func versionOr(text string, otherwise uint64) (uint64, error) {
	if text == "" {
		return otherwise, nil
	}
	return versionNumber(text)
}

func (v *visit) versionNumbered(documentID string, number uint64) (versionRow, error) {
	ver, err := v.vault.Version(v.ctx(), documentID, number)
	if err != nil {
		return versionRow{}, err
	}
	by, err := v.name(ver.CreatedBy)
	return versionRow{ver, by, v.When(ver.CreatedAt)}, err
}

// compare reads both texts.
func (v *visit) compare(body *comparison) error {
	if body.Equal = body.Was.Digest == body.Is.Digest && body.Was.TextDigest == body.Is.TextDigest; body.Equal {
		return nil
	}
	was, why, err := v.textOf(body.Was.Version)
	if err != nil {
		return err
	}
	if why != "" {
		body.Why = "Version " + strconv.FormatUint(body.Was.Number, 10) + ": " + why
		return nil
	}
	is, why, err := v.textOf(body.Is.Version)
	if err != nil {
		return err
	}
	if why != "" {
		body.Why = "Version " + strconv.FormatUint(body.Is.Number, 10) + ": " + why
		return nil
	}
	passages, how, cut := compareTexts(was, is)
	for _, p := range passages {
		switch words := len(splitWords(p.Text)); p.Kind {
		case "gone":
			body.Gone += words
		case "new":
			body.New += words
		}
	}
	body.Passages, body.How, body.Cut = shortened(passages), how, cut
	return nil
}

package console

import (
	"net/http"
	"strconv"
	"strings"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi"
)

// webhooksPage is the list of webhooks, and the form of another one.
type webhooksPage struct {
	draft
	Items   []webhookRow
	Next    string
	Silent  bool // this server delivers nothing
	Allowed []string
}

type webhookRow struct {
	engine.Webhook
	State badge
	Tells string // of which events
	Made  When
}

// webhookPage is one of them, with what became of its deliveries.
type webhookPage struct {
	draft
	webhookRow
	Deliveries []deliveryRow
	Next       string
	Status     string // that deliveries are chosen by
	Silent     bool
	Nouns      []string
}

type deliveryRow struct {
	engine.Delivery
	State  badge
	When   When
	Again  When // when it is tried again by itself
	Events bool // an event was told, so it can be told again
}

func (v *visit) webhookRow(w engine.Webhook) webhookRow {
	row := webhookRow{Webhook: w, State: badge{"active", "check", "Active", ""}, Tells: strings.Join(w.Events, ", "), Made: v.When(w.CreatedAt)}
	switch {
	case w.DisabledReason == engine.DisabledGone:
		row.State = badge{"hold", "gone", "Stopped: it answered that it is gone", ""}
	case w.DisabledReason != "":
		row.State = badge{"hold", "gone", "Stopped: nothing but failures for five days", ""}
	case !w.Active:
		row.State = badge{"idle", "clock", "Waits", "It keeps its place in the log."}
	}
	if row.Tells == "" {
		row.Tells = "everything but downloads"
	}
	return row
}

// nouns are what events are about: "document", "hold".
func nouns() (list []string) {
	for _, op := range audit.Ops() {
		noun, _, _ := strings.Cut(string(op), ".")
		if len(list) == 0 || list[len(list)-1] != noun {
			list = append(list, noun)
		}
	}
	return list
}

// deliverer is who delivers for this vault; nil if nobody does.
func (v *visit) deliverer() httpapi.Deliverer { return v.console.options.Deliveries[v.vault.Name()] }

func listWebhooks(v *visit) (answer, error) { return v.webhooksPage(v.draft(), 0) }

func (v *visit) webhooksPage(d draft, status int) (answer, error) {
	found, err := v.vault.Webhooks(v.ctx(), engine.Paging{Limit: 100, Cursor: v.r.URL.Query().Get("cursor")})
	body := webhooksPage{draft: d, Silent: v.deliverer() == nil, Allowed: nouns()}
	for _, w := range found.Items {
		body.Items = append(body.Items, v.webhookRow(w))
	}
	if found.NextCursor != "" {
		body.Next = v.With("cursor", found.NextCursor)
	}
	return answer{page: "webhooks", title: "Webhooks", body: body, status: status}, err
}

// events are the patterns of a form, apart by commas or blanks.
func (v *visit) events() []string {
	return strings.FieldsFunc(v.form("events"), func(r rune) bool { return strings.ContainsRune(" ,;\r\n", r) })
}

func addWebhook(v *visit) (answer, error) {
	w, secret, _, err := v.vault.CreateWebhook(v.ctx(), v.actor, engine.NewWebhook{URL: v.form("url"), Events: v.events(), Description: v.form("description"), Inactive: v.form("active") == ""})
	if err == nil {
		return v.webhookSecret(w, secret), nil
	}
	if d, status := v.again(err); status != 0 {
		return v.webhooksPage(d, status)
	}
	return answer{}, err
}

func (v *visit) webhookSecret(w engine.Webhook, secret engine.Secret) answer {
	back := v.Path("settings", "webhooks", w.ID)
	return answer{page: "secret", title: "The secret of the webhook", next: back, body: shownOnce{
		What: "Signing secret", Name: w.URL, Secret: secret.Reveal(), Back: back,
		Use: "Messages are signed with it, as Standard Webhooks has it: whoever receives them checks by it that they come from here.",
	}}
}

func showWebhook(v *visit) (answer, error) { return v.webhookPage(v.draft(), 0) }

func (v *visit) webhookPage(d draft, status int) (answer, error) {
	w, err := v.vault.Webhook(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	q := v.r.URL.Query()
	body := webhookPage{draft: d, webhookRow: v.webhookRow(w), Status: q.Get("status"), Silent: v.deliverer() == nil, Nouns: nouns()}
	if !body.Silent {
		found, err := v.deliverer().Deliveries(v.ctx(), w.ID, engine.DeliveryQuery{Status: engine.DeliveryStatus(body.Status), Paging: engine.Paging{Limit: 50, Cursor: q.Get("cursor")}})
		if err != nil {
			return answer{}, err
		}
		for _, one := range found.Items {
			body.Deliveries = append(body.Deliveries, v.deliveryRow(one))
		}
		if found.NextCursor != "" {
			body.Next = v.With("cursor", found.NextCursor)
		}
	}
	return answer{page: "webhook", title: "Webhook", body: body, status: status}, nil
}

func (v *visit) deliveryRow(d engine.Delivery) deliveryRow {
	row := deliveryRow{Delivery: d, When: v.When(d.At), Again: v.When(d.NextAttemptAt), Events: d.Seq > 0 && d.Type != ""}
	switch d.Status {
	case engine.DeliveryDone:
		row.State = badge{"active", "check", "Delivered", ""}
	case engine.DeliveryFailed:
		row.State = badge{"hold", "gone", "Failed", ""}
	default:
		row.State = badge{"idle", "clock", "Skipped", "Read these entries from the audit log."}
	}
	return row
}

func changeWebhook(v *visit) (answer, error) {
	url, events, description, active := v.form("url"), v.events(), v.form("description"), v.form("active") != ""
	w, _, err := v.vault.UpdateWebhook(v.ctx(), v.actor, v.id("id"), v.revision(), engine.WebhookPatch{URL: &url, Events: &events, Description: &description, Active: &active})
	if err == nil {
		return see(v.Path("settings", "webhooks", w.ID), "The webhook is changed."), nil
	}
	return v.webhookAgain(err)
}

func (v *visit) webhookAgain(err error) (answer, error) {
	if d, status := v.again(err); status != 0 {
		return v.webhookPage(d, status)
	}
	return answer{}, err
}

func rotateWebhook(v *visit) (answer, error) {
	w, secret, _, err := v.vault.RotateWebhook(v.ctx(), v.actor, v.id("id"), v.revision())
	if err == nil {
		return v.webhookSecret(w, secret), nil
	}
	return v.webhookAgain(err)
}

func removeWebhook(v *visit) (answer, error) {
	w, _, err := v.vault.DeleteWebhook(v.ctx(), v.actor, v.id("id"), v.revision())
	if err == nil {
		return see(v.Path("settings", "webhooks"), "The webhook to %s is deleted.", w.URL), nil
	}
	return v.webhookAgain(err)
}

func testWebhook(v *visit) (answer, error) {
	if v.deliverer() == nil {
		return answer{}, errSilent
	}
	d, err := v.deliverer().Test(v.ctx(), v.id("id"))
	return v.told(d, "The test", err)
}

func redeliver(v *visit) (answer, error) {
	n, err := strconv.ParseUint(v.form("n"), 10, 64)
	if err != nil {
		return answer{}, engine.ErrDeliveryNotFound
	}
	if v.deliverer() == nil {
		return answer{}, errSilent
	}
	d, err := v.deliverer().Redeliver(v.ctx(), v.id("id"), n)
	return v.told(d, "Entry "+strconv.FormatUint(d.Seq, 10), err)
}

// told goes back to the webhook and says what became of a delivery.
func (v *visit) told(d engine.Delivery, what string, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	to := v.Path("settings", "webhooks", v.id("id"))
	if d.Status == engine.DeliveryDone {
		return see(to, "%s was delivered: the endpoint answered %d %s.", what, d.HTTPStatus, http.StatusText(d.HTTPStatus)), nil
	}
	return answer{to: to, flash: &flash{"hold", what + " was not delivered: " + d.Error + "."}}, nil
}

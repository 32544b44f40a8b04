package httpapi

import (
	"context"
	"strconv"

	"strongroom/engine"
)

// Deliverer delivers the events of one vault, and knows what became of that.
// *webhook.Deliverer is one.
type Deliverer interface {
	// Deliveries lists attempts, the last first.
	Deliveries(ctx context.Context, webhookID string, q engine.DeliveryQuery) (engine.Page[engine.Delivery], error)
	// Redeliver makes another attempt now, and returns what became of it.
	Redeliver(ctx context.Context, webhookID string, n uint64) (engine.Delivery, error)
	// Test tells an event that is none, now, and returns what became of it.
	Test(ctx context.Context, webhookID string) (engine.Delivery, error)
}

func (s *Server) webhookRoutes() []route {
	noWebhook := engine.ErrWebhookNotFound
	routes := []route{
		endpoint("POST", "/v1/webhooks", 201, admin, "Subscribe to events; the secret that signs them is shown this once", createWebhook),
		endpoint("GET", "/v1/webhooks", 200, readAll, "List the webhooks, without their secrets", listWebhooks),
		endpoint("GET", "/v1/webhooks/:id", 200, readAll, "Read a webhook", getWebhook, noWebhook),
		endpoint("PATCH", "/v1/webhooks/:id", 200, admin, "Change a webhook, or activate it again", updateWebhook, noWebhook),
		endpoint("DELETE", "/v1/webhooks/:id", 200, admin, "Delete a webhook; the answer is what it was", deleteWebhook, noWebhook),
		endpoint("POST", "/v1/webhooks/:id/rotate", 200, admin, "Give a webhook another secret, shown this once; the old one signs too for 24 hours", rotateWebhook, noWebhook),
	}
	if s.options.Deliveries == nil {
		return routes
	}
	return append(routes,
		endpoint("POST", "/v1/webhooks/:id/test", 200, admin, "Send an event of the type webhook.test now; the answer is what became of it", s.testWebhook, noWebhook),
		endpoint("GET", "/v1/webhooks/:id/deliveries", 200, readAll, "List the last 1,000 attempts to deliver, the last first", s.listDeliveries, noWebhook),
		endpoint("POST", "/v1/webhooks/:id/deliveries/:n/redeliver", 200, admin, "Deliver the event of an attempt again now; the answer is what became of it", s.redeliver, noWebhook, engine.ErrDeliveryNotFound),
	)
}

type newWebhook struct {
	URL         string   `json:"url" required:"true" doc:"https, or http to an address that the operator allows. Where it leads is checked at each delivery."`
	Events      []string `json:"events" doc:"Operations of the audit log, all of a noun (hold.*), or * for all. Absent or empty: all but document.downloaded."`
	Description string   `json:"description"`
	Active      *bool    `json:"active" doc:"Absent: true."`
}

type createWebhookInput struct {
	Webhook newWebhook `body:"json"`
}

func createWebhook(ctx context.Context, c caller, in createWebhookInput) (reply[WebhookWithSecret], error) {
	n := in.Webhook
	w, secret, receipt, err := c.vault.CreateWebhook(ctx, c.actor, engine.NewWebhook{
		URL: n.URL, Events: n.Events, Description: n.Description, Inactive: n.Active != nil && !*n.Active,
	})
	out := signedBy(w, secret, receipt)
	out.location = "/v1/webhooks/" + w.ID
	return out, err
}

func signedBy(w engine.Webhook, secret engine.Secret, r engine.Receipt) reply[WebhookWithSecret] {
	return reply[WebhookWithSecret]{body: WebhookWithSecret{webhookOf(w), secret.Reveal()}, revision: w.Revision, receipt: r}
}

func changedWebhook(w engine.Webhook, r engine.Receipt) reply[Webhook] {
	return reply[Webhook]{body: webhookOf(w), revision: w.Revision, receipt: r}
}

func listWebhooks(ctx context.Context, c caller, in paging) (reply[List[Webhook]], error) {
	page, err := c.vault.Webhooks(ctx, in.engine())
	return answer(listOf(page, webhookOf)), err
}

type webhookInput struct {
	ID string `path:"id"`
}

func getWebhook(ctx context.Context, c caller, in webhookInput) (reply[Webhook], error) {
	w, err := c.vault.Webhook(ctx, in.ID)
	return changedWebhook(w, engine.Receipt{}), err
}

// webhookChange is what every change of a webhook carries.
type webhookChange struct {
	ID      string  `path:"id"`
	IfMatch ifMatch `header:"If-Match"`
}

// webhookPatch is a merge patch (RFC 7396).
type webhookPatch struct {
	URL         *string          `json:"url"`
	Events      member[[]string] `json:"events" doc:"Replaces all. Null or empty: all but document.downloaded."`
	Description member[string]   `json:"description"`
	Active      *bool            `json:"active" doc:"True ends a disabling; what was missed is delivered first."`
}

type updateWebhookInput struct {
	webhookChange
	Patch webhookPatch `body:"merge"`
}

func updateWebhook(ctx context.Context, c caller, in updateWebhookInput) (reply[Webhook], error) {
	p := in.Patch
	w, receipt, err := c.vault.UpdateWebhook(ctx, c.actor, in.ID, in.IfMatch.condition(), engine.WebhookPatch{
		URL: p.URL, Events: orZero(p.Events), Description: orZero(p.Description), Active: p.Active,
	})
	return changedWebhook(w, receipt), err
}

func deleteWebhook(ctx context.Context, c caller, in webhookChange) (reply[Webhook], error) {
	w, receipt, err := c.vault.DeleteWebhook(ctx, c.actor, in.ID, in.IfMatch.condition())
	return reply[Webhook]{body: webhookOf(w), receipt: receipt}, err
}

func rotateWebhook(ctx context.Context, c caller, in webhookChange) (reply[WebhookWithSecret], error) {
	w, secret, receipt, err := c.vault.RotateWebhook(ctx, c.actor, in.ID, in.IfMatch.condition())
	return signedBy(w, secret, receipt), err
}

// deliverer is who delivers for the caller's vault. A vault may have none.
func (s *Server) deliverer(c caller) (Deliverer, error) {
	if d := s.options.Deliveries[c.vault.Name()]; d != nil {
		return d, nil
	}
	return nil, errNotFound
}

func (s *Server) testWebhook(ctx context.Context, c caller, in webhookInput) (reply[Delivery], error) {
	deliver, err := s.deliverer(c)
	if err != nil {
		return reply[Delivery]{}, err
	}
	d, err := deliver.Test(ctx, in.ID)
	return answer(deliveryOf(d)), err
}

type deliveriesQuery struct {
	ID     string                `path:"id"`
	Status engine.DeliveryStatus `query:"status" enum:"delivered|failed|skipped"`
	paging
}

func (s *Server) listDeliveries(ctx context.Context, c caller, in deliveriesQuery) (reply[List[Delivery]], error) {
	deliver, err := s.deliverer(c)
	if err != nil {
		return reply[List[Delivery]]{}, err
	}
	page, err := deliver.Deliveries(ctx, in.ID, engine.DeliveryQuery{Status: in.Status, Paging: in.paging.engine()})
	return answer(listOf(page, deliveryOf)), err
}

// deliveryNumber is the number of a delivery in a path.
type deliveryNumber uint64

func (n *deliveryNumber) bind(s string) error {
	number, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(number, 10) != s {
		return engine.ErrDeliveryNotFound
	}
	*n = deliveryNumber(number)
	return nil
}

type redeliverInput struct {
	ID string         `path:"id"`
	N  deliveryNumber `path:"n"`
}

func (s *Server) redeliver(ctx context.Context, c caller, in redeliverInput) (reply[Delivery], error) {
	deliver, err := s.deliverer(c)
	if err != nil {
		return reply[Delivery]{}, err
	}
	d, err := deliver.Redeliver(ctx, in.ID, uint64(in.N))
	return answer(deliveryOf(d)), err
}

package httpapi

import "strongroom/engine"

// Webhook is where events are told, and which.
type Webhook struct {
	ID             string   `json:"id"`
	URL            string   `json:"url"`
	Events         []string `json:"events" doc:"Operations of the audit log, all of a noun (hold.*), or * for all. Empty: all but document.downloaded."`
	Description    string   `json:"description"`
	Active         bool     `json:"active" doc:"While it is not, it keeps its place in the audit log, and goes on from there."`
	CreatedAt      Time     `json:"createdAt" doc:"It is told of what comes after."`
	DisabledReason string   `json:"disabledReason" enum:"|gone|failing" doc:"Why it was taken out of service: its endpoint answered 410, or nothing but failure for five days. Active true ends it."`
	Revision       uint64   `json:"revision" doc:"It is the ETag."`
}

func webhookOf(w engine.Webhook) Webhook {
	return Webhook{
		ID: w.ID, URL: w.URL, Events: orEmpty(w.Events), Description: w.Description, Active: w.Active,
		CreatedAt: Time(w.CreatedAt), DisabledReason: string(w.DisabledReason), Revision: w.Revision,
	}
}

// WebhookWithSecret is a webhook with what its messages are signed with, which is
// shown this once.
type WebhookWithSecret struct {
	Webhook
	Secret string `json:"secret" doc:"whsec_ and a key in base64: messages carry its signature, as Standard Webhooks has it. It is not shown again."`
}

// Delivery is one attempt to tell a webhook of an event.
type Delivery struct {
	N             uint64 `json:"n" doc:"Numbers the attempts of one webhook; 0 for a test, which is not kept."`
	Seq           uint64 `json:"seq" doc:"The audit entry that was told; 0 for a test."`
	Type          string `json:"type" doc:"The entry's op, or webhook.test; empty if skipped."`
	Attempt       uint64 `json:"attempt" doc:"Which one it was for this entry, from 1; 0 was asked for by an admin."`
	At            Time   `json:"at"`
	Status        string `json:"status" enum:"delivered|failed|skipped" doc:"skipped: entries up to seq are not told, because what was kept of deliveries is lost; read them from the audit log."`
	HTTPStatus    uint64 `json:"httpStatus" doc:"What the endpoint answered; 0: nothing."`
	Error         string `json:"error" doc:"Empty if it was delivered."`
	NextAttemptAt Time   `json:"nextAttemptAt" null:"it is not tried again by itself"`
}

func deliveryOf(d engine.Delivery) Delivery {
	return Delivery{
		N: d.N, Seq: d.Seq, Type: d.Type, Attempt: d.Attempt, At: Time(d.At), Status: string(d.Status),
		HTTPStatus: uint64(d.HTTPStatus), Error: d.Error, NextAttemptAt: Time(d.NextAttemptAt),
	}
}

package engine

import "time"

// Delivery is one attempt to tell a webhook of an event, as whoever delivers
// remembers it. This package makes none: the type is here so that those who
// deliver and those who show it need not know one another.
type Delivery struct {
	N    uint64 // numbers the attempts of one webhook, from 1; 0 if it is not kept
	Seq  uint64 // the entry that was told; 0 for a test
	Type string // its operation, or webhook.test
	// Attempt counts those for this entry, from 1; 0 was asked for by an admin.
	Attempt uint64
	At      time.Time
	Status  DeliveryStatus
	// HTTPStatus is what the endpoint answered, 0 if it did not.
	HTTPStatus int
	Error      string // "" if it was delivered
	// NextAttemptAt is when the entry is tried again; zero: not by itself.
	NextAttemptAt time.Time
}

// DeliveryStatus is what became of an attempt.
type DeliveryStatus string

const (
	DeliveryDone   DeliveryStatus = "delivered" // answered 2xx
	DeliveryFailed DeliveryStatus = "failed"
	// DeliverySkipped: entries up to this one are not delivered, because what was
	// kept of deliveries is lost.
	DeliverySkipped DeliveryStatus = "skipped"
)

// DeliveryQuery chooses deliveries. Zero members choose all.
type DeliveryQuery struct {
	Status DeliveryStatus
	Paging
}

package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

// event is an entry as it is told. Its body is the same for every endpoint and
// at every attempt, so that it is spelled once.
type event struct {
	seq  uint64
	op   audit.Op
	id   string // stable over retries
	body []byte
}

type message struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      any    `json:"data"`
}

// data is what an entry says, and nothing of its detail: ids, not contents.
type data struct {
	Seq        uint64          `json:"seq"`
	Hash       string          `json:"hash"`
	ActorID    string          `json:"actorId"`
	DocumentID string          `json:"documentId"`
	Version    uint64          `json:"version"`
	Facts      json.RawMessage `json:"facts"`
}

func newEvent(vault string, e engine.Entry) (event, error) {
	facts, err := e.Facts.MarshalJSON()
	if err != nil {
		return event{}, fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	hash := e.Hash.String()
	return spell(event{seq: e.Seq, op: e.Op, id: fmt.Sprintf("%s.%d.%s", vault, e.Seq, hash[:16])}, e.Time, data{
		Seq: e.Seq, Hash: hash, ActorID: e.Actor, DocumentID: e.Document, Version: e.Version, Facts: facts,
	})
}

// testType is the type of what an admin asks for to see whether it arrives.
const testType = "webhook.test"

func newTest(vault, webhookID, nonce string, now time.Time) (event, error) {
	return spell(event{op: testType, id: vault + ".test." + nonce}, now, map[string]string{"webhookId": webhookID})
}

func spell(e event, at time.Time, data any) (event, error) {
	var err error
	e.body, err = json.Marshal(message{ID: e.id, Type: string(e.op), Timestamp: audit.FormatTime(at), Data: data})
	return e, err
}

// request is the message of an event to a target, signed as of now by each of
// its secrets (Standard Webhooks).
func request(ctx context.Context, e event, target engine.WebhookTarget, now time.Time) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.URL, bytes.NewReader(e.body))
	if err != nil {
		return nil, err
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	var signatures []string
	for _, secret := range target.Secrets {
		signature, err := sign(secret, e.id+"."+timestamp+".", e.body)
		if err != nil {
			return nil, err
		}
		signatures = append(signatures, signature)
	}
	r.Header = http.Header{
		"Content-Type":      {"application/json"},
		"User-Agent":        {"Strongroom-Webhooks/1"},
		"Webhook-Id":        {e.id},
		"Webhook-Timestamp": {timestamp},
		"Webhook-Signature": {strings.Join(signatures, " ")},
	}
	return r, nil
}

// sign is the signature of what stands before the body and the body.
func sign(secret engine.Secret, before string, body []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret.Reveal(), "whsec_"))
	if err != nil {
		return "", fmt.Errorf("a secret that cannot sign: %w", err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(before))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

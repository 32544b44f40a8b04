package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Refusal is the API's answer to what it refuses. Its text is for a person, the
// message or, where single fields are wrong, what is wrong with each.
type Refusal struct {
	Status  int
	Code    string `json:"errorCode"`
	Message string `json:"message"`
	Details struct {
		Fields []struct {
			Field   string `json:"field"`
			Message string `json:"message"`
		} `json:"fields"`
	} `json:"details,omitzero"`
}

func (e *Refusal) Error() string {
	if len(e.Details.Fields) == 0 {
		return e.Message
	}
	parts := make([]string, len(e.Details.Fields))
	for i, f := range e.Details.Fields {
		parts[i] = f.Field + ": " + f.Message
	}
	return strings.Join(parts, "; ")
}

// refusal returns a refusal as an error, and closes its body; nil if resp is
// none.
func refusal(resp *http.Response) error {
	if resp.StatusCode < 300 {
		return nil
	}
	defer resp.Body.Close()
	refused := Refusal{Status: resp.StatusCode}
	if err := json.NewDecoder(resp.Body).Decode(&refused); err != nil || refused.Message == "" {
		return fmt.Errorf("%s %s: %s", resp.Request.Method, resp.Request.URL.Path, resp.Status)
	}
	return &refused
}

// NeedsTwoError is the API's answer to what needs two persons: nothing was done, and
// the request waits for one of the two.
type NeedsTwoError struct {
	ID   string `json:"id"`
	What string `json:"what"`
	Plan string `json:"planDigest"`
}

func (e *NeedsTwoError) Error() string {
	return fmt.Sprintf("this needs two persons (%s) and is not done yet: an admin can approve it, or you: strongroom approval approve %s", e.What, e.ID)
}

// needsTwo returns an answer as an error, if it is a request for approval.
func needsTwo(sent []byte) error {
	var asked NeedsTwoError
	if json.Unmarshal(sent, &asked) != nil || asked.What == "" || asked.Plan == "" {
		return nil
	}
	return &asked
}

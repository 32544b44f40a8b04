package console

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestTheReferenceHasLinesToTypeWithThisAddress(t *testing.T) {
	k := newKit(t)
	vera := k.viewer()
	vera.get("/console/main/reference").ok("/console/main/reference").
		says("API reference", k.server.URL+"/v1", "Upload a document").
		offers("/console/main/reference/documents", "/console/main/reference")
	vera.get("/console/main/reference/documents").is(200).
		says("Upload a document", `curl -H "Authorization: Bearer $KEY" -F file=@agreement.pdf '`+k.server.URL+`/v1/documents'`, "multipart/form-data", "PAYLOAD_TOO_LARGE", "customFields")
	vera.get("/console/main/reference/nothing").is(404)
	k.stranger().get("/console/main/reference").says("API key") // signs in first
}

func TestTheReferenceHasThePublicAddressAndThePrefix(t *testing.T) {
	k := newKitWith(t, Options{Prefix: "/vault", PublicURL: "https://vault.example.com"})
	b := k.stranger()
	b.post("/vault/console/sign-in", "key", k.Token).ok("/vault/console/main/documents")
	b.get("/vault/console/main/reference/audit").is(200).says("'https://vault.example.com/vault/v1/audit/head'")
}

func TestGuidesAreThereIfTheProgramHasThem(t *testing.T) {
	none := newKit(t).viewer()
	none.get("/console/main/guides").is(200).says("no guides in it")
	none.get("/console/main/documents").withholds("/console/main/guides").offers("/console/main/reference")

	k := newKitWith(t, Options{Guides: os.DirFS("../..")})
	vera := k.viewer()
	vera.get("/console/main/documents").offers("/console/main/guides")
	vera.get("/console/main/guides").is(200).offers("/console/main/guides/api", "/console/main/guides/operate")
	guide := vera.get("/console/main/guides/api").is(200).says("On this page", "What holds everywhere")
	if !strings.Contains(guide.HTML, `href="operate`) && !strings.Contains(guide.HTML, `href="proof`) {
		t.Error("the guide to the API links to no other")
	}
	vera.get("/console/main/guides/nothing").is(http.StatusNotFound)
}

package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"strongroom/engine"
	"strongroom/httpapi"
)

// What of this stands in a guide stands there as it stands here.

func keepMinutes(dir string) error {
	ctx := context.Background()
	vault, err := engine.Open(dir, engine.Options{Create: true})
	if err != nil {
		return err
	}
	defer vault.Close()

	ada, _, err := vault.EnsureUser(ctx, engine.Operator(), engine.NewUser{
		Name: "Ada Lovelace", Email: "ada@example.com", Access: engine.AccessUpload,
	})
	if err != nil {
		return err
	}
	upload, err := vault.Stage(ctx, strings.NewReader("All agreed.\n"), 1<<30)
	if err != nil {
		return err
	}
	defer upload.Discard()
	document, receipt, err := vault.CreateDocument(ctx,
		engine.Actor{UserID: ada.ID, Access: engine.AccessUpload},
		engine.NewDocument{
			Name:    "Minutes",
			Tags:    []string{"year:2026"},
			Version: engine.NewVersion{FileName: "minutes.txt", MediaType: "text/plain"},
		}, upload)
	if err != nil {
		return err
	}
	fmt.Println(document.Name, document.Current.Digest, "is entry", receipt.Seq)
	return nil
}

func mount(mux *http.ServeMux, vault *engine.Vault, whoIs func(*http.Request) (engine.Actor, error)) {
	mux.Handle("/documents/", httpapi.New(map[string]*engine.Vault{vault.Name(): vault}, httpapi.Options{
		Prefix: "/documents",
		Authenticate: func(r *http.Request) (*engine.Vault, engine.Actor, error) {
			actor, err := whoIs(r)
			return vault, actor, err
		},
	}))
}

func genuine(secret string, r *http.Request, body []byte) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	sent, bad := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
	if err != nil || bad != nil || time.Since(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", r.Header.Get("webhook-id"), sent, body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return slices.ContainsFunc(strings.Fields(r.Header.Get("webhook-signature")), func(signature string) bool {
		return hmac.Equal([]byte(signature), []byte(want))
	})
}

func Example_embedding() {
	dir, err := os.MkdirTemp("", "strongroom")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := keepMinutes(dir + "/minutes"); err != nil {
		fmt.Println(err)
	}
	// Output: Minutes sha256:958bba3d240ea887b253d020483ee07571c0b9cf9871b6f9661bbe88d2169ca4 is entry 4
}

func Example_mounting() {
	dir, err := os.MkdirTemp("", "strongroom")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	vault, err := engine.Create(dir+"/mounted", engine.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer vault.Close()
	ada, _, err := vault.CreateUser(context.Background(), engine.Operator(), engine.NewUser{Name: "Ada", Access: engine.AccessAdmin})
	if err != nil {
		fmt.Println(err)
		return
	}

	mux := http.NewServeMux()
	mount(mux, vault, func(r *http.Request) (engine.Actor, error) {
		if r.Header.Get("X-Badge") != "42" {
			return engine.Actor{}, engine.ErrInvalidToken
		}
		return engine.Actor{UserID: ada.ID, Access: engine.AccessUpload}, nil
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, badge := range []string{"42", "43"} {
		req, err := http.NewRequest("POST", server.URL+"/documents/v1/documents?fileName=note.txt", strings.NewReader("Hello"))
		if err != nil {
			fmt.Println(err)
			return
		}
		req.Header.Set("X-Badge", badge)
		resp, err := server.Client().Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		location := strings.TrimPrefix(resp.Header.Get("Location"), server.URL)
		fmt.Println(resp.Status, location[:min(len(location), len("/documents/v1/documents/"))])
	}
	// Output:
	// 201 Created /documents/v1/documents/
	// 401 Unauthorized
}

package s3_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/blobstore/object"
	"strongroom/blobstore/s3"
)

func TestParseAddress(t *testing.T) {
	for address, want := range map[string][2]string{
		"s3://vaults":            {"vaults", ""},
		"s3://vaults/":           {"vaults", ""},
		"s3://my.vaults-1/a":     {"my.vaults-1", "a"},
		"s3://vaults/a/b_c/d.1/": {"vaults", "a/b_c/d.1"},
	} {
		bucket, prefix, err := s3.ParseAddress(address)
		if err != nil || bucket != want[0] || prefix != want[1] {
			t.Errorf("%s: %q, %q, %v", address, bucket, prefix, err)
		}
	}
	for address, says := range map[string]string{
		"":                           "write s3://BUCKET/PREFIX",
		"vaults/a":                   "write s3://BUCKET/PREFIX",
		"S3://vaults":                "write s3://BUCKET/PREFIX",
		"https://store/vaults":       "AWS_ENDPOINT_URL",
		"s3://":                      "the bucket is missing",
		"s3:///a":                    "the bucket is missing",
		"s3://127.0.0.1:9000/vaults": "AWS_ENDPOINT_URL",
		"s3://key:secret@vaults/a":   "AWS_ACCESS_KEY_ID",
		"s3://Vaults/a":              "lower-case",
		"s3://va/a":                  "3 to 63",
		"s3://10.0.0.1/a":            "no name of a bucket",
		"s3://vaults//a":             "one slash",
		"s3://vaults/a//b":           "one slash",
		"s3://vaults/a/../b":         "some stores change",
		"s3://vaults/.":              "some stores change",
		"s3://vaults/a b":            "some stores change",
		"s3://vaults/é":              "some stores change",
		"s3://vaults/a?x=1":          "some stores change",
		"s3://vaults/a%20b":          "some stores change",
		"s3://vaults/" + strings.Repeat("a", 201): "longer than 200",
	} {
		if _, _, err := s3.ParseAddress(address); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", address, err, says)
		}
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	keys := file("keys", "[default]\naws_access_key_id = k\naws_secret_access_key = s\n[other]\naws_access_key_id = o\n")
	good := s3.Config{Bucket: "vaults", Endpoint: "https://store.example", AccessKey: "k", SecretKey: "s"}
	for name, test := range map[string]struct {
		change func(*s3.Config)
		says   string
	}{
		"good":                  {func(*s3.Config) {}, ""},
		"AWS":                   {func(c *s3.Config) { c.Endpoint, c.Region = "", "eu-north-1" }, ""},
		"AWS without a region":  {func(c *s3.Config) { c.Endpoint = "" }, "AWS_REGION"},
		"a file":                {func(c *s3.Config) { c.AccessKey, c.SecretKey, c.CredentialsFile = "", "", keys }, ""},
		"half of a section":     {func(c *s3.Config) { c.AccessKey, c.SecretKey, c.CredentialsFile, c.Profile = "", "", keys, "other" }, "other"},
		"no such section":       {func(c *s3.Config) { c.AccessKey, c.SecretKey, c.CredentialsFile, c.Profile = "", "", keys, "none" }, "none"},
		"no such file":          {func(c *s3.Config) { c.AccessKey, c.SecretKey, c.CredentialsFile = "", "", filepath.Join(dir, "none") }, "none"},
		"no credentials":        {func(c *s3.Config) { c.AccessKey, c.SecretKey = "", "" }, "AWS_SHARED_CREDENTIALS_FILE"},
		"half":                  {func(c *s3.Config) { c.SecretKey = "" }, "AWS_SECRET_ACCESS_KEY"},
		"the other half":        {func(c *s3.Config) { c.AccessKey = "" }, "AWS_ACCESS_KEY_ID"},
		"no bucket":             {func(c *s3.Config) { c.Bucket = "" }, "the bucket is missing"},
		"a bad prefix":          {func(c *s3.Config) { c.Prefix = "a//b" }, "one slash"},
		"no scheme":             {func(c *s3.Config) { c.Endpoint = "store.example:9000" }, "https://store.example"},
		"another scheme":        {func(c *s3.Config) { c.Endpoint = "ftp://store.example" }, "https://store.example"},
		"a bucket in the URL":   {func(c *s3.Config) { c.Endpoint = "https://store.example/vaults" }, "behind the host"},
		"a user in the URL":     {func(c *s3.Config) { c.Endpoint = "https://k:s@store.example" }, "AWS_ACCESS_KEY_ID"},
		"roots without TLS":     {func(c *s3.Config) { c.Endpoint, c.RootsFile = "http://store.example", keys }, "https://"},
		"roots that are none":   {func(c *s3.Config) { c.RootsFile = keys }, "no certificate"},
		"roots that are nought": {func(c *s3.Config) { c.RootsFile = filepath.Join(dir, "none") }, "none"},
	} {
		c := good
		test.change(&c)
		_, err := s3.Open(c)
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
}

func TestFromAWS(t *testing.T) {
	names := map[string]string{
		"AWS_ENDPOINT_URL": "https://other.example", "AWS_ENDPOINT_URL_S3": "https://store.example", "AWS_DEFAULT_REGION": "eu-north-1",
		"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t", "AWS_SHARED_CREDENTIALS_FILE": "f", "AWS_PROFILE": "p", "AWS_CA_BUNDLE": "c",
		"AWS_REQUEST_CHECKSUM_CALCULATION": "WHEN_REQUIRED",
	}
	got, err := s3.FromAWS("s3://vaults/a", func(name string) string { return names[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := s3.Config{Bucket: "vaults", Prefix: "a", Endpoint: "https://store.example", Region: "eu-north-1", AccessKey: "k", SecretKey: "s", SessionToken: "t",
		CredentialsFile: "f", Profile: "p", RootsFile: "c"}
	if !got.NoChecksums || got.Bucket != want.Bucket || got.Prefix != want.Prefix || got.Endpoint != want.Endpoint || got.Region != want.Region || got.AccessKey != want.AccessKey ||
		got.SecretKey != want.SecretKey || got.SessionToken != want.SessionToken || got.CredentialsFile != want.CredentialsFile || got.Profile != want.Profile || got.RootsFile != want.RootsFile {
		t.Errorf("%+v", got)
	}
	if _, err := s3.FromAWS("vaults", func(string) string { return "" }); err == nil {
		t.Error("no address")
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("ETag", `"e"`) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it would tell of who does not trust it
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, s3.Config{Endpoint: server.URL, RootsFile: roots}).Put(t.Context(), "k", []byte("b"), object.Condition{}); err != nil {
		t.Errorf("with its root: %v", err)
	}
	_, err := open(t, s3.Config{Endpoint: server.URL}).Put(t.Context(), "k", []byte("b"), object.Condition{})
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without: %v", err)
	}
}

func TestString(t *testing.T) {
	c := open(t, s3.Config{Endpoint: "http://store.example", Prefix: "a/b"})
	if got := c.String(); got != "s3://vaults/a/b" {
		t.Error(got)
	}
	if got := c.Under("/c/").String(); got != "s3://vaults/a/b/c" {
		t.Error(got)
	}
	if got := open(t, s3.Config{Endpoint: "http://store.example"}).Under("").String(); got != "s3://vaults" {
		t.Error(got)
	}
}

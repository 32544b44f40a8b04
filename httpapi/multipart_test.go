package httpapi

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"strongroom/engine/enginetest"
)

// FuzzMultipart: whatever is sent as a form, the answer is the file and its
// fields, or a refusal of the client's doing; never a panic, never a form
// without an end.
func FuzzMultipart(f *testing.F) {
	const file = "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nthe text\r\n"
	const name = "--cut\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\na\r\n"
	for _, s := range []string{
		file + "--cut--\r\n", name + file + "--cut--", file + name + file + "--cut--\r\n", file + "--cut\r\n", file,
		"preamble\r\n" + file + "--cut--\r\nepilogue",
		"--cut\r\nContent-Disposition: form-data; name=\"tags\"\r\n\r\na,b\r\n--cut\r\nContent-Disposition: form-data; name=\"customFields\"\r\n\r\n{\"a\":1}\r\n" + file + "--cut--\r\n",
	} {
		f.Add([]byte(s))
	}
	vault := enginetest.New(f)
	server := New(nil, Options{MaxUpload: 10_000})
	plan := inputOf(reflect.TypeFor[createDocumentInput](), "POST")
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/v1/documents", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=cut")
		x := &exchange{ResponseWriter: w, server: server}
		var in createDocumentInput
		defer in.release()
		err := receive(&in, plan, caller{vault: vault.Vault, actor: vault.Admin}, x, r)
		if err != nil {
			if status, _, _ := x.describe(err); status < 400 || status > 415 {
				t.Errorf("%d: %v", status, err)
			}
			return
		}
		if in.staged == nil || !strings.Contains(string(body), "--cut--") {
			t.Errorf("accepted: %q", body)
		}
	})
}

// TestFileNamesOfForms holds what a file is called by the forms in which clients
// write its name. (web-platform-tests, "form-data-filename")
func TestFileNamesOfForms(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	for disposition, want := range map[string]string{
		`filename="quo%22te.txt"`:                              `quo"te.txt`,
		`filename="%22%22.txt"`:                                `"".txt`,
		`filename="quo\"te.txt"`:                               `quo"te.txt`,
		`filename="per%20cent%.txt"`:                           `per%20cent%.txt`,
		`filename="line%0Aend%0D.txt"`:                         `line%0Aend%0D.txt`,
		`filename="a%2522.txt"`:                                `a%2522.txt`,
		`filename*=UTF-8''a%2522b.txt`:                         `a%22b.txt`,
		`filename="a%22b.txt"; filename*=UTF-8''%E2%82%AC.txt`: `€.txt`,
	} {
		body := "--cut\r\nContent-Disposition: form-data; name=\"file\"; " + disposition + "\r\n\r\ntext\r\n--cut--\r\n"
		a, answer := k.do("upload", "POST", "/v1/documents", strings.NewReader(body), "Content-Type", "multipart/form-data; boundary=cut")
		var d Document
		if err := json.Unmarshal([]byte(answer), &d); err != nil || a.StatusCode != 201 || d.CurrentVersion.FileName != want {
			t.Errorf("%s: %d %s, want %s", disposition, a.StatusCode, answer, want)
		}
	}
}

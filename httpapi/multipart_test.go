package httpapi

import (
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

package main

import (
	"bufio"
	"fmt"
	"go/ast"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestNobodyDials holds that no code but that of webhooks, and of the identity provider,
// the witnesses, the store and its servers that an operator has named, can reach out: who makes a connection is known by name. All else listens, or goes to the control
// socket.
func TestNobodyDials(t *testing.T) {
	reachesOut := regexp.MustCompile(`^(net\.(Dial\w*|Lookup\w+|Resolver|DefaultResolver)|tls\.(Dial\w*|Dialer)|smtp\.\w+|` +
		`http\.(Get|Head|Post|PostForm|Client|Transport|DefaultClient|DefaultTransport))$`)
	may := map[string][]string{
		"httpapi/control/listen.go": {"net.Dialer"},                    // of the unix socket
		"httpapi/control/client.go": {"http.Client", "http.Transport"}, // over that
		"httpapi/oidc/oidc.go":      {"http.Client", "http.Transport"}, // to the provider that --oidc-issuer names
		"httpapi/witness/client.go": {"http.Client", "http.Transport"}, // to the witnesses that --witness-policy names
		"httpapi/daemon/forward.go": {"http.Transport", "net.Dialer"},  // to the servers that share the store of --store
		// To that store.
		"blobstore/s3/client_address.go": {"http.Transport", "net.Dialer", "http.DefaultClient"},
	}
	met := 0
	for _, s := range sources(t) {
		if s.isTest() || below(s.dir, []string{"engine/webhook", "blobstore/s3/s3test"}) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok || !reachesOut.MatchString(selected(selector)) {
				return true
			}
			met++
			if !slices.Contains(may[s.dir+"/"+s.name], selected(selector)) {
				t.Errorf("%s: %s: only webhooks and what an operator has named are reached", s.at(n), selected(selector))
			}
			return true
		})
	}
	if met < 3 {
		t.Error("not even the control socket is dialled: the test looks in the wrong place")
	}
}

// TestNothingGoesOut watches a server at work: of all its sockets, each listens,
// or is a connection that somebody made to it.
func TestNothingGoesOut(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("sockets are looked up in /proc")
	}
	s := spawn(t, t.TempDir())
	port := s.url[strings.LastIndex(s.url, ":")+1:]
	stop, seen := make(chan struct{}), map[socket]bool{}
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			for _, found := range socketsOf(s.pid) {
				seen[found] = true
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	s.work(t)
	close(stop)
	watching.Wait()
	// One connection is there for certain: answered once, and kept.
	client, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	fmt.Fprint(client, "GET /livez HTTP/1.1\r\nHost: vault\r\n\r\n")
	if _, err := bufio.NewReader(client).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	for _, found := range socketsOf(s.pid) {
		seen[found] = true
	}
	listens := 0
	for found := range seen {
		if found.state == stateListen {
			listens++
		}
		if found.port != port || !strings.HasPrefix(found.protocol, "tcp") {
			t.Errorf("the server has a socket of its own making: %+v", found)
		}
	}
	if listens == 0 || len(seen) == listens {
		t.Errorf("the test looks in the wrong place: it saw %v", seen)
	}
}

// work does something of everything with a server.
func (s *server) work(t *testing.T) {
	t.Helper()
	key := s.firstKey(t)
	for round := range 20 {
		id := s.upload(t, key, fmt.Sprintf("%d.txt", round), "see https://example.com/")
		for _, path := range []string{"/v1/documents/" + id + "/content", "/v1/documents?tag=a", "/openapi.json", "/metrics", "/readyz", "/v1/audit/export", "/oauth/userinfo"} {
			s.do(t, key, "GET", path, nil)
		}
		s.do(t, key, "POST", "/v1/documents/"+id+"/lock", strings.NewReader(`{}`), "Content-Type", "application/json")
	}
	mustRun(t, "import", tree(t, map[string]string{"a.txt": "A", "b.pdf": "%PDF-1.4 https://example.com"}), "--data", s.data)
	mustRun(t, "verify", "--bytes", "--data", s.data)
}

// socket is a socket of the internet protocols.
type socket struct{ protocol, port, state string }

// stateListen is TCP_LISTEN as /proc/net/tcp writes it.
const stateListen = "0A"

// socketsOf lists the sockets a process has; none if it has ended.
func socketsOf(pid int) (found []socket) {
	mine := map[string]bool{}
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid)) // its only error is that of the pattern
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && strings.HasPrefix(target, "socket:[") {
			mine[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")] = true
		}
	}
	for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6", "icmp", "icmp6"} {
		table, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, protocol))
		if err != nil {
			continue // the kernel has none of this kind
		}
		defer table.Close()
		for lines := bufio.NewScanner(table); lines.Scan(); {
			cells := strings.Fields(lines.Text())
			if len(cells) < 10 || !mine[cells[9]] {
				continue
			}
			var port int
			fmt.Sscanf(cells[1][strings.LastIndex(cells[1], ":")+1:], "%X", &port)
			found = append(found, socket{protocol, fmt.Sprint(port), cells[3]})
		}
	}
	return found
}

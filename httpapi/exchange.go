package httpapi

import (
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"time"

	"strongroom/engine"
)

// exchange is one request on its way to an answer, and the ResponseWriter that
// is told the answer, so that the log knows what was said.
type exchange struct {
	http.ResponseWriter
	server  *Server
	id      string // of the request
	base    string // what a Location begins with
	began   time.Time
	pattern string        // "" until the route is known
	vault   *engine.Vault // nil until the caller is known
	dress   *dress        // nil: none, it is a native route
	user    string        // "" until the caller is known
	code    string        // the errorCode of the answer; "": it is no error
	status  int           // 0 until it is written
	sent    int64         // bytes of the body
	taken   int64         // bytes of the request's body
	gone    bool          // the connection takes no more of the answer

	// fields is the code for a value the engine refuses: it depends on where
	// the values of this request came from.
	fields errorCode

	// said are the values of the header that stand in one piece of memory.
	said [10]string
	says int

	who     *caller   // nil until known, and on routes open to all
	trusted time.Time // until when who is believed
}

// trust asks who is answered again, now and then, so that a long answer ends with
// the access of its reader.
func (x *exchange) trust() error {
	now := time.Now()
	if x.who == nil || now.Before(x.trusted) {
		return nil
	}
	x.trusted = now.Add(doubt)
	return x.who.again()
}

// say sets a member of the header, by the name that net/http has for it. Of the few
// that every answer has, each would be a piece of memory of its own otherwise.
func (x *exchange) say(name, value string) {
	if x.says == len(x.said) {
		x.Header()[name] = []string{value}
		return
	}
	x.said[x.says] = value
	x.says++
	x.Header()[name] = x.said[x.says-1 : x.says : x.says]
}

// WriteHeader sends the status, once.
func (x *exchange) WriteHeader(status int) {
	x.hurry()
	if x.status == 0 && status >= 200 {
		x.status = status
		x.trusted = time.Now().Add(doubt) // the beginning of an answer is what was decided
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	if err := x.trust(); err != nil {
		x.gone = true
		return 0, err
	}
	x.hurry()
	return x.pass(b)
}

// pass is Write for whoever has just asked, and set the deadline.
func (x *exchange) pass(b []byte) (int, error) {
	n, err := x.ResponseWriter.Write(b)
	x.sent += int64(n)
	x.gone = x.gone || err != nil
	return n, err
}

// step is how much of an answer a client must have received, or its system have
// taken for it, within the server's BodyTimeout.
const step = 256 << 10

// hurry gives the client its time for the next step. A client that stops reading
// would hold the request, and the file it is sent, for as long as it likes. The
// server takes the deadline back when the answer is over.
func (x *exchange) hurry() {
	// In a server that has no deadlines nothing can stand still either.
	http.NewResponseController(x.ResponseWriter).SetWriteDeadline(time.Now().Add(x.server.options.BodyTimeout))
}

// flush sends what was written so far.
func (x *exchange) flush() error {
	err := http.NewResponseController(x.ResponseWriter).Flush()
	x.gone = x.gone || err != nil
	return err
}

// ReadFrom is here so that the ReadFrom below is not hidden: it is the one that
// sends a file without copying it through this process. It knows a file also
// behind an io.LimitedReader, but behind one only.
func (x *exchange) ReadFrom(src io.Reader) (total int64, err error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	left := int64(math.MaxInt64)
	if limited, ok := src.(*io.LimitedReader); ok {
		src, left = limited.R, limited.N
		defer func() { limited.N -= total }()
	}
	for total < left {
		if err := x.trust(); err != nil {
			return total, err
		}
		x.hurry()
		most := min(step, left-total)
		n, err := io.Copy(x.ResponseWriter, &io.LimitedReader{R: src, N: most})
		total += n
		x.sent += n
		if err != nil || n < most {
			return total, err
		}
	}
	return total, nil
}

// Unwrap lets http.ResponseController find what it needs.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// answer encodes body before anything is written, so that a body that cannot be
// encoded is still an error and not half an answer.
func (x *exchange) answer(status int, body any) error {
	if d, ok := body.(dressed); ok && x.dress != nil && x.dress.xml != "" {
		return x.answerXML(status, d)
	}
	w := &wire{}
	if kept, ok := x.server.wires.Get().(*wire); ok {
		w = kept
	}
	if w.value(body); w.err != nil {
		return w.err
	}
	w.b = append(w.b, '\n')
	x.answerBytes(status, "application/json", w.b)
	if cap(w.b) <= maxKeptWire {
		w.b = w.b[:0]
		x.server.wires.Put(w)
	}
	return nil
}

// maxKeptWire is what an answer may take of memory to be kept for the next one.
const maxKeptWire = 1 << 18

// answerBytes sends a text as it is.
func (x *exchange) answerBytes(status int, media string, body []byte) {
	x.say("Content-Type", media)
	x.say("Content-Length", strconv.Itoa(len(body)))
	x.say("Cache-Control", "no-store")
	x.say("X-Content-Type-Options", "nosniff")
	x.WriteHeader(status)
	x.pass(body) // an error is the client's going away: nobody is left to be told
}

// receipt names the entry that records what the request did, if it did.
func (x *exchange) receipt(r engine.Receipt) {
	if r.Seq > 0 {
		x.say("X-Audit-Seq", strconv.FormatUint(r.Seq, 10))
		x.say("X-Audit-Hash", r.Hash.String())
	}
}

// etag is the entity tag of a revision.
func etag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }

// RequestID is the caller's, if it is one that may go into a log and a header
// as it stands, or a new one.
func RequestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if len(id) < 1 || len(id) > 64 {
		return engine.NewID()
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return engine.NewID()
		}
	}
	return id
}

// Of a body, paceBytes must come in each pace that it is waited for.
const (
	pace      = time.Minute
	paceBytes = 64 << 10
)

// patientBody is a request body of which each read must bring something within
// its patience, and which must keep a pace. One that stands still, or drips, frees
// the request, and what it holds, although the connection is open. Only the time
// counts in which the client is waited for.
type patientBody struct {
	io.ReadCloser
	control  *http.ResponseController
	patience time.Duration
	count    *int64 // of bytes

	waited time.Duration // in this pace
	came   int           // bytes in it
}

// Read translates what goes wrong with the connection: whoever reads, knows from
// the error alone that it was the client's, and what to tell it.
func (b *patientBody) Read(p []byte) (int, error) {
	// In a server that has no deadlines (a handler called in process) nothing
	// can stand still either.
	began := time.Now()
	b.control.SetReadDeadline(began.Add(b.patience))
	n, err := b.ReadCloser.Read(p)
	*b.count += int64(n)
	switch {
	case err == nil:
		if !b.keepsPace(time.Since(began), n) {
			err = errSlowBody
		}
	case err == io.EOF:
		// From here the server itself reads on, to notice a client that goes
		// away: a deadline left behind would look like one.
		b.control.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errSlowBody
	default:
		err = inBody("body", "cannot be read to its end; send the request again")
	}
	return n, err
}

// keepsPace counts a read that took so long and brought so many bytes.
func (b *patientBody) keepsPace(took time.Duration, n int) bool {
	b.waited += took
	b.came += n
	if b.waited < pace {
		return true
	}
	kept := b.came >= paceBytes
	b.waited, b.came = 0, 0
	return kept
}

package daemon

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// Notify is the service manager that is told how the server stands, as systemd's
// sd_notify(3) has it: datagrams of lines to a socket. The zero Notify is nobody.
type Notify struct {
	// Socket is its path, or its name in the abstract namespace behind an @. "": none.
	Socket string
	// Watchdog is within what time it wants to hear, again and again, that the
	// process is alive. 0: it does not.
	Watchdog time.Duration
}

// NotifyOf reads the environment of a process: NOTIFY_SOCKET, WATCHDOG_USEC and
// WATCHDOG_PID.
func NotifyOf(env func(string) string) Notify {
	n := Notify{Socket: env("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(env("WATCHDOG_USEC"), 10, 64)
	if pid := env("WATCHDOG_PID"); err == nil && 0 < usec && usec < maxWatchdog.Microseconds() && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.Watchdog = time.Duration(usec) * time.Microsecond
	}
	return n
}

// maxWatchdog is more than anybody waits.
const maxWatchdog = 365 * 24 * time.Hour

// tell sends lines. That it cannot is logged: the server serves all the same.
func (n Notify) tell(log zerolog.Logger, lines ...string) {
	if n.Socket == "" {
		return
	}
	// A socket without a name of ours, from which a datagram goes to theirs: no
	// connection is made. Only Linux has such, and only there is anybody to tell.
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err == nil {
		_, err = conn.WriteToUnix([]byte(strings.Join(lines, "\n")), &net.UnixAddr{Name: n.Socket, Net: "unixgram"})
		conn.Close()
	}
	if err != nil {
		log.Warn().Err(err).Msg("the service manager cannot be told")
	}
}

// watch says that the process is alive, twice as often as is asked for, until ctx
// is done.
func (n Notify) watch(ctx context.Context, log zerolog.Logger) {
	for n.Socket != "" && n.Watchdog > 0 && ctx.Err() == nil {
		n.tell(log, "WATCHDOG=1")
		wait(ctx, n.Watchdog/2)
	}
}

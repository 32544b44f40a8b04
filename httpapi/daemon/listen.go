package daemon

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/control"
)

// open listens at every address, and says so.
func (o Options) open(d door, vaults map[string]*engine.Vault, unopened map[string]string, r readers, log zerolog.Logger) ([]front, error) {
	options := httpapi.Options{
		Unopened: unopened, Logger: log, MaxUpload: o.MaxUpload, PublicURL: o.PublicURL, Build: o.Build,
		BodyTimeout: bodyTimeout, Metrics: httpapi.NewMetrics(), Collect: r.collector(processMetrics(time.Now())),
		Deliveries: r.deliveries.served(), Warnings: r.warnings,
	}
	if r.search != nil { // a nil *searches would be a Search
		options.Search = r.search
	}
	operators := options
	operators.Logger = log.With().Bool("control", true).Logger()
	options.MaxUploads, options.Rate, options.Burst = o.MaxUploads, o.Rate, o.Burst
	api, operator := httpapi.New(vaults, options), control.New(vaults, operators)

	public, err := d.listen(o.Listen)
	if err != nil {
		return nil, listenError(err)
	}
	fronts := []front{{public, api, api.Stop}}
	if o.Metrics != nil {
		metrics, err := d.listen(o.Metrics)
		if err != nil {
			return nil, errors.Join(metricsError(err), closeAll(fronts))
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", api.MetricsHandler())
		fronts = append(fronts, front{metrics, mux, func() {}})
		fmt.Fprintf(o.Stderr, "metrics at %s://%s/metrics\n", d.scheme(), metrics.Addr())
	}
	socket, err := control.Listen(o.Place.Data)
	if err != nil {
		return nil, errors.Join(err, closeAll(fronts))
	}
	fronts = append(fronts, front{socket, operator, operator.Stop})
	log.Info().Strs("vaults", slices.Sorted(maps.Keys(vaults))).Str("version", o.Build.Version).Int("pid", os.Getpid()).Msg("serving")
	fmt.Fprintf(o.Stderr, "listening on %s://%s\n", d.scheme(), public.Addr())
	return fronts, nil
}

func closeAll(fronts []front) error {
	var errs []error
	for _, f := range fronts {
		errs = append(errs, f.listener.Close())
	}
	return errors.Join(errs...)
}

// canListen takes the addresses and lets them go again: one that cannot be had is
// found before a vault and a key are made. Nobody connects until the vaults are open.
func (o Options) canListen() error {
	public, err := net.ListenTCP("tcp", o.Listen)
	if err != nil {
		return listenError(err)
	}
	defer public.Close()
	if o.Metrics == nil {
		return nil
	}
	metrics, err := net.ListenTCP("tcp", o.Metrics)
	if err != nil {
		return metricsError(err)
	}
	return metrics.Close()
}

func listenError(err error) error {
	return fmt.Errorf("%w; give another --listen if the address is taken", err)
}

func metricsError(err error) error { return fmt.Errorf("--metrics-listen: %w", err) }

// door is how strangers come in.
type door struct {
	tls *tls.Config // nil: none
}

// newDoor reads the certificate, if there is to be one.
func newDoor(o Options, log zerolog.Logger) (door, error) {
	if o.TLSCert == "" {
		return door{}, nil
	}
	c, err := loadCertificate(o.TLSCert, o.TLSKey)
	if err != nil {
		return door{}, err
	}
	c.log = log
	return door{c.config()}, nil
}

func (d door) scheme() string {
	if d.tls == nil {
		return "http"
	}
	return "https"
}

func (d door) listen(at *net.TCPAddr) (net.Listener, error) {
	listener, err := net.ListenTCP("tcp", at)
	if err != nil || d.tls == nil {
		return listener, err
	}
	return tls.NewListener(listener, d.tls), nil
}

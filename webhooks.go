package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/engine/webhook"
	"strongroom/httpapi"
	"strongroom/httpapi/datadir"
)

// webhookOptions are the flags about where webhooks may lead.
type webhookOptions struct {
	allow prefixesValue
	proxy proxyValue
}

func (f *flagSet) webhooks(o *webhookOptions) {
	f.set.Var(&o.allow, "webhook-allow", "`CIDR,…` of networks behind the firewall that webhooks are delivered to,\nby http too: 10.1.0.0/16,fd00::/8")
	f.set.Var(&o.proxy, "webhook-proxy", "`URL` of the proxy that webhooks are delivered through; without it, none\nis used, whatever the environment says")
}

// prefixesValue is a flag's list of networks.
type prefixesValue []netip.Prefix

func (p *prefixesValue) String() string {
	var list []string
	for _, prefix := range *p {
		list = append(list, prefix.String())
	}
	return strings.Join(list, ",")
}

func (p *prefixesValue) Set(s string) error {
	for text := range strings.SplitSeq(s, ",") {
		text = strings.TrimSpace(text)
		prefix, err := netip.ParsePrefix(text)
		if addr, single := netip.ParseAddr(text); single == nil && addr.Zone() == "" {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || prefix.Addr().Is4In6() {
			return fmt.Errorf("%q is no network such as 10.1.0.0/16 or fd00::/8", text)
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

// proxyValue is a flag's proxy.
type proxyValue struct{ url *url.URL }

func (p *proxyValue) String() string {
	if p.url == nil {
		return ""
	}
	return p.url.Redacted()
}

func (p *proxyValue) Set(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
		return errors.New("want the URL of a proxy such as http://proxy.example.com:3128, or https or socks5")
	}
	p.url = u
	return nil
}

// deliveries are the deliverers of all vaults, at work.
type deliveries struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
	all     map[string]*webhook.Deliverer
	silent  []string // vaults whose deliveries could not be begun
}

// startDeliveries begins to deliver. The caller stops it before it closes the
// vaults. A vault whose deliveries cannot be begun is served all the same: its
// events are in its log, and told from there after the next start.
func startDeliveries(at datadir.Place, vaults map[string]*engine.Vault, o webhookOptions, log zerolog.Logger) *deliveries {
	d := &deliveries{all: map[string]*webhook.Deliverer{}}
	var ctx context.Context
	ctx, d.cancel = context.WithCancel(context.Background())
	for name, v := range vaults {
		log := log.With().Str("vault", name).Logger()
		at.Vault = name
		deliverer, err := webhook.Open(v, at.Dir(), webhook.Options{
			Allow: o.allow, Proxy: o.proxy.url,
			Report: func(err error) { log.Warn().Err(err).Msg("webhooks") },
		})
		if err != nil {
			log.Error().Err(err).Str("file", filepath.Join(at.Dir(), "webhooks.db")).Msg("webhooks are not delivered")
			d.silent = append(d.silent, name)
			continue
		}
		d.all[name] = deliverer
		d.running.Go(func() {
			if err := deliverer.Run(ctx); err != nil {
				log.Error().Err(err).Msg("webhooks are not delivered any more")
			}
		})
	}
	return d
}

// stop ends the deliveries, and keeps how far they came.
func (d *deliveries) stop() error {
	d.cancel()
	d.running.Wait()
	var errs []error
	for name, deliverer := range d.all {
		if err := deliverer.Close(); err != nil {
			errs = append(errs, fmt.Errorf("vault %q: webhooks: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// served are the deliverers as the API sees them.
func (d *deliveries) served() map[string]httpapi.Deliverer {
	served := make(map[string]httpapi.Deliverer, len(d.all))
	for name, deliverer := range d.all {
		served[name] = deliverer
	}
	return served
}

// collect measures how they stand.
func (d *deliveries) collect(e *httpapi.Exposition) {
	names := slices.Sorted(maps.Keys(d.all))
	stats := map[string]webhook.Stats{}
	for _, name := range names {
		stats[name] = d.all[name].Stats()
	}
	e.Family("strongroom_webhooks", "gauge", "Webhooks by state. failing: the last attempt failed, and it is waited for the next.")
	for _, name := range names {
		s := stats[name]
		e.Sample(float64(s.Active-s.Failing), "vault", name, "state", "active")
		e.Sample(float64(s.Failing), "vault", name, "state", "failing")
		e.Sample(float64(s.Webhooks-s.Active), "vault", name, "state", "inactive")
	}
	e.Family("strongroom_webhook_lag_entries", "gauge", "Audit entries that the active webhook furthest behind has still to be told or to pass over.")
	for _, name := range names {
		e.Sample(float64(stats[name].Lag), "vault", name)
	}
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/internal/listen"
	"github.com/lamppost-city/lamppost/service"
)

// status shows a person how the city does: the addresses, then one line that is written over in a terminal, and a line
// of log every now and then elsewhere.
type status struct {
	out      io.Writer
	logs     io.Writer
	log      service.LogConfig
	terminal bool

	mu   sync.Mutex
	line string // what stands on the terminal's last line
}

func newStatus(out, logs io.Writer, cfg service.LogConfig) *status {
	return &status{out: out, logs: logs, log: cfg, terminal: service.IsTerminal(out) && service.IsTerminal(logs)}
}

// logger logs above the status line.
func (s *status) logger() *slog.Logger {
	if !s.terminal {
		return service.NewLogger(s.log, s.logs)
	}
	cfg := s.log
	if cfg.Format == "auto" {
		cfg.Format = "text"
	}
	return service.NewLogger(cfg, s)
}

const clearLine = "\r\x1b[2K"

// Write puts log lines above the status line.
func (s *status) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text bytes.Buffer
	if s.line != "" {
		text.WriteString(clearLine)
	}
	text.Write(p)
	text.WriteString(s.line)
	if _, err := s.logs.Write(text.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *status) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := ""
	if s.line != "" {
		prefix = clearLine
	}
	s.line = line
	_, _ = io.WriteString(s.out, prefix+line)
}

const (
	// refresh is how often the terminal's line is written over, quiet how often a line is logged elsewhere.
	refresh = time.Second
	quiet   = time.Minute
)

// run ends with ctx.
func (s *status) run(ctx context.Context, c *town) {
	pause := quiet
	if s.terminal {
		pause = refresh
	}
	if !s.waitReady(ctx, c) {
		return
	}
	_, _ = io.WriteString(s.out, s.addresses(c))
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		if s.terminal {
			s.show(s.sentence(c))
		} else {
			flow := c.line.Flow()
			c.log.Info("readings flow", "received_per_s", int64(flow.ReceivedPerSecond), "stored", flow.Totals.Written,
				"waiting", flow.Totals.Waiting(), "refused", flow.Totals.RejectedSum(), "spool_bytes", c.line.Spool().Bytes)
		}
		select {
		case <-ctx.Done():
			if s.terminal {
				_, _ = io.WriteString(s.out, "\n")
			}
			return
		case <-ticker.C:
		}
	}
}

// waitReady waits until every part is up.
func (s *status) waitReady(ctx context.Context, c *town) bool {
	for {
		ready := true
		for _, p := range c.group.Status() {
			ready = ready && (p.State == service.Ready || p.State == service.Failing)
		}
		if ready {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *status) addresses(c *town) string {
	var text bytes.Buffer
	fmt.Fprintf(&text, "page and API  %s\n", reachable(c.server.URL()))
	if c.broker != nil {
		fmt.Fprintf(&text, "MQTT broker   %s\n", reachable(c.broker.URL()))
	}
	if at := c.endpoint.URL(); at != "" {
		fmt.Fprintf(&text, "metrics       %s\n", reachable(at))
	}
	asks := "asked for by every change"
	if !listen.OnLoopback(c.cfg.HTTP.Listen) {
		asks = "asked for by every request"
	}
	fmt.Fprintf(&text, "token         %s (%s)\n", c.tokenFile(), asks)
	return text.String()
}

// reachable writes the address of a part so that a browser understands it: 0.0.0.0 and [::] stand for every address of this machine,
// of which its name is the likeliest to be in a certificate.
func reachable(address string) string {
	at, err := url.Parse(address)
	if err != nil {
		return address
	}
	ip, err := netip.ParseAddr(at.Hostname())
	if err != nil || !ip.IsUnspecified() {
		return address
	}
	listens, name := at.Host, "127.0.0.1"
	if known, err := os.Hostname(); err == nil && known != "" {
		name = known
	}
	at.Host = net.JoinHostPort(name, at.Port())
	return fmt.Sprintf("%s (listens on %s)", at, listens)
}

func (s *status) sentence(c *town) string {
	flow, waits := c.line.Flow(), c.line.Spool()
	quarantined, _, err := c.line.Ledger().QuarantineSize(context.Background())
	if err != nil {
		quarantined = -1
	}
	return fmt.Sprintf("%.0f readings/s, %d stored, %d waiting, %d messages in quarantine, %.1f MB spool",
		flow.ReceivedPerSecond, flow.Totals.Written, flow.Totals.Waiting(), quarantined, float64(waits.Bytes)/1e6)
}

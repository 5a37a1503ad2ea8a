package broker

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// noise bounds what clients can make the broker write into its log: a burst of ten lines, then one in two seconds, with
// the number of those left out.
type noise struct {
	log     *slog.Logger
	limit   *rate.Limiter
	dropped atomic.Int64
}

func newNoise(log *slog.Logger) *noise {
	return &noise{log: log, limit: rate.NewLimiter(rate.Every(2*time.Second), 10)}
}

func (n *noise) warn(msg string, args ...any) { n.write(slog.LevelWarn, msg, args...) }

func (n *noise) write(level slog.Level, msg string, args ...any) {
	if !n.limit.Allow() {
		n.dropped.Add(1)
		return
	}
	if left := n.dropped.Swap(0); left > 0 {
		args = append(args, "left_out", left)
	}
	n.log.Log(context.Background(), level, msg, args...) //nolint:sloglint // the callers' messages are constants
}

// natsLog turns nats-server's log into ours. It is also the only place where nats-server tells what it refused, so it
// counts that; and where a publish is refused it ends the connection before the PUBACK that nats-server would send for
// a message that it dropped.
type natsLog struct {
	log     *slog.Logger
	noise   *noise
	metrics *metrics
	peers   *peers
	// kick ends the connection with this number.
	kick func(id uint64)
	// full is told of a message that found no room.
	full func()
	// broken is told of a write to the disk that failed.
	broken func()
	// fatal gets what makes nats-server give up. It has room for one.
	fatal chan error
	// trouble is the last warning or error that no client caused.
	trouble atomic.Pointer[string]
}

// connection finds the address and nats-server's number of an MQTT connection in a line of its log:
// `127.0.0.1:40712 - mid:7 - "id" - …`. The client's own text comes after it.
var connection = regexp.MustCompile(`^(\S+) - mid:(\d+) - `)

// named puts the client's own address in the place of that of the front's connection for it.
func (l *natsLog) named(line string) string {
	seen, rest, _ := strings.Cut(line, " ")
	if client := l.peers.find(seen); client != nil {
		return client.String() + " " + rest
	}
	return line
}

// refusal is a text in nats-server's log and the reason for which we count it.
type refusal struct{ text, reason string }

func knownRefusals() []refusal {
	return []refusal{
		{"Publish Violation", refusedPublish},
		{"Subscription Violation", refusedSubscribe},
		{"maximum subscriptions exceeded", refusedSubscribe},
		{"max_ack_pending for all consumers", refusedSubscribe},
		{"maximum payload exceeded", refusedPayload},
		{"maximum connections exceeded", refusedConnections},
		{"unable to store retained message", refusedRetained},
		{"unable to persist session", refusedSession},
		{"maximum bytes exceeded", refusedStore},
		{"Slow Consumer", refusedSlow},
	}
}

func (l *natsLog) Noticef(format string, v ...any) {
	line := fmt.Sprintf(format, v...)
	if strings.Contains(line, "Slow Consumer") {
		l.client(line)
		return
	}
	l.log.Debug("nats notice", "text", line)
}

func (l *natsLog) Warnf(format string, v ...any) { l.line(slog.LevelWarn, fmt.Sprintf(format, v...)) }

func (l *natsLog) Errorf(format string, v ...any) { l.line(slog.LevelError, fmt.Sprintf(format, v...)) }

func (l *natsLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Errorf("%s", strings.TrimSpace(fmt.Sprintf(format, v...))):
	default:
	}
}

func (l *natsLog) Debugf(string, ...any) {}
func (l *natsLog) Tracef(string, ...any) {}

func (l *natsLog) line(level slog.Level, line string) {
	if connection.MatchString(line) {
		l.client(line)
		return
	}
	if strings.Contains(line, "Maximum payloads over") {
		return // our limit is deliberate
	}
	line = strings.TrimSpace(line)
	l.trouble.Store(&line)
	if strings.Contains(strings.ToLower(line), "critical write error") {
		l.broken()
	}
	l.noise.write(level, "nats-server complains", "text", clipLine(line))
}

// client handles a line that a client's doing caused.
func (l *natsLog) client(line string) {
	if strings.Contains(line, "authentication error") {
		return // counted and logged by the gatekeeper, who knows why
	}
	if strings.Contains(line, "Readloop processing time") {
		return // it waited at the gate
	}
	if strings.Contains(line, "Replacing old client") || strings.Contains(line, "Took too long") {
		l.noise.warn("nats-server complains", "text", clipLine(l.named(line)))
		return
	}
	reason := refusedProtocol
	for _, known := range knownRefusals() {
		if strings.Contains(line, known.text) {
			reason = known.reason
			break
		}
	}
	l.metrics.refused.WithLabelValues(reason).Inc()
	l.noise.warn("mqtt client refused", "reason", reason, "text", clipLine(l.named(line)))
	switch reason {
	case refusedPublish:
		if m := connection.FindStringSubmatch(line); m != nil {
			if id, err := strconv.ParseUint(m[2], 10, 64); err == nil {
				l.kick(id)
			}
		}
	case refusedStore:
		l.full()
	}
}

func clipLine(line string) string {
	const limit = 400
	if len(line) > limit {
		return strings.ToValidUTF8(line[:limit], "") + "…"
	}
	return line
}

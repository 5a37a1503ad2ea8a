package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/internal/faults"
)

const (
	// mqttTimeout is how long connecting may take where the settings say nothing.
	mqttTimeout = 10 * time.Second
	// mqttLook is how often a connection is looked at.
	mqttLook = 250 * time.Millisecond
	// mqttWaiting is how many messages may wait for the driver; then the oldest go and that is a fault.
	mqttWaiting = 256
	// mqttRefused is the pause after the broker has refused the user: somebody has to act.
	mqttRefused = 10 * time.Second
)

// mqttBroker is a broker beside the board.
type mqttBroker struct{ cfg uplink.Config }

// openMQTT connects to nothing yet: every Listen has a connection of its own, so that sensors whose filters overlap do not get
// what is for another, and one that floods does not keep the others waiting.
func openMQTT(cfg Config) (*Bus, error) {
	if err := cfg.validateMQTT(); err != nil {
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("open bus %s: %w", cfg.ID, err), "")
	}
	return &Bus{Config: cfg, Topics: &mqttBroker{cfg.mqtt()}}, nil
}

func (c Config) mqtt() uplink.Config {
	u := uplink.DefaultConfig()
	u.URL, u.User, u.PasswordFile = c.Device, c.User, c.PasswordFile
	u.CAFile, u.CertFile, u.KeyFile = c.CAFile, c.CertFile, c.KeyFile
	u.ClientName = c.ClientName
	if u.ClientName == "" {
		u.ClientName = "lamppost-bridge"
	}
	u.Connections, u.Window = 1, 1
	u.ConnectTimeout = c.Timeout
	if c.Timeout == 0 {
		u.ConnectTimeout = mqttTimeout
	}
	u.KeepAlive = 15 * time.Second
	u.RetryRefused = mqttRefused
	return u
}

// validateMQTT says what is wrong with the address and the files, each with its key.
func (c Config) validateMQTT() error {
	var all []error
	for _, err := range faults.Split(c.mqtt().Validate()) {
		if rest, isURL := strings.CutPrefix(err.Error(), "url: "); isURL {
			err = errors.New("device: " + rest)
		}
		all = append(all, err)
	}
	if at := strings.LastIndex(c.Device, "@"); at >= 0 {
		all = append(all, errors.New("device: holds a user or password, and settings are shown; use user and password_file"))
	}
	return errors.Join(all...)
}

// Listen connects and subscribes, again and again.
func (b *mqttBroker) Listen(ctx context.Context, ear Ear) error {
	l := &mqttListener{broker: b, Ear: ear}
	session := uplink.Session{}
	for _, filter := range ear.Filters {
		session.Subscriptions = append(session.Subscriptions, uplink.Subscription{Filter: filter, Handle: l.take, Waiting: mqttWaiting})
	}
	// What happens to the connection is told to the sensor, which logs it.
	p, err := uplink.NewSession(b.cfg, session, slog.New(slog.DiscardHandler))
	if err != nil {
		return fault.New(fault.Misconfigured, err, "")
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	look := time.NewTicker(mqttLook)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			if err == nil {
				err = ctx.Err()
			}
			return fault.New(fault.Lost, err, "")
		case <-look.C:
			l.look(p.Status())
		}
	}
}

// mqttListener is one Listen.
type mqttListener struct {
	Ear
	broker *mqttBroker

	mu     sync.Mutex // the ear takes one thing at a time
	told   string     // of what Broker was told last; "" is that all is well
	missed uint64     // messages that waited too long
	long   uint64     // messages that were too long
}

func (l *mqttListener) take(m uplink.Received) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Hear(Message{Topic: m.Topic, Payload: m.Payload, Retained: m.Retained, At: m.At})
}

// look tells of a connection that has become another.
func (l *mqttListener) look(s uplink.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wrong := l.wrong(s)
	switch {
	case wrong != nil && wrong.Error() != l.told:
		l.told = wrong.Error()
		l.Broker(wrong)
	case wrong == nil && l.told != "":
		l.told = ""
		l.Broker(nil)
	}
}

// wrong is why not everything can be heard, or nil. A connection in the making is neither.
func (l *mqttListener) wrong(s uplink.Status) error {
	where := "the local broker at " + strings.TrimSuffix(l.broker.cfg.URL, "/")
	switch {
	case s.Refused:
		return fault.New(fault.Denied, fmt.Errorf("%s does not let user %q in: %s", where, l.broker.cfg.User, s.Fault), "look at user and password_file of the bus, and at the broker's own users")
	case !s.Connected && s.Fault != "":
		return fault.New(fault.Lost, fmt.Errorf("%s is away: %s", where, s.Fault), "look whether the broker runs (systemctl status mosquitto), and at device of the bus")
	}
	if before := l.long; s.TooLong > before {
		l.long = s.TooLong
		return fault.New(fault.Garbled, fmt.Errorf("%d messages of more than a megabyte were left out", s.TooLong-before), "look which device sends so much, or name its topic more narrowly")
	}
	var missed uint64
	for _, one := range s.Subscriptions {
		missed += one.Lost
		if one.Fault != "" {
			return fault.New(fault.Denied, fmt.Errorf("%s does not let anything be heard on %s: %s", where, one.Filter, one.Fault), "let the user of the bus read this topic (the broker's access list)")
		}
	}
	if before := l.missed; missed > before {
		l.missed = missed
		return fault.New(fault.Other, fmt.Errorf("it floods: %d messages were left out", missed-before), "look which device sends so much, or name its topic more narrowly")
	}
	return nil
}

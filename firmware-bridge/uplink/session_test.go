package uplink_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
)

// session starts a publisher with a session; the returned function stops it.
func session(t *testing.T, cfg uplink.Config, s uplink.Session, log *slog.Logger) (*uplink.Publisher, func() error) {
	t.Helper()
	p, err := uplink.NewSession(cfg, s, log)
	if err != nil {
		t.Fatal(err)
	}
	return p, run(t, p)
}

func run(t *testing.T, p *uplink.Publisher) func() error {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stop := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return stop
}

func connected(t *testing.T, p *uplink.Publisher) {
	t.Helper()
	uplinktest.Eventually(t, "the publisher is connected", func() bool { return p.Status().Connected })
}

const status = "city/kerb-1/status"

func retained(payload string) uplink.Message {
	return uplink.Message{Topic: status, Payload: []byte(payload), Retained: true}
}

func births(payload string) func() []uplink.Message {
	return func() []uplink.Message { return []uplink.Message{retained(payload)} }
}

func TestBirthComesFirstOnEveryConnection(t *testing.T) {
	broker := uplinktest.New(t, func(nth int) uplinktest.Verdict {
		if nth%10 == 0 {
			return uplinktest.Drop
		}
		return uplinktest.Ack
	})
	var born atomic.Int64
	p, _ := session(t, config("mqtt://"+broker.Address()), uplink.Session{Birth: func() []uplink.Message {
		return []uplink.Message{retained(fmt.Sprint("born ", born.Add(1))), {Topic: "city/kerb-1/hello", Payload: []byte("x")}}
	}}, quiet())
	publish(t, p, 0, 30)
	flush(t, p)
	first := true // of a connection
	for i, m := range broker.Seen() {
		if isStatus := m.Topic == status; isStatus != first || m.Retained != isStatus {
			t.Fatalf("message %d is %+v", i+1, m)
		}
		first = (i+1)%10 == 0
	}
	if c := p.Counts(); c.Messages != 30 || born.Load() != int64(c.Connects) || c.Connects < 4 {
		t.Errorf("born %d times, %+v", born.Load(), c)
	}
}

func TestConnectCarriesWillIdentityAndKeepAlive(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	will := retained("offline")
	cfg := config("mqtt://" + broker.Address())
	cfg.ClientID, cfg.KeepAlive, cfg.Connections = "kerb-1", 7*time.Second, 2
	cfg.User, cfg.PasswordFile = "kerb-1", filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(cfg.PasswordFile, []byte("opensesame\r\nand a remark\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, _ := session(t, cfg, uplink.Session{Will: &will}, quiet())
	connected(t, p)
	got := broker.Connects()
	slices.SortFunc(got, func(a, b uplinktest.Connect) int { return strings.Compare(a.ClientID, b.ClientID) })
	want := []uplinktest.Connect{
		{ClientID: "kerb-1-0", User: "kerb-1", Password: "opensesame", KeepAlive: 7 * time.Second, Will: &uplinktest.Message{Topic: status, Payload: "offline", Retained: true}},
		{ClientID: "kerb-1-1", User: "kerb-1", Password: "opensesame", KeepAlive: 7 * time.Second},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSubscriptionThatIsRefusedIsShownAndTheOthersWork(t *testing.T) {
	broker := uplinktest.NewWith(t, uplinktest.Rules{Grant: func(filter string) bool { return filter != "city/time" }})
	heard := make(chan uplink.Received, 1)
	var text logText
	p, _ := session(t, config("mqtt://"+broker.Address()), uplink.Session{Subscriptions: []uplink.Subscription{
		{Filter: "city/time", Handle: func(uplink.Received) {}},
		{Filter: "city/kerb-1/config", Handle: func(m uplink.Received) { heard <- m }},
	}}, slog.New(slog.NewTextHandler(&text, nil)))
	uplinktest.Eventually(t, "both subscriptions are answered", func() bool {
		s := p.Status().Subscriptions
		return s[0].Fault != "" && s[1].Granted
	})
	if s := p.Status().Subscriptions[0]; s.Granted || !strings.Contains(s.Fault, "0x80") || !strings.Contains(text.String(), "city/time") {
		t.Errorf("%+v, log %s", s, text.String())
	}
	broker.Send(uplinktest.Message{Topic: "city/kerb-1/config", Payload: "v", Retained: true})
	m := <-heard
	if m.Topic != "city/kerb-1/config" || string(m.Payload) != "v" || !m.Retained || time.Since(m.At) > time.Minute {
		t.Errorf("%+v", m)
	}
	publish(t, p, 0, 10)
	flush(t, p)
}

type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A handler that takes its time, and a flood: the newest messages are kept, and publishing goes on.
func TestFloodDoesNotBlockAndTheNewestStay(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	release, heard := make(chan struct{}), make(chan string, 10)
	p, stop := session(t, config("mqtt://"+broker.Address()), uplink.Session{Subscriptions: []uplink.Subscription{{
		Filter: "city/kerb-1/config", Waiting: 2, Handle: func(m uplink.Received) {
			heard <- string(m.Payload)
			<-release
		},
	}}}, quiet())
	connected(t, p)
	broker.Send(uplinktest.Message{Topic: "city/kerb-1/config", Payload: "first"})
	if got := <-heard; got != "first" {
		t.Fatal(got)
	}
	for i := range 100 {
		broker.Send(uplinktest.Message{Topic: "city/kerb-1/config", Payload: fmt.Sprint(i)})
	}
	broker.Send(uplinktest.Message{Topic: "city/kerb-1/config", Payload: strings.Repeat("x", uplink.MaxReceived+1)})
	publish(t, p, 0, 50)
	flush(t, p)
	uplinktest.Eventually(t, "all have come", func() bool { return p.Status().Subscriptions[0].Received == 102 })
	close(release)
	if a, b := <-heard, <-heard; a != "98" || b != "99" {
		t.Errorf("after the flood came %s and %s, want the newest two", a, b)
	}
	if s := p.Status().Subscriptions[0]; s.Lost != 99 {
		t.Errorf("%+v, want 99 lost", s)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestRefusedUserIsTriedForEverAndShown(t *testing.T) {
	broker := uplinktest.NewWith(t, uplinktest.Rules{Admit: func(c uplinktest.Connect) byte {
		if c.Password != "opensesame" {
			return 4
		}
		return 0
	}})
	cfg := config("mqtt://" + broker.Address())
	cfg.User, cfg.PasswordFile, cfg.RetryRefused = "kerb-1", filepath.Join(t.TempDir(), "password"), 20*time.Millisecond
	p, _ := session(t, cfg, uplink.Session{}, quiet())
	uplinktest.Eventually(t, "a missing file is shown", func() bool { return strings.Contains(p.Status().Fault, cfg.PasswordFile) })
	if err := os.WriteFile(cfg.PasswordFile, []byte("guess"), 0o600); err != nil {
		t.Fatal(err)
	}
	uplinktest.Eventually(t, "the refusal is shown", func() bool { return p.Status().Refused && len(broker.Connects()) > 2 })
	if s := p.Status(); s.Connected || !strings.Contains(s.Fault, "refuses") || strings.Contains(s.Fault, "guess") {
		t.Errorf("%+v", s)
	}
	if err := os.WriteFile(cfg.PasswordFile, []byte("opensesame\n"), 0o600); err != nil { // somebody mends it
		t.Fatal(err)
	}
	connected(t, p)
	if s := p.Status(); s.Refused || s.Fault != "" {
		t.Errorf("%+v", s)
	}
}

func TestClientCertificateIsShown(t *testing.T) {
	now := time.Now()
	a := uplinktest.NewAuthority(t, now)
	server, _, _ := a.Issue("broker", now.Add(-time.Hour), now.Add(time.Hour))
	broker := uplinktest.NewSecure(t, &tls.Config{
		Certificates: []tls.Certificate{server}, ClientCAs: a.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
	}, uplinktest.Rules{})
	cfg := config("mqtts://" + broker.Address())
	cfg.CAFile, cfg.RetryRefused = a.File(), 20*time.Millisecond
	nobody, stop := session(t, cfg, uplink.Session{}, quiet())
	uplinktest.Eventually(t, "whoever has no certificate is turned away", func() bool { return strings.Contains(nobody.Status().Fault, "certificate") })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	_, cfg.CertFile, cfg.KeyFile = a.Issue("kerb-1", now.Add(-time.Hour), now.Add(time.Hour))
	p, _ := session(t, cfg, uplink.Session{}, quiet())
	connected(t, p)
	publish(t, p, 0, 10)
	flush(t, p)
}

func TestCertificateIsJudgedByTheDateThatIsKnown(t *testing.T) {
	now := time.Now()
	a, stranger := uplinktest.NewAuthority(t, now), uplinktest.NewAuthority(t, now)
	server, _, _ := a.Issue("broker", now.Add(-time.Hour), now.Add(time.Hour))
	broker := uplinktest.NewSecure(t, &tls.Config{Certificates: []tls.Certificate{server}}, uplinktest.Rules{})
	old, _, _ := a.Issue("old", now.Add(-48*time.Hour), now.Add(-24*time.Hour))
	expired := uplinktest.NewSecure(t, &tls.Config{Certificates: []tls.Certificate{old}}, uplinktest.Rules{})
	date := func(at time.Time, known bool) func() (time.Time, bool) {
		return func() (time.Time, bool) { return at, known }
	}
	for _, test := range []struct {
		name    string
		broker  *uplinktest.Broker
		ca      string
		date    func() (time.Time, bool)
		lenient bool
		in      bool
	}{
		{"the system's date", broker, a.File(), nil, false, true},
		{"the date is known", broker, a.File(), date(now, true), false, true},
		{"not valid by the date that is known", broker, a.File(), date(now.AddDate(0, 1, 0), true), true, false},
		{"expired, and the date is known", expired, a.File(), date(now, true), true, false},
		{"expired, and nobody knows the date", expired, a.File(), date(time.Time{}, false), true, true},
		{"expired, nobody knows the date, and that is not allowed", expired, a.File(), date(time.Time{}, false), false, false},
		{"nobody knows the date, and nobody vouches for the broker", broker, stranger.File(), date(time.Time{}, false), true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := config("mqtts://" + test.broker.Address())
			cfg.CAFile, cfg.TLSWithoutDate = test.ca, test.lenient
			p, _ := session(t, cfg, uplink.Session{Date: test.date}, quiet())
			uplinktest.Eventually(t, "it is decided", func() bool { return p.Status().Connected || p.Status().Fault != "" })
			if s := p.Status(); s.Connected != test.in {
				t.Errorf("%+v, want connected %v", s, test.in)
			}
		})
	}
	cfg := config("mqtts://localhost:" + strings.Split(broker.Address(), ":")[1]) // the certificate is for 127.0.0.1
	cfg.CAFile, cfg.TLSWithoutDate = a.File(), true
	p, _ := session(t, cfg, uplink.Session{Date: date(time.Time{}, false)}, quiet())
	uplinktest.Eventually(t, "it is decided", func() bool { return p.Status().Connected || p.Status().Fault != "" })
	if s := p.Status(); s.Connected {
		t.Error("a certificate of another name is trusted while the date is not known")
	}
}

func TestAnnouncementsAreSentOnceOrNotAtAll(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	p, err := uplink.NewSession(config("mqtt://"+broker.Address()), uplink.Session{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Announce(retained("early")); !errors.Is(err, uplink.ErrAway) {
		t.Errorf("without a connection: %v", err)
	}
	stop := run(t, p)
	connected(t, p)
	if err := p.Announce(retained("online")); err != nil {
		t.Fatal(err)
	}
	publish(t, p, 0, 3)
	flush(t, p)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	want := uplinktest.Message{Topic: status, Payload: "online", Retained: true}
	if seen := broker.Seen(); len(seen) != 4 || seen[0] != want || p.Counts().Messages != 3 {
		t.Errorf("%+v, %+v", seen, p.Counts())
	}
	if err := p.Announce(retained("late")); !errors.Is(err, uplink.ErrAway) {
		t.Errorf("after the end: %v", err)
	}
}

func TestDoneOfAMessageComesInPlaceOfThePublishers(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	var all confirmed
	p, _ := session(t, config("mqtt://"+broker.Address()), uplink.Session{Acknowledged: all.note}, quiet())
	done := make(chan uplink.Message, 1)
	m := uplink.Message{Topic: status, Payload: []byte("own"), Retained: true, Note: 7, Done: func(m uplink.Message) { done <- m }}
	if err := p.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	publish(t, p, 0, 1)
	flush(t, p)
	if got := <-done; got.Note != 7 || len(all.payloads) != 1 {
		t.Errorf("%+v, and %v for the publisher's", got, all.payloads)
	}
	if seen := broker.Seen(); !seen[0].Retained || seen[1].Retained {
		t.Errorf("%+v", seen)
	}
}

func TestEndDoesNotWaitForABrokerThatSaysNothing(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan struct{})
	go func() {
		if c, err := l.Accept(); err == nil {
			close(accepted)
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	cfg := config("mqtt://" + l.Addr().String())
	cfg.ConnectTimeout = time.Hour
	_, stop := session(t, cfg, uplink.Session{Goodbye: births("offline")}, quiet())
	<-accepted
	start := time.Now()
	if err := stop(); err != nil || time.Since(start) > 5*time.Second {
		t.Errorf("Run ended after %s: %v", time.Since(start), err)
	}
}

// tunnel is a way to the broker that can go dead without anybody being told, as a mobile link does.
type tunnel struct {
	listener net.Listener
	dead     atomic.Bool
	all      sync.WaitGroup
}

func newTunnel(t *testing.T, to string) *tunnel {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	u := &tunnel{listener: l}
	u.all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := new(net.Dialer).DialContext(ctx, "tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			u.all.Go(func() { u.copy(ctx, near, far) })
			u.all.Go(func() { u.copy(ctx, far, near) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		u.all.Wait()
	})
	return u
}

// copy keeps both ends open when the link is dead, and says nothing.
func (u *tunnel) copy(ctx context.Context, from, to net.Conn) {
	stop := context.AfterFunc(ctx, func() { from.Close() })
	defer stop()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if u.dead.Load() {
			if err != nil {
				<-ctx.Done()
				return
			}
			continue
		}
		if err == nil {
			_, err = to.Write(buffer[:n])
		}
		if err != nil {
			to.Close()
			return
		}
	}
}

// confirmedOrder collects texts in their order.
type confirmedOrder struct {
	mu  sync.Mutex
	all []string
}

func (c *confirmedOrder) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, text)
}

func (c *confirmedOrder) is(want ...string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Equal(c.all, want)
}

// watch subscribes to the status until the test ends.
func watch(t *testing.T, address, id string, note func(string)) {
	t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + address).SetClientID(id).SetAutoReconnect(false))
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { c.Disconnect(100) })
	if token := c.Subscribe(status, 1, func(_ mqtt.Client, m mqtt.Message) { note(string(m.Payload())) }); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
}

// A bridge loses power, and the broker takes its connection for alive. When the bridge comes back under its client id the
// broker publishes the old will first, and then the new birth: the retained status says that it is there.
func TestWillOfAHalfOpenConnectionComesBeforeTheNewBirth(t *testing.T) {
	m := uplinktest.StartMosquitto(t)
	var statuses confirmedOrder
	watch(t, m.Address(), "watcher", statuses.note)

	way := newTunnel(t, m.Address())
	will := retained("offline")
	cfg := config("mqtt://" + way.listener.Addr().String())
	cfg.ClientID = "kerb-1"
	first, stop := session(t, cfg, uplink.Session{Will: &will, Birth: births("online 1")}, quiet())
	connected(t, first)
	uplinktest.Eventually(t, "the first birth is seen", func() bool { return statuses.is("online 1") })
	way.dead.Store(true)
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	cfg.URL = "mqtt://" + m.Address()
	second, stop := session(t, cfg, uplink.Session{Will: &will, Birth: births("online 2"), Goodbye: births("switched off")}, quiet())
	connected(t, second)
	uplinktest.Eventually(t, "the will comes, then the birth", func() bool { return statuses.is("online 1", "offline", "online 2") })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	uplinktest.Eventually(t, "an orderly end says goodbye, and leaves no will", func() bool {
		return statuses.is("online 1", "offline", "online 2", "switched off")
	})
	var kept confirmedOrder
	watch(t, m.Address(), "late", kept.note)
	uplinktest.Eventually(t, "the goodbye is what the broker keeps", func() bool { return kept.is("switched off") })
}

// Two bridges under one client id, as from a card that was copied, push each other out. They must not do so as fast as
// they can, and their status must say what is going on.
func TestTwoClientsOfOneIDAreSlowAndSaySo(t *testing.T) {
	m := uplinktest.StartMosquitto(t)
	cfg := config("mqtt://" + m.Address())
	cfg.ClientID, cfg.RetryMin, cfg.RetryMax = "kerb-1", 10*time.Millisecond, 400*time.Millisecond
	one, _ := session(t, cfg, uplink.Session{}, quiet())
	two, _ := session(t, cfg, uplink.Session{}, quiet())
	start := time.Now()
	said := make(map[*uplink.Publisher]bool)
	uplinktest.Eventually(t, "both say so", func() bool {
		for _, p := range []*uplink.Publisher{one, two} { // in turn: the one that is connected has nothing to say
			said[p] = said[p] || strings.Contains(p.Status().Fault, `as "kerb-1"`)
		}
		return said[one] && said[two]
	})
	time.Sleep(time.Second)
	if n, took := one.Counts().Connects+two.Counts().Connects, time.Since(start); float64(n) > 20+10*took.Seconds() {
		t.Errorf("%d connections in %s", n, took)
	}
}

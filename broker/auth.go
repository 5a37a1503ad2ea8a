package broker

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Credentials says who may publish. The registry implements it. It is asked from many goroutines.
type Credentials interface {
	// Required is true once there is at least one credential; until then anonymous sessions are let in, on loopback. It is
	// asked for every connection before the other two, and every second, so it may look for credentials that are new.
	Required() bool
	// Verify checks a user and password and says what they allow. It may be slow: what it accepts is remembered for a
	// minute, while the mark is the same, and at most two calls run at a time.
	Verify(user, password string) (Grant, bool)
	// Mark tells a user's credential from the one before it: by password, by rights, or "" once there is none. It is asked for
	// every connection every second; one whose mark has changed is ended.
	Mark(user string) string
}

// Grant is what a credential allows.
type Grant struct {
	// Publisher is whose topics may be published, and whose settings may be read.
	Publisher telemetry.SensorID
	// All opens the topics of every publisher: for gateways and simulators.
	All bool
}

const (
	sessionUser  = "lamppost-ingest"
	controlUser  = "lamppost-control"
	playerUser   = "lamppost-player"
	internalUser = "lamppost-internal"
	// inboxPrefix begins with $, so that no wildcard of a subscriber matches the broker's own replies.
	inboxPrefix = "$LAMPPOST"

	verifyAtOnce  = 2
	verifyWait    = 5 * time.Second
	verifiedTTL   = time.Minute
	verifiedLimit = 4096
	gateWait      = 20 * time.Second
	sendAgainWait = 5 * time.Second
)

// account is a user of this process, with a password made at its start.
type account struct {
	user     string
	password secret.String
}

func newAccount(user string) account {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails, by its documentation
	return account{user: user, password: secret.String(base64.RawURLEncoding.EncodeToString(raw))}
}

func (a account) matches(user, password string) bool {
	return user == a.user && subtle.ConstantTimeCompare([]byte(password), []byte(a.password.Reveal())) == 1
}

// gatekeeper decides which connection comes in and what it may do. It is nats-server's custom authentication.
type gatekeeper struct {
	creds    Credentials
	root     string // TopicRoot as a NATS subject
	reserved map[string]bool
	session  account
	control  account
	player   account
	internal account
	peers    *peers
	metrics  *metrics
	noise    *noise
	verified verifiedCache
	guests   guests
	slots    chan struct{}

	mu      sync.Mutex
	opened  chan struct{} // closed when ingest and publishers are let in
	free    chan struct{} // closed when publishers are let in: not while the disk is nearly full
	stopped chan struct{} // closed when the server stops
	store   *messageStore // while open
}

func newGatekeeper(cfg Config, creds Credentials, m *metrics, n *noise) *gatekeeper {
	g := &gatekeeper{
		creds:    creds,
		root:     strings.ReplaceAll(cfg.TopicRoot, "/", "."),
		reserved: map[string]bool{},
		session:  newAccount(sessionUser),
		control:  newAccount(controlUser),
		player:   newAccount(playerUser),
		internal: newAccount(internalUser),
		peers:    newPeers(),
		metrics:  m,
		noise:    n,
		slots:    make(chan struct{}, verifyAtOnce),
	}
	_, _ = rand.Read(g.verified.salt[:])
	for _, s := range cfg.Subscribers {
		g.reserved[s.ClientID] = true
	}
	return g
}

// required says whether publishers need credentials.
func (g *gatekeeper) required() bool { return g.creds != nil && g.creds.Required() }

// shut keeps everybody but ourselves waiting until open or stop.
func (g *gatekeeper) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened, g.free, g.stopped = make(chan struct{}), closed(), make(chan struct{})
}

// open lets everybody in.
func (g *gatekeeper) open(store *messageStore) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.store = store
	close(g.opened)
}

// hold keeps publishers waiting until release.
func (g *gatekeeper) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free = make(chan struct{})
}

func (g *gatekeeper) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.free)
}

// held is true between hold and release.
func (g *gatekeeper) held() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.free:
		return false
	default:
		return true
	}
}

// stop ends the waiting.
func (g *gatekeeper) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.stopped)
}

// await waits until this kind of session is let in, for at most gateWait.
func (g *gatekeeper) await(ingest bool) bool {
	g.mu.Lock()
	opened, free, stopped := g.opened, g.free, g.stopped
	g.mu.Unlock()
	if ingest {
		free = closed()
	}
	t := time.NewTimer(gateWait)
	defer t.Stop()
	for _, c := range []chan struct{}{opened, free} {
		select {
		case <-c:
		case <-stopped:
			return false
		case <-t.C:
			return false
		}
	}
	return true
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Check implements server.Authentication. It runs on the connection's own goroutine and may block it.
func (g *gatekeeper) Check(c server.ClientAuthentication) bool {
	opts := c.GetOpts()
	if g.internal.matches(opts.Username, opts.Password) {
		return true
	}
	if g.peer(c) == nil {
		return g.refuse(c, refusedClosed, "it did not come through the MQTT port")
	}
	if !g.await(g.session.matches(opts.Username, opts.Password)) {
		return g.refuse(c, refusedClosed, "the broker is starting or stopping, or the disk is nearly full")
	}
	permissions, why := g.admit(c, opts.Username, opts.Password)
	if permissions == nil {
		return g.refuse(c, refusedCredentials, why)
	}
	c.RegisterUser(&server.User{Username: opts.Username, Permissions: permissions})
	return true
}

// admit returns what the connection may do, or nil and why it is refused.
func (g *gatekeeper) admit(c server.ClientAuthentication, user, password string) (*server.Permissions, string) {
	if g.session.matches(user, password) {
		g.sendAgain()
		return g.ingestMay(), ""
	}
	if g.control.matches(user, password) {
		return g.controlMay(), ""
	}
	if g.player.matches(user, password) {
		return g.publisherMay(Grant{All: true})
	}
	if id := clientID(c); g.reserved[id] {
		return nil, "the client id is kept for ingest"
	}
	if !g.required() {
		if !fromLoopback(g.peer(c)) {
			return nil, "without credentials only this machine is let in"
		}
		g.guests.add(c, "", "")
		return g.anybodyMay(), ""
	}
	if user == "" {
		return nil, "no user name and password"
	}
	mark := g.creds.Mark(user) // before Verify: a change in between ends the connection
	grant, ok := g.verify(user, password, mark)
	if !ok {
		return nil, "wrong user name or password"
	}
	g.guests.add(c, user, mark)
	return g.publisherMay(grant)
}

// sendAgain gives an ingest that comes back what it had not acknowledged, at once.
func (g *gatekeeper) sendAgain() {
	g.mu.Lock()
	store := g.store
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), sendAgainWait)
	defer cancel()
	if err := store.sendAgain(ctx); err != nil {
		g.noise.warn("unacknowledged messages are sent again later", "error", err)
	}
}

func (g *gatekeeper) refuse(c server.ClientAuthentication, reason, why string) bool {
	g.metrics.refused.WithLabelValues(reason).Inc()
	g.noise.warn("mqtt connection refused", "reason", why, "user", clip(c.GetOpts().Username), "client_id", clip(clientID(c)), "address", fmt.Sprint(g.peer(c)))
	return false
}

// peer is the address of who is behind the connection; nil for one that did not come through the front.
func (g *gatekeeper) peer(c server.ClientAuthentication) net.Addr {
	return g.peers.find(fmt.Sprint(c.RemoteAddress()))
}

// verify asks the credentials, a few at a time, unless it asked the same within the last minute.
func (g *gatekeeper) verify(user, password, mark string) (Grant, bool) {
	key := g.verified.key(user, password, mark)
	if grant, ok := g.verified.get(key); ok {
		return grant, true
	}
	t := time.NewTimer(verifyWait)
	defer t.Stop()
	select {
	case g.slots <- struct{}{}:
	case <-t.C:
		return Grant{}, false
	}
	defer func() { <-g.slots }()
	grant, ok := g.creds.Verify(user, password)
	if ok {
		g.verified.put(key, grant)
	}
	return grant, ok
}

// internals are the subjects on which nats-server delivers a QoS 1 or 2 subscription to its own client. A SUBSCRIBE that
// names them is refused by nats-server.
func internals() []string { return []string{"$MQTT.sub.>", "$MQTT.deliver.pubrel.>"} }

// offLimits are the subjects of nats-server itself: through them a client could delete the store.
func offLimits() []string {
	return []string{
		"$JS.>", "$JSC.>", "$MQTT.>", "$SYS.>", "$NRG.>", "$SRV.>", "$KV.>", "$O.>", "$G.>", "_INBOX.>", "_R_.>", "_GR_.>",
		inboxPrefix + ".>",
	}
}

func (g *gatekeeper) publisherMay(grant Grant) (*server.Permissions, string) {
	who := "*"
	if !grant.All {
		if err := grant.Publisher.Check(); err != nil {
			return nil, "the credential names no valid publisher"
		}
		who = string(grant.Publisher)
	}
	topic := g.root + "." + who
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{topic + ".readings", topic + ".status", topic + ".answer"}},
		Subscribe: &server.SubjectPermission{Allow: append(internals(), topic+".config", topic+".command", g.root+".time")},
	}, ""
}

// controlMay: the city's end of what bridges say and hear beside readings.
func (g *gatekeeper) controlMay() *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{g.root + ".time", g.root + ".*.config", g.root + ".*.command"}},
		Subscribe: &server.SubjectPermission{Allow: append(internals(), g.root+".*.status", g.root+".*.answer")},
	}
}

func (g *gatekeeper) ingestMay() *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Deny: []string{">"}},
		Subscribe: &server.SubjectPermission{Deny: []string{"$SYS.>", "$JS.>", inboxPrefix + ".>"}},
	}
}

// anybodyMay: outside the root nobody reads, so a PUBACK there would be for a message that is nowhere.
func (g *gatekeeper) anybodyMay() *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{g.root, g.root + ".>"}, Deny: offLimits()},
		Subscribe: &server.SubjectPermission{Deny: []string{"$SYS.>", "$JS.>", inboxPrefix + ".>"}},
	}
}

// clientID reads the MQTT client id out of the connection's name, `address - mid:7 - "id"`: the interface that
// nats-server gives to custom authentication has no other way to it.
func clientID(c server.ClientAuthentication) string {
	named, ok := c.(fmt.Stringer)
	if !ok {
		return ""
	}
	name := named.String()
	id, err := strconv.Unquote(name[strings.LastIndex(name, " ")+1:])
	if err != nil {
		return ""
	}
	return id
}

func fromLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// clip shortens a text from outside for the log.
func clip(s string) string {
	const limit = 80
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

// verifiedCache remembers which passwords were right, as salted hashes, for a minute.
type verifiedCache struct {
	salt [32]byte

	mu      sync.Mutex
	entries map[[32]byte]verifiedEntry
}

type verifiedEntry struct {
	grant Grant
	until time.Time
}

func (v *verifiedCache) key(user, password, mark string) [32]byte {
	h := sha256.New()
	h.Write(v.salt[:])
	fmt.Fprintf(h, "%d:%s%d:%s%s", len(user), user, len(mark), mark, password)
	return [32]byte(h.Sum(nil))
}

func (v *verifiedCache) get(key [32]byte) (Grant, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e, ok := v.entries[key]
	return e.grant, ok && time.Now().Before(e.until)
}

func (v *verifiedCache) put(key [32]byte, grant Grant) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.entries) >= verifiedLimit || v.entries == nil {
		v.entries = map[[32]byte]verifiedEntry{}
	}
	v.entries[key] = verifiedEntry{grant: grant, until: time.Now().Add(verifiedTTL)}
}

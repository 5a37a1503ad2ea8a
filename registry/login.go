package registry

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"sync"

	"golang.org/x/crypto/bcrypt"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Grant is what a publisher may do once it has logged in.
type Grant struct {
	// Publisher is in whose name it may publish.
	Publisher telemetry.SensorID
	// All is true where it may publish in every publisher's name.
	All bool
}

// Required says whether logging in to the broker asks for a password: as soon as there is one publisher with one.
func (r *Registry) Required() bool { return len(r.Snapshot().publishers) > 0 }

// Verify says whether a publisher may log in with a password, and what it may do then. The first login after a start or
// a change of password costs a bcrypt comparison, and so does every wrong one, also of a user that does not exist; at
// most Config.PasswordChecks run at once, others wait. Later logins cost microseconds.
func (r *Registry) Verify(user, password string) (Grant, bool) {
	p := r.Snapshot().publisherByID[telemetry.SensorID(user)]
	if !r.logins.verify(p, password) {
		r.metrics.logins.WithLabelValues("refused").Inc()
		return Grant{}, false
	}
	r.metrics.logins.WithLabelValues("accepted").Inc()
	return Grant{Publisher: p.ID, All: p.MayPublishAll}, true
}

// Mark tells the credential of a publisher from the one that it had before, be it the password or the rights that changed; it
// is "" without one. It says nothing about the password, and changes with the Snapshot.
func (r *Registry) Mark(user string) string {
	p := r.Snapshot().publisherByID[telemetry.SensorID(user)]
	if p == nil {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%t %s", p.MayPublishAll, p.hash))
	return string(sum[:])
}

// logins checks passwords, and remembers those that were right: bcrypt takes tens of milliseconds of a processor, and a broker that
// restarts sees thousands of logins at once.
type logins struct {
	// key makes the sums of this process useless elsewhere.
	key [sha256.Size]byte
	// turns holds one token for each comparison that is running.
	turns chan struct{}
	// nobody returns the hash that stands in for a user that does not exist.
	nobody func() []byte

	mu sync.Mutex
	// right has at most one entry for each publisher that was ever registered while this process ran.
	right map[telemetry.SensorID]proof
}

// proof is a password that was right.
type proof struct {
	// hash is what it was compared with; once that changes the proof is worth nothing.
	hash string
	sum  [sha256.Size]byte
}

func newLogins(cfg Config) *logins {
	l := &logins{turns: make(chan struct{}, cfg.PasswordChecks), right: make(map[telemetry.SensorID]proof)}
	rand.Read(l.key[:]) // never fails: it crashes the process where the system has no randomness
	l.nobody = sync.OnceValue(func() []byte {
		// An error gives an empty hash, which nothing equals.
		hash, _ := bcrypt.GenerateFromPassword([]byte(rand.Text()), cfg.PasswordCost)
		return hash
	})
	return l
}

// verify expects nil for a user that does not exist.
func (l *logins) verify(p *publisher, password string) bool {
	if len(password) > MaxPasswordLength {
		return false
	}
	sum := l.sum(password)
	if p != nil && l.known(p, sum) {
		return true
	}
	l.turns <- struct{}{}
	defer func() { <-l.turns }()
	if p == nil {
		// As slow as for a user that exists, so that names cannot be guessed by the time it takes.
		_ = bcrypt.CompareHashAndPassword(l.nobody(), []byte(password))
		return false
	}
	if bcrypt.CompareHashAndPassword([]byte(p.hash), []byte(password)) != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.right[p.ID] = proof{hash: p.hash, sum: sum}
	return true
}

func (l *logins) known(p *publisher, sum [sha256.Size]byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	right, ok := l.right[p.ID]
	return ok && right.hash == p.hash && subtle.ConstantTimeCompare(right.sum[:], sum[:]) == 1
}

func (l *logins) sum(password string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, l.key[:])
	mac.Write([]byte(password))
	copy(sum[:], mac.Sum(nil))
	return sum
}

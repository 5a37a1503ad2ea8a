package api

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// sessionCookie is the name of the cookie that the page holds after it has shown the token once.
const sessionCookie = "lamppost_session"

// sessions are the browsers that are signed in. They live in memory: a restart signs everybody out. The cookie holds a
// random id; only its hash is kept, so that a memory dump signs nobody in.
type sessions struct {
	lifetime time.Duration
	most     int

	mu   sync.Mutex
	ends map[[sha256.Size]byte]time.Time
}

func newSessions(lifetime time.Duration, most int) *sessions {
	return &sessions{lifetime: lifetime, most: most, ends: make(map[[sha256.Size]byte]time.Time)}
}

// open starts a session and returns its id for the cookie. Where there are too many, the one that ends first goes.
func (s *sessions) open() string {
	id := rand.Text() + rand.Text() // 260 bits
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ends) >= s.most {
		s.makeRoom(now)
	}
	s.ends[sha256.Sum256([]byte(id))] = now.Add(s.lifetime)
	return id
}

// makeRoom forgets what has ended, and if nothing has, the session that ends first. The caller holds the lock.
func (s *sessions) makeRoom(now time.Time) {
	var first [sha256.Size]byte
	var firstEnd time.Time
	for key, end := range s.ends {
		if !end.After(now) {
			delete(s.ends, key)
		} else if firstEnd.IsZero() || end.Before(firstEnd) {
			first, firstEnd = key, end
		}
	}
	if len(s.ends) >= s.most {
		delete(s.ends, first)
	}
}

// valid tells whether the id is that of a session that has not ended.
func (s *sessions) valid(id string) bool {
	key := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	end, ok := s.ends[key]
	if ok && !end.After(time.Now()) {
		delete(s.ends, key)
		return false
	}
	return ok
}

// end forgets a session; an unknown id is no error.
func (s *sessions) end(id string) {
	key := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ends, key)
}

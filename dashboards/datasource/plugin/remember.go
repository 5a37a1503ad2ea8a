package plugin

import (
	"sync"
	"time"
)

const (
	// rememberFor is how long an answer is used again: an editor asks at every key.
	rememberFor = 30 * time.Second
	// remembered is how many answers are kept at most.
	remembered = 64
)

// memory keeps what is measured where. Its zero value is empty.
type memory struct {
	mu   sync.Mutex
	kept map[string]recollection
}

type recollection struct {
	measured map[string]bool
	until    time.Time
}

// get returns what is kept under a key, or else asks. The caller must not change it.
func (m *memory) get(key string, ask func() (map[string]bool, error)) (map[string]bool, error) {
	m.mu.Lock()
	known, ok := m.kept[key]
	m.mu.Unlock()
	if ok && time.Now().Before(known.until) {
		return known.measured, nil
	}
	measured, err := ask()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || len(m.kept) >= remembered {
		m.kept = make(map[string]recollection)
	}
	m.kept[key] = recollection{measured: measured, until: time.Now().Add(rememberFor)}
	return measured, nil
}

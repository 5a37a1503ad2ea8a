package mqtt

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// offline are the topics on which a device was said to be away.
type offline map[string]bool

// mostOffline bounds them; more are not counted.
const mostOffline = 1000

// hearAvailability takes what Zigbee2MQTT says of a device, {"state":"offline"} or the bare word, or what Tasmota leaves as its last will,
// Offline. What is retained is as it is now.
func (s *sensor) hearAvailability(m bus.Message) {
	there, err := online(m.Payload)
	if err != nil {
		s.deliver(nil, errors.Join(fault.New(fault.Garbled, fmt.Errorf("%.80q: %w", m.Topic, err), "look at availability, and at what the gateway sends there"), s.standing()))
		return
	}
	if away := s.away[m.Topic]; away == !there {
		return // as before
	}
	if s.away == nil {
		s.away = make(offline)
	}
	if there {
		delete(s.away, m.Topic)
	} else if len(s.away) < mostOffline {
		s.away[m.Topic] = true
	}
	s.mu.Lock()
	s.absent = s.away.fault()
	s.mu.Unlock()
	s.deliver(nil, s.standing())
}

// online reads the word. An empty message clears what was retained: nobody says any more that the device is away.
func online(payload []byte) (bool, error) {
	word := strings.TrimSpace(string(payload[:min(len(payload), 200)]))
	if strings.HasPrefix(word, "{") {
		var said struct {
			State string `json:"state"`
		}
		if err := json.Unmarshal(payload, &said); err != nil {
			return false, fmt.Errorf("%.40q is no JSON: %w", word, err)
		}
		if said.State == "" {
			return false, fmt.Errorf("%.40q has no state", word)
		}
		word = said.State
	}
	switch strings.ToLower(word) {
	case "online", "":
		return true, nil
	case "offline":
		return false, nil
	}
	return false, fmt.Errorf("%.40q is neither online nor offline", word)
}

func (o offline) fault() error {
	if len(o) == 0 {
		return nil
	}
	topics := slices.Sorted(maps.Keys(o))
	list := strings.Join(topics[:min(len(topics), 3)], ", ")
	if more := len(topics) - 3; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return fault.New(fault.Absent, fmt.Errorf("offline: %s", list), "look at the device's supply or battery, and whether its radio reaches the gateway")
}

package uplink_test

import (
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
)

func TestTopicsOfMessagesThatAreTooLongAreTold(t *testing.T) {
	broker := uplinktest.New(t, uplinktest.AckAll)
	told := make(chan string, 4)
	heard := make(chan string, 4)
	p, _ := session(t, config("mqtt://"+broker.Address()), uplink.Session{
		TooLong:       func(topic string) { told <- topic },
		Subscriptions: []uplink.Subscription{{Filter: "city/kerb-1/+", Handle: func(m uplink.Received) { heard <- m.Topic }}},
	}, quiet())
	connected(t, p)
	uplinktest.Eventually(t, "the subscription is granted", func() bool { return p.Status().Subscriptions[0].Granted })
	for topic, length := range map[string]int{"city/kerb-1/little": uplink.MaxReceived + 1, "city/kerb-1/much": 3 * uplink.MaxReceived} {
		broker.Send(uplinktest.Message{Topic: topic, Payload: strings.Repeat("x", length)})
		if got := <-told; got != topic {
			t.Errorf("told %q, want %q", got, topic)
		}
	}
	broker.Send(uplinktest.Message{Topic: "city/kerb-1/config", Payload: "short"})
	if got := <-heard; got != "city/kerb-1/config" || len(told) > 0 {
		t.Errorf("heard %q, and told of %d more", got, len(told))
	}
}

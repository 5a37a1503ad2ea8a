package ingest_test

import (
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// What the broker keeps comes again whenever ingest subscribes: without a time of its own it would be new each time.
func TestRetainedReadingsAreNotReadAgainWhenIngestComesBack(t *testing.T) {
	c := newCity(t)
	line, stop := c.ingest(c.client)
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + c.broker.Addr()).SetClientID("test"))
	if token := client.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal("connect", token.Error())
	}
	defer client.Disconnect(100)
	for qos, topic := range []string{"city/loop-1/readings", "city/loop-2/readings"} {
		if token := client.Publish(topic, byte(qos), true, `{"speed":50}`); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Fatal("publish", token.Error())
		}
	}
	if token := client.Publish("city/air-1/readings", 1, true, `{"time":"`+at(0)+`","no2":20}`); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal("publish", token.Error())
	}
	for n := range int64(3) {
		got := c.settled(line, 3+3*n)
		if got.Received != 3+3*n || got.Accepted != 3 || got.Duplicate != 3*n || got.Reports != 3 {
			t.Errorf("after %d starts: %+v", n+1, got)
		}
		c.clean(line)
		stop()
		line, stop = c.ingest(c.client)
	}
}

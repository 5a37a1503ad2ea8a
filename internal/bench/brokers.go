package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// Brokers that are measured.
const (
	embeddedBroker  = "embedded broker"
	mosquittoBroker = "Mosquitto"
)

// brokerPart is a running broker with one persistent session.
type brokerPart struct {
	cmd            *exec.Cmd
	address, login string
	end            func() error
}

// startBroker starts a broker of which the client has a persistent session for everything below city.
func (b *bench) startBroker(ctx context.Context, kind, dir, client string, on []int) (*brokerPart, error) {
	if kind == mosquittoBroker {
		return b.startMosquitto(ctx, dir, client, on)
	}
	p, err := b.begin(ctx, on, roleBroker, load{}, "-dir", dir, "-client", client)
	if err != nil {
		return nil, err
	}
	broker := &brokerPart{cmd: p.cmd, end: p.end}
	broker.address, broker.login, _ = strings.Cut(p.first, " ")
	return broker, nil
}

// findMosquitto returns "" where it is not installed.
func findMosquitto() string {
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto"} { // Debian's is not in everybody's path
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// startMosquitto lets it keep and send as many messages as the embedded broker may: its own bounds are 1,000 and 20.
func (b *bench) startMosquitto(ctx context.Context, dir, client string, on []int) (*brokerPart, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(address)
	text := fmt.Sprintf("listener %s %s\nallow_anonymous true\npersistence true\npersistence_location %s/\nmax_queued_messages 0\nmax_inflight_messages 0\nlog_type error\n",
		port, host, dir)
	if os.Geteuid() == 0 {
		text += "user root\n" // or it gives up its rights and cannot write into the folder
	}
	conf := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, findMosquitto(), "-c", conf)
	if err := startOn(cmd, on); err != nil {
		return nil, err
	}
	broker := &brokerPart{cmd: cmd, address: address, login: "nobody:nothing", end: func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return err
		}
		_ = cmd.Wait() // its exit code says that it was interrupted
		return nil
	}}
	if err := makeSession(ctx, address, client); err != nil {
		return nil, errors.Join(err, broker.end())
	}
	return broker, nil
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// makeSession connects as the client as soon as the broker answers, subscribes and leaves.
func makeSession(ctx context.Context, address, client string) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + address).SetClientID(client).SetCleanSession(false).SetAutoReconnect(false))
		token := c.Connect()
		token.Wait()
		if token.Error() == nil {
			token = c.Subscribe("city/#", 1, nil)
			token.Wait()
			c.Disconnect(100)
			return token.Error()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("make session %s: %w", client, token.Error())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

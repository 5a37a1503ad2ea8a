package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/broker"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/internal/secret"
)

// passage is the way of an uplink into the embedded broker where that speaks TLS: its certificate is for the names under
// which others reach it, and seldom for this machine. An uplink knows addresses alone, so it is given one of loopback, and
// behind that is the broker's own Dial, as ingest has it. Only the uplink gets through: its password is looked at.
//
//	uplink ──► 127.0.0.1:n ──► password? ──Dial──► broker
type passage struct {
	broker   *broker.Broker
	password secret.String
	log      *slog.Logger
}

// toEmbedded runs inside with the address and password by which it reaches the embedded broker.
func (c *town) toEmbedded(ctx context.Context, log *slog.Logger, inside func(context.Context, uplink.Config) error) error {
	from := c.cfg.Ingest.Broker
	from.URL, from.CAFile, from.CertFile, from.KeyFile = c.broker.URL(), "", "", ""
	from.User, from.Password = c.broker.Control()
	if strings.HasPrefix(from.URL, "mqtt://") {
		return inside(ctx, linkTo(from))
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("open a way to the broker: %w", err)
	}
	from.URL = "mqtt://" + listener.Addr().String()
	p := passage{broker: c.broker, password: from.Password, log: log}
	open, shut := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.run(open, listener)
	}()
	err = inside(ctx, linkTo(from))
	shut()
	<-ended
	return err
}

// run lets connections through, one at a time, until ctx ends. It closes the listener.
func (p passage) run(ctx context.Context, listener net.Listener) {
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	for ctx.Err() == nil {
		conn, err := listener.Accept()
		if err != nil {
			select { // too many open files, most likely
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			continue
		}
		if err := p.through(ctx, conn); err != nil && ctx.Err() == nil {
			p.log.Warn("connection to the broker not let through", "error", err.Error())
		}
	}
}

// through serves one connection until it ends.
func (p passage) through(ctx context.Context, conn net.Conn) error {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_ = conn.SetReadDeadline(time.Now().Add(helloWait))
	read := bufio.NewReader(conn)
	hello, err := readHello(read)
	if err != nil {
		return err
	}
	if !bytes.Contains(hello, []byte(p.password.Reveal())) {
		return errors.New("a stranger came to the door of bridges")
	}
	_ = conn.SetReadDeadline(time.Time{})
	inner, err := p.broker.Dial(ctx)
	if err != nil {
		return err
	}
	defer inner.Close()
	defer context.AfterFunc(ctx, func() { _ = inner.Close() })()
	if _, err := inner.Write(hello); err != nil {
		return err
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(conn, inner) // how it ends, its other end sees
		_ = conn.Close()
	})
	_, _ = io.Copy(inner, read)
	_ = inner.Close()
	back.Wait()
	return nil
}

const (
	// helloWait is how long a connection may take to say who it is, and maxHello how many bytes.
	helloWait = 5 * time.Second
	maxHello  = 4 << 10
)

// readHello reads the CONNECT packet with which an MQTT connection begins (MQTT 3.1.1, section 3.1).
func readHello(read *bufio.Reader) ([]byte, error) {
	kind, err := read.ReadByte()
	if err != nil {
		return nil, err
	}
	// The length is written as a variable-length integer, as in Go's encoding.
	length, err := binary.ReadUvarint(read)
	if err != nil {
		return nil, err
	}
	if kind != 0x10 || length > maxHello {
		return nil, fmt.Errorf("it begins with packet %#x of %d bytes, not with an MQTT CONNECT", kind, length)
	}
	hello := binary.AppendUvarint([]byte{kind}, length)
	head := len(hello)
	hello = append(hello, make([]byte, length)...)
	_, err = io.ReadFull(read, hello[head:])
	return hello, err
}

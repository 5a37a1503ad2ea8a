package city

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// maxEventBytes bounds one server-sent event; a reading has about 200.
const maxEventBytes = 64 << 10

// Told is what a live stream says: a reading, readings that were lost on the way, or, with neither, that it is there.
type Told struct {
	Reading *Reading
	Lost    int
}

// Live opens the stream of readings and calls tell with each event, until the stream or the context ends or quiet passes
// without a word; its error is never nil. At first tell hears that the stream is open. The Reading is the callee's.
func (c *Client) Live(ctx context.Context, params url.Values, quiet time.Duration, tell func(Told)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := fmt.Errorf("the stream was silent for %s", quiet)
	alarm := time.AfterFunc(quiet, func() { cancel(silent) })
	defer alarm.Stop()
	response, err := c.send(ctx, c.stream, "live", params, "")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return &Fault{Kind: Foreign, Call: Call("live", params), Detail: "what answers at " + c.base.Host + " is no stream of readings; if a proxy is between, let it pass " + api + "live"}
	}
	tell(Told{})
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(make([]byte, 0, 4096), maxEventBytes)
	err = events(lines, func(kind string, data []byte) error {
		alarm.Reset(quiet)
		return told(kind, data, tell)
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return c.unreached(Call("live", params), err)
	}
	return io.EOF
}

func told(kind string, data []byte, tell func(Told)) error {
	switch kind {
	case "reading":
		r := new(Reading)
		if err := json.Unmarshal(data, r); err != nil {
			return fmt.Errorf("read a live reading: %w", err)
		}
		tell(Told{Reading: r})
	case "lost":
		var lost struct {
			Readings int `json:"readings"`
		}
		if err := json.Unmarshal(data, &lost); err != nil {
			return fmt.Errorf("read how much was lost: %w", err)
		}
		tell(Told{Lost: lost.Readings})
	}
	return nil
}

// events splits a stream into events (HTML Living Standard, 9.2.6). A comment is an event without kind and data.
func events(lines *bufio.Scanner, take func(kind string, data []byte) error) error {
	kind, data := "", []byte(nil)
	for lines.Scan() {
		line := bytes.TrimSuffix(lines.Bytes(), []byte{'\r'})
		if len(line) == 0 {
			if data != nil {
				if err := take(kind, data); err != nil {
					return err
				}
			}
			kind, data = "", nil
			continue
		}
		field, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(field) {
		case "":
			if err := take("", nil); err != nil {
				return err
			}
		case "event":
			kind = string(value)
		case "data":
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, value...)
			if len(data) > maxEventBytes {
				return errors.New("an event is too long")
			}
		}
	}
	return lines.Err()
}

package influx

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lamppost-city/lamppost/store"
)

const (
	// maxErrorBytes bounds what is read of an error's body.
	maxErrorBytes = 256 << 10
	// maxMessageBytes bounds a message that is kept.
	maxMessageBytes = 1 << 10
	// maxErrorLines bounds the lines that are kept; a writer that isolates bad lines asks again for the rest.
	maxErrorLines = 1000
	// maxRetryAfter bounds what a server, or its clock, can ask for.
	maxRetryAfter = time.Hour
)

// answer turns a response that is not the wanted one into an error. It reads of the body what it needs.
func answer(resp *http.Response, now time.Time) *store.Error {
	e := &store.Error{Kind: kindOf(resp.StatusCode), Status: resp.StatusCode}
	if e.Kind == store.Retry {
		e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), now)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes))
	if err != nil {
		// The status stands, whatever became of the explanation.
		e.Err = err
	}
	e.Message, e.Lines = explanation(body)
	if e.Message == "" {
		e.Message = resp.Header.Get("X-Influxdb-Error")
	}
	if e.Kind == store.Rejected && !fromInflux(resp.Header, body) {
		// What stands in between refuses requests, whatever is in them: a port that wants TLS, a proxy, a portal.
		e.Kind = store.Denied
	}
	if e.Message == "" && e.Kind == store.Denied && (resp.StatusCode < 300 || resp.StatusCode == http.StatusBadRequest) {
		e.Message = "this is not the answer of an InfluxDB; check the address"
	}
	e.Message = cut(e.Message)
	return e
}

// fromInflux tells whether an answer is one that an InfluxDB gives: 1.8 and 2.x say so in a header, and all explain their
// refusals in JSON, of which not all need have come.
func fromInflux(header http.Header, body []byte) bool {
	return header.Get("X-Influxdb-Version") != "" || header.Get("X-Influxdb-Error") != "" || bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
}

// kindOf maps a status that is not the wanted one.
func kindOf(status int) store.Kind {
	switch {
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return store.Rejected
	case status == http.StatusRequestEntityTooLarge:
		return store.TooLarge
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		return store.Retry
	}
	return store.Denied
}

// retryAfter reads the header in both forms of RFC 9110, 10.2.3: seconds, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	if value == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		wait = time.Duration(min(seconds, int64(maxRetryAfter/time.Second))) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// explanation reads the body of an error: 1.8 {"error"}, 2.x {"code","message"}, 3 {"error","data"}, else plain text.
func explanation(body []byte) (string, []store.Line) {
	var object struct {
		Error   string          `json:"error"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &object); err != nil {
		text := strings.TrimSpace(string(body))
		if strings.HasPrefix(text, "<") {
			return "", nil // an HTML page says nothing to a log
		}
		return text, nil
	}
	message := object.Error
	if message == "" {
		message = object.Message
	}
	lines := linesOf(object.Data)
	if len(lines) > 0 && lines[0].Message != "" {
		message += ": line " + strconv.Itoa(lines[0].Number) + ": " + lines[0].Message
	}
	return message, lines
}

// linesOf reads 3 Core's list of bad lines; it is one object when the whole body was refused.
func linesOf(data json.RawMessage) []store.Line {
	type line struct {
		Number  int    `json:"line_number"`
		Message string `json:"error_message"`
	}
	var list []line
	if bytes.HasPrefix(data, []byte("{")) {
		list = make([]line, 1)
		if json.Unmarshal(data, &list[0]) != nil {
			return nil
		}
	} else if json.Unmarshal(data, &list) != nil {
		return nil
	}
	var lines []store.Line
	for _, l := range list[:min(len(list), maxErrorLines)] {
		if l.Number > 0 {
			lines = append(lines, store.Line{Number: l.Number, Message: cut(l.Message)})
		}
	}
	return lines
}

// cut shortens a text to maxMessageBytes without breaking a character.
func cut(text string) string {
	if len(text) <= maxMessageBytes {
		return text
	}
	end := maxMessageBytes
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "..."
}

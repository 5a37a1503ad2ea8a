package city

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/lamppost-city/lamppost/internal/secret"
)

const (
	// api is where the API begins.
	api = "/api/v1/"
	// maxAnswerBytes bounds an answer: 10,000 sensors are under 5 MB, and 10,000 points of 200 series about 40 MB.
	maxAnswerBytes = 64 << 20
	// Contract is the number of the API that this client was written for, as /api/v1/city says it.
	Contract = 1
)

// Client asks one Lamppost. It may be used by many goroutines.
type Client struct {
	base   *url.URL
	token  secret.String
	http   *http.Client
	stream *http.Client
	clock  clock
	kept   kept
	plan   keptPlan
}

// New prepares a client for the server at address. Answers come through ordinary, live readings through stream, which must
// not have a time limit for the whole of an answer. The token may be empty.
func New(address string, token secret.String, ordinary, stream *http.Client) (*Client, error) {
	address = strings.TrimRight(strings.TrimSpace(address), "/")
	if address == "" {
		return nil, errors.New("url: there is none; set the address of Lamppost, for instance http://localhost:8080")
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("url: %q is no address; it should look like https://city.example:8080", address)
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("url: leave out the user, the question mark and what follows; the token has a field of its own")
	}
	token = secret.String(strings.TrimSpace(token.Reveal()))
	if strings.ContainsFunc(token.Reveal(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, errors.New("token: it has a line break or another character that no token has; copy it anew from the file api-token of Lamppost's data folder")
	}
	base.Path = strings.TrimSuffix(strings.TrimRight(base.Path, "/"), strings.TrimRight(api, "/"))
	return &Client{base: base, token: token, http: ordinary, stream: stream}, nil
}

// HasToken says whether requests carry a token.
func (c *Client) HasToken() bool { return c.token != "" }

// Address is where the server is.
func (c *Client) Address() string { return c.base.String() }

// Call is a request in the words of HTTP, for people who look at it.
func Call(path string, params url.Values) string {
	return "GET " + api + path + query(params)
}

func query(params url.Values) string {
	if len(params) == 0 {
		return ""
	}
	return "?" + params.Encode()
}

// get asks for path below the API and decodes the answer, unless it has the ETag that is given. It returns the new one.
func (c *Client) get(ctx context.Context, path string, params url.Values, tag string, answer any) (newTag string, err error) {
	response, err := c.send(ctx, c.http, path, params, tag)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotModified {
		return tag, nil
	}
	body := &limited{from: response.Body, left: maxAnswerBytes}
	text := bufio.NewReader(body)
	begin, _ := text.Peek(64) // what there is of it
	if err := json.NewDecoder(text).Decode(answer); err != nil {
		switch {
		case bytes.HasPrefix(bytes.TrimSpace(begin), []byte{'<'}):
			return "", c.paged(Call(path, params))
		case body.over:
			return "", &Fault{Kind: TooMuch, Call: Call(path, params), Detail: fmt.Sprintf(
				"the answer has more than %d MB; choose a longer step, a shorter time or fewer sensors", maxAnswerBytes>>20)}
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		}
		return "", &Fault{Kind: Foreign, Call: Call(path, params), Detail: "the answer is not what Lamppost answers: " + err.Error(), Err: err}
	}
	return response.Header.Get("Etag"), nil
}

// list asks for path below the API, which answers with items; total counts those beyond the limit as well, where the API says it.
func list[T any](ctx context.Context, c *Client, path string, params url.Values) (items []T, total int, err error) {
	var answer struct {
		Items []T `json:"items"`
		Total int `json:"total"`
	}
	_, err = c.get(ctx, path, params, "", &answer)
	return answer.Items, answer.Total, err
}

// send sends a request and returns the response if its status is 200, or 304 where a tag was given. The caller closes
// its body.
func (c *Client) send(ctx context.Context, by *http.Client, path string, params url.Values, tag string) (*http.Response, error) {
	at := *c.base
	at.Path, at.RawQuery = strings.TrimRight(at.Path, "/")+api+path, params.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	if tag != "" {
		request.Header.Set("If-None-Match", tag)
	}
	response, err := by.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, c.unreached(Call(path, params), err)
	}
	c.clock.hear(response.Header)
	if response.StatusCode == http.StatusOK || response.StatusCode == http.StatusNotModified && tag != "" {
		return response, nil
	}
	defer response.Body.Close()
	return nil, c.refused(Call(path, params), response)
}

// limited reads at most so many bytes, and remembers whether there were more.
type limited struct {
	from io.Reader
	left int
	over bool
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		l.over = true
		return 0, io.ErrUnexpectedEOF
	}
	if len(p) > l.left {
		p = p[:l.left]
	}
	n, err := l.from.Read(p)
	l.left -= n
	return n, err
}

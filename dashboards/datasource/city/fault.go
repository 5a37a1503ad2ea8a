package city

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// FaultKind says what has to be mended.
type FaultKind string

// The kinds of fault.
const (
	// Unreached is a wrong address, or a server that is not there.
	Unreached FaultKind = "address"
	// Untrusted is a certificate, or encryption where there is none.
	Untrusted FaultKind = "tls"
	// Unknown is a token that is missing or wrong.
	Unknown FaultKind = "token"
	// Forbidden is a token that may not do that.
	Forbidden FaultKind = "permission"
	// Old is a server that does not know the request.
	Old FaultKind = "version"
	// Foreign is something that answers and is not Lamppost.
	Foreign FaultKind = "foreign"
	// Wrong is a request that the server refuses to understand.
	Wrong FaultKind = "request"
	// TooMuch is a question whose answer is too big, or too many questions.
	TooMuch FaultKind = "limit"
	// Broken is a server that has a fault of its own.
	Broken FaultKind = "server"
)

// Fault is why the API did not answer. Its text says what to do.
type Fault struct {
	Kind FaultKind
	// Status is the HTTP status; 0 where there was none.
	Status int
	// Call is what was asked.
	Call   string
	Detail string
	Err    error
}

// Error says what is wrong and what to do.
func (f *Fault) Error() string { return f.Detail }

// Unwrap returns what caused the fault, if anything did.
func (f *Fault) Unwrap() error { return f.Err }

// unreached words why a request got no answer.
func (c *Client) unreached(call string, err error) error {
	f := &Fault{Kind: Unreached, Call: call, Err: err}
	host := c.base.Host
	var (
		unknownCA x509.UnknownAuthorityError
		otherHost x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		noHost    *net.DNSError
		moved     *Moved
		timeout   net.Error
	)
	switch {
	case errors.As(err, &moved):
		f.Detail = fmt.Sprintf("%s sends to %s instead of answering; set the address of Lamppost itself", host, moved.To)
	case errors.As(err, &unknownCA):
		f.Kind, f.Detail = Untrusted, "the certificate of "+host+" is signed by an authority that is not known here; switch on With CA certificate and paste the authority's certificate"
	case errors.As(err, &otherHost):
		f.Kind, f.Detail = Untrusted, fmt.Sprintf("the certificate of %s is for %s; use that in the address, or switch on With CA certificate and set it as the server name", host, certified(otherHost.Certificate))
	case errors.As(err, &invalid):
		f.Kind, f.Detail = Untrusted, "the certificate of "+host+" is not valid now: "+invalid.Error()+"; renew it on the server"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		f.Kind, f.Detail = Untrusted, host+" does not encrypt; begin the address with http://, or switch on TLS on the server"
	case strings.Contains(err.Error(), "tls: "):
		f.Kind, f.Detail = Untrusted, "no encrypted connection with "+host+" came about: "+cause(err)+"; look at the TLS settings here and on the server"
	case errors.As(err, &noHost):
		f.Detail = fmt.Sprintf("no machine is called %s; look for a typing error in the address, or ask whoever keeps the name server", noHost.Name)
	case strings.Contains(err.Error(), "connection refused"), strings.Contains(err.Error(), "actively refused"):
		f.Detail = "nothing listens at " + host + "; start Lamppost there, or correct the address"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.Detail = host + " did not answer in time; look whether a firewall is between, or raise the timeout of the data source"
	case errors.Is(err, io.EOF), strings.Contains(err.Error(), "malformed HTTP"):
		f.Detail = "what listens at " + host + " does not speak HTTP, or hung up; set the port of Lamppost's web page and not that of MQTT, or try again"
	default:
		f.Detail = "the connection with " + host + " broke: " + cause(err) + "; try again"
	}
	return f
}

// certified are the names that a certificate is for.
func certified(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no name"
	}
	return strings.Join(names, ", ")
}

// paged words a web page where the API should be: Lamppost itself answers with its own below every address that it does not know.
func (c *Client) paged(call string) error {
	advice := "correct the address"
	if c.base.Path != "" {
		advice = "leave out " + c.base.Path + ", or correct the address"
	}
	return &Fault{Kind: Foreign, Call: call, Detail: "a web page answers at " + c.base.String() + " and not the API of Lamppost; " + advice}
}

// cause is the innermost part of an error of net/http, without the address of the request.
func cause(err error) string {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	return err.Error()
}

// Moved is what a client that follows no redirects returns in http.Client.CheckRedirect.
type Moved struct{ To string }

// Error says where the answer is.
func (m *Moved) Error() string { return "redirected to " + m.To }

// refused words a status other than 200.
func (c *Client) refused(call string, response *http.Response) error {
	f := &Fault{Status: response.StatusCode, Call: call}
	var problem struct{ Title, Detail string }
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // what there is of it
	ours := strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") && json.Unmarshal(body, &problem) == nil
	detail := problem.Detail
	if detail == "" {
		detail = response.Status
	}
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized && c.token == "":
		f.Kind, f.Detail = Unknown, "Lamppost wants a token; set it in the data source (lamppost up keeps it in the file api-token of its data folder)"
	case status == http.StatusUnauthorized:
		f.Kind, f.Detail = Unknown, "Lamppost does not know the token; set the one that is in the file api-token of its data folder now"
	case status == http.StatusForbidden:
		f.Kind, f.Detail = Forbidden, "the token may not read this: "+detail
	case status == http.StatusNotFound && !ours:
		f.Kind, f.Detail = Foreign, "what answers at "+c.base.Host+" has no "+api+"; correct the address"
	case status == http.StatusNotFound && !strings.HasPrefix(detail, "there is nothing at"):
		f.Kind, f.Detail = Wrong, detail
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		f.Kind, f.Detail = Old, "this Lamppost does not know "+path(call)+"; it is older than this plugin: update it"
	case status == http.StatusRequestURITooLong, status == http.StatusRequestHeaderFieldsTooLarge:
		f.Kind, f.Detail = TooMuch, "too many names are chosen for one request; choose districts, sites or an area instead of sensors"
	case status == http.StatusTooManyRequests, status == http.StatusRequestEntityTooLarge, status == http.StatusServiceUnavailable:
		f.Kind, f.Detail = TooMuch, detail
	case status == http.StatusBadRequest && strings.Contains(string(body), "HTTP request to an HTTPS server"):
		f.Kind, f.Detail = Untrusted, c.base.Host+" wants encryption; begin the address with https://"
	case status >= 300 && status < 400:
		f.Kind, f.Detail = Unreached, c.base.Host+" sends to "+response.Header.Get("Location")+" instead of answering; set the address of Lamppost itself"
	case status < 500:
		f.Kind, f.Detail = Wrong, detail
	case !ours:
		f.Kind, f.Detail = Broken, c.base.Host+" answered "+response.Status+"; if a proxy is between, it may not reach Lamppost"
	default:
		f.Kind, f.Detail = Broken, "Lamppost could not answer: "+detail
	}
	return f
}

// path is the part of a call before its parameters, without the method.
func path(call string) string {
	whole, _, _ := strings.Cut(strings.TrimPrefix(call, "GET "), "?")
	return whole
}

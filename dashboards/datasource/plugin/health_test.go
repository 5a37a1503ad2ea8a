package plugin_test

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

func health(t *testing.T, to backend.PluginContext) (*backend.CheckHealthResult, string) {
	t.Helper()
	result, err := shared.Client.CheckHealth(t.Context(), &backend.CheckHealthRequest{PluginContext: to})
	if err != nil {
		t.Fatal(err)
	}
	var details struct{ Fault string }
	if len(result.JSONDetails) > 0 {
		if err := json.Unmarshal(result.JSONDetails, &details); err != nil {
			t.Fatal(err)
		}
	}
	return result, details.Fault
}

func TestHealthNamesTheCityAndItsVersion(t *testing.T) {
	api := newTown(t, "right")
	result, _ := health(t, settings(t, api.URL+"/", "right"))
	if result.Status != backend.HealthStatusOk || result.Message != "Lamppost v0.4.0 of Lindenau answers, and takes the token." {
		t.Errorf("%s %q", result.Status, result.Message)
	}
}

// The address may be that of the page, of the API, or of a folder behind a proxy.
func TestAddressMayBeThatOfTheAPI(t *testing.T) {
	api := newTown(t, "")
	if result, _ := health(t, settings(t, api.URL+"/api/v1/", "")); result.Status != backend.HealthStatusOk {
		t.Error(result.Message)
	}
}

// ailment is a data source that does not work, and what is to be said of it.
type ailment struct {
	name, address, token string
	town                 func(*town)
	fault, words         string
}

// ailments are all that can be told apart; nobody is an address where nobody listens.
func ailments(nobody string) []ailment {
	return []ailment{
		{name: "no address", address: " ", fault: "settings", words: "set the address"},
		{name: "no web address", address: "city:8080/x", fault: "settings", words: "should look like"},
		{name: "nobody there", address: nobody, fault: "address", words: "nothing listens"},
		{name: "no such machine", address: "http://lamppost.invalid:8080", fault: "address", words: "no machine is called lamppost.invalid"},
		{name: "token missing", fault: "token", words: "wants a token"},
		{name: "token wrong", token: "wrong", fault: "token", words: "does not know the token"},
		{name: "token of several lines", token: "right\nwrong", fault: "settings", words: "token: it has a line break"},
		{
			name: "token wrong where reading is free", token: "wrong", fault: "token", words: "does not know the token",
			town: func(c *town) {
				c.token = ""
				c.answer("session", `{"authenticated":false,"may":["read"]}`)
			},
		},
		{
			name: "token may not read", token: "right", fault: "permission", words: "may not read",
			town: func(c *town) { c.answer("session", `{"authenticated":true,"may":[]}`) },
		},
		{
			name: "token may not ask", token: "right", fault: "permission", words: "for changes only",
			town: func(c *town) {
				c.handle("city", func(w http.ResponseWriter, _ *http.Request) { problem(w, http.StatusForbidden, "for changes only") })
			},
		},
		{
			name: "server before the contract", token: "right", fault: "version", words: "older than the plugin",
			town: func(c *town) { c.answer("city", `{"name":"Lindenau","zone":"UTC"}`) },
		},
		{
			name: "server after the contract", token: "right", fault: "version", words: "update the plugin",
			town: func(c *town) { c.answer("city", `{"name":"Lindenau","zone":"UTC","version":"v9","api":2}`) },
		},
		{
			name: "something else that answers JSON", token: "right", fault: "foreign", words: "not Lamppost",
			town: func(c *town) { c.answer("city", `{"status":"ok"}`) },
		},
		{
			name: "a page", token: "right", fault: "foreign", words: "and not the API of Lamppost; correct the address",
			town: func(c *town) { c.answer("city", `<html>welcome</html>`) },
		},
		{
			name: "JSON with a fault", token: "right", fault: "foreign", words: "not what Lamppost answers",
			town: func(c *town) { c.answer("city", `{"name":`) },
		},
		{
			name: "somebody who redirects", token: "right", fault: "address", words: "sends to",
			town: func(c *town) {
				c.handle("city", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) })
			},
		},
		{
			name: "a proxy without server", token: "right", fault: "server", words: "502",
			town: func(c *town) {
				c.handle("city", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
			},
		},
	}
}

func TestHealthSaysExactlyWhatIsWrong(t *testing.T) {
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String()
	_ = closed.Close()
	for _, test := range ailments(nobody) {
		t.Run(test.name, func(t *testing.T) {
			api := newTown(t, "right")
			if test.town != nil {
				test.town(api)
			}
			address := test.address
			if address == "" {
				address = api.URL
			}
			result, fault := health(t, settings(t, address, test.token))
			if result.Status != backend.HealthStatusError || fault != test.fault || !strings.Contains(result.Message, test.words) {
				t.Errorf("%s, fault %q: %q; want fault %q and words %q", result.Status, fault, result.Message, test.fault, test.words)
			}
			for _, secret := range []string{"Bearer", "right"} {
				if strings.Contains(result.Message, secret) && test.token != "" {
					t.Errorf("%q shows the token", result.Message)
				}
			}
		})
	}
}

// Lamppost's own page answers below every path that is not the API's.
func TestHealthAdvisesToLeaveOutAPathThatIsTooMuch(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "\n<!doctype html><title>Lamppost</title>") //nolint:errcheck // the test will see
	}))
	t.Cleanup(page.Close)
	result, fault := health(t, settings(t, page.URL+"/some/path", ""))
	if fault != "foreign" || !strings.Contains(result.Message, "a web page answers") || !strings.Contains(result.Message, "leave out /some/path") {
		t.Errorf("%s %q", fault, result.Message)
	}
}

// A wall is refreshed every 30 s, and cancels what it asked before.
func TestAServerThatHangsIsToldOfBeforeAWallIsRefreshed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it waits for the time limit")
	}
	api := newTown(t, "")
	released := make(chan struct{})
	api.handle("city", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-released:
		}
	})
	defer close(released)
	begin := time.Now()
	result, fault := health(t, settings(t, api.URL, ""))
	if took := time.Since(begin); fault != "address" || !strings.Contains(result.Message, "did not answer in time") || took > 20*time.Second {
		t.Errorf("%s after %s: %s", fault, took, result.Message)
	}
}

// The file that keeps the token ends with a line break.
func TestTokenMayBePastedWithItsLineBreak(t *testing.T) {
	api := newTown(t, "right")
	if result, _ := health(t, settings(t, api.URL, "right\n")); result.Status != backend.HealthStatusOk {
		t.Error(result.Message)
	}
}

// A broker of MQTT hangs up on HTTP, and others answer with what is none.
func TestHealthTellsAPortThatIsNotOfHTTP(t *testing.T) {
	for _, says := range []string{"", "\x20\x02\x00\x01\r\n\r\n"} {
		other, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				conn, err := other.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 1024))
				_, _ = io.WriteString(conn, says)
				_ = conn.Close()
			}
		}()
		to := settings(t, "http://"+other.Addr().String(), "")
		to.DataSourceInstanceSettings.UID += says
		result, fault := health(t, to)
		if fault != "address" || !strings.Contains(result.Message, "does not speak HTTP") {
			t.Errorf("%q: %s %q", says, fault, result.Message)
		}
		_ = other.Close()
		<-ended
	}
}

func TestTimeoutThatIsNoneIsRefused(t *testing.T) {
	api := newTown(t, "")
	for timeout, taken := range map[string]bool{`-1`: false, `"-1"`: false, `0`: false, `"soon"`: false, `1`: true, `30`: true} {
		to := settings(t, api.URL, "")
		to.DataSourceInstanceSettings.UID += timeout
		to.DataSourceInstanceSettings.JSONData = json.RawMessage(`{"timeout":` + timeout + `}`)
		result, fault := health(t, to)
		if taken != (result.Status == backend.HealthStatusOk) || !taken && (fault != "settings" || !strings.Contains(result.Message, "number of seconds from 1 on")) {
			t.Errorf("timeout %s: %s %q", timeout, fault, result.Message)
		}
	}
}

func TestHealthTellsTrustFromAddress(t *testing.T) {
	api := newTown(t, "")
	quiet := httptest.NewUnstartedServer(api)
	quiet.Config.ErrorLog = nil
	quiet.StartTLS()
	t.Cleanup(quiet.Close)
	host := strings.TrimPrefix(quiet.URL, "https://")
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: quiet.Certificate().Raw}))

	to := settings(t, quiet.URL, "")
	if result, fault := health(t, to); fault != "tls" || !strings.Contains(result.Message, "CA certificate") {
		t.Errorf("unknown authority: %s %q", fault, result.Message)
	}
	to.DataSourceInstanceSettings.UID += " with authority"
	to.DataSourceInstanceSettings.JSONData = json.RawMessage(`{"tlsAuthWithCACert":true}`)
	to.DataSourceInstanceSettings.DecryptedSecureJSONData["tlsCACert"] = ca
	if result, _ := health(t, to); result.Status != backend.HealthStatusOk {
		t.Errorf("own authority: %q", result.Message)
	}
	to.DataSourceInstanceSettings.UID += " and name"
	to.DataSourceInstanceSettings.JSONData = json.RawMessage(`{"tlsAuthWithCACert":true,"serverName":"lamppost.test"}`)
	if result, fault := health(t, to); fault != "tls" || !strings.Contains(result.Message, "is for example.com") || !strings.Contains(result.Message, "127.0.0.1") {
		t.Errorf("other name: %s %q", fault, result.Message)
	}
	plain := settings(t, "https://"+strings.TrimPrefix(api.URL, "http://"), "")
	plain.DataSourceInstanceSettings.UID += " plain"
	if result, fault := health(t, plain); fault != "tls" || !strings.Contains(result.Message, "does not encrypt") {
		t.Errorf("no encryption: %s %q", fault, result.Message)
	}
	secret := settings(t, "http://"+host, "")
	secret.DataSourceInstanceSettings.UID += " secret"
	if result, fault := health(t, secret); fault != "tls" || !strings.Contains(result.Message, "wants encryption") {
		t.Errorf("http to https: %s %q", fault, result.Message)
	}
}

func TestQueriesWithoutRightAreRefused(t *testing.T) {
	api := newTown(t, "right")
	answer := ask(t, settings(t, api.URL, "wrong"), day(), `{"kind":"latest"}`)
	if answer.Status != backend.StatusUnauthorized || answer.ErrorSource != backend.ErrorSourceDownstream || !strings.Contains(answer.Error.Error(), "does not know the token") {
		t.Errorf("%d %s %v", answer.Status, answer.ErrorSource, answer.Error)
	}
}

func TestOldServerIsNamedAsTheReason(t *testing.T) {
	for name, test := range map[string]struct {
		query string
		town  func(*town)
	}{
		"path that it does not know": {`{"kind":"events"}`, func(c *town) {
			c.handle("events", func(w http.ResponseWriter, r *http.Request) {
				problem(w, http.StatusNotFound, "there is nothing at "+r.URL.Path+"; see /api/docs")
			})
		}},
		"history in pairs": {`{"kind":"history","quantities":["speed"]}`, func(c *town) {
			c.answer("history", `{"series":[{"sensor":"cam-1","quantity":"speed","channel":"","unit":"km/h","points":[[1,2]]}],"truncated":false}`)
		}},
		"ledger without steps": {`{"kind":"ledger","view":"steps"}`, func(c *town) { c.answer("ledger", `{"received":1,"accepted":1,"rejected":{}}`) }},
	} {
		t.Run(name, func(t *testing.T) {
			api := newTown(t, "")
			test.town(api)
			answer := ask(t, settings(t, api.URL, ""), day(), test.query)
			if answer.Error == nil || !strings.Contains(answer.Error.Error(), "older than this plugin") {
				t.Errorf("%v", answer.Error)
			}
		})
	}
}

// Whoever redirects is not Lamppost, and does not get the token.
func TestTokenIsNotTakenElsewhere(t *testing.T) {
	var got string
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = "asked with " + r.Header.Get("Authorization")
		io.WriteString(w, `{}`) //nolint:errcheck // the test will see
	}))
	t.Cleanup(thief.Close)
	api := newTown(t, "right")
	api.handle("latest", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL, http.StatusFound) })
	if answer := ask(t, settings(t, api.URL, "right"), day(), `{"kind":"latest"}`); answer.Error == nil || !strings.Contains(answer.Error.Error(), "sends to") {
		t.Errorf("%v", answer.Error)
	}
	if got != "" {
		t.Error(got)
	}
}

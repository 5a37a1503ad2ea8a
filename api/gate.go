package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/time/rate"

	"github.com/lamppost-city/lamppost/internal/secret"
)

// Wrong tokens that are answered at once, and how often another one is after that.
const (
	wrongTokenBurst    = 10
	wrongTokenInterval = 5 * time.Second
)

// gate decides who may do what.
//
//	                     read             change
//	loopback             free             token, or session from our own page
//	away from loopback   token or session token, or session from our own page
//
// A right token always passes, whatever happened before: its 256 random bits cannot be guessed, and a script with a stale
// token on the same machine must not lock the others out. Only the answers to wrong ones are slowed down.
type gate struct {
	loopback bool
	names    map[string]bool
	token    [sha256.Size]byte
	sessions *sessions
	wrong    *rate.Limiter
	metrics  *metrics
}

func newGate(cfg Config, token secret.String, m *metrics) *gate {
	g := &gate{
		loopback: cfg.onLoopback(),
		names:    make(map[string]bool, len(cfg.Names)),
		token:    sha256.Sum256([]byte(token.Reveal())),
		sessions: newSessions(cfg.SessionLifetime, cfg.MaxSessions),
		wrong:    rate.NewLimiter(rate.Every(wrongTokenInterval), wrongTokenBurst),
		metrics:  m,
	}
	for _, name := range cfg.Names {
		g.names[strings.ToLower(name)] = true
	}
	return g
}

// checkHost refuses, on loopback, a request whose Host is not a name of this machine: a page elsewhere whose name was
// made to resolve to 127.0.0.1 (DNS rebinding) would otherwise read everything.
func (g *gate) checkHost(r *http.Request) *huma.ErrorModel {
	if !g.loopback {
		return nil
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if isLoopback(host) || g.names[host] {
		return nil
	}
	return newProblem(http.StatusMisdirectedRequest,
		"this address answers as localhost, not as %q; add the name to the configuration (http.names) if it is meant to", cut(host))
}

// checkAccess decides on a request under /api; nil lets it pass.
func (g *gate) checkAccess(r *http.Request) *huma.ErrorModel {
	if r.URL.Path == sessionPath && !isSafe(r.Method) {
		return g.checkOrigin(r) // signing in has the token in its body, signing out needs none
	}
	if header := r.Header.Get("Authorization"); header != "" {
		return g.checkBearer(header)
	}
	change := !isSafe(r.Method)
	if g.signedIn(r) {
		if !change {
			return nil
		}
		return g.checkOrigin(r)
	}
	if g.loopback && !change {
		return nil
	}
	what := "a request from another machine"
	if g.loopback {
		what = "a request that changes something"
	}
	return newProblem(http.StatusUnauthorized, "%s needs the header Authorization: Bearer with the token of the file api-token in the data folder, or a session (POST %s)", what, sessionPath)
}

// checkBearer verifies an Authorization header. A wrong one is refused even where none is needed, so that whoever sends
// it learns of it.
func (g *gate) checkBearer(header string) *huma.ErrorModel {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return newProblem(http.StatusUnauthorized, "the Authorization scheme %q is not known here; use Bearer", cut(scheme))
	}
	return g.checkToken(strings.TrimSpace(token))
}

// checkToken compares in constant time; hashing first makes the lengths equal.
func (g *gate) checkToken(token string) *huma.ErrorModel {
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1 {
		return nil
	}
	g.metrics.wrongTokens.Inc()
	if !g.wrong.Allow() {
		return newProblem(http.StatusTooManyRequests, "too many wrong tokens; wait %s", wrongTokenInterval)
	}
	return newProblem(http.StatusUnauthorized, "the token is wrong; the right one is in the file api-token in the data folder")
}

// signedIn tells whether the request carries the cookie of a session.
func (g *gate) signedIn(r *http.Request) bool {
	cookie, err := r.Cookie(sessionCookie)
	return err == nil && g.sessions.valid(cookie.Value)
}

// checkOrigin lets a browser's request pass only from a page of our own. Browsers send Sec-Fetch-Site, which no page can
// forge, and older ones Origin. A request with neither may still come from a page elsewhere, so a session's cookie does
// not count with it; signing in, which proves itself by the token, passes.
func (g *gate) checkOrigin(r *http.Request) *huma.ErrorModel {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	same := r.URL.Path == sessionPath
	switch {
	case site != "":
		same = site == "same-origin"
	case origin != "":
		same = sameOrigin(origin, r)
	}
	if same {
		return nil
	}
	return newProblem(http.StatusForbidden, "with a session, changes are accepted only from this server's own page; from elsewhere use the header Authorization: Bearer")
}

func sameOrigin(origin string, r *http.Request) bool {
	o, err := url.Parse(origin)
	if err != nil {
		return false
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return strings.EqualFold(o.Host, r.Host) && o.Scheme == scheme
}

func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

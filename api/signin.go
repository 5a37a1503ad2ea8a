package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const sessionPath = "/api/v1/session"

// SignIn is how a person's browser shows the token, once.
type SignIn struct {
	Token string `json:"token" maxLength:"512" doc:"The content of the file api-token in the data folder."`
}

type signInInput struct {
	Body SignIn
}

type signOutInput struct {
	Session string `cookie:"lamppost_session" hidden:"true"`
}

type sessionOutput struct {
	SetCookie string `header:"Set-Cookie" doc:"The session; HttpOnly and SameSite=Strict."`
}

// Session says what the one who asks may do.
type Session struct {
	Authenticated bool     `json:"authenticated" doc:"Whether the request showed the right token, or a session."`
	May           []string `json:"may" nullable:"false" enum:"read,change" doc:"What such a request may do. On loopback everybody may read."`
}

type getSessionInput struct {
	Authorization string `header:"Authorization" hidden:"true"`
	Session       string `cookie:"lamppost_session" hidden:"true"`
}

type getSessionOutput struct {
	Body Session
}

// getSession answers only those whom the gate lets read: a wrong token has been refused there.
func (s *Server) getSession(_ context.Context, in *getSessionInput) (*getSessionOutput, error) {
	session := Session{Authenticated: in.Authorization != "" || s.gate.sessions.valid(in.Session), May: []string{"read"}}
	if session.Authenticated {
		session.May = append(session.May, "change")
	}
	return &getSessionOutput{Body: session}, nil
}

func (s *Server) signIn(_ context.Context, in *signInInput) (*sessionOutput, error) {
	if p := s.gate.checkToken(in.Body.Token); p != nil {
		return nil, huma.ErrorWithHeaders(p, problemHeaders(p.Status))
	}
	return s.sessionCookie(s.gate.sessions.open(), int(s.cfg.SessionLifetime/time.Second)), nil
}

func (s *Server) signOut(_ context.Context, in *signOutInput) (*sessionOutput, error) {
	s.gate.sessions.end(in.Session)
	return s.sessionCookie("", -1), nil
}

// sessionCookie lasts maxAge seconds; a negative one deletes it in the browser.
func (s *Server) sessionCookie(id string, maxAge int) *sessionOutput {
	cookie := http.Cookie{
		Name: sessionCookie, Value: id, Path: "/api/", MaxAge: maxAge,
		HttpOnly: true, Secure: s.cfg.TLSCertFile != "", SameSite: http.SameSiteStrictMode,
	}
	return &sessionOutput{SetCookie: cookie.String()}
}

// problemHeaders are the headers that belong to a status.
func problemHeaders(status int) http.Header {
	switch status {
	case http.StatusUnauthorized:
		return http.Header{"Www-Authenticate": {`Bearer realm="lamppost"`}}
	case http.StatusTooManyRequests:
		return http.Header{"Retry-After": {strconv.Itoa(int(wrongTokenInterval / time.Second))}}
	}
	return http.Header{}
}

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

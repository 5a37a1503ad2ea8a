package broker

import (
	"fmt"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// guests are the connections of publishers, and what let each of them in.
type guests struct {
	mu  sync.Mutex
	all map[uint64]guest // by nats-server's number of the connection
}

type guest struct {
	address string // as nats-server sees it
	user    string // "" where nobody was asked
	mark    string // of the credential
}

func (g *guests) add(c server.ClientAuthentication, user, mark string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all == nil {
		g.all = map[uint64]guest{}
	}
	g.all[c.GetID()] = guest{address: fmt.Sprint(c.RemoteAddress()), user: user, mark: mark}
}

// unwelcome takes out those that would not be let in any more, and returns their numbers. What has ended by itself is forgotten.
func (g *guests) unwelcome(ended func(address string) bool, welcome func(guest) bool) (ids []uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, one := range g.all {
		gone := ended(one.address)
		if !gone && welcome(one) {
			continue
		}
		delete(g.all, id)
		if !gone {
			ids = append(ids, id)
		}
	}
	return ids
}

// revoke ends the connections whose credential was removed or changed since they came, and those that came without one when
// none was asked for.
func (g *gatekeeper) revoke(srv *server.Server) {
	if g.creds == nil {
		return
	}
	required := g.required()
	ids := g.guests.unwelcome(
		func(address string) bool { return g.peers.find(address) == nil },
		func(one guest) bool {
			if one.user == "" {
				return !required
			}
			return g.creds.Mark(one.user) == one.mark
		},
	)
	for _, id := range ids {
		g.noise.warn("mqtt connection ended, its credential is no longer good", "connection", id)
		_ = srv.DisconnectClientByID(id) // an error means that it is gone already
	}
}

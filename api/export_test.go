package api

// ActAwayFromLoopback makes a server that has not been started treat every client as one from another machine, so that
// tests need not listen where other machines reach them.
func ActAwayFromLoopback(s *Server) { s.gate.loopback = false }

package embedded

// RepairForTest repairs the logs below a folder without starting a store.
var RepairForTest = repairLogs

// SetFreeForTest says how much room there is on the disk. It must be called before Run.
func (s *Store) SetFreeForTest(free func() int64) {
	s.free = func(string) (int64, error) { return free(), nil }
}

// TendForTest looks after the shards once, as is done every few seconds. The store must run.
func (s *Store) TendForTest() error { return s.running.Load().gate.engine.shards.tend() }

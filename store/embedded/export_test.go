package embedded

// RepairForTest repairs the logs below a folder without starting a store.
var RepairForTest = repairLogs

// SetFreeForTest says how much room there is on the disk. It must be called before Run.
func (s *Store) SetFreeForTest(free func() int64) {
	s.free = func(string) (int64, error) { return free(), nil }
}

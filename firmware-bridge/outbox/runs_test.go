package outbox

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRunsAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r runs
		model := map[uint64]bool{}
		number := rapid.Uint64Range(0, 30)
		t.Repeat(map[string]func(*rapid.T){
			"add":    func(t *rapid.T) { n := number.Draw(t, "n"); r.add(n); model[n] = true },
			"remove": func(t *rapid.T) { n := number.Draw(t, "n"); r.remove(n); delete(model, n) },
			"forget": func(t *rapid.T) {
				n := number.Draw(t, "n")
				r.forget(n)
				for m := range model { // whole runs below n go
					end := m
					for model[end] {
						end++
					}
					if end <= n {
						defer delete(model, m)
					}
				}
			},
			"": func(t *rapid.T) {
				for n := range uint64(32) {
					if r.has(n) != model[n] {
						t.Fatalf("%v, %d: %v", r, n, r.has(n))
					}
				}
				for i, a := range r {
					if a.from >= a.to || i > 0 && r[i-1].to >= a.from {
						t.Fatalf("%v touch", r)
					}
				}
				from, to, n := number.Draw(t, "from"), number.Draw(t, "to"), uint64(0)
				for m := range model {
					if m >= from && m < to {
						n++
					}
				}
				if got := r.count(from, to); got != n {
					t.Fatalf("%v: %d from %d to %d, want %d", r, got, from, to, n)
				}
			},
		})
	})
}

package spool_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/spool"
)

// childDir tells the test binary to be the process that is killed.
const childDir = "LAMPPOST_SPOOL_TEST_CHILD"

const appenders = 4

func killConfig(policy spool.SyncPolicy) spool.Config {
	cfg := spool.DefaultConfig()
	cfg.Sync = policy
	cfg.SegmentBytes = 64 << 10
	cfg.SyncBytes = 32 << 10
	cfg.SyncInterval = 20 * time.Millisecond
	cfg.Readers = []string{"store"}
	return cfg
}

// appendForEver appends frames from several goroutines, "lane number filler", and prints each with its position once it
// is durable. It goes on until it is killed.
func appendForEver(dir string) int {
	first, err := strconv.ParseUint(os.Getenv(childDir+"_FIRST"), 10, 64)
	if err != nil {
		return 2
	}
	s, err := spool.Open(dir, killConfig(spool.SyncPolicy(os.Getenv(childDir+"_SYNC"))), nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	for lane := range uint64(appenders) {
		go func() {
			random := rand.New(rand.NewPCG(first, lane))
			for n := first; ; n++ {
				frame := make([]byte, 16+random.IntN(3000))
				binary.LittleEndian.PutUint64(frame, lane)
				binary.LittleEndian.PutUint64(frame[8:], n)
				end, err := s.Append(context.Background(), frame)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(2)
				}
				fmt.Printf("%d %d %s\n", lane, n, end) // one write each
			}
		}()
	}
	select {}
}

func TestReportedFramesSurviveSIGKILL(t *testing.T) {
	for _, policy := range []spool.SyncPolicy{spool.SyncCommit, spool.SyncInterval} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			rounds := 30
			if testing.Short() {
				rounds = 5
			}
			k := &killed{dir: t.TempDir(), policy: policy}
			total := 0
			for round := range rounds {
				reported := k.run(t, round)
				k.verify(t, reported)
				for _, ends := range reported {
					total += len(ends)
				}
			}
			t.Logf("%d frames reported in %d rounds", total, rounds)
			if total < 10*rounds {
				t.Errorf("only %d frames were reported in %d rounds", total, rounds)
			}
		})
	}
}

type killed struct {
	dir    string
	policy spool.SyncPolicy
	first  uint64
	last   spool.Position
}

// run starts the child, kills it after a random while and returns the positions that it reported, by lane.
func (k *killed) run(t *testing.T, round int) [appenders][]spool.Position {
	k.first = uint64(round) * 1_000_000
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+k.dir, fmt.Sprintf("%s_FIRST=%d", childDir, k.first), childDir+"_SYNC="+string(k.policy))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reported [appenders][]spool.Position
	lines, kill := bufio.NewScanner(out), sync.OnceFunc(func() {
		time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
	})
	for lines.Scan() {
		var lane, n uint64
		var end string
		if _, err := fmt.Sscan(lines.Text(), &lane, &n, &end); err != nil {
			break // the last line may be torn as well
		}
		p, err := spool.ParsePosition(end)
		if err != nil || !strings.HasSuffix(lines.Text(), p.String()) || n != k.first+uint64(len(reported[lane])) {
			t.Fatalf("lane %d: line %q after %d: %v", lane, lines.Text(), len(reported[lane]), err)
		}
		reported[lane] = append(reported[lane], p)
		kill()
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() >= 0 {
		t.Fatalf("the child was not killed: %v", err)
	}
	return reported
}

// verify reads everything, in a process of its own kind, and commits it in part.
func (k *killed) verify(t *testing.T, reported [appenders][]spool.Position) {
	s, err := spool.Open(k.dir, killConfig(k.policy), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	r, err := s.Reader("store")
	if err != nil {
		t.Fatal(err)
	}
	var seen [appenders]int
	for {
		frame, end, ok, err := r.TryNext()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		if !k.last.Before(end) {
			t.Fatalf("position %s comes after %s", end, k.last)
		}
		k.last = end
		lane, n := binary.LittleEndian.Uint64(frame), binary.LittleEndian.Uint64(frame[8:])
		if n != k.first+uint64(seen[lane]) {
			t.Fatalf("lane %d: got frame %d, want %d", lane, n, k.first+uint64(seen[lane]))
		}
		if i := seen[lane]; i < len(reported[lane]) && reported[lane][i] != end {
			t.Fatalf("lane %d: frame %d was reported at %s and is at %s", lane, n, reported[lane][i], end)
		}
		seen[lane]++
	}
	for lane, ends := range reported {
		if seen[lane] < len(ends) {
			t.Errorf("lane %d: %d frames reported, %d found", lane, len(ends), seen[lane])
		}
	}
	if bad := s.Stats().BadFrames; bad > 0 {
		t.Errorf("%d frames damaged by a kill", bad)
	}
	if err := r.Commit(k.last); err != nil {
		t.Error(err)
	}
}

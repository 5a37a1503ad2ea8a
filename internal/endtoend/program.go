package endtoend

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Program is a lamppost that can be started.
type Program struct {
	Path string
	// Env is added to a clean environment: nothing of the caller's LAMPPOST_* gets in.
	Env []string
}

// Build builds a program of cmd into dir, as `make build` does.
func Build(dir, name string) (Program, error) {
	path := filepath.Join(dir, name)
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-buildvcs=false", "-o", path, "github.com/lamppost-city/lamppost/cmd/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return Program{}, fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return Program{Path: path}, nil
}

// With returns the program with more variables in its environment.
func (p Program) With(env ...string) Program {
	p.Env = append(append([]string(nil), p.Env...), env...)
	return p
}

func (p Program) environ() []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "LAMPPOST_") {
			env = append(env, entry)
		}
	}
	return append(env, p.Env...)
}

// text collects what a process says. It may be read while the process runs.
type text struct {
	mu sync.Mutex
	b  strings.Builder
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// Process is a started program. It ends with the test at the latest.
type Process struct {
	t     testing.TB
	what  string
	cmd   *exec.Cmd
	out   text
	errs  text
	ended chan struct{}
}

// Result is how a process ended.
type Result struct {
	Stdout, Stderr string
	// Code is the exit code; -1 if a signal ended it.
	Code int
}

// Start starts the program. What it says is shown if the test fails.
func (p Program) Start(t testing.TB, args ...string) *Process {
	t.Helper()
	run := &Process{t: t, what: filepath.Base(p.Path) + " " + strings.Join(args, " "), cmd: exec.CommandContext(context.Background(), p.Path, args...), ended: make(chan struct{})}
	run.cmd.Env, run.cmd.Stdout, run.cmd.Stderr = p.environ(), &run.out, &run.errs
	if err := run.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", run.what, err)
	}
	go func() {
		_ = run.cmd.Wait() // the code is in ProcessState
		close(run.ended)
	}()
	t.Cleanup(func() {
		_ = run.cmd.Process.Kill()
		<-run.ended
		run.sane()
		run.keep()
		if t.Failed() {
			t.Logf("%s (process %d) ended with %v and said:\n%s%s", run.what, run.cmd.Process.Pid, run.cmd.ProcessState, tail(run.out.String()), tail(run.errs.String()))
		}
	})
	return run
}

// keep writes what the process said to the folder LAMPPOST_TEST_LOGS, if it is set.
func (p *Process) keep() {
	dir := os.Getenv("LAMPPOST_TEST_LOGS")
	if dir == "" {
		return
	}
	name := filepath.Join(dir, fmt.Sprintf("%s-%d.log", strings.ReplaceAll(p.t.Name(), "/", "-"), p.cmd.Process.Pid))
	if err := os.WriteFile(name, []byte(p.what+"\n"+p.out.String()+p.errs.String()), 0o600); err != nil {
		p.t.Log(err)
	}
}

// sane fails the test where a process crashed or met a data race.
func (p *Process) sane() {
	said := p.errs.String()
	for _, sign := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: ", "goroutine 1 ["} {
		if at := strings.Index(said, sign); at >= 0 {
			p.t.Errorf("%s crashed or met a race:\n%.6000s", p.what, said[at:])
			return
		}
	}
}

// tail is the end of a long text.
func tail(s string) string {
	const most = 6000
	if len(s) <= most {
		return s
	}
	return "...\n" + s[len(s)-most:]
}

// Run runs the program to its end, for at most two minutes.
func (p Program) Run(t testing.TB, args ...string) Result {
	t.Helper()
	return p.Start(t, args...).Wait(2 * time.Minute)
}

// Wait waits for the process to end by itself; the test fails if it has not by then.
func (p *Process) Wait(within time.Duration) Result {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(within):
		p.t.Fatalf("%s has not ended within %s", p.what, within)
	}
	return Result{Stdout: p.out.String(), Stderr: p.errs.String(), Code: p.cmd.ProcessState.ExitCode()}
}

// Ended tells whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process with SIGKILL, and returns when it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Stop asks the process to end, as systemd does, and expects it to within the time.
func (p *Process) Stop(within time.Duration) Result {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !p.Ended() {
		p.t.Fatalf("stop %s: %v", p.what, err)
	}
	return p.Wait(within)
}

// Stderr is what the process has said so far.
func (p *Process) Stderr() string { return p.errs.String() }

// Stdout is what the process has said so far.
func (p *Process) Stdout() string { return p.out.String() }

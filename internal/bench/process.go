package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// part is a running child.
type part struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
	role   string
	first  string // its first line
}

// begin starts a child on some processors (none given: on all) and waits for its first line.
func (b *bench) begin(ctx context.Context, processors []int, role string, l load, args ...string) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args = append([]string{
		"-role", role, "-load", l.kind, "-count", strconv.Itoa(l.messages), "-sensors", strconv.Itoa(l.sensors), "-profile", b.profile,
	}, args...)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startOn(cmd, processors); err != nil {
		return nil, err
	}
	p := &part{cmd: cmd, stdin: stdin, stdout: bufio.NewReader(stdout), role: role}
	if p.first, err = p.line(); err != nil {
		_ = stdin.Close()
		return nil, errors.Join(err, cmd.Wait())
	}
	return p, nil
}

// line is the next that the child prints.
func (p *part) line() (string, error) {
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s process: %w", p.role, err)
	}
	return strings.TrimSpace(line), nil
}

// end closes the child's standard input, upon which it ends, and waits for that.
func (p *part) end() error {
	_ = p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s process: %w", p.role, err)
	}
	return nil
}

// used is the processor time that a running process has used so far, to a hundredth of a second; 0 where the system
// does not tell it as Linux does.
func used(cmd *exec.Cmd) time.Duration {
	if cmd == nil {
		return 0
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// proc(5): fields 14 and 15, in hundredths of a second; the second, in brackets, may hold spaces.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / 100
}

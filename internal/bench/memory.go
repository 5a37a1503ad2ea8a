package main

import (
	"os/exec"
	"syscall"
)

// maxResident is the largest resident memory, in megabytes, of a process that has ended.
func maxResident(cmd *exec.Cmd) float64 {
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		return float64(u.Maxrss) * 1024 / 1e6
	}
	return 0
}

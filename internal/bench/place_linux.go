package main

import (
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// processors are those that this process may use.
func processors() []int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil
	}
	var all []int
	for i := range 8 * len(set) * 8 {
		if set.IsSet(i) {
			all = append(all, i)
		}
	}
	return all
}

// startOn starts a process that may only use the given processors, or all if none are given. A process inherits them
// from the thread that starts it.
func startOn(cmd *exec.Cmd, only []int) error {
	if len(only) == 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for _, i := range only {
		set.Set(i)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return err
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	return cmd.Start()
}

//go:build !linux

package main

import "os/exec"

// processors is nil: here a process cannot be bound to some of them.
func processors() []int { return nil }

func startOn(cmd *exec.Cmd, _ []int) error { return cmd.Start() }

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// runningFile in the data folder holds the address at which the process that uses the folder answers.
const runningFile = "address"

// writeRunning notes the address for other commands on the same folder.
func writeRunning(dir, address string) error {
	path := filepath.Join(dir, runningFile)
	if err := os.WriteFile(path+".tmp", []byte(address+"\n"), 0o600); err != nil {
		return fmt.Errorf("note the address: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("note the address: %w", err)
	}
	return nil
}

func readRunning(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, runningFile))
	if err != nil {
		return "", fmt.Errorf("address of the running process: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

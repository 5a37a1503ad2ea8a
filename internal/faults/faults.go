// Package faults joins what is wrong with a configuration, so that a person sees every fault at once, each with its key.
// A fault reads "key: what is wrong and what to do"; a section puts its own name before each of its faults' keys.
package faults

import (
	"errors"
	"fmt"
	"strings"
)

// Prefix puts "section." before each fault that errors.Join has joined into err. It returns nil for nil.
func Prefix(section string, err error) error {
	all := Split(err)
	for i, fault := range all {
		all[i] = fmt.Errorf("%s.%w", section, fault)
	}
	return errors.Join(all...)
}

// Split takes a joined error apart into single faults, however deep the joins lie in one another.
func Split(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, part := range joined.Unwrap() {
		all = append(all, Split(part)...)
	}
	return all
}

// Report is what a command ends with: one fault in a sentence, several below one another. What is what they are faults of,
// "the configuration".
func Report(what string, err error) error {
	all := Split(err)
	if len(all) == 1 {
		return fmt.Errorf("%s has a fault: %w", what, all[0])
	}
	lines := make([]string, len(all))
	for i, fault := range all {
		lines[i] = "  " + fault.Error()
	}
	return fmt.Errorf("%s has %d faults:\n%s", what, len(all), strings.Join(lines, "\n"))
}

// Package faults joins what is wrong with a configuration, so that a person sees every fault at once, each with its key.
// A fault reads "key: what is wrong and what to do"; a section puts its own name before each of its faults' keys.
package faults

import (
	"errors"
	"fmt"
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

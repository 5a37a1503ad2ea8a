package registry

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotFound is wrapped by the error of a method that was asked for something that is not registered.
var ErrNotFound = errors.New("not registered")

// ErrImport is wrapped by Import's error where the file has faults; the report lists them, and nothing was changed.
var ErrImport = errors.New("the file has faults, nothing was changed")

// FieldError is one thing wrong with what a caller wants to be registered.
type FieldError struct {
	// Field is the field's name in the API: "id", "site", "cadence_s" ...
	Field string
	// Message says what is wrong with it and what to do.
	Message string
}

// InvalidError is returned when something cannot be registered as it is. Nothing was changed, and trying again does not
// help.
type InvalidError struct {
	// Subject is what was refused, like `sensor "lamp-1"`.
	Subject string
	// Fields are all of its faults; never empty.
	Fields []FieldError
}

// Error names the subject and every fault.
func (e *InvalidError) Error() string {
	var text strings.Builder
	text.WriteString(e.Subject)
	for i, f := range e.Fields {
		if i == 0 {
			text.WriteString(": ")
		} else {
			text.WriteString("; ")
		}
		text.WriteString(f.Field + ": " + e.withoutSubject(f.Message))
	}
	return text.String()
}

// withoutSubject shortens what telemetry says of an id, which names the id again.
func (e *InvalidError) withoutSubject(message string) string {
	_, quoted, _ := strings.Cut(e.Subject, " ")
	rest, repeated := strings.CutPrefix(message, "id "+quoted)
	if !repeated {
		return message
	}
	return strings.TrimLeft(rest, ": ")
}

func invalid(kind Kind, id string, faults []FieldError) error {
	if len(faults) == 0 {
		return nil
	}
	return &InvalidError{Subject: fmt.Sprintf("%s %.80q", kind, id), Fields: faults}
}

func notFound(kind Kind, id string) error {
	return fmt.Errorf("%s %.80q: %w", kind, id, ErrNotFound)
}

package influx

import (
	"io"

	"github.com/lamppost-city/lamppost/store"
)

// DecodeForTest decodes an answer without a server, which a fuzz target is too fast for.
func DecodeForTest(body io.Reader) ([]store.Series, error) {
	var all []store.Series
	err := decode(body, func(s store.Series, _ bool) error {
		all = append(all, s)
		return nil
	}, limits{})
	return all, err
}

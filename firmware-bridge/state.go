package bridge

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lamppost-city/lamppost/telemetry"
)

// stateFile keeps a sensor's few bytes in a file of its own; an id is safe in a file's name.
type stateFile struct{ path string }

// maxStateBytes bounds what a driver may keep.
const maxStateBytes = 4 << 10

func stateIn(dir string, id telemetry.SensorID) stateFile {
	return stateFile{path: filepath.Join(dir, "state", string(id))}
}

// Load returns what was saved last, or nil.
func (s stateFile) Load() ([]byte, error) {
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Save is durable when it returns.
func (s stateFile) Save(b []byte) error {
	if len(b) > maxStateBytes {
		return fmt.Errorf("save %d bytes of state: at most %d are allowed", len(b), maxStateBytes)
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	return replace(s.path, b)
}

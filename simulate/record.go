package simulate

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sync"
)

// recordHeader is the first line of a record.
const recordHeader = "sensor,quantity,channel,time_ms,value\n"

// record writes down the acknowledged readings. A record that is not nil is open.
type record struct {
	mu   sync.Mutex
	file *os.File
	out  *bufio.Writer
	err  error
}

func openRecord(path string) (*record, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("open the record of acknowledged readings: %w", err)
	}
	r := &record{file: file, out: bufio.NewWriterSize(file, 256<<10)}
	_, r.err = r.out.WriteString(recordHeader)
	return r, nil
}

// add takes lines that end in a newline.
func (r *record) add(lines []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		_, r.err = r.out.Write(lines)
	}
}

// close writes the rest down to the disk and returns the first thing that went wrong.
func (r *record) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := errors.Join(r.err, r.out.Flush(), r.file.Sync(), r.file.Close())
	if err != nil {
		return fmt.Errorf("write the record of acknowledged readings: %w", err)
	}
	return nil
}

package clock

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Boot names one start of the machine: the kernel's boot id, a UUID. Instants of different boots have nothing to do with
// each other. Boot is comparable.
type Boot [16]byte

// ParseBoot reads the text form, 32 hexadecimal digits with or without dashes.
func ParseBoot(text string) (Boot, error) {
	var b Boot
	digits := strings.ReplaceAll(strings.TrimSpace(text), "-", "")
	if n, err := hex.Decode(b[:], []byte(digits[:min(len(digits), 2*len(b))])); err != nil || n != len(b) || len(digits) != 2*len(b) {
		return Boot{}, fmt.Errorf("boot id %.80q is not 32 hexadecimal digits", text)
	}
	return b, nil
}

// String returns the text form, as in /proc/sys/kernel/random/boot_id.
func (b Boot) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// MarshalText serves JSON with the text form.
func (b Boot) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads the text form.
func (b *Boot) UnmarshalText(text []byte) error {
	parsed, err := ParseBoot(string(text))
	if err != nil {
		return err
	}
	*b = parsed
	return nil
}

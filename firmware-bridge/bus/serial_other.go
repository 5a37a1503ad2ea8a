//go:build !linux

package bus

import "go.bug.st/serial"

func openPort(device string, mode *serial.Mode) (serial.Port, error) {
	return serial.Open(device, mode)
}

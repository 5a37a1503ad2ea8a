package bus_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

func TestErrorsOfTheKernelAreFaults(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind fault.Kind
		says string
	}{
		{syscall.ENXIO, fault.Absent, "SDA and SCL"},
		{syscall.EREMOTEIO, fault.Absent, "SDA and SCL"},
		{syscall.EIO, fault.Absent, "SDA and SCL"},
		{syscall.ETIMEDOUT, fault.Lost, "pull-up"},
		{syscall.EAGAIN, fault.Lost, "pull-up"},
		{syscall.EBUSY, fault.Lost, "pull-up"},
		{syscall.EACCES, fault.Denied, "group i2c"},
		{syscall.EPERM, fault.Denied, "group i2c"},
		{syscall.ENODEV, fault.Lost, "adapter"},
		{syscall.ESHUTDOWN, fault.Lost, "adapter"},
		{syscall.EOPNOTSUPP, fault.Misconfigured, "adapter"},
		{os.ErrClosed, fault.Lost, ""},
		{syscall.ENOMEM, fault.Other, ""},
	} {
		err := bus.I2CFault("/dev/i2c-1", 0x76, c.err)
		if fault.KindOf(err) != c.kind || !strings.Contains(fault.AdviceOf(err), c.says) || !strings.HasPrefix(err.Error(), "/dev/i2c-1") {
			t.Errorf("%v: got %s, %v; advice %q", c.err, fault.KindOf(err), err, fault.AdviceOf(err))
		}
	}
}

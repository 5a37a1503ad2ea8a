package plugin_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend/log"

	"github.com/lamppost-city/lamppost/dashboards/datasource/plugin"
)

// noted keeps the arguments of what is logged.
type noted struct {
	log.Logger
	args *[]any
}

func (n noted) FromContext(context.Context) log.Logger { return n }
func (n noted) Warn(_ string, args ...any)             { *n.args = append(*n.args, args...) }
func (n noted) With(args ...any) log.Logger {
	*n.args = append(*n.args, args...)
	return n
}

// Grafana's log writes a time.Duration as 1e+10.
func TestDurationsAreLoggedAsText(t *testing.T) {
	var args []any
	logger := plugin.NewLog(noted{args: &args}).With("quiet", 40*time.Second)
	logger.Warn("live stream ended", "pause", 10*time.Second, "error", context.Canceled)
	want := []any{"quiet", "40s", "pause", "10s", "error", context.Canceled.Error()}
	for i, a := range args {
		if err, ok := a.(error); ok {
			args[i] = err.Error()
		}
	}
	if diff := cmp.Diff(want, args); diff != "" {
		t.Error(diff)
	}
}

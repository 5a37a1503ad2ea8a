package service

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker: -X github.com/lamppost-city/lamppost/service.version=...
var version string

// Version names the build: the release or the commit, the Go version and the platform.
func Version() string {
	name := version
	if name == "" {
		name = "unreleased"
		if info, ok := debug.ReadBuildInfo(); ok {
			for _, s := range info.Settings {
				if s.Key == "vcs.revision" && len(s.Value) >= 12 {
					name = s.Value[:12]
				}
			}
		}
	}
	return fmt.Sprintf("%s %s %s/%s", name, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

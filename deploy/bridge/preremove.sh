#!/bin/sh
# Runs before the package's files go. A new version that comes in their place restarts the service itself.
set -e

[ "$1" = remove ] || exit 0

if [ -d /run/systemd/system ]; then
  systemctl stop lamppost-bridge.service
fi
if command -v systemctl >/dev/null; then # in an image that is being built there is nothing to stop, and links to take away
  systemctl disable --quiet lamppost-bridge.service
fi

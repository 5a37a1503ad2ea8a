#!/bin/sh
# Runs before the package's files go; a new version that comes in their place restarts the service itself.
set -e

case "$1" in
remove | purge)
  if [ -d /run/systemd/system ]; then
    systemctl disable --now lamppost-bridge.service
  fi
  ;;
esac

#!/bin/sh
# Runs after the package's files are gone. Readings that the city has not got stay, unless everything is to be purged.
set -e

if [ "$1" = purge ]; then
  rm -rf /var/lib/lamppost-bridge /etc/lamppost-bridge
  if getent passwd lamppost-bridge >/dev/null; then
    userdel lamppost-bridge
  fi
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi

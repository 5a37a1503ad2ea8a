#!/bin/sh
# Runs after the package's files are gone. Configuration, and readings that the city has not got, stay until the package is purged. The
# user stays even then, without a password or a shell: its number could else become another's, and with it what was
# kept in some other folder, or on a card that is not in.
set -e

if [ "$1" = purge ]; then
  rm -rf /var/lib/lamppost-bridge /etc/lamppost-bridge
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  if [ "$1" = purge ]; then
    systemctl reset-failed lamppost-bridge.service 2>/dev/null || true
  fi
fi

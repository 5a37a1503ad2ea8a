#!/bin/sh
# Runs after the package's files are in place, at the first installation and at every later version.
set -e

for group in i2c spi gpio; do
  getent group "$group" >/dev/null || groupadd --system "$group"
done
if ! getent passwd lamppost-bridge >/dev/null; then
  useradd --system --user-group --home-dir /var/lib/lamppost-bridge --no-create-home --shell /usr/sbin/nologin lamppost-bridge
fi
# Passwords and keys lie beside the configuration.
chown root:lamppost-bridge /etc/lamppost-bridge
chmod 0750 /etc/lamppost-bridge

if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  udevadm control --reload 2>/dev/null && udevadm trigger --subsystem-match=i2c-dev --subsystem-match=spidev --subsystem-match=gpio 2>/dev/null || true
  # Of a new version the old one's place is taken at once; for the first one a person sets publisher and broker first.
  if systemctl is-enabled --quiet lamppost-bridge.service; then
    systemctl restart lamppost-bridge.service
  fi
fi

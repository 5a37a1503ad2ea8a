#!/bin/sh
# Runs after the package's files are in place, at the first installation and at every later version.
set -e

[ "$1" = configure ] || exit 0

for group in i2c spi gpio; do
  getent group "$group" >/dev/null || groupadd --system "$group"
done
if ! getent passwd lamppost-bridge >/dev/null; then
  useradd --system --user-group --home-dir /var/lib/lamppost-bridge --no-create-home --shell /usr/sbin/nologin lamppost-bridge
fi
# For `sudo -u lamppost-bridge lamppost-bridge check`; the service names the same ones.
usermod --append --groups i2c,spi,gpio,dialout lamppost-bridge
# Passwords and keys lie beside the configuration.
chown root:lamppost-bridge /etc/lamppost-bridge
chmod 0750 /etc/lamppost-bridge
# It has to be there before the root file system is made read-only.
install -d -o lamppost-bridge -g lamppost-bridge -m 0700 /var/lib/lamppost-bridge

if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  # A running one gives its place to the new version. After the first installation a person sets publisher and broker, and starts it.
  systemctl try-restart lamppost-bridge.service
fi
if [ -S /run/udev/control ]; then
  udevadm control --reload || true
  udevadm trigger --subsystem-match=i2c-dev --subsystem-match=spidev --subsystem-match=gpio || true
fi

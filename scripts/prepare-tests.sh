#!/usr/bin/env bash
# Sees to it that the machine has what `make test` needs beside Go and Node: Mosquitto (a broker that is not ours),
# Chromium (for the page) and a C compiler (for the race detector). As root on Debian it installs what is missing;
# elsewhere it says in one line what to install.
set -euo pipefail
PATH=$PATH:/usr/sbin

any() { for name in "$@"; do command -v "$name" >/dev/null && return; done; return 1; }

missing=()
any mosquitto || missing+=(mosquitto)
any chromium chromium-browser google-chrome google-chrome-stable || missing+=(chromium fonts-liberation)
any "${CC:-gcc}" gcc clang || missing+=(gcc libc6-dev)
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! any apt-get; then
  echo "the tests need what is not here; install it with: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null

# Debian starts Mosquitto as a service, on the port where `make up` listens. The tests start their own.
if [[ " ${missing[*]} " == *" mosquitto "* ]] && [ -d /run/systemd/system ]; then
  systemctl disable --quiet --now mosquitto.service
fi

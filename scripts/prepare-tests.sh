#!/usr/bin/env bash
# Sees to it that the machine has what `make test` needs beside Go and Node: Mosquitto (a broker that is not ours),
# Chromium (for the page) and a C compiler (for the race detector). As root on Debian it installs what is missing;
# elsewhere it says in one line what to install.
set -euo pipefail
PATH=$PATH:/usr/sbin

any() { for name in "$@"; do command -v "$name" >/dev/null && return; done; return 1; }

# compiles says whether the C compiler that Go takes is there, with the headers of the C library.
compiles() { echo '#include <stdlib.h>' | $(go env CC) -x c -c -o /dev/null - 2>/dev/null; }

missing=()
any mosquitto || missing+=(mosquitto)
any "${CHROMIUM:-chromium}" chromium chromium-browser google-chrome google-chrome-stable || missing+=(chromium fonts-liberation)
compiles || missing+=(gcc libc6-dev)
[ ${#missing[@]} -gt 0 ] || exit 0

# Debian starts Mosquitto as a service, on the port where `make up` listens. The tests start their own.
stop_service=()
if [[ " ${missing[*]} " == *" mosquitto "* ]] && [ -d /run/systemd/system ]; then
  stop_service=(systemctl disable --quiet --now mosquitto.service)
fi

if [ "$(id -u)" -ne 0 ] || ! any apt-get; then
  echo "the tests need what is not here; install it with: sudo apt-get install ${missing[*]}${stop_service:+ && sudo ${stop_service[*]}}" >&2
  exit 1
fi

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
[ ${#stop_service[@]} -eq 0 ] || "${stop_service[@]}"

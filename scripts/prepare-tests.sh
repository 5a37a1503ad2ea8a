#!/usr/bin/env bash
# Sees to it that the machine has what `make test` needs beside Go and Node: Mosquitto (a broker that is not ours),
# Chromium (for the page), a C compiler (for the race detector), and QEMU (for the bridge as ARM boards get it). As root on
# Debian it installs what is missing; elsewhere it says in one line what to install. Without QEMU the rest can be tested.
set -euo pipefail
PATH=$PATH:/usr/sbin

any() { for name in "$@"; do command -v "$name" >/dev/null && return; done; return 1; }

# compiles says whether the C compiler that Go takes is there, with the headers of the C library.
compiles() { echo '#include <stdlib.h>' | $(go env CC) -x c -c -o /dev/null - 2>/dev/null; }

missing=()
any mosquitto || missing+=(mosquitto)
any "${CHROMIUM:-chromium}" chromium chromium-browser google-chrome google-chrome-stable || missing+=(chromium fonts-liberation)
compiles || missing+=(gcc libc6-dev)
optional=()
any qemu-arm-static qemu-arm || optional+=(qemu-user-static)
[ $((${#missing[@]} + ${#optional[@]})) -gt 0 ] || exit 0

# Debian starts Mosquitto as a service, on the port where `make up` listens. The tests start their own.
stop_service=()
if [[ " ${missing[*]} " == *" mosquitto "* ]] && [ -d /run/systemd/system ]; then
  stop_service=(systemctl disable --quiet --now mosquitto.service)
fi

if [ "$(id -u)" -ne 0 ] || ! any apt-get; then
  if [ ${#missing[@]} -eq 0 ]; then
    echo "the bridge's programs for ARM boards are not tried: install ${optional[*]} for that"
    exit 0
  fi
  echo "the tests need what is not here; install it with: sudo apt-get install ${missing[*]} ${optional[*]}${stop_service:+ && sudo ${stop_service[*]}}" >&2
  exit 1
fi

echo "installing ${missing[*]} ${optional[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
[ ${#missing[@]} -eq 0 ] || apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
[ ${#optional[@]} -eq 0 ] || apt-get install -qq -y --no-install-recommends "${optional[@]}" >/dev/null ||
  echo "the bridge's programs for ARM boards are not tried: ${optional[*]} cannot be installed"
[ ${#stop_service[@]} -eq 0 ] || "${stop_service[@]}"

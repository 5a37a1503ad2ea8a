#!/usr/bin/env bash
# Builds the bridge for every kind of board into build/bridge/: static programs, and a Debian package of each. A program above
# 12 MB is an error. Give the kinds that are wanted, or none for all: scripts/bridge.sh arm64 armv7
set -euo pipefail
cd "$(dirname "$0")/.."

readonly out=build/bridge max_bytes=$((12 * 1000 * 1000))
described=$(git describe --always --dirty --tags 2>/dev/null || echo unknown)
# Debian wants a version that begins with a digit.
case $described in
v[0-9]*) version=${described#v} ;;
*) version=0.0.0+g${described} ;;
esac
version=${version//-/.}

# kind: what go calls it, and what nfpm does (armhf is both ARM v6 and v7; Debian's own is v7, Raspberry Pi OS's v6)
settings() {
  case $1 in
  armv6) echo "arm 6 arm6" ;;
  armv7) echo "arm 7 arm7" ;;
  arm64) echo "arm64 - arm64" ;;
  amd64) echo "amd64 - amd64" ;;
  riscv64) echo "riscv64 - riscv64" ;;
  *)
    echo "no kind of board is called $1; there are armv6, armv7, arm64, amd64 and riscv64" >&2
    exit 2
    ;;
  esac
}

[ $# -gt 0 ] || set -- armv6 armv7 arm64 amd64 riscv64
for kind in "$@"; do settings "$kind" >/dev/null; done
scripts/tools.sh package
mkdir -p "$out"
for kind in "$@"; do
  read -r arch arm debian <<<"$(settings "$kind")"
  program=$out/lamppost-bridge-$kind
  CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOARM=${arm/-/} go build -trimpath \
    -ldflags "-s -w -X github.com/lamppost-city/lamppost/service.version=$described" -o "$program" ./cmd/lamppost-bridge
  bytes=$(stat -c %s "$program")
  if [ "$bytes" -gt "$max_bytes" ]; then
    echo "$program has $bytes bytes; $max_bytes are allowed" >&2
    exit 1
  fi
  package=$out/lamppost-bridge_${version}_$kind.deb
  ARCH=$debian VERSION=$version TARGET=$kind bin/nfpm package --config deploy/bridge/nfpm.yaml --packager deb --target "$package" >/dev/null
  printf '%-40s %5.1f MB   %s\n' "$program" "$(awk -v b="$bytes" 'BEGIN { print b / 1e6 }')" "$package"
done

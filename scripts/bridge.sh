#!/usr/bin/env bash
# Builds the bridge for every kind of board into build/bridge/: static programs, Debian packages of them, and their checksums.
# A program above 12 MB is an error. The same commit and Go give the same bytes.
#
#   scripts/bridge.sh [KIND...]                    programs and packages of these kinds; without any, of all
#   scripts/bridge.sh --programs FOLDER KIND...    programs only, into that folder
set -euo pipefail
cd "$(dirname "$0")/.."

readonly kinds=(armv6 armv7 arm64 amd64 riscv64) max_bytes=$((12 * 1000 * 1000))

# kind: GOARCH, GOARM, and the Debian architecture its package is for. The armhf package has the program for ARM v6: it runs on every
# armhf board, a Raspberry Pi Zero too, which Debian's own armhf leaves out. There can be only one package of a name and
# an architecture, so the program for v7 comes without.
settings() {
  case $1 in
  armv6) echo "arm 6 armhf" ;;
  armv7) echo "arm 7 -" ;;
  arm64 | amd64 | riscv64) echo "$1 - $1" ;;
  *)
    echo "no kind of board is called $1; there are ${kinds[*]}" >&2
    exit 2
    ;;
  esac
}

# megabytes are a million bytes.
megabytes() { awk -v b="$1" 'BEGIN { printf "%.1f", b / 1e6 }'; }

# program KIND FILE
program() {
  local arch arm bytes
  read -r arch arm _ <<<"$(settings "$1")"
  CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOARM=${arm/-/} go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X github.com/lamppost-city/lamppost/service.version=$described" -o "$2" ./cmd/lamppost-bridge
  bytes=$(stat -c %s "$2")
  if [ "$bytes" -gt "$max_bytes" ]; then
    echo "$2 has $bytes bytes; $max_bytes are allowed; docs/decisions/bridge-size.md says what weighs" >&2
    exit 1
  fi
  printf '%6s MB  %s\n' "$(megabytes "$bytes")" "$2"
}

# package KIND PROGRAM
package() {
  local debian file
  read -r _ _ debian <<<"$(settings "$1")"
  [ "$debian" != - ] || return 0
  file=$out/lamppost-bridge_${version}_$debian.deb
  ARCH=$debian VERSION=$version PROGRAM=$2 bin/nfpm package --config deploy/bridge/nfpm.yaml --packager deb --target "$file" >"$out/nfpm.log" || {
    cat "$out/nfpm.log" >&2
    exit 1
  }
  rm "$out/nfpm.log"
  printf '%6s MB  %s\n' "$(megabytes "$(stat -c %s "$file")")" "$file"
}

described=$(git describe --always --dirty --tags --abbrev=10 2>/dev/null || echo unknown)
# What a package's files are dated: the commit, so that the same commit makes the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
# Debian wants a version that begins with a digit, and a later one that is greater.
case $described in
v[0-9]*)
  version=${described#v}
  version=${version//-/.}
  ;;
*) version=0.0.0+$(date --utc --date "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S).g${described//-/.} ;;
esac

if [ "${1:-}" = --programs ]; then
  [ $# -ge 3 ] || { echo "usage: scripts/bridge.sh --programs FOLDER KIND..." >&2 && exit 2; }
  folder=$2
  shift 2
  for kind in "$@"; do program "$kind" "$folder/lamppost-bridge-$kind"; done
  exit
fi

[ $# -gt 0 ] || set -- "${kinds[@]}"
for kind in "$@"; do settings "$kind" >/dev/null; done
scripts/tools.sh package
out=build/bridge
rm -rf "$out"
mkdir -p "$out"
for kind in "$@"; do
  program "$kind" "$out/lamppost-bridge-$kind"
  package "$kind" "$out/lamppost-bridge-$kind"
done
(cd "$out" && sha256sum -- * >SHA256SUMS)
echo "checksums are in $out/SHA256SUMS"

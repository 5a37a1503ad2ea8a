#!/usr/bin/env bash
# Builds the Grafana data source into build/plugin/: the frontend, a backend for each system, all of it in one zip that can be
# signed, and its checksum. The same commit, Go and npm packages give the same bytes.
#
#   scripts/plugin.sh [SYSTEM...]     backends for these systems only, such as linux_amd64
set -euo pipefail
cd "$(dirname "$0")/.."

readonly id=lamppost-city-datasource systems=(linux_amd64 linux_arm64 darwin_amd64 darwin_arm64 windows_amd64)
readonly source=dashboards/datasource out=build/plugin

[ $# -gt 0 ] || set -- "${systems[@]}"
for system in "$@"; do
  if [[ " ${systems[*]} " != *" $system "* ]]; then
    echo "no backend is built for $system; there are ${systems[*]}" >&2
    exit 2
  fi
done

# What files are dated: the commit, so that the same commit makes the same zip.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
version=$(node -p "require('./$source/package.json').version")

(cd "$source" && npm run --silent build)
rm -rf "$out"
mkdir -p "$out"
cp -R "$source/dist" "$out/$id"

# As the SDK's own build does it: what Grafana shows of the program, and one JSON library less.
info="{\"time\":${SOURCE_DATE_EPOCH}000,\"pluginID\":\"$id\",\"version\":\"$version\"}"
for system in "$@"; do
  suffix=
  [ "${system%_*}" != windows ] || suffix=.exe
  CGO_ENABLED=0 GOOS=${system%_*} GOARCH=${system#*_} go build -trimpath -buildvcs=false -tags arrow_json_stdlib \
    -ldflags "-s -w -X 'github.com/grafana/grafana-plugin-sdk-go/build/buildinfo.buildInfoJSON=$info'" \
    -o "$out/$id/gpx_lamppost_city_$system$suffix" "./$source"
done

# What reviewers hold the backend against: the hash of every Go file that it is built from, of ours.
(cd "$source" && git ls-files -- '*.go' | LC_ALL=C sort | while read -r file; do
  printf '%s:%s\n' "$(sha256sum "$file" | cut -d ' ' -f 1)" "$file"
done) >"$out/$id/go_plugin_build_manifest"

go run ./internal/pack -date "$SOURCE_DATE_EPOCH" "$out/$id" "$out/$id-$version.zip"
(cd "$out" && sha256sum "$id-$version.zip" | tee "$id-$version.zip.sha256")

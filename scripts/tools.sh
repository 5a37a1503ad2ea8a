#!/usr/bin/env bash
# Puts tools into bin/, at exactly these versions: those of `make lint`, or with `package` the one of `make bridge`. What is
# there already, built by the same Go, stays.
set -euo pipefail
cd "$(dirname "$0")/.."

# tool NAME MODULE VERSION [PACKAGE WITHIN IT]
tool() {
  local name=$1 module=$2 version=$3 package=$2${4:+/$4}
  if go version -m "bin/$name" 2>/dev/null |
    awk -v go="bin/$name: $(go env GOVERSION)" -v module="$module" -v version="$version" \
      '$0 == go { same_go = 1 } $1 == "mod" && $2 == module && $3 == version { same = 1 } END { exit !(same && same_go) }'; then
    return
  fi
  echo "building $name $version into bin/ (once; takes a few minutes)"
  GOBIN="$PWD/bin" go install "$package@$version"
}

case ${1:-lint} in
lint)
  tool gofumpt mvdan.cc/gofumpt v0.12.0
  tool golangci-lint github.com/golangci/golangci-lint/v2 v2.15.0 cmd/golangci-lint
  ;;
package) tool nfpm github.com/goreleaser/nfpm/v2 v2.45.2 cmd/nfpm ;;
*)
  echo "usage: scripts/tools.sh [lint | package]" >&2
  exit 2
  ;;
esac

# The two commands are `make up` and `make test`; `make` alone lists all of them.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# What may be given: make up DEMO=1000 DATA=/tmp/city; make bench BENCH="-rounds 6"; make test TEST="-run Crash".
DEMO  ?= 300
DATA  ?= ./data
BENCH ?=
TEST  ?=

VERSION = $(shell git describe --always --dirty --tags 2>/dev/null || echo unknown)
LDFLAGS = -X github.com/lamppost-city/lamppost/service.version=$(VERSION)

# The version is given above. Go would ask git for it too, and fail where the checkout belongs to somebody else.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

# The page is made anew when one of its sources is newer than it.
PAGE         := console/dist/index.html
NODE_MODULES := console/node_modules/.package-lock.json

# The npm packages of the Grafana data source.
PLUGIN         := dashboards/datasource
PLUGIN_MODULES := $(PLUGIN)/node_modules/.package-lock.json
PAGE_SOURCES := $(shell find console/src console/public console/scripts -type f 2>/dev/null) \
                $(wildcard console/index.html console/vite.config.ts console/tsconfig*.json)

.PHONY: help up build test lint bench bridge plugin dashboards console tools clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: build ## build what is missing and run a demonstration city
	@exec bin/lamppost up --demo $(DEMO) --data $(DATA)

# Without cgo it is the same program whether or not the machine has a C compiler, and it runs on any Linux.
build: console ## build the page and the programs into bin/
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

test: ## install what the tests need, and run all of them
	@scripts/prepare-tests.sh
	@$(MAKE) --no-print-directory build $(PLUGIN_MODULES)
	go test -race -timeout 20m -p 2 $(TEST) ./...
	cd console && npm test
	cd $(PLUGIN) && npm test
	cd console && npm run e2e

lint: tools $(NODE_MODULES) $(PLUGIN_MODULES) ## look for mistakes without running anything
	bin/golangci-lint run ./...
	@unformatted=$$(bin/gofumpt -l .); if [ -n "$$unformatted" ]; then \
		echo "not as gofumpt writes it; run bin/gofumpt -w on:"; echo "$$unformatted"; exit 1; \
	fi
	go vet ./...
	go run ./dashboards/write -check dashboards/provisioned
	cd console && npm run lint
	cd console && npm run typecheck
	cd $(PLUGIN) && npm run lint
	cd $(PLUGIN) && npm run typecheck

bench: ## measure ingest beside a bare MQTT client and the store alone
	go run ./internal/bench $(BENCH)

bridge: ## build the bridge and its package for every kind of board into build/bridge/
	@scripts/bridge.sh

plugin: $(PLUGIN_MODULES) ## build the Grafana data source for every system into build/plugin/
	@scripts/plugin.sh

dashboards: ## write the Grafana dashboards into dashboards/provisioned/
	go run ./dashboards/write dashboards/provisioned

console: $(PAGE) ## build the web page

tools: ## put the pinned linters into bin/
	@scripts/tools.sh

clean: ## remove what was built; data, tools and npm packages stay
	rm -rf bin/lamppost bin/lamppost-bridge build
	find console/dist -mindepth 1 ! -name .gitkeep -delete

$(PAGE): $(PAGE_SOURCES) $(NODE_MODULES)
	cd console && npm run build
	@touch $@

$(NODE_MODULES): console/package.json console/package-lock.json
	cd console && npm ci --no-progress
	@touch $@

$(PLUGIN_MODULES): $(PLUGIN)/package.json $(PLUGIN)/package-lock.json
	cd $(PLUGIN) && npm ci --no-progress
	@touch $@

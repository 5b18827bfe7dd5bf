# `make` prints what there is. CI (.ci/run) calls the same targets.

GO       ?= go
FUZZTIME ?= 10s
# Seconds after which no further fuzz target is begun; 0 = all of them run.
FUZZCAP  ?= 0
KILLS    ?= 1000
TOOLS    := $(CURDIR)/.cache/tools
# Where threads meet: the packages that are worth the ten times slower race build.
RACE     := ./internal/gateway/... ./internal/finops/ledger/... ./internal/finops/budget/... \
            ./internal/models/upstream/... ./internal/routing/cascade/... ./internal/routing/session/... ./internal/server/...

.DEFAULT_GOAL := help
.PHONY: help build run test conformance race lint fmt bench microbench fuzz show show-kills show-fuzz kill tools

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the static binary ./weir
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o weir ./cmd/weir

run: ## run the demo: no keys, no network
	$(GO) run ./cmd/weir demo

test: ## run all tests
	$(GO) test ./...
	cd tools && $(GO) test ./...

conformance: ## let the SDKs of clients talk to Weir: Go and npm, and Python where it is; installs them once
	cd test/conformance && $(GO) vet . ./client ./gateway ./script && $(GO) test -count=1 ./...

race: ## run the tests of the concurrent packages with the race detector
	CGO_ENABLED=1 $(GO) test -race $(RACE)

lint: $(TOOLS)/golangci-lint ## vet, then the linters of .golangci.yml, formatting included
	$(GO) vet ./...
	GOLANGCI_LINT_CACHE=$(CURDIR)/.cache/lint $(TOOLS)/golangci-lint run ./...

fmt: $(TOOLS)/gofumpt ## format all Go files
	$(TOOLS)/gofumpt -w $$($(GO) list -f '{{.Dir}}' ./...) tools/testcount

bench: ## measure what a call costs beside the standard library's reverse proxy, about five minutes
	$(GO) run ./bench/ratio

microbench: ## run all Go benchmarks; compare two runs with .cache/tools/benchstat
	$(GO) test -run '^$$' -bench . -benchmem ./...

fuzz: ## run every fuzz target for FUZZTIME (10s)
	@GO="$(GO)" FUZZTIME=$(FUZZTIME) FUZZCAP=$(FUZZCAP) .ci/fuzz

show: ## print every bar as one JSON line
	$(GO) run ./bench/show

show-kills: ## kill the process 1,000 times under load and keep the figures for show
	$(GO) run ./bench/show -long -only kills

show-fuzz: ## fuzz for 10 CPU-minutes and keep the figures for show
	$(GO) run ./bench/show -long -only fuzz

kill: ## kill the process KILLS (1000) times under load and audit the ledger after each
	WEIR_KILLS=$(KILLS) $(GO) test -count=1 -timeout 120m ./internal/store/... ./test/crash/...

tools: $(TOOLS)/golangci-lint $(TOOLS)/gofumpt $(TOOLS)/staticcheck $(TOOLS)/benchstat ## build the pinned tools

$(TOOLS)/golangci-lint: PKG = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(TOOLS)/gofumpt: PKG = mvdan.cc/gofumpt
$(TOOLS)/staticcheck: PKG = honnef.co/go/tools/cmd/staticcheck
$(TOOLS)/benchstat: PKG = golang.org/x/perf/cmd/benchstat
$(TOOLS)/%: tools/go.mod tools/go.sum
	@mkdir -p $(TOOLS)
	cd tools && CGO_ENABLED=0 $(GO) build -o $@ $(PKG)
	@touch $@

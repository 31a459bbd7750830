# Everything a person or a CI does with this repository. `make help` lists it.

SHELL := /usr/bin/env bash
GO    ?= go
TOOL   = $(GO) tool -modfile=hack/tools/go.mod
# How long each fuzz target of `make fuzz` runs.
FUZZTIME ?= 20s
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: help build demo parts check fmt vet lint generate generated-up-to-date tidy-up-to-date envoy-files layering test e2e e2e-mesh image manifests reloads fuzz bench

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

build: ## build bin/portcullis
	$(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/portcullis ./cmd/portcullis

demo: ## the real Envoy, an upstream and portcullis on free ports, with a tour (ONCE=1 ends after the tour)
	@$(GO) run ./hack/demo

parts: ## install the pinned real parts that the tests use (Envoy, signing clients, token issuers, Lambda runtime, Redis, Prometheus)
	@hack/parts.sh

check: fmt vet lint tidy-up-to-date generated-up-to-date layering ## format, vet, lint, generated files, import directions

fmt: ## fail on files that gofmt would change
	@out="$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go' | grep -v '\.pb\.go$$'))"; \
	if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi; echo "check: format ok"

vet:
	@$(GO) vet ./... && echo "check: vet ok"

lint: ## golangci-lint with hack/golangci.yml
	@$(TOOL) golangci-lint run --allow-parallel-runners --config hack/golangci.yml ./... && echo "check: lint ok"

generate: ## write config.pb.go, the configuration reference and the pictures again
	@hack/generate.sh

generated-up-to-date: ## fail if `make generate` changes anything
	@old="$$(mktemp -d)"; trap 'rm -rf "$$old"' EXIT; cp -R proto hack/pictures "$$old/"; hack/generate.sh >"$$old/log" 2>&1 || { cat "$$old/log"; exit 1; }; \
	diff -r "$$old/proto" proto && diff -r "$$old/pictures" hack/pictures || { echo "generated files were out of date; they are written now, commit them"; exit 1; }; echo "check: generated files ok"

envoy-files: ## write the files of envoy/ again, as portcullis envoy prints them for the examples of envoy/README.md
	$(GO) test -count=1 -run TestFilesAreWhatPortcullisPrints ./envoy/e2e -update

tidy-up-to-date:
	@$(GO) mod tidy -diff && echo "check: go.mod ok"

layering: ## import directions, package comments, folders
	@$(GO) test -count=1 ./hack

test: parts ## everything, with the race detector and the real Envoy
	LONG=1 $(GO) test -race -timeout 12m ./...

e2e: parts ## only the tests through the real Envoy
	LONG=1 $(GO) test -race -count=1 -timeout 10m ./envoy/...

e2e-mesh: parts ## the real istiod and Envoy Gateway with their Envoys, Helm, a real API server and buildah; the first run builds them, for some 40 minutes of a processor's time
	@hack/mesh.sh
	MESH=required E2E=required $(GO) test -race -count=1 -timeout 20m -run '^TestMesh' -v ./envoy/e2e
	@deploy/tools.sh
	E2E_MESH=1 $(GO) test -count=1 -timeout 20m ./deploy

image: ## the container image for amd64 and arm64, as an OCI archive in bin/image; needs buildah
	@deploy/image.sh $(VERSION)

manifests: ## write deploy/kubernetes from the chart again
	@deploy/manifests.sh

reloads: ## the memory that 300 reloads of 10,000 APIs take, with a limit and without; takes the better part of an hour
	PORTCULLIS_RELOADS=300 $(GO) test -count=1 -timeout 3h -v -run TestReloadsTakeNoMoreMemory ./cmd/portcullis

fuzz: ## every fuzz target for FUZZTIME
	@hack/fuzz.sh $(FUZZTIME)

bench: ## benchmarks, and CPU a check against the floor (a gRPC server that allows everything)
	$(GO) test -run '^$$' -bench . -benchmem ./pkg/...
	$(GO) run ./hack/bench

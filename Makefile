# What can be done here. `make run` and `make test` need nothing but Debian 12, Go 1.26 and root.
CHECKERS = go tool -modfile=internal/tools/checkers/go.mod
GOFILES  = $(shell git ls-files -co --exclude-standard '*.go')

.PHONY: run test check bench fuzz peers modules assets

## run: start the house on embedded defaults, in ./chancery-data
run:
	go run . serve

## test: install the peers that the tests talk to, then run every test against them
test: peers modules
	@d="$${CHANCERY_CORPORA:-../shared/corpora}"; [ -d "$$d" ] || echo "no corpora at $$d: cases that others made are left out; CHANCERY_CORPORA names their folder"
	go test -timeout 30m ./...

## check: everything that is quick: format, vet, staticcheck, known vulnerabilities, unit tests, the map
check: modules
	@unformatted=$$(gofmt -l $(GOFILES)); [ -z "$$unformatted" ] || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	$(CHECKERS) staticcheck ./...
	@$(CHECKERS) govulncheck ./... 2>govulncheck.out; s=$$?; \
	 if grep -q 'fetching vulnerabilities' govulncheck.out; then echo "govulncheck: its data cannot be had here; not checked"; rm govulncheck.out; \
	 else cat govulncheck.out; rm govulncheck.out; exit $$s; fi
	go test -short -timeout 5m ./...

## bench: the figures of docs/benchmarks.md, ours and the peers' in one run
bench: peers modules
	go run ./internal/tools/bench

## fuzz: every parser for FUZZTIME each (default 60s)
FUZZTIME ?= 60s
fuzz: modules
	@for f in $$(grep -rl --include='*_test.go' '^func Fuzz' . | grep -v node_modules); do \
	  for t in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$f); do \
	    echo "== $$(dirname $$f) $$t"; go test -run '^$$' -fuzz "^$$t$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$(dirname $$f) || exit 1; done; done

peers:
	@internal/tools/peers/install.sh

# Named alone, so that a module that cannot be had fails with its name.
modules:
	@go mod download

## assets: take the pinned files of the design system from npm into server/portal/assets
assets:
	cd internal/tools/assets && npm ci --silent --no-audit --no-fund && ./vendor.sh

# Everything that a person or CI does with this repository. `make` alone lists it.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
PREFIX ?= /usr/local
SECONDS ?= 1800

VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml $(wildcard setup.py) \
	$(shell find memprobe/native probes -name '*.[ch]' -o -name '*.json' 2>/dev/null)
FORKY := $(foreach minor,3.13 3.14 3.15,python$(minor) python$(minor)-dev)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-10s %s\n' "$$name" "$$text"; done

.PHONY: setup
setup: ## install what is missing on the machine (as root, with apt)
	@sh scripts/setup.sh

.PHONY: build
build: $(VENV)/.built ## .venv/bin/memprobe, with the extension and the BPF objects

$(VENV)/.dependencies: pyproject.toml | setup
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
		"make: $(PYTHON) is Python %d.%d, memprobe needs 3.11 or newer: make PYTHON=python3.11" % sys.version_info[:2])'
	@$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq --disable-pip-version-check 'setuptools>=77'
	$(BIN)/pip install -qq --disable-pip-version-check --no-build-isolation -e '.[dev]'
	@touch $@

$(VENV)/.built: $(VENV)/.dependencies $(SOURCES)
	$(BIN)/python setup.py -q build_ext --inplace
	@touch $@

.PHONY: install
install: wheel ## memprobe where sudo finds it: PREFIX (/usr/local)
	@sh scripts/install.sh '$(PREFIX)' dist/*.whl

.PHONY: uninstall
uninstall: ## take it away again
	rm -rf '$(PREFIX)/lib/memprobe' '$(PREFIX)/bin/memprobe'

.PHONY: demo
demo: build ## a leaking service, and memprobe on it
	@sh scripts/demo.sh $(BIN)

.PHONY: attach
attach: build ## what leaks in a process of yours, until Ctrl-C: make attach PID=1234
	@test -n '$(PID)' || { echo 'make attach: which process? make attach PID=1234' >&2; exit 2; }
	@$(if $(filter 0,$(shell id -u)),,sudo) $(BIN)/memprobe attach $(PID)

.PHONY: test
test: build ## the whole suite; MEMPROBE_PYTHONS=all for every interpreter, ARGS for pytest
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: sanitize
sanitize: build ## the tests of the C code under ASan and UBSan
	@sh scripts/sanitize.sh $(BIN)

.PHONY: matrix
matrix: setup ## CPython 3.13, 3.14 and 3.15 (Debian forky) for the tests, into .cache/matrix
	@sh scripts/rootfs.sh .cache/matrix/forky forky $(FORKY)

.PHONY: bench
bench: build ## the measurements, into bench/results
	@$(BIN)/pip install -qq --disable-pip-version-check --no-build-isolation -e '.[bench]'
	@set -e; for script in bench/*.py; do $(BIN)/python "$$script"; done

.PHONY: soak
soak: build ## what is too long for CI; SECONDS in all
	@$(BIN)/python scripts/timed.py tests/soak $(SECONDS)

.PHONY: fuzz
fuzz: build ## the fuzzers; SECONDS in all
	@$(BIN)/python scripts/timed.py tests/fuzz $(SECONDS)

.PHONY: lint
lint: build ## ruff and mypy --strict
	@status=0; for tool in 'ruff check' 'ruff format --check --quiet' mypy; do \
		echo "$$tool"; $(BIN)/$$tool || status=1; done; exit $$status

.PHONY: fmt
fmt: build ## put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: wheel
wheel: build ## one self-contained wheel, into dist
	@sh scripts/wheel.sh $(BIN)

.PHONY: clean
clean: ## everything that was built; .cache (other Debians) stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find memprobe probes tests bench \( -name '*.so' -o -name '*.bpf.o' -o -name '*.pyc' \) -delete

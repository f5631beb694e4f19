# Needs git, make and Python 3.11 or newer. `make` alone says what there is.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run tour reset test check bench bench-bookings bench-messages bench-large package constraints install

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: install ## run everything on this machine; STAFF=500 people are loaded on the first run
	@exec $(BIN)/python -m infrastructure.local.run $(if $(STAFF),--staff $(STAFF))

tour: install ## play a story on what `make run` keeps up that lets every message be sent; then look at the mailbox
	@$(BIN)/python -m infrastructure.tour

reset: ## forget the local data; the next run starts over
	@if [ -f .local/run.pid ] && kill -0 "$$(cat .local/run.pid)" 2>/dev/null; then echo "Stop \`make run\` first."; exit 1; fi
	@rm -rf .local && echo "The local data are gone."

test: install ## run all tests
	@$(BIN)/python -m pytest -n auto --dist loadgroup

check: install ## lint, types, dependency direction, template, OpenAPI document, known vulnerabilities
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m infrastructure.package --stage dev
	$(BIN)/python -m infrastructure.package --stage prod
	$(BIN)/python -m infrastructure.openapi --check
	$(BIN)/python -m infrastructure.audit

bench: install ## measure against the budgets, beside the emulator's own floor
	@$(BIN)/python -m infrastructure.bench

bench-bookings: install ## measure bookings alone: by one learner, through HTTP, many at once, and the last seats
	@$(BIN)/python -m infrastructure.bench_bookings

bench-messages: install ## measure messages alone: the life of one, from event to e-mail, and a thousand at once
	@$(BIN)/python -m infrastructure.bench_messages

bench-large: install ## measure a requirement for 10,000 staff: some minutes
	@$(BIN)/python -m infrastructure.bench_workforce

package: install ## make the deployment artefact of STAGE=dev or prod, linted
	@$(BIN)/python -m infrastructure.package --stage $(or $(STAGE),dev)

constraints: ## pin anew what the pinned packages need in turn
	@rm -rf .venv && $(PYTHON) -m venv .venv && grep -v '^-c' requirements-dev.txt > .venv/requirements-dev.txt
	@cp requirements.txt .venv/ && $(BIN)/pip install -qq -r .venv/requirements-dev.txt
	@{ head -1 constraints.txt; $(BIN)/pip freeze | sort -f; } > .venv/constraints.txt && mv .venv/constraints.txt constraints.txt

install: .venv/installed .venv-emulator/installed

.venv/installed: requirements.txt requirements-dev.txt constraints.txt
	$(call environment,.venv,requirements-dev.txt,the tools)

.venv-emulator/installed: requirements-emulator.txt
	$(call environment,.venv-emulator,requirements-emulator.txt,the emulator)

# A virtual environment with exactly what a file pins: $(1) its folder, $(2) the file, $(3) what it is for.
define environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing $(3) into $(1) …"
	@rm -rf $(1) && $(PYTHON) -m venv $(1)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(1)/bin/python -m pip install -qq -r $(2) || \
		{ echo "The packages of $(2) could not be installed; see above."; exit 1; }
	@touch $@
endef

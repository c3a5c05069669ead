# Everything a user or CI types. Each target sets up what it needs; see README.md.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup
setup: $(VENV)/.done

$(VENV)/.done: requirements.lock pyproject.toml
	@./tools/setup.sh "$(PYTHON)" "$(VENV)"
	@touch $@

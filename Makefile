# Everything that a user or CI types. Each target sets up what it needs; see README.md.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
#: The tests of the rooms of src/ipvs_audit, each in a folder of its name, and those of the pages.
ROOMS := $(addprefix tests/,cli plugin audit report remedy controls latency persistence probe snapshot transport inventory model docs)
BIN := $(VENV)/bin

.PHONY: help
help:
	@echo 'make audit                  audit the embedded lab fleet of real kernels'
	@echo 'make audit INVENTORY=path   audit yours (ARGS="--limit web ..." goes to pytest)'
	@echo 'make setup                  only install; then: $(BIN)/ipvs-audit --help'
	@echo 'make dev                    the same with what lint and tests need (CONTRIBUTING.md)'
	@echo 'make check | lint           for every save: lint and the quick tests, some minutes'
	@echo 'make test                   all tests of the suite, with real kernels (under an hour)'
	@echo 'make oracle N=500           hold EST-2 and EST-3 against the real loaders of Debian 11, 12, 13'
	@echo 'make fuzz | bench           random input for the parsers; measured figures (docs/performance.md)'
	@echo 'make bench-judge HOSTS=1000 one part of bench, smaller (or PAIRS=1, bench/*.py say which); the parts:'
	@echo '                            $(BENCHES:bench-%=%)'
	@echo '                            not in bench: $(OTHER_BENCHES:bench-%=%)'
	@echo 'make soak HOSTS=1000        a fleet of which a third misbehaves'
	@echo 'make latency-study          the figures of docs/latency.md (long)'
	@echo 'make faults                 kill and cut remediations at every point, on lab guests (long)'
	@echo 'make docs                   the site of the pages, into .cache/site (mkdocs --strict)'
	@echo 'make screenshots            docs/report.png from the lab evidence'
	@echo 'make lab-up [HOST=jittery] | lab-down | lab-status | lab-ssh HOST=compliant'
	@echo 'make lock                   refresh the lock files'

.PHONY: setup
setup: $(VENV)/.done

.PHONY: dev
dev: $(VENV)/.dev

$(VENV)/.done: requirements.lock pyproject.toml setup.py tools/setup.sh
	@./tools/setup.sh "$(PYTHON)" "$(VENV)" requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml setup.py tools/setup.sh
	@./tools/setup.sh "$(PYTHON)" "$(VENV)" requirements-dev.lock
	@touch $@ $(VENV)/.done

.PHONY: audit
audit: setup
ifdef INVENTORY
	@$(BIN)/pytest --inventory "$(INVENTORY)" $(ARGS)
else
	@./tools/lab-packages.sh
	@./tools/audit-lab.sh "$(BIN)" $(ARGS)
endif

# For every save: lint, examples in docstrings, and the rooms' tests but for the slow ones.
.PHONY: check doctest
check: lint doctest
	IPVS_AUDIT_TEST_PROFILE=check $(BIN)/pytest $(ROOMS) -n 2 -m 'not slow'
doctest: dev
	$(BIN)/pytest --config-file tests/pytest.ini --rootdir . --doctest-modules src lab

.PHONY: test
test: doctest
	@./tools/lab-packages.sh
	@./tools/test-packages.sh
ifdef ARGS
	$(BIN)/pytest tests $(ARGS)
else
	$(BIN)/pytest $(ROOMS) -n 2
	$(BIN)/pytest tests/lab tests/ssh tests/command tests/browser -n 2 --dist loadfile
endif

.PHONY: faults
faults: dev
	@./tools/lab-packages.sh
	$(BIN)/pytest tests/lab/faults.py -s $(ARGS)

.PHONY: oracle
oracle: dev
	@./tools/lab-packages.sh
	@$(BIN)/python -m lab.oracle --cases $(or $(N),500) --guest-cases $(or $(RELOADS),50) \
		--reboots $(or $(REBOOTS),7) $(if $(SEED),--seed $(SEED))

.PHONY: soak
soak: dev
	@./tools/test-packages.sh
	IPVS_AUDIT_SOAK_HOSTS=$(or $(HOSTS),1000) $(BIN)/pytest tests/ssh/test_soak.py -s $(ARGS)

.PHONY: fuzz
fuzz: dev
	@$(BIN)/python bench/fuzz.py $(or $(EXAMPLES),100000) $(or $(SECONDS),600)

# What docs/latency.md says of EST-7, measured; let nothing else run beside it.
.PHONY: latency-study
latency-study: dev
	@./tools/lab-packages.sh
	@$(BIN)/python bench/period_test_accuracy.py $(TRACES)
	@$(BIN)/python bench/latency_concurrency.py
	@$(BIN)/python -m lab.latency_study --minutes $(or $(MINUTES),45)

# The parts of make bench; none of them is right beside other work.
BENCHES := $(addprefix bench-,start judge scale inventory probe resolve client collect wall-clock sampling processes)
OTHER_BENCHES := bench-forks bench-reports bench-tests
.PHONY: bench $(BENCHES) $(OTHER_BENCHES)
.NOTPARALLEL:
bench: $(BENCHES)
	@$(BIN)/python bench/summary.py
$(BENCHES) $(OTHER_BENCHES): bench-%: dev
	@./tools/test-packages.sh
	@rm -f .cache/bench/$(subst -,_,$*).json .cache/bench/$*-*.json
	@$(BIN)/python bench/$(subst -,_,$*).py
bench-collect bench-processes bench-sampling bench-wall-clock: .venv-bench/.done
.venv-bench/.done: bench/requirements.lock
	@[ -x .venv-bench/bin/python ] || $(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r bench/requirements.lock
	@touch $@

.PHONY: lint
lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shellcheck -s sh tools/*.sh .ci/run
	@./tools/lint-jenkinsfile.sh

# The site of the pages, and the CI examples held to their published schemas.
.PHONY: docs
docs: .venv-docs/.done
	@./tools/build-docs.sh .venv-docs/bin .cache
.venv-docs/.done: tools/docs-requirements.lock
	@[ -x .venv-docs/bin/python ] || $(PYTHON) -m venv .venv-docs
	@.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r tools/docs-requirements.lock
	@touch $@

.PHONY: screenshots
screenshots: dev
	@./tools/test-packages.sh
	@./tools/screenshots.sh "$(BIN)" $(RUN)

.PHONY: lab-build lab-up lab-down lab-ssh lab-status
lab-build: setup
	@./tools/lab-packages.sh
	@$(BIN)/python -m lab build
lab-up: setup
	@./tools/lab-packages.sh
	@$(BIN)/python -m lab up $(HOST)
lab-down: setup
	@$(BIN)/python -m lab down
lab-status: setup
	@$(BIN)/python -m lab status
lab-ssh: setup
	@$(BIN)/python -m lab ssh $(HOST)

# One lock for all Pythons; each entry says for which it is.
COMPILE = $(BIN)/uv pip compile --universal --upgrade --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --quiet
LIST = $(BIN)/python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$(1)"]))'
.PHONY: lock
lock: dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(COMPILE) --extra build pyproject.toml --output-file requirements.lock
	$(COMPILE) --extra build --extra dev --constraints requirements.lock pyproject.toml \
		--output-file requirements-dev.lock
	$(call LIST,bench) | $(COMPILE) - --output-file bench/requirements.lock
	$(call LIST,docs) | $(COMPILE) - --output-file tools/docs-requirements.lock

.PHONY: clean
clean:
	rm -rf $(VENV) .venv-bench .venv-docs .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

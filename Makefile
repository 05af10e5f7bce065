# Every target sets up what it needs in $(VENV), from Python 3.11 or newer alone; the second call only runs.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
EVIDENCE ?= build/evidence
JOBS ?= 3
SOURCES := console/mens_console widgets/mens_widgets contracts/mens_contracts
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: run test test-e2e gate test-training test-spark lint format bench screenshots docs lock clean

run: $(VENV)/.run ## open the console on the recorded demo
	@$(BIN)/mens-console demo

# Several tests at a time, for many wait; those that drive the program in a pseudo-terminal have the box to themselves.
test: $(VENV)/.dev ## run all tests with coverage
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not training and not e2e" --cov --cov-report= \
	  --junitxml=$(EVIDENCE)/junit.xml
	$(BIN)/python -m pytest -m e2e --cov --cov-append --cov-report=term:skip-covered --cov-fail-under=90 \
	  --cov-report=json:$(EVIDENCE)/coverage.json --junitxml=$(EVIDENCE)/junit-e2e.xml

test-e2e: $(VENV)/.dev ## run the tests that drive the program in a pseudo-terminal, alone
	$(BIN)/python -m pytest -m e2e

test-training: $(VENV)/.training ## run the tests of the training side on real small models (needs PyTorch)
	$(BIN)/python -m pytest -m training

gate: $(VENV)/.dev ## judge this project by its own gate, on what `make test` left and two looks more
	@mkdir -p $(EVIDENCE)
	$(BIN)/radon cc -j $(SOURCES) > $(EVIDENCE)/radon.json
	$(BIN)/interrogate -v --fail-under 0 --ignore-private --ignore-semiprivate --ignore-magic --ignore-init-method \
	  --ignore-init-module --ignore-nested-functions $(SOURCES) > $(EVIDENCE)/interrogate.txt
	$(BIN)/mens-console gate check engineering $(EVIDENCE)

test-spark: $(VENV)/.spark ## run the tests that count attempt logs on Spark's local cluster (needs Java)
	$(BIN)/python -m pytest -m spark

lint: $(VENV)/.dev ## check style, types, layers, and that what is generated is current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/export_schemas.py --check
	$(BIN)/python scripts/export_dashboards.py --check
	$(BIN)/python scripts/generate_docs.py --check

format: $(VENV)/.dev ## rewrite the sources in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure speed, memory and terminal traffic against their targets
	$(BIN)/python -m bench --anchors

screenshots: $(VENV)/.dev ## draw the real console over the recordings into screenshots/
	$(BIN)/python scripts/screenshots.py

docs: $(VENV)/.dev ## write the generated parts of README.md, docs/ and contracts/
	$(BIN)/python scripts/export_schemas.py
	$(BIN)/python scripts/export_dashboards.py
	$(BIN)/python scripts/generate_docs.py

lock: $(VENV)/.dev ## pin every dependency anew
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --group dev -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --python-version 3.11 --no-emit-index-url --no-header --no-annotate --group training \
	  -c requirements-dev.lock | grep -vE '^(nvidia|cuda|triton)' > requirements-training.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra spark pyproject.toml -c requirements-dev.lock -o requirements-spark.lock
	printf 'hatchling>=1.27\neditables>=0.5\n' | $(COMPILE) - -c requirements-dev.lock -o requirements-build.lock

clean: ## remove everything that was made here
	rm -rf .venv build dist htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in $(PYTHON) python3.14 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    exec $$python -m venv $(VENV); \
	  fi; \
	done; echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11' >&2; exit 1

$(VENV)/.run: requirements.lock requirements-build.lock pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes -r requirements.lock -r requirements-build.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock requirements-build.lock pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes -r requirements-dev.lock -r requirements-build.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.run

# Without hashes, and without CUDA: PyTorch's wheels of one version differ by index, and name what they need themselves.
$(VENV)/.training: requirements-training.lock $(VENV)/.dev
	$(PIP) -r requirements-training.lock
	@touch $@

$(VENV)/.spark: requirements-spark.lock $(VENV)/.dev
	$(PIP) --require-hashes -r requirements-spark.lock
	@touch $@

# Hikeshi. `make demo` plays the main job, `make test` runs the tests; each sets itself up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= auto
# What is played a second time on PostgreSQL: the rules of pages, and the main job.
ON_BOTH := tests/acceptance/test_escalation.py tests/models/test_page.py tests/models/test_decisions.py \
  tests/models/test_machine_steps.py tests/models/test_moving.py tests/models/test_streams.py
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
# The tests start hundreds of processes; without its compiled modules each would compile all of them anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-full check bench chaos sbom audit lock clean

help:
	@echo "make demo    set up, then play one incident from the alert to its lessons"
	@echo "             make demo SCENARIO=ransomware-night-batch plays a drill instead"
	@echo "             make demo CHAOS=1 plays it twice, and kills its parts the second time"
	@echo "             make demo KEEP=1 leaves the board up afterwards, to look around in the browser"
	@echo "make test    set up, then run the tests (up to 15 minutes on two cores)"
	@echo "make check   ruff, mypy strict and the size budget"
	@echo "make bench   measure everything, beside Prefect and DBOS (40 minutes); build/bench.json and bench.md"
	@echo "             make bench QUICK=1 measures the most important in 8 minutes"
	@echo "make sbom    list what Hikeshi runs with; goes to build/sbom.cdx.json (CycloneDX 1.6)"
	@echo "make audit   ask PyPI's database for known vulnerabilities of what is locked (needs the network)"
	@echo "make chaos   kill, freeze, fill up, cut off, then compare; SEED=… MINUTES=… INCIDENTS=50 ONLY=kills"
	@echo "make lock    renew the hash-locked requirements (needs uv)"

setup: $(READY)

$(READY): requirements/dev.txt pyproject.toml tests/peers/package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit("Hikeshi needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@echo "[1/5] making $(VENV) with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "[2/5] installing $$(grep -c '==' requirements/dev.txt) locked packages (a few minutes the first time)"
	@$(BIN)/python -m pip install --progress-bar off --no-deps --require-hashes -r requirements/dev.txt > $(VENV)/setup.log 2>&1 & \
	  pid=$$!; while kill -0 $$pid 2>/dev/null; do sleep 5; \
	  printf '      %s packages ready to install\r' "$$(grep -cE '^(Collecting|Requirement already)' $(VENV)/setup.log)"; done; \
	  wait $$pid || { echo; tail -n 20 $(VENV)/setup.log; echo "the packages could not be installed; see $(VENV)/setup.log"; exit 1; }; echo
	@echo "[3/5] installing the command hikeshi into $(VENV)"
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e . >> $(VENV)/setup.log 2>&1 \
	  || { tail -n 20 $(VENV)/setup.log; exit 1; }
	@echo "[4/5] installing the Slacks that tests talk to (from npm; without it their tests are left out)"
	@$(BIN)/python -m tests.peers.install
	@echo "[5/5] laying down Prefect's database (saves ten seconds at each first start)"
	@$(BIN)/python -m flows.prepare $(VENV)/prefect-template
	@touch $(READY)
	@echo "ready"

demo: setup
ifeq ($(CHAOS),1)
	@$(BIN)/python -m tests.chaos.demo
else
	@$(BIN)/python -m console.demo $(SCENARIO)
endif

test: setup
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow"

test-full: setup
	$(BIN)/python -m pytest -n $(JOBS)
	HIKESHI_TEST_DATABASE=postgresql $(BIN)/python -m pytest -n $(JOBS) -m "not slow" $(ON_BOTH)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_budget.py

bench: setup
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

sbom: setup
	$(BIN)/python -m tests.security.sbom

# Strict: what could not be looked up has not been found free of anything.
audit: setup
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements/dev.txt

chaos: setup
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) \
	  $(if $(INCIDENTS),--incidents $(INCIDENTS)) $(if $(ONLY),--only $(ONLY))

lock:
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q requirements/dev.in -o requirements/dev.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q -c requirements/dev.txt requirements/run.in -o requirements/run.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q -c requirements/dev.txt requirements/server.in -o requirements/server.txt

clean:
	rm -rf $(VENV) build demo-out tests/peers/node_modules

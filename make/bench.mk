# Measuring side by side.
RIVALS := .venv-rivals/bin

.PHONY: bench
bench: .venv/.test-ready .venv-rivals/.ready .venv-rivals-api/.ready ## Measure side by side, write benchmarks/results/latest.json and the tables of docs/performance.md; ONLY=stream, scale, api, training, training-large, storage or board for one part
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(ARGS)
	@$(BIN)/python -m benchmarks.documents

.PHONY: rivals
rivals: .venv-rivals/.ready .venv-rivals-api/.ready ## Build .venv-rivals and .venv-rivals-api, what make bench measures us against (250 and 810 MB; make bench does it by itself)

.venv-rivals/.ready: $(BIN)/uv requirements/rivals.txt
	@echo "[rivals] locked rivals of the benchmark, in .venv-rivals"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-rivals
	@$(BIN)/uv pip install --quiet --python $(RIVALS)/python --require-hashes -r requirements/rivals.txt
	@touch $@

.venv-rivals-api/.ready: $(BIN)/uv requirements/rivals-api.txt
	@echo "[rivals] locked servers beside which the API is measured, in .venv-rivals-api"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-rivals-api
	@$(BIN)/uv pip install --quiet --python .venv-rivals-api/bin/python --require-hashes -r requirements/rivals-api.txt
	@touch $@

FLAME := build/flame.svg

.PHONY: flame
flame: .venv/.test-ready .venv-tools/.ready ## Draw where the worker's time goes while it drains a backlog, into build/flame.svg; about a minute, needs root or ptrace
	@$(BIN)/python -m benchmarks.stream.flame $(FLAME)

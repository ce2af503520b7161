# The whole system for half an hour, with faults of all kinds.
MINUTES ?= 30
RATE ?= 2000
.PHONY: soak
soak: .venv/.test-ready ## Steady load and mixed faults on the whole system: nothing lost, memory flat. MINUTES=30 RATE=2000. Writes a part of docs/reliability.md
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) --rate $(RATE)

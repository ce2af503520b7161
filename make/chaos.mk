# Promises, broken on purpose.
.PHONY: chaos
chaos: .venv/.test-ready ## Break all 23 promises on purpose, up to 45 minutes; ONLY=7 one of them. Writes the table of docs/reliability.md
	@$(BIN)/python -m tests.chaos $(if $(ONLY),--only $(ONLY))

# The documents' site and the notebook.
CHECKS += check-reference
SITE := build/docs
SPHINX = $(TOOLS)/sphinx-build --builder html --doctree-dir build/doctrees --fresh-env --fail-on-warning --keep-going --nitpicky --quiet
ASYNCAPI := build/asyncapi/6.2.0

.PHONY: docs
docs: .venv-tools/.ready check-reference check-asyncapi ## Build the documents into build/docs: links, anchors, reference, AsyncAPI; a warning is an error
	@rm -rf $(SITE)
	@$(SPHINX) docs $(SITE)
	@$(BIN)/python -m pytest --quiet --no-header tests/unit/test_documents.py
	@echo "file://$(CURDIR)/$(SITE)/index.html"

.PHONY: reference
reference: .venv/.test-ready ## Write docs/reference anew: HTTP API, events, settings, commands, metrics
	@$(BIN)/python -m docs._generate

.PHONY: check-reference
check-reference: .venv/.test-ready
	@$(BIN)/python -m docs._generate --check

# AsyncAPI's own validator, from npm. Nothing of it runs at its installation, and CI=true keeps it from telling anybody of its use.
$(ASYNCAPI)/node_modules/.bin/asyncapi:
	@command -v npm >/dev/null || { echo "make docs needs Node.js with npm, 20 or newer: apt-get install npm"; exit 1; }
	@echo "[docs] AsyncAPI's validator in $(ASYNCAPI), under a minute"
	@npm install --prefix $(ASYNCAPI) --ignore-scripts --no-save --no-package-lock --no-audit --no-fund --loglevel=error @asyncapi/cli@$(notdir $(ASYNCAPI)) >/dev/null

.PHONY: check-asyncapi
check-asyncapi: $(ASYNCAPI)/node_modules/.bin/asyncapi
	@CI=true SUPPRESS_NO_CONFIG_WARNING=1 SUPPRESS_STRICTNESS_CHECK=1 ASYNCAPI_METRICS_CONFIG_PATH=$(CURDIR)/$(ASYNCAPI)/metrics.json \
	    $< validate schemas/exported/asyncapi.json --fail-severity=warn --diagnostics-format=text

NOTEBOOK := notebooks/exploration.ipynb

.PHONY: notebook
notebook: .venv/.test-ready ## Execute the notebook into build/exploration.ipynb; TRIPS=FILE explores your trips, ZONES=FILE where they give zones
	@mkdir -p build
	@TRIPS="$(if $(TRIPS),$(abspath $(TRIPS)))" ZONES="$(if $(ZONES),$(abspath $(ZONES)))" \
	    $(BIN)/jupyter execute $(NOTEBOOK) --output=$(abspath build/exploration.ipynb)
	@echo "build/exploration.ipynb"

CHECKS += check-notebook
.PHONY: check-notebook
check-notebook: .venv-tools/.ready
	@$(TOOLS)/nbstripout --verify $(NOTEBOOK)

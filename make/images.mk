# Container images and the compose file.
CHECKS += check-images

.PHONY: check-images
check-images: .venv-tools/.ready .venv/.test-ready ## Lint the Dockerfile, the start script and the compose file
	@$(TOOLS)/hadolint Dockerfile
	@$(TOOLS)/shellcheck start.sh
	@$(TOOLS)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml deploy/images/grafana.yml
	@$(BIN)/python -m pytest --quiet --no-header -p no:cacheprovider tests/unit/test_compose_file.py tests/unit/test_start_script.py

IMAGE ?= tripcast:local
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BUILDER = $(firstword $(foreach program,docker buildah,$(if $(shell command -v $(program)),$(program))))
# Docker and buildah take the same words. BUILD_ARGS: what this machine needs for the build and the image must not know.
.PHONY: images
images: ## Build the image with Docker or buildah; IMAGE=NAME:TAG
	@test -n "$(BUILDER)" || { echo "no Docker and no buildah on this machine: apt-get install buildah"; exit 1; }
	@$(BUILDER) build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --tag $(IMAGE) $(BUILD_ARGS) .

AS_ROOT = $(if $(filter 0,$(shell id -u)),,sudo --preserve-env)
.PHONY: images-test
images-test: .venv/.test-ready ## Build the image and run the whole system from it, isolated as compose says; with Docker or buildah, as root
	@$(AS_ROOT) $(BIN)/python -m tests.images $(ARGS)

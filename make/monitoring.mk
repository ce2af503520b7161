# Alert rules, Alertmanager, Grafana.
MONITORING := deploy/monitoring
ALERTING_TOOLS := promtool amtool

CHECKS += check-monitoring

.PHONY: check-monitoring
check-monitoring: grafana-check ## Prometheus' own checks and unit tests of the alert rules, Alertmanager's of its configuration
	@missing=; for tool in $(ALERTING_TOOLS); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ]; then \
		echo "alert rules are not checked: no$$missing on this machine (apt-get install prometheus prometheus-alertmanager)"; \
		[ -z "$$REQUIRE_PROGRAMS" ]; exit; \
	fi; \
	quietly() { said=$$("$$@" 2>&1) || { echo "$$said"; exit 1; }; }; \
	quietly promtool check config --syntax-only $(MONITORING)/prometheus.yml; \
	quietly promtool check rules $(MONITORING)/rules/*.yml; \
	quietly promtool test rules $(MONITORING)/tests/*.yml; \
	quietly amtool check-config $(MONITORING)/alertmanager.yml $(MONITORING)/alertmanager.quiet.yml

GRAFANA_BOARD := $(MONITORING)/grafana/dashboards/tripcast.json

.PHONY: grafana
grafana: .venv-tools/.ready ## Make the Grafana board anew from deploy/monitoring/grafana/board.py
	@$(TOOLS)/python $(MONITORING)/grafana/board.py > $(GRAFANA_BOARD)

.PHONY: grafana-check
grafana-check: .venv-tools/.ready .venv/.test-ready
	@said=$$($(BIN)/mypy --python-executable $(TOOLS)/python $(MONITORING)/grafana) || { echo "$$said"; exit 1; }
	@$(TOOLS)/python $(MONITORING)/grafana/board.py | cmp --silent - $(GRAFANA_BOARD) || \
		{ echo "$(GRAFANA_BOARD) is not what board.py makes: run make grafana"; exit 1; }

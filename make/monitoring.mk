# Alert rules, Alertmanager, Grafana.

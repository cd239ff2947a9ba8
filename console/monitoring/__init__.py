"""What watches an installation from outside: alert rules for Prometheus and dashboards for Grafana."""

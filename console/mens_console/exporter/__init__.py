"""What the engine knows as OpenMetrics, for a Prometheus of the operator's own. Off unless asked for."""

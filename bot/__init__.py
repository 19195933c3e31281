"""The surfaces: Slack, terminal and command line. The only place that knows Slack."""

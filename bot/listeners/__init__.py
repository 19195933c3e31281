"""What Slack sends -> what the bot does: one file per kind of payload, each with `register(app, surface)`."""

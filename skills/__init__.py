"""What the bot can do, without Slack and without torch. Start reading at `skills/pipeline.py`."""

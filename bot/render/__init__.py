"""Answers, jobs and forms -> what each surface shows: Slack blocks, terminal text, JSON."""

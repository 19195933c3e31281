"""Accelerator work as durable jobs: evaluations and fine-tunes. `finetune.jobs` is the public face."""

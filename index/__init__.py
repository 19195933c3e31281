"""What is known: models, evidence, knowledge, measurements. Imports nothing of ours."""

"""Which models, workers, batch and compute type suit a machine: measured, not guessed."""

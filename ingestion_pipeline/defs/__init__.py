"""The Dagster layer: thin, with no logic of its own."""

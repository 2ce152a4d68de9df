"""Passages of a transcript and their embeddings."""

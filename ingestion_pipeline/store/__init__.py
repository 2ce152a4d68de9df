"""Postgres with pgvector: the catalogue, transcripts, passages and their embeddings."""

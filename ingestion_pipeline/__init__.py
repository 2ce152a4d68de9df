"""Video and podcast sources in, searchable text out."""

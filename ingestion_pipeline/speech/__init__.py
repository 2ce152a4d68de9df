"""Speech recognition: audio in, transcript out."""

"""What there is to ingest: `sources.yaml` names channels, playlists, feeds and folders; listing them gives videos."""

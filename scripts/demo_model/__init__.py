"""How demo-en is made and measured; development only, not part of the package."""

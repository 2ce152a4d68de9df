"""The model server: one process that holds the models, and the clients by which all runs share it."""

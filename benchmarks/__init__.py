"""Measurements that take minutes or hours; `README.md` says which."""

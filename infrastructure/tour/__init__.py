"""A scripted story that lets every message of domain.md §9 happen on the running stack: `make tour`."""

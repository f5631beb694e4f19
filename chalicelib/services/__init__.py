"""What the service does: load, ask the domain, commit as one transaction. Actor and clock are always passed in."""

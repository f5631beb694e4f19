"""The rules of the service, pure: standard library only, no AWS, no web, no clock of its own."""

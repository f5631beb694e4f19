"""The desk: a small web front for the developer. Start page, API reference, mailbox, and the API under short addresses."""

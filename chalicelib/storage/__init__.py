"""Records, messages and audit in DynamoDB. Raises domain errors, never HTTP. Nothing else touches the tables."""

"""The edge: HTTP blueprints and event entry points. Parse, authorise, call one service, present."""

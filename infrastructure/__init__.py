"""Everything around the application: its CloudFormation template, its packaging, and the local runtime."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
REGION = "eu-west-2"

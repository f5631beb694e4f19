"""What the desk is told when it starts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Everything is on loopback."""

    port: int
    smtp_port: int
    api_url: str
    """Address of the API's deployed stage, without the path's /v1."""
    mail_folder: str
    demo_file: str
    """Written by the loader of the demo trust: sign-ins and identifiers."""

    def to_json(self) -> str:
        """As handed to the desk's process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """As received by it."""
        return cls(**json.loads(text))

    def demo(self) -> dict[str, object]:
        """What the loader wrote, or nothing yet."""
        file = Path(self.demo_file)
        return dict(json.loads(file.read_text())) if file.exists() else {}

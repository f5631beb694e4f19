"""What a deployment decides, read from the environment of the function.

Every value is read when asked for, so that each function needs only its own.
"""

import os


class MissingSetting(RuntimeError):
    """The deployment left out a setting this function needs."""


def setting(name: str) -> str:
    """A setting of this deployment; raises MissingSetting naming it."""
    value = os.environ.get(name)
    if not value:
        raise MissingSetting(f"The environment variable {name} is not set.")
    return value


def table_name(kind: str) -> str:
    """The physical name of one of the three tables: `records`, `messages` or `audit`."""
    return os.environ.get(f"{kind.upper()}_TABLE", f"esr-learning-dev-{kind}")

"""The HTTP API, put together from the modules of this package: all at once, or in a Lambda each when it is first asked for.

A Lambda starts with what every request needs (the route wrapper, identity, storage). The module of a route is imported when the
first request for that route arrives, so that the start does not grow with the number of routes (decision 0021).
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from chalice import Chalice

PACKAGE = __name__.rpartition(".")[0]
MODULES_OF_PATHS = Path(__file__).with_name("modules_of_paths.json")
"""Which modules hold the routes of each path. Packaging writes it into the zip; elsewhere there is none."""


class Api(Chalice):
    """A Chalice app whose blueprints are in modules of this package, registered in the order in which they are named."""

    def __init__(self, app_name: str, modules: Sequence[str]) -> None:
        super().__init__(app_name=app_name, configure_logs=False)
        self._waiting = list(modules)
        self._modules_of: Mapping[str, Collection[str]] = {}
        if MODULES_OF_PATHS.exists():
            self._modules_of = json.loads(MODULES_OF_PATHS.read_bytes())
        else:
            self.load_all()

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer a request of API Gateway, which names the path as it was declared, such as /v1/people/{person_id}."""
        self._load(self._modules_of.get(event.get("requestContext", {}).get("resourcePath"), ()))
        answer: dict[str, Any] = super().__call__(event, context)
        return answer

    def load_all(self) -> None:
        """Register what still waits: for whoever wants to know every route."""
        self._load(tuple(self._waiting))

    def _load(self, modules: Collection[str]) -> None:
        for name in [each for each in self._waiting if each in modules]:
            self.register_blueprint(import_module(f"{PACKAGE}.{name}").blueprint)
            self._waiting.remove(name)

    def modules_of_paths(self) -> dict[str, list[str]]:
        """The modules that declare the methods of each path, for packaging to write down."""
        self.load_all()
        found = defaultdict(set)
        for path, methods in self.routes.items():
            for method in methods.values():
                found[path].add(method.view_function.__module__.rpartition(".")[2])
        return {path: sorted(modules) for path, modules in found.items()}

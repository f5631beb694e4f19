"""The one DynamoDB client of the application, made so that a call costs little of a processor's time."""

from typing import Any

import botocore.session
from botocore.config import Config
from botocore.parsers import JSONParser, ResponseParserFactory
from pynamodb.connection import Connection

SERVICE = "esr-learning"
_AS_SENT = frozenset({"S", "N", "BOOL", "NULL"})
"""Types of values that a client gives just as they were sent; of the others, bytes are decoded."""


class ItemParser(JSONParser):  # type: ignore[misc]  # botocore has no types
    """Botocore's parser of answers, but for the values of items, which are most of an answer and stay as they were sent.

    Botocore looks up the shape of each value three times over: 1.5 ms for the 75 rows of a learner, at every request.
    """

    def _handle_map(self, shape: Any, value: dict[str, Any]) -> dict[str, Any]:
        if shape.value.name != "AttributeValue":
            parsed: dict[str, Any] = super()._handle_map(shape, value)
            return parsed
        return {
            name: stored if _AS_SENT.issuperset(stored) else self._parse_shape(shape.value, stored)
            for name, stored in value.items()
        }


class _Parsers(ResponseParserFactory):  # type: ignore[misc]  # botocore has no types
    def create_parser(self, protocol_name: str) -> Any:
        return ItemParser(**self._defaults) if protocol_name == "json" else super().create_parser(protocol_name)


class QuickConnection(Connection):
    """PynamoDB's connection, whose client parses items quickly and names itself instead of describing its surroundings anew for
    each call.
    """

    @property
    def session(self) -> botocore.session.Session:
        """The session in which the client is made."""
        made = super().session
        if made.get_default_client_config() is None:
            made.set_default_client_config(Config(user_agent=SERVICE))
            made.register_component("response_parser_factory", _Parsers())
        return made

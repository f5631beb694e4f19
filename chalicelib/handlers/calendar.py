"""My calendar, and my team's."""

from chalice import Blueprint

blueprint = Blueprint(__name__)

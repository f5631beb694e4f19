"""What needs no token: signing in, health, and the OpenAPI document."""

from typing import Annotated, Any, cast

import msgspec
from chalice import Blueprint, Response

from chalicelib import cognito
from chalicelib.cognito import Tokens
from chalicelib.domain import errors
from chalicelib.handlers.api import Api
from chalicelib.handlers.http import PUBLIC, PublicRequest, Routes
from chalicelib.services import health as health_service

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Signing in and health")


class SignIn(msgspec.Struct, frozen=True):
    """A login and its password."""

    login: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class Renewal(msgspec.Struct, frozen=True):
    """The refresh token of an earlier sign-in."""

    refresh_token: Annotated[str, msgspec.Meta(min_length=1, max_length=8192)]


class TokensView(msgspec.Struct, frozen=True):
    """Send `access_token` as `Authorization: Bearer …`; it ends after `expires_in` seconds."""

    access_token: str
    refresh_token: str | None
    expires_in: int

    @classmethod
    def of(cls, tokens: Tokens) -> "TokensView":
        """Present the tokens."""
        return cls(tokens.access_token, tokens.refresh_token, tokens.expires_in)


@routes.route(
    "POST",
    "/v1/sign-in",
    capability=PUBLIC,
    summary="Sign in",
    body=SignIn,
    answer=TokensView,
    refusals=(errors.SignInRefused,),
)
def sign_in(request: PublicRequest) -> Tokens:
    """An access token from Cognito for a login and password. People federated from another identity provider sign in there."""
    return cognito.sign_in(request.body.login, request.body.password)


@routes.route(
    "POST",
    "/v1/sign-in/renewal",
    capability=PUBLIC,
    summary="Renew a sign-in",
    body=Renewal,
    answer=TokensView,
    refusals=(errors.SignInRefused,),
)
def renew_sign_in(request: PublicRequest) -> Tokens:
    """A new access token for a refresh token."""
    return cognito.renew(request.body.refresh_token)


class Health(msgspec.Struct, frozen=True):
    """`ok` if the records can be read."""

    status: str

    @classmethod
    def of(cls, status: str) -> "Health":
        """Present the state."""
        return cls(status)


@routes.route("GET", "/v1/health", capability=PUBLIC, summary="Is the service up", answer=Health)
def health(_request: PublicRequest) -> str:
    """`ok` with status 200 if the records table answers, 503 if it does not."""
    return health_service.check()


@routes.route("GET", "/v1/openapi.json", capability=PUBLIC, summary="This document")
def openapi(_request: PublicRequest) -> Any:
    """The OpenAPI 3.1 document of this API."""
    from chalicelib.handlers.openapi import document

    cast("Api", blueprint.current_app).load_all()
    return Response(msgspec.json.encode(document()).decode(), {"Content-Type": "application/json"}, 200)

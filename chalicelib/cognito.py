"""Amazon Cognito: signing in, and verifying the access tokens it issues (decision 0002).

The token says who is asking and nothing else; roles come from our own table. Verified in our own code, so that local runs,
tests and AWS behave alike: Chalice's local authorizers check nothing.
"""

import functools
import re
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.config import setting
from chalicelib.domain.errors import SignInRefused, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from jwt import PyJWKClient

_ALGORITHMS = ["RS256"]
_ACCESS = "access"
_LOGIN = re.compile(r"[^#\s]{1,128}")
_REFUSALS = {
    "NotAuthorizedException",
    "UserNotFoundException",
    "UserNotConfirmedException",
    "PasswordResetRequiredException",
    "InvalidParameterException",
}
_LEEWAY_SECONDS = 5
_KEYS_SECONDS = 3600
_TIMEOUT_SECONDS = 3


class Tokens(msgspec.Struct, frozen=True):
    """What a sign-in yields. `expires_in` in seconds."""

    access_token: str
    refresh_token: str | None
    expires_in: int


@functools.cache
def _signing_keys(jwks_url: str) -> "PyJWKClient":
    import jwt

    return jwt.PyJWKClient(jwks_url, cache_keys=True, lifespan=_KEYS_SECONDS, timeout=_TIMEOUT_SECONDS)


def login_of(access_token: str) -> str:
    """The login a valid access token of this installation belongs to; raises Unauthenticated saying what is wrong.

    Checked: signature (RS256 only), issuer, expiry, `token_use` and `client_id` (Cognito's access tokens carry no `aud`).
    """
    import jwt

    try:
        header, _, _ = access_token.partition(".")  # the rest is read once, to be verified
        named = jwt.get_unverified_header(f"{header}..").get("kid", "")
        key = _signing_keys(setting("COGNITO_JWKS_URL")).get_signing_key(named)
        claims = jwt.decode(
            access_token,
            key,
            algorithms=_ALGORITHMS,
            issuer=setting("COGNITO_ISSUER"),
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "token_use", "client_id", "username"], "verify_aud": False},
        )
    except jwt.ExpiredSignatureError as expired:
        raise Unauthenticated("The access token has expired.") from expired
    except (jwt.PyJWKClientConnectionError, OSError) as unreachable:
        raise Unavailable("The sign-in keys cannot be fetched just now.") from unreachable
    except (jwt.PyJWTError, ValueError) as wrong:
        raise Unauthenticated("The access token is not one of this service.") from wrong
    if claims["token_use"] != _ACCESS or claims["client_id"] != setting("COGNITO_CLIENT_ID"):
        raise Unauthenticated("This is not an access token for this service.")
    login = str(claims["username"])
    if not _LOGIN.fullmatch(login):
        raise Unauthenticated("This token names no login of this service.")
    return login


@functools.cache
def _client() -> Any:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    return boto3.client(
        "cognito-idp", config=Config(signature_version=UNSIGNED, connect_timeout=1, read_timeout=_TIMEOUT_SECONDS)
    )


def sign_in(login: str, password: str) -> Tokens:
    """Tokens for a login and password; raises SignInRefused without saying which of the two is wrong."""
    return _initiate("USER_PASSWORD_AUTH", {"USERNAME": login, "PASSWORD": password})


def renew(refresh_token: str) -> Tokens:
    """A new access token for a refresh token; raises SignInRefused once it has ended or was revoked."""
    return _initiate("REFRESH_TOKEN_AUTH", {"REFRESH_TOKEN": refresh_token})


def _initiate(flow: str, parameters: dict[str, str]) -> Tokens:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = _client().initiate_auth(
            ClientId=setting("COGNITO_CLIENT_ID"), AuthFlow=flow, AuthParameters=parameters
        )
    except ClientError as refused:
        if refused.response.get("Error", {}).get("Code") not in _REFUSALS:
            raise Unavailable("The sign-in service cannot answer just now.") from refused
        raise SignInRefused("The sign-in was refused.") from refused
    except BotoCoreError as unreachable:
        raise Unavailable("The sign-in service cannot be reached just now.") from unreachable
    result = answer.get("AuthenticationResult")
    if result is None:
        raise SignInRefused("This login must finish a further step at the sign-in page first.")
    return Tokens(result["AccessToken"], result.get("RefreshToken"), int(result["ExpiresIn"]))

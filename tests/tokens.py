"""Access tokens as Cognito would issue them, signed with a key of the tests."""

import functools
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


@functools.cache
def key(name):
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_set():
    public = jwt.algorithms.RSAAlgorithm.to_jwk(key("issuer").public_key(), as_dict=True)
    return {"keys": [{**public, "kid": "k1", "use": "sig", "alg": "RS256"}]}


def access_token(login, signed_with="issuer", algorithm="RS256", kid="k1", **changes):
    """A token for a login; `changes` alter claims (None leaves one out)."""
    now = int(time.time())
    claims = {
        "iss": "https://issuer.test/pool",
        "client_id": "portal",
        "token_use": "access",
        "username": login,
        "iat": now,
        "exp": now + 3600,
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    secret = key(signed_with) if algorithm == "RS256" else "x" * 32
    return jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": kid})

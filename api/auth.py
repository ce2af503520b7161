"""Who asks: found out once a request, before any route, and asked for by routes as a dependency."""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fastapi import Request

from api.problems import ApiProblem
from domain.entities.api_keys import StoredKey, hash_of, key_id_of

OPEN_PATHS = frozenset({"/", "/livez", "/readyz", "/openapi.json", "/docs", "/redoc"})  # even where a key is needed
OPEN_FOLDERS = ("/assets/",)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. Without a key: nobody in particular."""

    key_id: str | None = None
    operator: bool = False


ANYONE = Caller()


class KeyRing:
    """The keys that are valid, as they were read last: no request waits for the database."""

    def __init__(self, *, open_to_all: bool) -> None:
        self._open_to_all = open_to_all
        self._keys: dict[str, StoredKey] | None = None

    def replace(self, keys: Iterable[StoredKey]) -> None:
        """The keys that are not revoked; any other is dead from now on."""
        self._keys = {key.key_id: key for key in keys}

    def caller(self, token: str | None, path: str) -> Caller:
        """Who asks for this path. Raises ApiProblem 401, or 503 while the keys have never been read."""
        if token is None:
            if self._open_to_all or path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
                return ANYONE
            raise _unauthorized("This address needs a key: send it as `Authorization: Bearer tc_...` or as `X-API-Key`.")
        return self._holder(token)

    def _holder(self, token: str) -> Caller:
        if self._keys is None:
            raise ApiProblem(
                503, "keys-unknown", "Keys cannot be checked yet", "The keys have not been read yet.", retry_after=1
            )
        key = self._keys.get(key_id_of(token) or "")
        if not hmac.compare_digest(key.sha256 if key else bytes(32), hash_of(token)) or key is None:
            raise _unauthorized("The key is not valid: unknown, or revoked.")
        return Caller(key.key_id, key.operator)


def caller(request: Request) -> Caller:
    """A dependency: who asks; the request would not be here without the right to."""
    found: Caller = request.scope["state"]["caller"]
    return found


def operator(request: Request) -> Caller:
    """A dependency for what changes something: only with an operator's key, wherever the API listens."""
    found = caller(request)
    if found.key_id is None:
        raise _unauthorized("This needs an operator's key; `tripcast keys create --operator` makes one.")
    if not found.operator:
        raise ApiProblem(403, "operators-only", "For operators only", "This key is not an operator's.")
    return found


def token_of(authorization: bytes | None, api_key: bytes | None) -> str | None:
    """The token in a request's headers, however it was sent; None without one."""
    if api_key is not None:
        return api_key.decode("latin-1")
    if authorization is None:
        return None
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _unauthorized(detail: str) -> ApiProblem:
    return ApiProblem(401, "unauthorized", "A key is needed", detail)


Identify = Callable[[str | None, str], Caller]

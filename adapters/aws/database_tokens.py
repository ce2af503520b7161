"""Passwords that AWS' databases take for 15 minutes: signed on this machine with the credentials that AWS' own tools find."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from domain.errors import DatabaseUnreachable, InvalidInput


@dataclass(frozen=True)
class DatabaseTokens:
    """Signs one for each call. To find credentials it may ask the machine's metadata service: call it beside the event loop."""

    host: str
    port: int
    user: str
    region: str

    def __call__(self) -> str:
        """A new password. Raises DatabaseUnreachable where AWS gives no credentials now, InvalidInput where it never can."""
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - the client below says when it is missing

        client = self._client
        try:
            return str(client.generate_db_auth_token(self.host, self.port, self.user))
        except BotoCoreError as error:
            raise DatabaseUnreachable(f"AWS gives no credentials for a database password: {error}") from error

    def check(self) -> None:
        """Raises InvalidInput where a password can never be signed."""
        _ = self._client

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - botocore makes its clients while it runs
        try:
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - an optional package
            from botocore.session import get_session  # noqa: PLC0415
        except ImportError as error:
            raise InvalidInput('TRIPCAST_DATABASE_IAM needs the package botocore: pip install "tripcast[aws]"') from error
        try:
            return get_session().create_client("rds", region_name=self.region or None)
        except BotoCoreError as error:
            raise InvalidInput(f"TRIPCAST_DATABASE_IAM needs TRIPCAST_AWS_REGION: {error}") from error

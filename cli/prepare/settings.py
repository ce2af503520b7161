"""What `tripcast prepare` reads: addresses, and the passwords and keys that it lets in."""

from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr

from adapters.environment.database_addresses import with_password
from adapters.environment.settings import PREFIX, KafkaSettings, PostgresSettings
from cli.embedded.postgres import API, BOARD, MLFLOW, WORKER
from domain.errors import InvalidInput


class PrepareSettings(KafkaSettings, PostgresSettings):
    """TRIPCAST_DATABASE is the owner's address here."""

    admin_database: SecretStr | None = Field(
        None, description="Address with a login that may create roles and databases, for `tripcast prepare` alone."
    )
    admin_database_password: SecretStr | None = Field(None, description="Password of a TRIPCAST_ADMIN_DATABASE that has none.")
    owner_password: SecretStr | None = Field(None, description="Password that `tripcast prepare` gives the tables' owner.")
    worker_password: SecretStr | None = Field(None, description="Password that `tripcast prepare` gives the worker's login.")
    board_password: SecretStr | None = Field(None, description="Password that `tripcast prepare` gives the board's login.")
    api_password: SecretStr | None = Field(None, description="Password that `tripcast prepare` gives the API's login.")
    mlflow_password: SecretStr | None = Field(None, description="Password that `tripcast prepare` gives MLflow's login.")
    operator_key: SecretStr | None = Field(None, description="Key of an operator that `tripcast prepare` lets in at the API.")
    board_api_key: SecretStr | None = Field(None, description="Key of the board that `tripcast prepare` lets in at the API.")
    prepare_seconds: float = Field(120.0, gt=0, description="How long `tripcast prepare` waits for each server.")

    def dsn(self) -> str:
        """The owner's address; TRIPCAST_OWNER_PASSWORD counts before TRIPCAST_DATABASE_PASSWORD, a signed one before both."""
        password = None if self.database_iam else self.owner_password or self.database_password
        return with_password(f"{PREFIX}DATABASE", self.database, password)

    def admin_dsn(self) -> str | None:
        """The administrator's address, if there is one. Raises InvalidInput when it is none."""
        if self.admin_database is None:
            return None
        return with_password(f"{PREFIX}ADMIN_DATABASE", self.admin_database, self.admin_database_password)

    def owner_and_database(self) -> tuple[str, str]:
        """Who is to own the tables, and in which database. Raises InvalidInput when the address names neither."""
        parts = urlsplit(self.dsn())
        owner, database = unquote(parts.username or ""), unquote(parts.path.removeprefix("/"))
        if not owner or not database:
            raise InvalidInput(f"{PREFIX}DATABASE must name the owner and the database: postgresql://user@host/db")
        return owner, database

    def passwords(self) -> dict[str, str | None]:
        """By login; none but MLflow's where AWS signs them. Raises InvalidInput naming every one that lacks."""
        owner, _ = self.owner_and_database()
        given = {
            owner: self.owner_password or self.database_password or self._own_password(),
            WORKER: self.worker_password,
            BOARD: self.board_password,
            API: self.api_password,
            MLFLOW: self.mlflow_password,
        }
        lacking = [name for name, login in NEEDED.items() if given[login or owner] is None]
        if self.database_iam:
            given = {login: password if login == MLFLOW else None for login, password in given.items()}
        elif lacking:
            raise InvalidInput(f"logins cannot be created without {', '.join(lacking)}")
        return {login: password.get_secret_value() if password else None for login, password in given.items()}

    def _own_password(self) -> SecretStr | None:
        own = urlsplit(self.database.get_secret_value()).password
        return SecretStr(unquote(own)) if own else None


NEEDED = {
    f"{PREFIX}OWNER_PASSWORD": None,
    f"{PREFIX}WORKER_PASSWORD": WORKER,
    f"{PREFIX}BOARD_PASSWORD": BOARD,
    f"{PREFIX}API_PASSWORD": API,
}

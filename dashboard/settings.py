"""The board's settings."""

from pydantic import Field, SecretStr

from adapters.environment.settings import Settings


class BoardSettings(Settings):
    """What the board reads from its environment. It knows the API and nothing else."""

    board_host: str = Field("127.0.0.1", description="Address that the board listens on.")
    board_port: int = Field(8050, ge=0, le=65535, description="Port of the board.")
    api: str = Field("http://127.0.0.1:8000", description="Address of the API as the board reaches it.")
    api_public: str = Field(
        "", description="Address of the API for people's browsers, for links and curl lines; empty: the same."
    )
    board_api_key: SecretStr | None = Field(None, description="Key that the board shows to the API, where it asks for one.")
    board_seconds: float = Field(2.0, gt=0, description="Deadline of one request to the API.")

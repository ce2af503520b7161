"""Post short texts to an incoming webhook: Slack's, or that of Mattermost, Rocket.Chat and others, which take the same JSON."""

import json
from dataclasses import dataclass, field

import urllib3
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Timeout, parse_url

from domain.errors import InvalidInput, Unreachable

ATTEMPTS = 3
LONGEST_WAIT_SECONDS = 5.0
SUCCESS, REFUSALS = range(200, 300), range(400, 500)
TRY_LATER = {408, 429}
ANSWER_BYTES = 200


@dataclass(frozen=True, slots=True)
class Webhook:
    """`address` is a secret: whoever knows it may post. Errors name its host alone."""

    address: str = field(repr=False)
    seconds: float = 10.0
    _http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=1, retries=False), repr=False)

    def __post_init__(self) -> None:
        self._host()

    def post(self, text: str) -> None:
        """Post, trying a few times. Raises Unreachable when it might work later, and InvalidInput when it never will."""
        retrying = Retrying(
            retry=retry_if_exception_type(Unreachable),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT_SECONDS),
            reraise=True,
        )
        retrying(self._post, text)

    def _post(self, text: str) -> None:
        body, headers = json.dumps({"text": escaped(text)}).encode(), {"Content-Type": "application/json"}
        waits = Timeout(connect=min(self.seconds, 5.0), read=self.seconds)
        try:
            response = self._http.request(
                "POST", self.address, body=body, headers=headers, timeout=waits, redirect=False, preload_content=False
            )
            with response:
                words = response.read(ANSWER_BYTES).decode(errors="replace").strip()
        except HTTPError as error:
            raise Unreachable(f"the webhook at {self._host()} does not answer ({type(error).__name__})") from None
        if response.status in REFUSALS and response.status not in TRY_LATER:
            raise InvalidInput(
                f"the webhook at {self._host()} refuses messages: {response.status} {words}; see TRIPCAST_WEBHOOK"
            )
        if response.status not in SUCCESS:
            raise Unreachable(f"the webhook at {self._host()} answers with status {response.status}")

    def _host(self) -> str:
        try:
            url = parse_url(self.address)
        except LocationParseError:
            url = parse_url("")
        if url.scheme not in {"http", "https"} or not url.host:
            raise InvalidInput("TRIPCAST_WEBHOOK is not an address such as https://hooks.slack.com/services/...") from None
        return url.host


def escaped(text: str) -> str:
    """As Slack asks for: so that no text becomes a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

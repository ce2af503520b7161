"""The steps of `tripcast prepare`, in order; each may be repeated, and two who prepare at once do not disturb each other."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import SecretStr
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, wait_random_exponential

from adapters.kafka.broker import Broker
from adapters.kafka.broker import may_pass as broker_may_come
from adapters.kafka.probe import reach as reach_broker
from adapters.kafka.topics import ensure_topics
from adapters.postgres.admin.migrate import REVISION, migrate
from adapters.postgres.admin.server import administering, reach
from adapters.postgres.admin.server import may_pass as database_may_come
from adapters.postgres.api.keys import ApiKeys
from adapters.postgres.connection.pool import address_of, open_pool
from adapters.postgres.connection.security import Password, password_source
from cli.embedded.postgres import LOGINS, MLFLOW
from cli.prepare.settings import PrepareSettings
from domain.entities.api_keys import NewKey, hash_of, key_id_of
from domain.errors import InvalidInput

T = TypeVar("T")
LONGEST_WAIT_SECONDS = 2.0
PROBE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Step:
    """What was done to one thing; never holds a secret."""

    what: str
    name: str
    state: str


Report = Callable[[Step], None]


async def prepare(settings: PrepareSettings, report: Report, *, topics: bool = True) -> None:
    """Make both servers ready, or without `topics` PostgreSQL alone.

    Raises Unreachable, InvalidInput, SchemaMismatch, ConcurrentUpdate.
    """
    keys = [
        (name, _key(setting, token), operator)
        for name, setting, token, operator in (
            ("operator", "TRIPCAST_OPERATOR_KEY", settings.operator_key, True),
            ("board", "TRIPCAST_BOARD_API_KEY", settings.board_api_key, False),
        )
        if token is not None
    ]
    admin = settings.admin_dsn()
    if admin is not None:
        await _reach_database(admin, settings, report)
        await asyncio.to_thread(_administer, admin, settings, report)
    signed = password_source(settings, settings.dsn())
    await _reach_database(settings.dsn(), settings, report, signed)
    await asyncio.to_thread(migrate, settings.dsn(), signed)
    report(Step("schema", settings.owner_and_database()[1], REVISION))
    await _keep_keys(settings, keys, report)
    if topics:
        await _topics(settings, report)


def _administer(admin: str, settings: PrepareSettings, report: Report) -> None:
    passwords, (owner, database) = settings.passwords(), settings.owner_and_database()
    groups = {owner: None} | {login: group for login, group in LOGINS.items() if login in passwords and login != owner}
    with administering(admin) as administrator:
        for group in administrator.ensure_groups():
            report(Step("group", group, "created"))
        for login, password in passwords.items():
            if password is None and not (settings.database_iam and login != MLFLOW):
                report(Step("login", login, "left alone: it has no password here"))
                continue
            created = administrator.ensure_login(login, password, groups[login])
            report(Step("login", login, "created" if created else "password set" if password else "there"))
        homes = {database: owner} | ({MLFLOW: MLFLOW} if passwords[MLFLOW] is not None else {})
        for name, its_owner in homes.items():
            created = administrator.ensure_database(name, its_owner)
            report(Step("database", name, "created" if created else "there"))


async def _reach_database(dsn: str, settings: PrepareSettings, report: Report, password: Password | None = None) -> None:
    where = address_of(dsn)
    await _patiently(lambda: reach(dsn, PROBE_SECONDS, password), settings.prepare_seconds, "PostgreSQL", where, report)


async def _topics(settings: PrepareSettings, report: Report) -> None:
    broker = Broker.of(settings)
    await _patiently(lambda: reach_broker(broker, PROBE_SECONDS), settings.prepare_seconds, "Kafka", settings.kafka, report)
    created = await ensure_topics(settings)
    for name in created:
        report(Step("topic", name, "created"))
    if not created:
        report(Step("topics", "all", "there"))


async def _keep_keys(settings: PrepareSettings, keys: list[tuple[str, NewKey, bool]], report: Report) -> None:
    if not keys:
        return
    pool = await open_pool(settings, "tripcast-prepare")
    try:
        stored = ApiKeys(pool)
        for name, key, operator in keys:
            await stored.add(key, name=f"{name} of the deployment", operator=operator)
        known = {key.key_id: key for key in await stored.all()}
    finally:
        await pool.close()
    for name, key, operator in keys:
        state = "let in" if known[key.key_id].sha256 == key.sha256 else "refused: another key has this id"
        if known[key.key_id].operator is not operator:
            state = f"let in before, {'without' if operator else 'with'} the rights of an operator"
        if known[key.key_id].revoked_at is not None:
            state = "revoked, and left so: make a new one"
        report(Step("key", f"{name} {key.key_id}", state))


def _key(setting: str, token: SecretStr) -> NewKey:
    text = token.get_secret_value()
    key_id = key_id_of(text)
    if key_id is None:
        raise InvalidInput(f"{setting} has not the form of a key: `tripcast keys create` makes one")
    return NewKey(key_id, text, hash_of(text))


async def _patiently(action: Callable[[], Awaitable[T]], seconds: float, what: str, where: str, report: Report) -> T:
    """The action's result; its error when it does not pass within `seconds`, or never will."""

    def say(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome:
            report(Step(what, where, f"waiting: {state.outcome.exception()}"))

    async def attempt() -> T:  # tenacity awaits only what is declared as a coroutine function
        return await action()

    attempts = AsyncRetrying(
        retry=retry_if_exception(_may_pass),
        wait=wait_random_exponential(multiplier=0.2, max=LONGEST_WAIT_SECONDS),
        stop=stop_after_delay(seconds),
        before_sleep=say,
        reraise=True,
    )
    result: T = await attempts(attempt)
    report(Step(what, where, "answers"))
    return result


def _may_pass(error: BaseException) -> bool:
    return database_may_come(error) or broker_may_come(error)

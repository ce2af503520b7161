"""Where Kafka is and how one gets in: one value, so that no client of it can forget the encryption or the login."""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from aiokafka import errors as kafka
from aiokafka.helpers import create_ssl_context
from pydantic import SecretStr

from adapters.environment.settings import KafkaSettings
from adapters.kafka.records import read_anything
from domain.errors import BrokerUnreachable, InvalidInput

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]

WRONG_NAME = (62, 64)  # OpenSSL's codes for a certificate of another host name, of another IP address
REFUSED = (kafka.SaslAuthenticationFailed, kafka.AuthenticationFailedError)
LASTING = (ssl.SSLError, kafka.UnsupportedSaslMechanismError, kafka.IllegalSaslStateError, *REFUSED)
AWAY = (ConnectionRefusedError, TimeoutError, socket.gaierror)


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are by SASL."""

    mechanism: Mechanism
    user: str
    password: SecretStr


@dataclass(frozen=True, slots=True)
class Broker:
    """Bootstrap servers (host:port, comma-separated) and what their listener asks for. `str()` is the servers alone."""

    servers: str
    encrypted: bool = False
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    login: Login | None = None

    def __str__(self) -> str:
        return self.servers

    @classmethod
    def of(cls, settings: KafkaSettings) -> Self:
        """By the settings. Raises InvalidInput for those that do not go together: nothing is to go in clear by mistake."""
        encrypted, login = settings.kafka_security.endswith("SSL"), _login(settings)
        files = (settings.kafka_ca, settings.kafka_certificate, settings.kafka_key)
        if not encrypted and any(files):
            raise InvalidInput(
                f"TRIPCAST_KAFKA_SECURITY={settings.kafka_security} does not encrypt, but TRIPCAST_KAFKA_CA, _CERTIFICATE or "
                "_KEY is set: use SSL or SASL_SSL"
            )
        if settings.kafka_key and not settings.kafka_certificate:
            raise InvalidInput("TRIPCAST_KAFKA_KEY needs TRIPCAST_KAFKA_CERTIFICATE")
        return cls(settings.kafka, encrypted, *files, login)

    @property
    def security(self) -> Security:
        """As Kafka calls it."""
        if self.login is None:
            return "SSL" if self.encrypted else "PLAINTEXT"
        return "SASL_SSL" if self.encrypted else "SASL_PLAINTEXT"

    def options(self) -> dict[str, Any]:
        """For every client of aiokafka. Reads the certificates anew, so that renewed ones count. Raises InvalidInput.

        Whoever reads with them reads whatever was written: see `records`.
        """
        read_anything()
        options: dict[str, Any] = {"bootstrap_servers": self.servers, "security_protocol": self.security}
        if self.encrypted:
            options["ssl_context"] = self.tls()
        if self.login is not None:
            options["sasl_mechanism"] = self.login.mechanism
            options["sasl_plain_username"] = self.login.user
            options["sasl_plain_password"] = self.login.password.get_secret_value()
        return options

    def tls(self) -> ssl.SSLContext | None:
        """What checks the broker's certificate and name, and shows ours; None where nothing is encrypted."""
        if not self.encrypted:
            return None
        for setting, path in (("CA", self.authority), ("CERTIFICATE", self.certificate), ("KEY", self.key)):
            if path is not None and not path.is_file():
                raise InvalidInput(f"TRIPCAST_KAFKA_{setting}: there is no file {path}")
        try:
            context = create_ssl_context(cafile=self.authority, certfile=self.certificate, keyfile=self.key, password="")
        except (OSError, ValueError) as error:  # SSLError is an OSError
            raise InvalidInput(f"TRIPCAST_KAFKA_CA, _CERTIFICATE or _KEY cannot be used: {error}") from error
        assert isinstance(context, ssl.SSLContext)  # noqa: S101 - aiokafka is untyped
        return context

    def unreachable(self, error: BaseException, what: str = "does not answer") -> BrokerUnreachable:
        """Our error for one of the client's, with its cause and what to do about it."""
        return BrokerUnreachable(f"Kafka at {self.servers} {what}: {self._why(root_of(error))}")

    def _why(self, error: BaseException) -> str:
        if isinstance(error, ssl.SSLError):
            return self._why_not_encrypted(error)
        if isinstance(error, REFUSED):
            return "it refuses TRIPCAST_KAFKA_USER with TRIPCAST_KAFKA_PASSWORD"
        if isinstance(error, kafka.UnsupportedSaslMechanismError):
            return f"it does not offer TRIPCAST_KAFKA_SASL={self.login.mechanism if self.login else ''}"
        if isinstance(error, kafka.IllegalSaslStateError):
            return f"it asks for no login on this port, and TRIPCAST_KAFKA_SECURITY is {self.security}"
        if isinstance(error, AWAY):
            return "is it running?"
        return f"is it running, and is TRIPCAST_KAFKA_SECURITY={self.security} what this port expects? ({_name(error)})"

    def _why_not_encrypted(self, error: ssl.SSLError) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            if error.verify_code in WRONG_NAME:
                return f"its certificate is not for this name, use the one that it was issued for ({error.verify_message})"
            return f"its certificate is not to be trusted, set TRIPCAST_KAFKA_CA to its authority's ({error.verify_message})"
        if error.reason and "ALERT" in error.reason:
            return f"it does not accept TRIPCAST_KAFKA_CERTIFICATE ({error.reason.lower().replace('_', ' ')})"
        return f"it does not speak TLS on this port, and TRIPCAST_KAFKA_SECURITY is {self.security}"


def root_of(error: BaseException) -> BaseException:
    """The first cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def may_pass(error: BaseException) -> bool:
    """Whether waiting may help: a broker that starts is waited for, a wrong password is not."""
    return isinstance(error, BrokerUnreachable) and not isinstance(root_of(error), LASTING)


def _name(error: BaseException) -> str:
    return type(error).__name__


def _login(settings: KafkaSettings) -> Login | None:
    user, password = settings.kafka_user, settings.kafka_password
    if not settings.kafka_security.startswith("SASL"):
        if user:
            raise InvalidInput(
                f"TRIPCAST_KAFKA_USER is set and TRIPCAST_KAFKA_SECURITY={settings.kafka_security} has no login: use SASL_SSL"
            )
        return None
    if not user or password is None:
        raise InvalidInput(
            f"TRIPCAST_KAFKA_SECURITY={settings.kafka_security} needs TRIPCAST_KAFKA_USER and TRIPCAST_KAFKA_PASSWORD"
        )
    return Login(settings.kafka_sasl, user, password)

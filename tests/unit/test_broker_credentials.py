"""Faust reads the same value as every other client of Kafka: it gets in by the same way."""

from pathlib import Path

import faust
import pytest
import trustme
from faust.types.auth import AuthProtocol
from pydantic import SecretStr

from adapters.kafka.broker import Broker, Login
from stream.app import _credentials

LOGIN = Login("SCRAM-SHA-512", "trips", SecretStr("geheim"))


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def test_a_broker_in_clear_needs_none() -> None:
    assert _credentials(Broker("there:9092")) is None


def test_encryption_without_a_login(authority: Path) -> None:
    credentials = _credentials(Broker("there:9094", encrypted=True, authority=authority))
    assert isinstance(credentials, faust.SSLCredentials)
    assert credentials.context.check_hostname is True


def test_a_login_over_tls(authority: Path) -> None:
    credentials = _credentials(Broker("there:9096", encrypted=True, authority=authority, login=LOGIN))
    assert isinstance(credentials, faust.SASLCredentials)
    assert (credentials.protocol, credentials.mechanism.value) == (AuthProtocol.SASL_SSL, "SCRAM-SHA-512")
    assert (credentials.username, credentials.password) == ("trips", "geheim")
    assert "geheim" not in repr(credentials)


def test_a_login_in_clear_is_said_to_be_in_clear() -> None:
    credentials = _credentials(Broker("there:9092", login=LOGIN))
    assert credentials is not None
    assert credentials.protocol is AuthProtocol.SASL_PLAINTEXT

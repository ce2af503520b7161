"""Every way tripcast can refuse, by name; the message is what the user reads."""


class TripcastError(Exception):
    """Something the user or operator can act on; shown as one line, never as a traceback."""


class InvalidInput(TripcastError):
    """A file, argument or setting cannot be used as given."""


class WrongColumns(InvalidInput):
    """A trips file lacks columns that its layout requires."""


class NotEnoughTrips(TripcastError):
    """Too few usable trips for what was asked."""


class Unreachable(TripcastError):
    """An outside system does not answer; the message names the system and its address."""


class DatabaseUnreachable(Unreachable):
    """PostgreSQL does not answer within its deadline."""


class BrokerUnreachable(Unreachable):
    """Kafka does not answer within its deadline."""


class RegistryUnreachable(Unreachable):
    """The MLflow registry does not answer within its deadline."""


class ClusterUnreachable(Unreachable):
    """No Dask scheduler answers within its deadline, or it has no workers."""


class SchemaMismatch(TripcastError):
    """The database schema is older or newer than this program; the message says which, and what to run."""


class NoChampion(TripcastError):
    """No model version carries the alias `champion`, and no verified local copy exists."""


class UnknownVersion(TripcastError):
    """The registry has no such model version, or no version under that alias."""


class ModelRefused(TripcastError):
    """A model version failed one of its checks and must not score; the message names the check."""


class OffsetGap(TripcastError):
    """The next record of a partition lies above the stored offset, though the broker still has the records between."""


class Fenced(TripcastError):
    """Another worker has advanced this partition; what this worker holds of it is stale."""


class ConcurrentUpdate(TripcastError):
    """Another process holds the lock for this change."""


class PortInUse(TripcastError):
    """A port that the settings ask for is taken by another process."""


class StackRunning(TripcastError):
    """A local stack already runs on this data folder."""


class PartFailed(TripcastError):
    """A part of the local stack did not become ready; the message names its log file."""


class AuditFailed(TripcastError):
    """Rows, dead letters and skipped records do not add up to the offsets, or a prediction cannot be reproduced."""

"""The exit codes of every command; docs/reference/commands.md is made from them, and they are decided nowhere else."""

from domain import errors

OK = 0
FAILED = 1  # anything unforeseen
USAGE = 2  # wrong arguments (also what the argument parser uses)

EXIT_CODES: dict[type[errors.TripcastError], int] = {
    errors.InvalidInput: 3,  # a file, argument or setting cannot be used (also: wrong columns)
    errors.Unreachable: 4,  # Kafka, PostgreSQL or MLflow does not answer
    errors.UnknownVersion: 5,  # no such model version
    errors.NoChampion: 5,  # no model at all
    errors.ModelRefused: 6,  # a model failed its checks
    errors.PortInUse: 7,  # a port is taken
    errors.StackRunning: 8,  # a local stack already runs on this data folder
    errors.PartFailed: 9,  # a part of the local stack did not start
    errors.AuditFailed: 10,  # the audit or the verification found a difference
    errors.SchemaMismatch: 11,  # the database needs `tripcast migrate`, or a newer program
    errors.NotEnoughTrips: 12,  # too few trips to train on
    errors.ConcurrentUpdate: 13,  # another process makes the same change
}


def exit_code_of(error: errors.TripcastError) -> int:
    """The code of the error's nearest documented ancestor, or FAILED."""
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), FAILED)


def error_of(code: int, message: str) -> errors.TripcastError:
    """The error that a child process's exit code stands for, to be raised in the parent with a message of its own."""
    kind = next((kind for kind, known in EXIT_CODES.items() if known == code), errors.PartFailed)
    return kind(message)

"""Names of the record headers that tripcast writes or reads; producers' own headers pass through untouched."""

REASON = "tripcast-reason"  # why a record is in quarantine
DETAIL = "tripcast-detail"  # the sentence for people
ORIGIN = "tripcast-origin"  # topic/partition/offset of the quarantined record
ORIGIN_TIMESTAMP = "tripcast-origin-timestamp"  # its timestamp, RFC 3339
TRACEPARENT = "traceparent"  # of trip.started, by its producer, and of its prediction: W3C Trace Context
REPLAY_OF = "tripcast-replay-of"  # on a replayed dead letter: topic/partition/offset of the original

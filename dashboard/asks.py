"""Every question that pages ask the API, and how old an answer may be: pages with the same question share its answer."""

from typing import Any, Final

from dashboard.readings import Ask
from schemas.http.health import Health, System
from schemas.http.models import History, ModelInfo, Models
from schemas.http.quality import Quality
from schemas.http.snapshot import Areas, Snapshot
from schemas.http.trips import DatabaseStats, DeadLetters, TripsSummary

INFO: Final = Ask("/model/info", ModelInfo, 5)
MODELS: Final = Ask("/models", Models, 10)
HISTORY: Final = Ask("/history", History, 5, (("limit", 200),))
QUALITY: Final = Ask("/quality", Quality, 10, (("by", "city"),))
QUALITY_BY_HOUR: Final = Ask("/quality", Quality, 20, (("by", "hour"),))
QUALITY_BY_AREA: Final = Ask("/quality", Quality, 20, (("by", "area"),))
AREAS: Final = Ask("/areas", Areas, 300)
SUMMARY: Final = Ask("/trips/summary", TripsSummary, 15)
STORED: Final = Ask("/stats/database", DatabaseStats, 15)
HEALTH: Final = Ask("/health", Health, 2)
SYSTEM: Final = Ask("/system", System, 5)
DEAD_LETTERS: Final = Ask("/dead-letters", DeadLetters, 5)
SNAPSHOT: Final = Ask("/snapshot", Snapshot, 5, (("period", "15m"),))
OPENAPI: Final = Ask("/openapi.json", dict[str, Any], 300)

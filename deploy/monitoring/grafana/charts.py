"""What the Grafana board shows: rows of charts, each with its queries, unit, limits and the alert that explains it."""

from dataclasses import dataclass

NO_PROBES = 'route!~"/readyz|/livez|/health|/metrics"'


@dataclass(frozen=True, slots=True)
class Line:
    """A query and how its series are called."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`unit`: Grafana's name of it. `limits`: from where on it is yellow, and red. `alert`: whose section explains it."""

    title: str
    unit: str
    alert: str
    lines: tuple[Line, ...]
    limits: tuple[float, ...] = ()
    text: str = ""
    number: bool = False  # the newest value, large


@dataclass(frozen=True, slots=True)
class Row:
    """Charts that belong together."""

    title: str
    charts: tuple[Chart, ...]


STREAM = Row(
    "Stream",
    (
        Chart("Workers that answer", "short", "WorkerDown", (Line('sum(up{job="worker"})', "workers"),), number=True),
        Chart(
            "Oldest event that is no row",
            "s",
            "LagGrowing",
            (Line("tripcast:lag_seconds:max", "waits"),),
            (10, 60),
            number=True,
        ),
        Chart(
            "Newest event came", "s", "NothingReceived", (Line("tripcast:arrival_age_seconds", "ago"),), (60, 900), number=True
        ),
        Chart(
            "Events dealt with",
            "cps",
            "NothingReceived",
            (
                Line("sum by (kind) (rate(tripcast_events_received_total[1m]))", "{{kind}}"),
                Line("sum(rate(tripcast_trips_scored_total[1m]))", "scored"),
                Line("sum(rate(tripcast_trips_settled_total[1m]))", "settled"),
            ),
        ),
        Chart(
            "Lag by partition",
            "short",
            "LagHigh",
            (Line("max by (partition) (tripcast_lag_events)", "{{partition}}"),),
            text="Events in the topic that are no rows. The API tells it too, so that it is there while no worker is.",
        ),
        Chart(
            "Event to row",
            "s",
            "EventToRowSlow",
            (
                Line("tripcast:event_to_row_seconds:p99_5m", "p99"),
                Line("histogram_quantile(0.5, sum by (le) (rate(tripcast_event_to_row_seconds_bucket[5m])))", "p50"),
            ),
            (1, 10),
        ),
        Chart(
            "Refused share",
            "percentunit",
            "QuarantineShareHigh",
            (Line("tripcast:quarantined:ratio_rate10m", "refused"),),
            (0.01, 0.1),
        ),
        Chart(
            "Refused by reason",
            "cps",
            "QuarantineShareVeryHigh",
            (Line("sum by (reason) (rate(tripcast_events_quarantined_total[10m]))", "{{reason}}"),),
        ),
        Chart(
            "Time by stage",
            "percentunit",
            "LagGrowing",
            (Line("sum by (stage) (rate(tripcast_stage_seconds_total[5m]))", "{{stage}}"),),
            text="Seconds a second over all workers; stages overlap, and fetch is mostly waiting.",
        ),
        Chart("Events lost", "short", "EventsLost", (Line("sum(tripcast_events_lost_total)", "lost"),), (0, 1)),
        Chart(
            "Ready and alive",
            "short",
            "WorkerNotReady",
            (
                Line('tripcast_ready{job="worker"}', "ready {{instance}}"),
                Line('tripcast_alive{job="worker"}', "alive {{instance}}"),
            ),
        ),
        Chart(
            "Connections to the database",
            "short",
            "DatabaseUnreachable",
            (Line("sum by (instance, state) (tripcast_database_connections)", "{{state}} {{instance}}"),),
        ),
    ),
)
MODEL = Row(
    "Model",
    (
        Chart("Champion", "none", "NoChampion", (Line("max(tripcast_champion_version)", "version"),), number=True),
        Chart("Challenger", "none", "ChallengerRefused", (Line("max(tripcast_challenger_version)", "version"),), number=True),
        Chart(
            "Age of the champion",
            "s",
            "ChampionOld",
            (Line("time() - max(tripcast_champion_registered_timestamp_seconds > 0)", "age"),),
            (90 * 86400, 120 * 86400),
            number=True,
        ),
        Chart(
            "Error of mature trips (MAE)",
            "s",
            "ModelErrorHigh",
            (
                Line("max by (role) (tripcast_mature_mae_seconds)", "{{role}}"),
                Line("max(tripcast_champion_reference_mae_seconds > 0)", "training"),
            ),
        ),
        Chart(
            "Error beside that of the training",
            "none",
            "ModelErrorVeryHigh",
            (Line("tripcast:mature_mae:ratio", "times"),),
            (1.25, 1.5),
        ),
        Chart(
            "Trips inside their interval",
            "percentunit",
            "CoverageOutOfBand",
            (Line("max by (role) (tripcast_mature_interval_coverage_ratio)", "{{role}}"),),
            text="Promised: 90%.",
        ),
        Chart(
            "RMSE of mature trips", "s", "ModelErrorHigh", (Line("max by (role) (tripcast_mature_rmse_seconds)", "{{role}}"),)
        ),
        Chart("Mature trips", "short", "QualityUnknown", (Line("max by (role) (tripcast_mature_trips)", "{{role}}"),)),
        Chart(
            "Who scores with what",
            "short",
            "ChampionsDiffer",
            (Line("count by (job, version, kind) (tripcast_champion_info)", "{{job}}: {{version}} ({{kind}})"),),
        ),
    ),
)
LOOP = Row(
    "Closed loop",
    (
        Chart("Phase", "short", "RetrainingHeld", (Line("max by (state) (tripcast_drift_state)", "{{state}}"),)),
        Chart("Since the last turn", "s", "LoopStalled", (Line("max(tripcast_monitor_turn_age_seconds)", "age"),), (30, 60)),
        Chart("Hosts", "short", "LoopWithoutHost", (Line("sum(tripcast_monitor_leader)", "hosts"),)),
        Chart(
            "Events the loop has not taken in", "short", "LoopStalled", (Line("sum(tripcast_monitor_lag_events)", "events"),)
        ),
        Chart(
            "Trainings",
            "short",
            "RetrainingFailed",
            (
                Line("sum by (outcome) (increase(tripcast_trainings_total[1h]))", "{{outcome}} in an hour"),
                Line("sum(tripcast_trainings_running)", "running"),
            ),
        ),
        Chart(
            "Refusals by gate",
            "short",
            "RetrainingRefused",
            (Line("sum by (gate) (increase(tripcast_gate_refusals_total[1d]))", "{{gate}}"),),
        ),
        Chart(
            "Requests answered",
            "short",
            "ChampionRolledBack",
            (Line("sum by (kind, outcome) (increase(tripcast_requests_answered_total[1h]) > 0)", "{{kind}}: {{outcome}}"),),
        ),
        Chart(
            "Errors of the loop", "short", "LoopErrors", (Line("sum(increase(tripcast_monitor_errors_total[15m]))", "errors"),)
        ),
        Chart(
            "Trainer",
            "short",
            "TrainerDown",
            (
                Line('sum(up{job="trainer"})', "answers"),
                Line('min(tripcast_ready{job="trainer"})', "ready"),
                Line('min(tripcast_alive{job="trainer"})', "alive"),
            ),
        ),
    ),
)
API = Row(
    "API and board",
    (
        Chart("APIs that answer", "short", "ApiDown", (Line('sum(up{job="api"})', "APIs"),), number=True),
        Chart(
            "5xx in 5 minutes",
            "percentunit",
            "ApiErrorBudgetFast",
            (Line("tripcast:api_errors:ratio_rate5m", "share"),),
            (0.005, 0.072),
            number=True,
        ),
        Chart("Boards that answer", "short", "BoardDown", (Line('sum(up{job="board"})', "boards"),), number=True),
        Chart(
            "Requests",
            "reqps",
            "ApiErrorBudgetSlow",
            (Line(f"sum by (status) (rate(tripcast_api_requests_total{{{NO_PROBES}}}[1m]))", "{{status}}"),),
        ),
        Chart(
            "/predict",
            "s",
            "ApiSlow",
            (
                Line(
                    'histogram_quantile(0.99, sum by (le) (rate(tripcast_api_request_seconds_bucket{route="/predict"}[5m])))',
                    "p99",
                ),
                Line(
                    'histogram_quantile(0.5, sum by (le) (rate(tripcast_api_request_seconds_bucket{route="/predict"}[5m])))',
                    "p50",
                ),
            ),
        ),
        Chart(
            "/predict slower than 0.1 s",
            "percentunit",
            "ApiSlow",
            (Line("tripcast:api_predict_slow:ratio_rate5m", "share"),),
            (0.01,),
        ),
        Chart(
            "Share of 5xx",
            "percentunit",
            "ApiErrorBudgetSlow",
            (
                Line("tripcast:api_errors:ratio_rate30m", "30 minutes"),
                Line("tripcast:api_errors:ratio_rate1h", "an hour"),
                Line("tripcast:api_errors:ratio_rate6h", "6 hours"),
            ),
            (0.005, 0.03),
        ),
        Chart(
            "Predictions waiting to be logged",
            "short",
            "PredictionLogFilling",
            (
                Line("tripcast_api_log_waiting", "waiting {{instance}}"),
                Line("tripcast_api_log_limit", "limit {{instance}}"),
            ),
        ),
        Chart(
            "Predicted and logged",
            "cps",
            "PredictionsNotLogged",
            (
                Line("sum(rate(tripcast_api_predictions_total[1m]))", "predicted"),
                Line("sum(rate(tripcast_api_log_written_total[1m]))", "logged"),
            ),
        ),
        Chart("Requests in flight", "short", "ApiNotReady", (Line("tripcast_api_requests_in_flight", "{{instance}}"),)),
        Chart(
            "What the API finds",
            "short",
            "ApiNotReady",
            (Line('min by (dependency) (tripcast_dependency_up{job="api"})', "{{dependency}}"),),
        ),
        Chart(
            "What the board asks",
            "cps",
            "BoardBlind",
            (
                Line("sum(rate(tripcast_board_snapshots_asked_total[1m]))", "asked"),
                Line("sum(rate(tripcast_board_snapshots_failed_total[1m]))", "in vain"),
            ),
        ),
    ),
)
PARTS = Row(
    "Parts and processes",
    (
        Chart(
            "Database and broker",
            "short",
            "DatabaseUnreachable",
            (
                Line(
                    'min by (job, dependency) (tripcast_dependency_up{dependency=~"database|broker"})',
                    "{{dependency}} for {{job}}",
                ),
            ),
        ),
        Chart("Registry", "short", "RegistryDown", (Line("min by (job) (tripcast_registry_up)", "{{job}}"),)),
        Chart(
            "Firing alerts",
            "short",
            "Watchdog",
            (Line('count by (alertname, severity) (ALERTS{alertstate="firing"})', "{{alertname}} ({{severity}})"),),
        ),
        Chart(
            "Memory",
            "bytes",
            "MemoryGrowing",
            (Line('process_resident_memory_bytes{job=~"worker|trainer|api|board"}', "{{job}} {{instance}}"),),
        ),
        Chart(
            "Processor",
            "percentunit",
            "EventLoopLagging",
            (Line('rate(process_cpu_seconds_total{job=~"worker|trainer|api|board"}[1m])', "{{job}} {{instance}}"),),
        ),
        Chart(
            "Event loops late by",
            "s",
            "EventLoopLagging",
            (
                Line("tripcast_event_loop_lag_seconds", "{{job}} {{instance}}"),
                Line("max_over_time(tripcast_api_loop_lag_seconds[1m])", "{{job}} {{instance}}"),
            ),
            (0.25, 1),
        ),
        Chart(
            "Open files",
            "percentunit",
            "FilesRunningOut",
            (Line('process_open_fds{job=~"worker|trainer|api|board"} / process_max_fds', "{{job}} {{instance}}"),),
            (0.8,),
        ),
        Chart(
            "Running for",
            "s",
            "RestartsOften",
            (Line('time() - process_start_time_seconds{job=~"worker|trainer|api|board"}', "{{job}} {{instance}}"),),
        ),
        Chart(
            "Builds", "short", "RestartsOften", (Line("count by (job, version) (tripcast_build_info)", "{{job}} {{version}}"),)
        ),
    ),
)
ROWS = (STREAM, MODEL, LOOP, API, PARTS)

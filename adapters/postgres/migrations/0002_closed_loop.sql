-- The closed loop: what the Monitor has seen, what it decided, and what came of it. Times called minute, newest or *_until are
-- event time.

-- Errors by pickup minute, as integer sums that add up in any order; the Monitor adds to them in the transaction that moves
-- its positions. Errors are predicted minus actual in 0.1 s, log ratios ln(actual / predicted) in 1e-6.
create table quality_minutes (
    minute timestamptz not null,
    role prediction_role not null,
    model_version integer not null,
    area smallint not null,
    vendor_id smallint not null,
    started bigint not null,
    settled bigint not null,
    error_ds bigint not null,
    abs_error_ds bigint not null,
    square_error_ds2 bigint not null,
    log_ratio_u bigint not null,
    square_log_ratio_u bigint not null,
    covered bigint not null,
    primary key (minute, role, model_version, area, vendor_id)
);

-- All that the loop was ever given, in order: fed to a new loop it gives the same state. The key is the fence: of two Monitors
-- that both believe that they lead, one collides here and leaves nothing behind.
create table loop_journal (
    seq bigint primary key check (seq > 0),
    kind text not null check (kind in ('step', 'fact')),
    body jsonb not null,
    event_at timestamptz not null,
    recorded_at timestamptz not null default now()
);
create index loop_journal_answers on loop_journal ((body ->> 'kind'), (body ->> 'subject'))
    where kind = 'fact' and body ->> 'fact' = 'answered';

-- Up to where the Monitor has taken in each partition. `newest`: the newest event time up to there.
create table monitor_positions (
    source_id smallint not null references event_sources,
    partition integer not null,
    next_offset bigint not null,
    newest timestamptz,
    primary key (source_id, partition)
);

-- What is taken in and not yet part of a closed step, compressed; and how far steps, expirations and announcements have come.
create table open_tallies (
    source_id smallint primary key references event_sources,
    body bytea not null,
    closed_until timestamptz,
    expired_until timestamptz,
    announced_event_id bigint not null default 0,
    updated_at timestamptz not null default now()
);

-- What the loop asks of the trainer: once for each subject, however often it is asked.
create table loop_requests (
    request_id bigint generated always as identity primary key,
    kind text not null check (kind in ('retraining', 'promotion', 'dismissal', 'rollback')),
    subject text not null,
    reason text not null,
    body jsonb not null default '{}',
    event_at timestamptz not null,
    requested_at timestamptz not null default now(),
    answered_at timestamptz,
    outcome jsonb,
    unique (kind, subject),
    check ((answered_at is null) = (outcome is null))
);
create index loop_requests_open on loop_requests (request_id) where answered_at is null;

-- Every verdict of a gate, with the numbers that it was given.
create table gate_results (
    gate_result_id bigint generated always as identity primary key,
    subject text not null,
    model_version integer,
    gate text not null,
    passed boolean not null,
    reason text not null,
    numbers jsonb not null default '{}',
    at timestamptz not null default now()
);
create index gate_results_by_subject on gate_results (subject);

-- Trips whose end did not come within the policy's time. An end that comes later still settles its row.
create table expirations (
    trip_id text collate "C" primary key,
    pickup_at timestamptz not null,
    expired_at timestamptz not null,  -- event time at which the trip was given up
    recorded_at timestamptz not null default now()
);
create index expirations_by_pickup on expirations (pickup_at);

-- What is normal for a version. Numbers start anew with another registry, hence the run.
create table model_baselines (
    model_version integer not null,
    run_id text not null,
    baseline jsonb not null,
    recorded_at timestamptz not null default now(),
    primary key (model_version, run_id)
);

grant select on quality_minutes, loop_journal, monitor_positions, open_tallies, loop_requests, gate_results, expirations,
    model_baselines to tripcast_worker, tripcast_board;
grant insert on quality_minutes, loop_journal, monitor_positions, open_tallies, loop_requests, expirations
    to tripcast_worker;
grant update (started, settled, error_ds, abs_error_ds, square_error_ds2, log_ratio_u, square_log_ratio_u, covered)
    on quality_minutes to tripcast_worker;
grant update (next_offset, newest) on monitor_positions to tripcast_worker;
grant update (body, closed_until, expired_until, announced_event_id, updated_at) on open_tallies to tripcast_worker;

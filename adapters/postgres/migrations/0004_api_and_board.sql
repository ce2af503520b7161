-- The API and the board: who may ask, what was answered, and what the board draws from.

-- Where an event says so: the trace that it belongs to (W3C Trace Context), and when it was put on Kafka.
alter table trips add column traceparent text;
alter table trips add column published_at timestamptz;

-- Keys that may ask the API. Only the hash is stored: 256 random bits need no salt and no slow hash.
create table api_keys (
    key_id text primary key,
    name text not null,
    sha256 bytea not null unique check (octet_length(sha256) = 32),
    operator boolean not null default false,
    created_at timestamptz not null default now(),
    revoked_at timestamptz
);

-- Predictions that were asked for over HTTP, with the inputs as received, so that each can be made again.
create table served_predictions (
    prediction_id uuid primary key,
    source text not null default 'api',
    vendor_id smallint not null,
    passenger_count smallint not null,
    pickup_at timestamptz not null,
    pickup_latitude double precision not null,
    pickup_longitude double precision not null,
    dropoff_latitude double precision not null,
    dropoff_longitude double precision not null,
    duration_seconds real not null,
    lower_seconds real not null,
    upper_seconds real not null,
    model_version integer not null,
    feature_schema text not null,
    key_id text,  -- null: asked without a key
    served_at timestamptz not null,
    recorded_at timestamptz not null default now()
);
create index served_predictions_by_time on served_predictions using brin (served_at) with (autosummarize = on);

-- The stream by minute of wall time, as the API saw it: what charts over more than an hour are drawn from. Of several APIs
-- the one that saw more of a minute keeps it. Latency counts are per bucket of LATENCY_BUCKETS, the last without an end.
create table service_minutes (
    minute timestamptz primary key,
    seconds_seen smallint not null,
    received bigint not null,
    scored bigint not null,
    quarantined bigint not null,
    latency_counts bigint[] not null,
    lag_events jsonb not null,  -- partition -> events, at the end of the minute
    lag_seconds double precision not null,
    event_time timestamptz,  -- the newest pickup by then
    requests bigint not null default 0
);

-- Scored trips by minute of their pickup and by cell, once for where they begin and once for where they lead; added to in the
-- transaction that moves the Monitor's positions.
create type trip_end as enum ('pickup', 'dropoff');
create table area_minutes (
    minute timestamptz not null,
    place trip_end not null,
    area smallint not null,
    trips bigint not null,
    predicted_ds bigint not null,  -- sum of the champion's predictions, 0.1 s
    primary key (minute, place, area)
);

-- What the loop's watcher saw of each signal in each closed step: for the board. The loop itself never reads it.
create table drift_signals (
    event_at timestamptz not null,  -- end of the step, event time
    signal text not null,
    value double precision,  -- of the step alone; null: no sample
    samples bigint not null default 0,
    statistic double precision,  -- what is compared with the threshold
    threshold double precision,
    state text not null check (state in ('ok', 'warning', 'drift', 'cooling')),
    cooling_until timestamptz,
    model_version integer,
    recorded_at timestamptz not null default now(),
    primary key (signal, event_at)
);

create index dead_letters_by_time on dead_letters (recorded_at);
create index lifecycle_events_by_time on lifecycle_events (at);

do $$
begin
    if not exists (select from pg_roles where rolname = 'tripcast_api') then
        create role tripcast_api nologin;
    end if;
exception when unique_violation or duplicate_object then
    null;  -- another database of this server was migrated at the same moment
end $$;

-- The board reads only, and no key. The API adds what it served and what it saw, and marks what it replayed.
grant select on served_predictions, service_minutes, area_minutes, drift_signals to tripcast_worker, tripcast_board;
grant insert on area_minutes, drift_signals to tripcast_worker;
grant update (trips, predicted_ds) on area_minutes to tripcast_worker;
grant select on all tables in schema public to tripcast_api;
grant insert on served_predictions, service_minutes, lifecycle_events to tripcast_api;
grant update (seconds_seen, received, scored, quarantined, latency_counts, lag_events, lag_seconds, event_time, requests)
    on service_minutes to tripcast_api;
grant update (replayed_at) on dead_letters to tripcast_api;

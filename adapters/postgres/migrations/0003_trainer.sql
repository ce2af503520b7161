-- What the trainer keeps for itself: trips to try every new model on, and how far the notifier has come.

-- Set aside once, when the first model is made, and never changed: whatever the stream says later, these are the trips that a
-- model must not be absurd on. Without ids, which a training does not read.
create table trusted_trips (
    position integer primary key,
    vendor_id smallint not null,
    passenger_count smallint not null,
    pickup_at timestamptz not null,
    pickup_latitude double precision not null,
    pickup_longitude double precision not null,
    dropoff_latitude double precision not null,
    dropoff_longitude double precision not null,
    duration_seconds double precision not null
);

-- Lifecycle events up to here have been told to people, or were not worth telling. One row.
create table notifier_position (
    only_row boolean primary key default true check (only_row),
    event_id bigint not null
);

grant select on trusted_trips, notifier_position to tripcast_worker, tripcast_board;

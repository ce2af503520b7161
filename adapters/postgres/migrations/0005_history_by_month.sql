-- History by month of pickup, UTC: an index never grows beyond its month, and retention drops months instead of deleting rows.
-- A trip is named by its id and its pickup. Rows are moved in one pass and indexes built afterwards, each in one go.

alter table trips rename to trips_before;
alter table completions rename to completions_before;
alter table predictions rename to predictions_before;

create table trips (
    trip_id text collate "C" not null,
    vendor_id smallint not null,
    passenger_count smallint not null,
    pickup_at timestamptz not null,
    pickup_latitude double precision not null,
    pickup_longitude double precision not null,
    dropoff_latitude double precision not null,
    dropoff_longitude double precision not null,
    source_id smallint,  -- null: loaded from a file
    partition integer,
    record_offset bigint,
    recorded_at timestamptz not null default now(),
    traceparent text,
    published_at timestamptz
) partition by range (pickup_at);

create table completions (
    trip_id text collate "C" not null,
    pickup_at timestamptz not null,
    dropoff_at timestamptz not null,
    early boolean not null default false,  -- arrived before its trip had started
    source_id smallint,
    partition integer,
    record_offset bigint,
    recorded_at timestamptz not null default now()
) partition by range (pickup_at);

create table predictions (
    trip_id text collate "C" not null,
    role prediction_role not null,
    model_version integer not null,
    feature_schema text not null,
    duration_seconds real not null,
    lower_seconds real not null,
    upper_seconds real not null,
    scored_at timestamptz not null,
    source_id smallint not null,
    partition integer not null,
    record_offset bigint not null,
    pickup_at timestamptz not null  -- the trip's: it says in which month the row lies
) partition by range (pickup_at);

-- Makes the partitions of one month that are not there. One that `tripcast prune` has taken out and not yet dropped is put
-- back: its rows are still accounted for. Attaching takes a lock that no reader and no writer waits for.
create function create_history_month(first date) returns void
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    from_at timestamptz := first::timestamp at time zone 'UTC';
    until_at timestamptz := (first + interval '1 month') at time zone 'UTC';
    parent text;
    month text;
    pending boolean;
begin
    foreach parent in array array['trips', 'completions', 'predictions'] loop
        month := parent || to_char(first, '_YYYY_MM');
        select inhdetachpending into pending from pg_inherits where inhrelid = to_regclass('public.' || month);
        if pending is not distinct from false then
            continue;
        elsif pending then
            execute format('alter table public.%I detach partition public.%I finalize', parent, month);
        elsif to_regclass('public.' || month) is null then
            execute format('create table public.%I (like public.%I including all)', month, parent);
        end if;
        execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)',
            parent, month, from_at, until_at);
    end loop;
end $$;
revoke all on function create_history_month(date) from public;

-- What the worker may call, which may create no table itself. Six processes that need a month at once get it once. The bounds are
-- wider than those of the rules that events must keep: whatever a feed says, there are never more than some hundred months.
create function ensure_history_month(first date) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if first is null or extract(day from first) <> 1 or first < date '1970-01-01' or first > now() + interval '35 days' then
        raise exception 'no month of history: %', first using errcode = 'invalid_parameter_value';
    end if;
    perform pg_advisory_xact_lock(874722780, first - date '1970-01-01');  -- held by a prune of the same month too
    perform create_history_month(first);
end $$;
revoke all on function ensure_history_month(date) from public;
grant execute on function ensure_history_month(date) to tripcast_worker;

select create_history_month(first) from (
    select date_trunc('month', pickup_at at time zone 'UTC')::date as first from trips_before
    union
    select date_trunc('month', pickup_at at time zone 'UTC')::date from completions_before
) as months order by first;

insert into trips (
    trip_id, vendor_id, passenger_count, pickup_at, pickup_latitude, pickup_longitude, dropoff_latitude, dropoff_longitude,
    source_id, partition, record_offset, recorded_at, traceparent, published_at
) select trip_id, vendor_id, passenger_count, pickup_at, pickup_latitude, pickup_longitude, dropoff_latitude, dropoff_longitude,
    source_id, partition, record_offset, recorded_at, traceparent, published_at
from trips_before;

insert into completions (trip_id, pickup_at, dropoff_at, early, source_id, partition, record_offset, recorded_at)
select trip_id, pickup_at, dropoff_at, early, source_id, partition, record_offset, recorded_at from completions_before;

-- Every prediction has its trip, by construction; a database in which somebody deleted trips by hand is moved too.
do $$
begin
    perform create_history_month(first) from (
        select distinct date_trunc('month', scored_at at time zone 'UTC')::date as first from predictions_before as p
        where not exists (select from trips_before as t where t.trip_id = p.trip_id)
    ) as months;
end $$;
insert into predictions (
    trip_id, role, model_version, feature_schema, duration_seconds, lower_seconds, upper_seconds, scored_at, source_id,
    partition, record_offset, pickup_at
) select p.trip_id, p.role, p.model_version, p.feature_schema, p.duration_seconds, p.lower_seconds, p.upper_seconds, p.scored_at,
    p.source_id, p.partition, p.record_offset, coalesce(t.pickup_at, p.scored_at)
from predictions_before as p left join trips_before as t using (trip_id);

-- Who was granted what on the old tables, by us or by a deployment, has it on the new ones.
do $$
declare
    given record;
begin
    for given in
        select left(c.relname, -7) as name, privilege_type || coalesce(' (' || quote_ident(attname) || ')', '') as privilege, is_grantable,
            case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as role
        from pg_class as c cross join lateral (
            select null::name as attname, relacl as acl
            union all
            select attname, attacl from pg_attribute where attrelid = c.oid and attacl is not null
        ) as granted cross join lateral aclexplode(acl)
        where c.oid in ('trips_before'::regclass, 'completions_before'::regclass, 'predictions_before'::regclass)
            and grantee <> relowner
    loop
        execute format('grant %s on %I to %s', given.privilege, given.name, given.role)
            || case when given.is_grantable then ' with grant option' else '' end;
    end loop;
end $$;

drop table trips_before;
drop table completions_before;
drop table predictions_before;

-- No record can be read into two rows: the fence of stream_offsets lets each be written once, and read again it finds its own
-- key. So the indexes by record are there for look-ups alone.
-- All keys begin with the pickup: rows come nearly in that order, so that inserts share pages, however random the ids are.
alter table trips add primary key (pickup_at, trip_id);
alter table completions add primary key (pickup_at, trip_id);
alter table predictions add primary key (pickup_at, trip_id, role);
create index trips_by_record on trips (source_id, partition, record_offset) where source_id is not null;
create index completions_by_record on completions (source_id, partition, record_offset) where source_id is not null;
-- By id alone: a hash of eight bytes takes less than half of the pages that ids do, and each of them is hit by chance. Of
-- completions only those are looked for that came before their trip. Both name the pickup too, so that a planner without
-- statistics prefers them to the primary key when a query is bounded to its months.
create index trips_by_id on trips (hashtextextended(trip_id, 0), pickup_at);
create index completions_early on completions (trip_id, pickup_at) where early;

-- A trip that was given up is named like every other.
alter table expirations drop constraint expirations_pkey;
alter table expirations add primary key (trip_id, pickup_at);

-- Records of months that are being pruned: taken out and not yet dropped. An audit counts them as long as they are there.
create function history_being_pruned() returns table (source_id smallint, partition integer, record_offset bigint)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    month text;
begin
    for month in
        select relname from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r' and relname ~ '^(trips|completions)_\d{4}_\d\d$'
            and not exists (select from pg_inherits where inhrelid = pg_class.oid and not inhdetachpending)
    loop
        return query execute format(
            'select source_id, partition, record_offset from public.%I where source_id is not null', month);
    end loop;
end $$;
revoke all on function history_being_pruned() from public;
grant execute on function history_being_pruned() to tripcast_worker, tripcast_board, tripcast_api;

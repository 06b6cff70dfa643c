-- The same tables as on SQLite. Every key begins with the device, so that a distributed PostgreSQL can shard by it. Times are ms since 1970-01-01 UTC.

create table devices (
    device_id     text primary key,
    token_hash    bytea not null,
    enrolled_ms   bigint not null,
    revoked_ms    bigint,
    -- Records made before this moment are not kept: their erasure was asked for.
    erased_ms     bigint,
    last_seen_ms  bigint,
    -- The device's clock less the server's when its last batch came.
    clock_skew_ms bigint,
    -- What the last heartbeat and the last session said, as JSON.
    health        text,
    health_ms     bigint,
    session       text
);
create unique index devices_by_token on devices (token_hash);

create table enrolments (
    code_hash  bytea primary key,
    created_by text not null,
    created_ms bigint not null,
    expires_ms bigint not null,
    device_id  text,
    used_ms    bigint
);

create table people (
    name       text primary key,
    role       text not null,
    key_hash   bytea not null,
    created_ms bigint not null,
    removed_ms bigint
);
create unique index people_by_key on people (key_hash);

create table sign_ins (
    cookie_hash bytea primary key,
    name        text not null,
    created_ms  bigint not null,
    expires_ms  bigint not null
);

create table streams (
    device_id      text not null,
    stream_id      text not null,
    -- Everything up to here is stored or known to be lost.
    high_water     bigint not null,
    -- Everything up to here is in the roll-ups.
    derived_to     bigint not null,
    lost           bigint not null,
    unreadable     bigint not null,
    schema_version bigint not null,
    first_ms       bigint not null,
    last_ms        bigint not null,
    primary key (device_id, stream_id)
);

-- What the roll-ups have not seen yet.
create index streams_behind on streams (device_id, stream_id) where derived_to < high_water;

create table losses (
    device_id      text not null,
    stream_id      text not null,
    first_sequence bigint not null,
    last_sequence  bigint not null,
    reason         text not null,
    reported_ms    bigint not null,
    primary key (device_id, stream_id, first_sequence)
);

-- The log. Bodies are the figures only: what somebody consented to is sealed in `texts`.
create table records (
    device_id   text not null,
    stream_id   text not null,
    sequence    bigint not null,
    received_ms bigint not null,
    recorded_ms bigint not null,
    kind        text not null,
    body        text not null
) partition by range (received_ms);
-- No unique index: on a partitioned table it would need the time. The stream's row, locked, lets each sequence in once.
create index records_by_sequence on records (device_id, stream_id, sequence);
-- Where no month's partition is there, which the server makes ahead of time.
create table records_default partition of records default;

create table rollups (
    device_id   text not null,
    period_ms   bigint not null,
    begin_ms    bigint not null,
    engine      text not null,
    profile     text not null,
    app_version text not null,
    utterances  bigint not null,
    -- Of these failed, timed out or dropped.
    failures    bigint not null,
    figures     bytea not null,
    primary key (device_id, period_ms, begin_ms, engine, profile, app_version)
);
create index rollups_by_time on rollups (period_ms, begin_ms);

create table pairs (
    device_id       text not null,
    utterance_id    text not null,
    shadow_engine   text not null,
    primary_engine  text not null,
    recorded_ms     bigint not null,
    primary_outcome text not null,
    shadow_outcome  text not null,
    substitutions   bigint not null,
    deletions       bigint not null,
    insertions      bigint not null,
    primary_words   bigint not null,
    shadow_words    bigint not null,
    primary_ms      double precision not null,
    shadow_ms       double precision not null,
    primary_cost    double precision,
    shadow_cost     double precision,
    sample_ratio    double precision not null,
    duration_ms     double precision not null,
    snr_db          double precision,
    language        text not null,
    profile         text not null,
    app_version     text not null,
    -- In [0, 1), from a keyed hash of the ids: whom people are asked to judge.
    draw            double precision not null,
    primary key (device_id, utterance_id, shadow_engine)
);
create index pairs_by_time on pairs (primary_engine, shadow_engine, recorded_ms);

create table person_keys (
    device_id  text not null,
    subject_id text not null,
    -- The key, sealed with the server's; null when it was erased.
    wrapped    bytea,
    created_ms bigint not null,
    -- Consents given before this moment are void.
    erased_ms  bigint,
    primary key (device_id, subject_id)
);

create table texts (
    device_id    text not null,
    utterance_id text not null,
    field        text not null,
    subject_id   text not null,
    recorded_ms  bigint not null,
    sealed       bytea not null,
    primary key (device_id, utterance_id, field)
);
create index texts_by_time on texts (recorded_ms);

-- A blind index: keyed hashes of words, one key a person.
create table tokens (
    device_id    text not null,
    token        bigint not null,
    utterance_id text not null,
    subject_id   text not null,
    primary key (device_id, token, utterance_id)
);

create table clips (
    device_id    text not null,
    utterance_id text not null,
    subject_id   text not null,
    object       text not null,
    bytes        bigint not null,
    received_ms  bigint not null,
    primary key (device_id, utterance_id)
);

create table judgements (
    device_id             text not null,
    utterance_id          text not null,
    shadow_engine         text not null,
    judged_by             text not null,
    subject_id            text not null,
    choice                text not null,
    sealed_reference      bytea,
    reference_words       bigint,
    primary_edits         bigint,
    shadow_edits          bigint,
    inclusion_probability double precision not null,
    judged_ms             bigint not null,
    primary key (device_id, utterance_id, shadow_engine, judged_by)
);

create table erasures (
    receipt_id text primary key,
    scope      text not null,
    -- Of the name that was erased: the receipt proves itself without keeping it.
    name_hash  text not null,
    asked_by   text not null,
    erased_ms  bigint not null,
    counts     text not null
);

create table audit (
    at_ms  bigint not null,
    who    text not null,
    action text not null,
    target text not null
);
create index audit_by_time on audit (at_ms);

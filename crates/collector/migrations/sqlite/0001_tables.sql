-- One file of SQLite. Every key begins with the device, as on PostgreSQL. Times are ms since 1970-01-01 UTC.

create table devices (
    device_id     text primary key,
    token_hash    blob not null,
    enrolled_ms   integer not null,
    revoked_ms    integer,
    -- Records made before this moment are not kept: their erasure was asked for.
    erased_ms     integer,
    last_seen_ms  integer,
    -- The device's clock less the server's when its last batch came.
    clock_skew_ms integer,
    -- What the last heartbeat and the last session said, as JSON.
    health        text,
    health_ms     integer,
    session       text
) strict, without rowid;
create unique index devices_by_token on devices (token_hash);

create table enrolments (
    code_hash  blob primary key,
    created_by text not null,
    created_ms integer not null,
    expires_ms integer not null,
    device_id  text,
    used_ms    integer
) strict, without rowid;

create table people (
    name       text primary key,
    role       text not null,
    key_hash   blob not null,
    created_ms integer not null,
    removed_ms integer
) strict, without rowid;
create unique index people_by_key on people (key_hash);

create table sign_ins (
    cookie_hash blob primary key,
    name        text not null,
    created_ms  integer not null,
    expires_ms  integer not null
) strict, without rowid;

create table streams (
    device_id      text not null,
    stream_id      text not null,
    -- Everything up to here is stored or known to be lost.
    high_water     integer not null,
    -- Everything up to here is in the roll-ups.
    derived_to     integer not null,
    lost           integer not null,
    unreadable     integer not null,
    schema_version integer not null,
    first_ms       integer not null,
    last_ms        integer not null,
    primary key (device_id, stream_id)
) strict, without rowid;

-- What the roll-ups have not seen yet.
create index streams_behind on streams (device_id, stream_id) where derived_to < high_water;

create table losses (
    device_id      text not null,
    stream_id      text not null,
    first_sequence integer not null,
    last_sequence  integer not null,
    reason         text not null,
    reported_ms    integer not null,
    primary key (device_id, stream_id, first_sequence)
) strict, without rowid;

-- The log. Bodies are the figures only: what somebody consented to is sealed in `texts`.
create table records (
    device_id   text not null,
    stream_id   text not null,
    sequence    integer not null,
    received_ms integer not null,
    recorded_ms integer not null,
    kind        text not null,
    body        text not null
) strict;
create unique index records_by_sequence on records (device_id, stream_id, sequence);

create table rollups (
    device_id   text not null,
    period_ms   integer not null,
    begin_ms    integer not null,
    engine      text not null,
    profile     text not null,
    app_version text not null,
    utterances  integer not null,
    -- Of these failed, timed out or dropped.
    failures    integer not null,
    figures     blob not null,
    primary key (device_id, period_ms, begin_ms, engine, profile, app_version)
) strict, without rowid;
create index rollups_by_time on rollups (period_ms, begin_ms);

create table pairs (
    device_id       text not null,
    utterance_id    text not null,
    shadow_engine   text not null,
    primary_engine  text not null,
    recorded_ms     integer not null,
    primary_outcome text not null,
    shadow_outcome  text not null,
    substitutions   integer not null,
    deletions       integer not null,
    insertions      integer not null,
    primary_words   integer not null,
    shadow_words    integer not null,
    primary_ms      real not null,
    shadow_ms       real not null,
    primary_cost    real,
    shadow_cost     real,
    sample_ratio    real not null,
    duration_ms     real not null,
    snr_db          real,
    language        text not null,
    profile         text not null,
    app_version     text not null,
    -- In [0, 1), from a keyed hash of the ids: whom people are asked to judge.
    draw            real not null,
    primary key (device_id, utterance_id, shadow_engine)
) strict, without rowid;
create index pairs_by_time on pairs (primary_engine, shadow_engine, recorded_ms);

create table person_keys (
    device_id  text not null,
    subject_id text not null,
    -- The key, sealed with the server's; null when it was erased.
    wrapped    blob,
    created_ms integer not null,
    -- Consents given before this moment are void.
    erased_ms  integer,
    primary key (device_id, subject_id)
) strict, without rowid;

create table texts (
    device_id    text not null,
    utterance_id text not null,
    field        text not null,
    subject_id   text not null,
    recorded_ms  integer not null,
    sealed       blob not null,
    primary key (device_id, utterance_id, field)
) strict, without rowid;
create index texts_by_time on texts (recorded_ms);

-- A blind index: keyed hashes of words, one key a person.
create table tokens (
    device_id    text not null,
    token        integer not null,
    utterance_id text not null,
    subject_id   text not null,
    primary key (device_id, token, utterance_id)
) strict, without rowid;

create table clips (
    device_id    text not null,
    utterance_id text not null,
    subject_id   text not null,
    object       text not null,
    bytes        integer not null,
    received_ms  integer not null,
    primary key (device_id, utterance_id)
) strict, without rowid;

create table judgements (
    device_id             text not null,
    utterance_id          text not null,
    shadow_engine         text not null,
    judged_by             text not null,
    subject_id            text not null,
    choice                text not null,
    sealed_reference      blob,
    reference_words       integer,
    primary_edits         integer,
    shadow_edits          integer,
    inclusion_probability real not null,
    judged_ms             integer not null,
    primary key (device_id, utterance_id, shadow_engine, judged_by)
) strict, without rowid;

create table erasures (
    receipt_id text primary key,
    scope      text not null,
    -- Of the name that was erased: the receipt proves itself without keeping it.
    name_hash  text not null,
    asked_by   text not null,
    erased_ms  integer not null,
    counts     text not null
) strict, without rowid;

create table audit (
    at_ms  integer not null,
    who    text not null,
    action text not null,
    target text not null
) strict;
create index audit_by_time on audit (at_ms);

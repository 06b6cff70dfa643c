-- Objects of the clip store that no row of `clips` names (any more). They are deleted when due, again and again until
-- the object store says that they are gone. A new object is entered before it is written, an hour ahead: if the server
-- ends between the object and its row, it does not stay for ever.
create table doomed_objects (
    device_id text not null,
    object    text not null,
    due_ms    bigint not null,
    primary key (device_id, object)
);
create index doomed_objects_due on doomed_objects (due_ms);

-- Texts go by the server's clock: a device's may be anything.
alter table texts add column received_ms bigint not null default 0;
update texts set received_ms = recorded_ms;
drop index texts_by_time;
create index texts_by_time on texts (received_ms);

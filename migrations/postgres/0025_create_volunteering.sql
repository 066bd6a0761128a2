-- Hours of volunteering that employees logged on their company's giving platform. Two generations of events tell them;
-- both name the platform and the entry's id there, so an entry told in both forms is one row.

create table volunteering (
    source         varchar(50)  not null,
    source_id      varchar(255) not null,
    user_id        uuid         not null references users (id) on update cascade,
    company_id     uuid         not null references companies (id),
    hours          numeric      not null check (hours >= 0),
    activity_date  timestamptz  not null,
    activity_name  text         not null,
    activity_type  varchar(50)  not null,
    verified       boolean      not null default false,
    snapshot_at    timestamptz  not null,
    snapshot_event uuid         not null,
    primary key (source, source_id)
);

create index volunteering_user_id_activity_date_idx on volunteering (user_id, activity_date);
create index volunteering_company_id_activity_date_idx on volunteering (company_id, activity_date);

comment on table volunteering is 'Volunteering as outside systems log it, with the latest snapshot of each entry';
comment on column volunteering.source is 'benevity, goodera, workday, manual';
comment on column volunteering.source_id is 'sourceId, or externalId of the older form';
comment on column volunteering.company_id is 'The company that the entry names, whatever the person''s company is';
comment on column volunteering.activity_type is 'As the event says; the two forms have lists of their own';
comment on column volunteering.verified is 'False in the older form, which does not say';
comment on column volunteering.snapshot_at is 'Timestamp of the latest snapshot by (timestamp, event id)';
comment on column volunteering.snapshot_event is 'Event id of the latest snapshot by (timestamp, event id)';

-- Where people got to: jobs, internships, mentorships, as outside systems report them. They count in a company's VIS.

create table placements (
    source_system  varchar(50)  not null,
    source_id      varchar(255) not null,
    user_id        uuid         not null references users (id) on update cascade,
    company_id     uuid         not null references companies (id),
    placement_type varchar(50)  not null
                   check (placement_type in ('mentorship_match', 'job_placement', 'internship', 'apprenticeship',
                                             'volunteer_placement', 'other')),
    status         varchar(50)  not null check (status in ('active', 'completed', 'terminated', 'on_hold')),
    placement_date timestamptz  not null,
    start_date     timestamptz,
    end_date       timestamptz,
    mentor_ref     uuid,
    snapshot_at    timestamptz  not null,
    snapshot_event uuid         not null,
    primary key (source_system, source_id)
);

create index placements_user_id_placement_date_idx on placements (user_id, placement_date);
create index placements_company_id_placement_date_idx on placements (company_id, placement_date);

comment on table placements is 'Placements as outside systems report them, with the latest snapshot of each';
comment on column placements.source_system is 'mentorship, job_board, manual';
comment on column placements.source_id is 'The placement''s id in the reporting system';
comment on column placements.company_id is 'The company that the placement names, whatever the person''s company is';
comment on column placements.mentor_ref is 'mentorId; no foreign key, the mentor need not be known as a person';
comment on column placements.snapshot_at is 'Timestamp of the latest snapshot by (timestamp, event id)';
comment on column placements.snapshot_event is 'Event id of the latest snapshot by (timestamp, event id)';

create table placement_people (
    source_system varchar(50)  not null,
    source_id     varchar(255) not null,
    user_id       uuid         not null references users (id) on update cascade,
    primary key (source_system, source_id, user_id)
);

create index placement_people_user_id_idx on placement_people (user_id);

comment on table placement_people is 'Whom snapshots of a placement have ever named';

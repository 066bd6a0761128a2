-- Enrolments as outside systems report them, with the latest snapshot of each. One that turns out to be of a kind that
-- has no program type here has no row in program_enrollments; the snapshot that says so must be remembered all the same,
-- lest an older one that comes late brings the row back.

create table enrollment_reports (
    source_system  varchar(50)  not null,
    source_id      varchar(255) not null,
    user_id        uuid         not null references users (id) on update cascade,
    company_id     uuid         not null references companies (id),
    program_type   varchar(50)  check (program_type in ('buddy', 'language', 'mentorship', 'upskilling')),
    program_ref    text         not null,
    status         varchar(50)  not null check (status in ('active', 'completed', 'dropped')),
    enrolled_at    timestamptz  not null,
    completed_at   timestamptz,
    snapshot_at    timestamptz  not null,
    snapshot_event uuid         not null,
    primary key (source_system, source_id)
);

create index enrollment_reports_user_id_idx on enrollment_reports (user_id);
create index enrollment_reports_company_id_idx on enrollment_reports (company_id);

comment on table enrollment_reports is 'The latest snapshot of each reported enrolment; the reported rows of program_enrollments follow from it';
comment on column enrollment_reports.program_type is 'Null for programType other, which makes no row in program_enrollments';
comment on column enrollment_reports.program_ref is 'programId in the reporting system';
comment on column enrollment_reports.status is 'As in program_enrollments';
comment on column enrollment_reports.completed_at is 'Null unless completed';
comment on column enrollment_reports.snapshot_at is 'Timestamp of the latest snapshot by (timestamp, event id)';
comment on column enrollment_reports.snapshot_event is 'Event id of the latest snapshot by (timestamp, event id)';

-- Whom the tellings of one thing have ever named. A session that is scheduled anew, or completed, may name other people
-- than before, and so may a snapshot of another system's row. What was said of those who were named before has to be
-- taken back, in whatever order the tellings come; so all of them are remembered.

create table kintell_session_people (
    session_id uuid not null references kintell_sessions (id),
    user_id    uuid not null references users (id) on update cascade,
    primary key (session_id, user_id)
);

create table enrollment_report_people (
    source_system varchar(50)  not null,
    source_id     varchar(255) not null,
    user_id       uuid         not null references users (id) on update cascade,
    primary key (source_system, source_id, user_id)
);

create table volunteering_people (
    source    varchar(50)  not null,
    source_id varchar(255) not null,
    user_id   uuid         not null references users (id) on update cascade,
    primary key (source, source_id, user_id)
);

create index kintell_session_people_user_id_idx on kintell_session_people (user_id);
create index enrollment_report_people_user_id_idx on enrollment_report_people (user_id);
create index volunteering_people_user_id_idx on volunteering_people (user_id);

insert into kintell_session_people
select id, participant_id from kintell_sessions where session_type <> 'skill_share'
union select id, volunteer_id from kintell_sessions where session_type <> 'skill_share';
insert into enrollment_report_people select source_system, source_id, user_id from enrollment_reports;
insert into volunteering_people select source, source_id, user_id from volunteering;

comment on table kintell_session_people is 'Whom schedules and completion of a session have ever named';
comment on table enrollment_report_people is 'Whom snapshots of a reported enrolment have ever named';
comment on table volunteering_people is 'Whom tellings of a volunteering entry have ever named';

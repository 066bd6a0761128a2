-- What a person has reached, and when. Most rows follow from a rule over the person's facts, so reached_at may move when
-- an older event comes late; a buddy milestone is carried by an event, and the earliest event is the one that counts.

create table journey_milestones (
    id                uuid         primary key default gen_random_uuid(),
    user_id           uuid         not null references users (id) on update cascade,
    milestone         varchar(100) not null,
    reached_at        timestamptz  not null,
    triggered_by_rule varchar(100),
    metadata          jsonb        default '{}',
    event_id          uuid,
    event_at          timestamptz,
    constraint journey_milestones_user_id_milestone_key unique (user_id, milestone)
);

comment on table journey_milestones is 'Milestones that people have reached, each once';
comment on column journey_milestones.milestone is 'Name in journey.toml, or buddy:<milestoneId>';
comment on column journey_milestones.triggered_by_rule is '<milestone>@<version>; for a milestone that an event carries, the event type';
comment on column journey_milestones.metadata is 'title, category, points of a milestone that an event carries';
comment on column journey_milestones.event_id is 'The event that carries the milestone and that the row shows; null when a rule made the row';
comment on column journey_milestones.event_at is 'Timestamp of event_id';

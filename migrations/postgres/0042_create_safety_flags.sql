-- What the moderation of free texts raised, and what people decided about it. A flag may be reviewed more than once and
-- shows its latest review; reviews come in any order, and before or after whoever made them is known as a person. So
-- each is kept as it was told, and the flag's own columns follow from all of them.

create table safety_flags (
    id                    uuid          primary key default gen_random_uuid(),
    content_id            uuid          not null,
    content_type          varchar(50)   not null
                          check (content_type in ('feedback_text', 'checkin_note', 'message', 'other')),
    flag_reason           varchar(50)   not null
                          check (flag_reason in ('profanity', 'pii_leakage', 'hate_speech', 'other')),
    confidence            decimal(4, 3) not null check (confidence between 0 and 1),
    requires_human_review boolean       not null,
    review_status         varchar(50)   not null default 'pending'
                          check (review_status in ('pending', 'approved', 'rejected', 'escalated')),
    reviewed_by           uuid          references users (id) on update cascade on delete set null,
    reviewer_ref          uuid,
    review_notes          text,
    reviewed_at           timestamptz,
    raised_at             timestamptz   not null,
    created_event         uuid
);

create index safety_flags_review_status_raised_at_idx on safety_flags (review_status, raised_at);
create index safety_flags_content_id_content_type_idx on safety_flags (content_id, content_type);
create index safety_flags_reviewed_by_idx on safety_flags (reviewed_by);

comment on table safety_flags is 'Texts that moderation raised, each with its latest review';
comment on column safety_flags.id is 'flagId';
comment on column safety_flags.content_id is 'The feedback, check-in or message; no foreign key, the text may be elsewhere';
comment on column safety_flags.confidence is 'How sure whoever raised it was, 0.000 to 1.000';
comment on column safety_flags.review_status is 'Pending until the first review; then the decision of the latest';
comment on column safety_flags.reviewed_by is 'Who made the latest review, once they are known as a person';
comment on column safety_flags.reviewer_ref is 'Who made the latest review, as the review names them';
comment on column safety_flags.review_notes is 'PII. Free text of the latest review';
comment on column safety_flags.created_event is 'The event that made the row';

create table safety_reviews (
    id               uuid        primary key,
    flag_id          uuid        not null references safety_flags (id),
    reviewer_ref     uuid        not null,
    decision         varchar(50) not null check (decision in ('approved', 'rejected', 'escalated')),
    notes            text,
    completed_at     timestamptz not null,
    created_event    uuid        not null,
    created_event_at timestamptz not null
);

create index safety_reviews_flag_id_idx on safety_reviews (flag_id);
create index safety_reviews_reviewer_ref_idx on safety_reviews (reviewer_ref);

comment on table safety_reviews is 'Reviews of safety flags as they were told; a flag shows the latest by (completed_at, timestamp, event id)';
comment on column safety_reviews.id is 'reviewId';
comment on column safety_reviews.reviewer_ref is 'reviewerId; no foreign key, whoever reviews need not be known as a person';
comment on column safety_reviews.notes is 'PII. Free text';
comment on column safety_reviews.created_event is 'The event that made the row';
comment on column safety_reviews.created_event_at is 'Timestamp of created_event';

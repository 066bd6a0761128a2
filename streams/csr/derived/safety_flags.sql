-- What a safety flag shows of its reviews: the latest, and who made it once they are known as a person. Computed later,
-- by one process at a time: a review and its reviewer may be told at the same moment in two batches, which do not see
-- each other, and no row is there yet that both could lock.
--
-- A review may name an id that its reviewer had once, or would have had by an e-mail of theirs: it means them, whether
-- they got another id before the review came or after it.
--
-- A key is `flag` and its id, or `membership` and the id of an event that tells of a person.
with named as materialized (
    select split_part(key, ' ', 1) as kind, split_part(key, ' ', 2)::uuid as id from touched),
told as (
    select memberships.user_id as id
    from named join company_memberships as memberships on memberships.event_id = named.id
    where named.kind = 'membership'),
names (id) as (
    select id from told
    union
    select emails.derived_user_id from told join user_emails as emails on emails.user_id = told.id),
flags as (
    select id from named where kind = 'flag'
    union
    select reviews.flag_id from names join safety_reviews as reviews on reviews.reviewer_ref = names.id),
latest as materialized (
    select flags.id, review.*, coalesce(reviewer.id, alias.user_id) as reviewed_by
    from flags
    cross join lateral (
        select decision, reviewer_ref, notes, completed_at from safety_reviews where flag_id = flags.id
        order by completed_at desc, created_event_at desc, created_event desc limit 1) as review
    left join users as reviewer on reviewer.id = review.reviewer_ref
    left join user_emails as alias on alias.derived_user_id = review.reviewer_ref)
update safety_flags as flag
set review_status = latest.decision, reviewed_by = latest.reviewed_by, reviewer_ref = latest.reviewer_ref,
    review_notes = latest.notes, reviewed_at = latest.completed_at
from latest
where flag.id = latest.id
  and (flag.review_status, flag.reviewed_by, flag.reviewer_ref, flag.review_notes, flag.reviewed_at)
      is distinct from
      (latest.decision, latest.reviewed_by, latest.reviewer_ref, latest.notes, latest.completed_at);

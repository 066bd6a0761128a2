-- The latest change by (changedAt, timestamp, event id) wins; of granting and revoking, the latest of each is kept. The
-- guards are for redelivery and reordering.
with changes as (
    select distinct on (consent_id)
        consent_id, user_id, consent_type, status, changed_at, envelope_id, envelope_timestamp
    from batch
    order by consent_id, changed_at desc, envelope_timestamp desc, envelope_id desc),
latest as (
    select consent_id, max(changed_at) filter (where status = 'granted') as granted_at,
        max(changed_at) filter (where status = 'revoked') as revoked_at
    from batch group by consent_id)
insert into consents as known
    (id, user_id, consent_type, status, granted_at, revoked_at, changed_at, changed_event, changed_event_at)
select consent_id, user_id, consent_type, status, granted_at, revoked_at, changed_at, envelope_id, envelope_timestamp
from changes join latest using (consent_id)
order by consent_id
on conflict (id) do update set
    granted_at = greatest(known.granted_at, excluded.granted_at),
    revoked_at = greatest(known.revoked_at, excluded.revoked_at),
    (user_id, consent_type, status, changed_at, changed_event, changed_event_at) = (
        select change.* from (values
            (excluded.user_id, excluded.consent_type, excluded.status, excluded.changed_at, excluded.changed_event,
             excluded.changed_event_at),
            (known.user_id, known.consent_type, known.status, known.changed_at, known.changed_event,
             known.changed_event_at)
        ) as change (user_id, consent_type, status, changed_at, changed_event, changed_event_at)
        order by change.changed_at desc, change.changed_event_at desc, change.changed_event desc limit 1);

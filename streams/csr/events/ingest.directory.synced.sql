-- Ordered by e-mail, so that two workers with the same people meet in the same order.
with applied as materialized (
    select b.envelope_id, id.touched, id.counted, id.key
    from (select * from batch order by email, external_user_id) as b
    cross join lateral apply_identity(
        b.envelope_id, b.envelope_timestamp, b.source_system, b.company_id, b.external_user_id, b.user_id,
        b.email, b.first_name, b.last_name, b.status <> 'terminated',
        b.data - '{email,firstName,lastName,displayName,managerEmail}'::text[]) as id)
select touched, counted, key from applied
union all
select derived.touched, null, 'membership ' || envelope_id
from applied cross join (values ('company_days'), ('safety_flags')) as derived (touched)
where applied.touched in ('people', 'merged');

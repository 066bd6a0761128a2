-- Ordered by e-mail, so that two workers with the same people meet in the same order.
with applied as materialized (
    select b.envelope_id, id.touched, id.counted, id.key
    from (select * from batch order by user_email, user_external_user_id) as b
    cross join lateral apply_identity(
        b.envelope_id, b.envelope_timestamp, b.source, b.company_id, b.user_external_user_id, null,
        b.user_email, b.user_first_name, b.user_last_name,
        b.action <> 'deactivated' and coalesce(b.user_employment_status, 'active') <> 'terminated',
        b.data #- '{user,email}' #- '{user,firstName}' #- '{user,lastName}' #- '{user,displayName}') as id)
select touched, counted, key from applied
union all
select derived.touched, null, 'membership ' || envelope_id
from applied cross join (values ('company_days'), ('safety_flags')) as derived (touched)
where applied.touched in ('people', 'merged');

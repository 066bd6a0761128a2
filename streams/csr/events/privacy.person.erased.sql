-- Nothing is known any more of whoever is erased but what they did, by an id. In whatever order this and all the rest
-- comes, and however often, the tables say the same: what comes later meets the keys that are destroyed here.
select gone.touched, gone.key
from (select * from batch order by user_id, envelope_timestamp, envelope_id) as b
cross join lateral erase_person(
    b.envelope_id, b.user_id, array(select jsonb_array_elements_text(b.identities)::uuid),
    array(select jsonb_array_elements_text(b.aliases)::uuid), b.erased_at) as gone;

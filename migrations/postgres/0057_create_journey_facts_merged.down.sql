drop index outbox_user_id_idx;
drop table journey_facts_merged;

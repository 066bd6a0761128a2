-- Undoes 0011, the last table first.

drop table identity_conflicts;
drop table company_memberships;
drop table user_emails;
drop table external_id_mappings;
drop table user_external_ids;
drop table company_users;
drop table companies;
drop table users;

-- Undoes 0060. Who was erased stays erased.
drop function without_words(jsonb, text[]);
drop function erase_person(uuid, uuid, uuid[], uuid[], timestamptz);
drop function join_erased(uuid, uuid, uuid[], timestamptz);
drop function forget_person(uuid, uuid[], uuid[], boolean, timestamptz);
drop function forget_words(uuid[], uuid[], uuid);
drop function forget_reviews(uuid[], uuid);
drop function forget_identities(regclass, uuid);

comment on column user_emails.email is 'PII. Lower case';
comment on column users.email is 'PII. The latest e-mail, lower case; earlier ones stay look-up keys in user_emails';

drop function erased_person(uuid[]);
drop index user_external_ids_subject_idx;
drop function identity_subject(text, uuid, text);
drop function subject_of(text, text);

-- Everything that the tables hold about a person, from whichever of their ids: the profile in full, the words that were said
-- between them and others left out, scores without what they rest on. Others appear by id alone.
with person as materialized (
    select id from users
    where id = coalesce((select id from users where id = $1::uuid),
                        (select user_id from user_emails where derived_user_id = $1::uuid))),
matches as materialized (
    select pair.id, pair.participant_id = person.id as is_participant, to_jsonb(pair) as entry
    from person join buddy_matches as pair on person.id in (pair.participant_id, pair.buddy_id)),
sessions as materialized (
    select session.id, to_jsonb(session) as entry
    from person join kintell_sessions as session on person.id in (session.participant_id, session.volunteer_id)),
checkins as materialized (
    select said.id, to_jsonb(said) as entry from matches join buddy_checkins as said on said.match_id = matches.id),
feedback as materialized (
    select said.id, to_jsonb(said) as entry from matches join buddy_feedback as said on said.match_id = matches.id),
ratings as materialized (
    select said.id, to_jsonb(said) as entry from sessions join kintell_ratings as said on said.session_id = sessions.id),
flags as materialized (
    select flag.id, to_jsonb(flag) as entry
    from safety_flags as flag
    where content_id in (select id from checkins union all select id from feedback union all select id from ratings
                         union all select id from sessions)),
scores as materialized (
    select known.id, to_jsonb(known) as entry from person join outcome_scores as known on known.user_id = person.id),
held as (
    select 1 as place, 'users' as section, to_jsonb(users) as entry from person join users using (id)
    union all
    select 2, 'user_external_ids', to_jsonb(known)
    from person join user_external_ids as known on known.profile_id = person.id
    union all
    select 3, 'user_emails', to_jsonb(known)
    from person join user_emails as known on known.user_id = person.id
    union all
    select 4, 'external_id_mappings', to_jsonb(known)
    from person join external_id_mappings as known on known.user_id = person.id
    union all
    select 5, 'identity_conflicts', to_jsonb(known)
    from person join identity_conflicts as known on known.user_id = person.id
    union all
    select 6, 'company_users', to_jsonb(known) from person join company_users as known on known.user_id = person.id
    union all
    select 7, 'company_memberships', to_jsonb(known)
    from person join company_memberships as known on known.user_id = person.id
    union all
    select 8, 'company_people', to_jsonb(known) from person join company_people as known on known.user_id = person.id
    union all
    select 9, 'program_enrollments', to_jsonb(known)
    from person join program_enrollments as known on known.user_id = person.id
    union all
    select 10, 'enrollment_reports', to_jsonb(known)
    from person join enrollment_reports as known on known.user_id = person.id
    union all
    select 11, 'buddy_matches', entry from matches
    union all
    select 12, 'buddy_events', to_jsonb(known)
    from person join buddy_events as known on known.user_id = person.id
    union all
    select 12, 'buddy_events', without_words(to_jsonb(known), '{description}')
    from matches join buddy_events as known on known.match_id = matches.id and known.user_id is null
    union all
    select 13, 'buddy_checkins', without_words(entry, '{notes,question_responses}') from checkins
    union all
    select 14, 'buddy_feedback', without_words(entry, '{feedback_text}') from feedback
    union all
    select 15, 'kintell_sessions', without_words(entry, '{feedback_text}') from sessions
    union all
    select 16, 'kintell_ratings', without_words(entry, '{feedback_text}') from ratings
    union all
    select 17, 'learning_reports', to_jsonb(known)
    from person join learning_reports as known on known.user_id = person.id
    union all
    select 18, 'learning_progress', to_jsonb(known)
    from person join learning_progress as known on known.user_id = person.id
    union all
    select 19, 'outcome_scores', entry - '{id,user_id,text_id,created_event}'::text[] from scores
    union all
    select 20, 'evidence_snippets', to_jsonb(known) - '{snippet_text,embedding,outcome_score_id}'::text[]
    from scores join evidence_snippets as known on known.outcome_score_id = scores.id
    union all
    select 21, 'evidence_ledger', to_jsonb(known) from person join evidence_ledger as known on known.user_id = person.id
    union all
    select 22, 'volunteering', to_jsonb(known) from person join volunteering as known on known.user_id = person.id
    union all
    select 23, 'placements', to_jsonb(known) from person join placements as known on known.user_id = person.id
    union all
    select 24, 'journey_flags', to_jsonb(known) from person join journey_flags as known on known.user_id = person.id
    union all
    select 25, 'journey_milestones', to_jsonb(known)
    from person join journey_milestones as known on known.user_id = person.id
    union all
    select 26, 'consents', to_jsonb(known) from person join consents as known on known.user_id = person.id
    union all
    select 27, 'dsar_requests', to_jsonb(known) from person join dsar_requests as known on known.user_id = person.id
    union all
    select 28, 'safety_flags', without_words(entry, '{review_notes}') from flags
    union all
    select 29, 'safety_reviews', without_words(to_jsonb(known), '{notes}')
    from safety_reviews as known
    where known.flag_id in (select id from flags) or known.reviewer_ref in (select id from person))
select section, entry as "row" from held order by place, entry::text;

-- One creating event per score: a second one under another event id changes nothing, nor do its snippets.
-- A snippet belongs to the earliest score that rests on it, by (timestamp, event id): the guard is for one that comes late.
with scored as (
    select distinct on (score_id) * from batch order by score_id, envelope_timestamp, envelope_id),
created as (
    insert into outcome_scores
        (id, user_id, text_id, text_type, dimension, score, confidence, model_version, method, provider_used, language,
         topics, created_event, created_at)
    select score_id, user_id, text_id, text_type, dimension, score, confidence, model_version,
        coalesce(method, 'ai_classifier'), provider_used, coalesce(language, 'en'), topics, envelope_id, scored_at
    from scored
    order by score_id
    on conflict (id) do nothing
    returning id),
resting_on as (
    insert into evidence_snippets as known
        (outcome_score_id, snippet_text, snippet_hash, embedding_ref, source_ref, scored_event, scored_event_at, created_at)
    select distinct on (snippet.hash)
        scored.score_id, snippet.item ->> 'snippetText', snippet.hash, snippet.item ->> 'embeddingRef',
        snippet.item ->> 'sourceRef', envelope_id, envelope_timestamp, scored_at
    from scored join created on created.id = scored.score_id
    cross join lateral jsonb_array_elements(snippets) with ordinality as one (item, place)
    cross join lateral (select one.item, lower(one.item ->> 'snippetHash') as hash) as snippet
    order by snippet.hash, envelope_timestamp, envelope_id, one.place
    on conflict (snippet_hash) do update set
        outcome_score_id = excluded.outcome_score_id, snippet_text = excluded.snippet_text,
        embedding_ref = excluded.embedding_ref, source_ref = excluded.source_ref,
        scored_event = excluded.scored_event, scored_event_at = excluded.scored_event_at, created_at = excluded.created_at
    where (excluded.scored_event_at, excluded.scored_event) < (known.scored_event_at, known.scored_event))
select 'company_days' as touched, 'score ' || id as key from created;

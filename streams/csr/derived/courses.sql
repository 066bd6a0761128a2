-- A person's courses from all that was told of them: the latest progress, but completed once a completion was told, and
-- also where a credential is all there is.
insert into learning_progress as known
    (user_id, provider, course_id, course_name, status, progress_percent, started_at, completed_at, credential_ref,
     metadata, updated_at)
select user_id, provider, course_id,
    (array_agg(course_name order by event_at desc, event_id desc))[1],
    case when bool_or(kind = 'completion') or not bool_or(kind = 'progress') then 'completed'
         else (array_agg(status order by told_at desc, event_at desc, event_id desc)
                   filter (where kind = 'progress'))[1] end,
    case when bool_or(kind = 'completion') or not bool_or(kind = 'progress') then 100
         else (array_agg(progress_percent order by told_at desc, event_at desc, event_id desc)
                   filter (where kind = 'progress'))[1] end,
    min(told_at) filter (where kind = 'progress'),
    coalesce(
        min(told_at) filter (where kind = 'completion'),
        min(told_at) filter (where kind = 'progress' and status = 'completed'),
        case when not bool_or(kind = 'progress') then min(told_at) end),
    (array_agg(credential_ref order by event_at desc, event_id desc) filter (where credential_ref is not null))[1],
    coalesce((array_agg(metadata order by event_at desc, event_id desc) filter (where kind = 'completion'))[1], '{}')
    || coalesce((array_agg(metadata order by event_at desc, event_id desc) filter (where kind = 'credential'))[1], '{}'),
    max(told_at)
from learning_reports
where user_id in (select key::uuid from touched)
group by user_id, provider, course_id
order by user_id, provider, course_id
on conflict (user_id, provider, course_id) do update set
    course_name = excluded.course_name, status = excluded.status, progress_percent = excluded.progress_percent,
    started_at = excluded.started_at, completed_at = excluded.completed_at, credential_ref = excluded.credential_ref,
    metadata = excluded.metadata, updated_at = excluded.updated_at
where (known.course_name, known.status, known.progress_percent, known.started_at, known.completed_at,
       known.credential_ref, known.metadata, known.updated_at)
      is distinct from
      (excluded.course_name, excluded.status, excluded.progress_percent, excluded.started_at, excluded.completed_at,
       excluded.credential_ref, excluded.metadata, excluded.updated_at);

-- The days of companies, as derived/company_days.sql has them.
select company_id, campaign_id, program_id, day, minutes, rating_sum, rating_count, score_sum, score_count, enrolled_people,
    matches, events, skill_shares, feedbacks, milestones, checkins, sroi_weight, version
from company_days;

-- Undoes 0050; constraints and indexes of the table go with it.

drop index outcome_scores_user_id_created_at_idx;
drop table outcome_scores_quarterly;

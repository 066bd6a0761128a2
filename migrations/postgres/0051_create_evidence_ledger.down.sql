-- Undoes 0051; constraints and indexes of the table go with it.

drop index learning_reports_progress_id_idx;
drop table evidence_ledger;

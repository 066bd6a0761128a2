-- Undoes 0023, the last table first; indexes go with their tables.

drop table evidence_snippets;
drop table outcome_scores;

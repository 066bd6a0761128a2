-- Undoes 0010. Ids that were derived stay where they are stored; they are plain uuids.

drop function derived_id(text);

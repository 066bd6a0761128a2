drop function apply_identity(uuid, timestamptz, text, uuid, text, uuid, text, text, text, boolean, jsonb);

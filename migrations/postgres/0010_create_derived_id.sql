-- A row that no event names by an id of its own (a person known by e-mail only, an attendance) needs an id that is the
-- same in whatever order its events come, and in Rust as in SQL. So it is computed from a name, with core functions
-- only: pgcrypto and uuid-ossp are not everywhere.

create function derived_id(name text) returns uuid
    language sql immutable strict parallel safe
    return (
        select encode(set_byte(set_byte(digest.bytes,
                   6, (get_byte(digest.bytes, 6) & 15) | 128),
                   8, (get_byte(digest.bytes, 8) & 63) | 128), 'hex')::uuid
        from (select substring(sha256(convert_to(name, 'UTF8')) from 1 for 16) as bytes) as digest
    );

comment on function derived_id(text) is
    'Name-based UUIDv8 (RFC 9562): the first 16 bytes of SHA-256 over the UTF-8 name, version nibble 8, variant 10';

-- One row an item. Times are microseconds since 1970, UTC; `due` is YYYY-MM-DD.
create table items (
    id text primary key,
    title text not null,
    description text not null,
    -- Lower-cased copies: SQLite itself lower-cases only ASCII.
    title_lower text not null,
    description_lower text not null,
    due text,
    status text not null check (status in ('todo', 'doing', 'done')),
    -- Any number; items are shown by (position, id).
    position real not null,
    created_at integer not null,
    changed_at integer not null,
    done_at integer,
    -- The act that deleted it (a UUIDv7, so it holds the time too); null while it is on the list.
    deletion text
) strict;

create index items_by_position on items (position, id) where deletion is null;
create index items_by_status on items (status, position, id) where deletion is null;
create index items_by_done on items (status, done_at, id) where deletion is null;
create index items_by_deletion on items (deletion) where deletion is not null;

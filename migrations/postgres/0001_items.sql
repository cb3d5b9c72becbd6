-- One row an item, as in sqlite/0001_items.sql. Ids are compared byte by byte.
create table items (
    id text collate "C" primary key,
    title text not null,
    description text not null,
    title_lower text not null,
    description_lower text not null,
    due text,
    status text not null check (status in ('todo', 'doing', 'done')),
    position double precision not null,
    created_at bigint not null,
    changed_at bigint not null,
    done_at bigint,
    deletion text collate "C"
);

create index items_by_position on items (position, id) where deletion is null;
create index items_by_status on items (status, position, id) where deletion is null;
create index items_by_done on items (status, done_at, id) where deletion is null;
create index items_by_deletion on items (deletion) where deletion is not null;

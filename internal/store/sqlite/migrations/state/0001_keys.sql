-- +goose Up
-- Keys without their secrets. Times are ns since 1970; revoked 0 = in force. routes is a JSON array.
CREATE TABLE keys (
    id          TEXT    NOT NULL PRIMARY KEY,
    hash        BLOB    NOT NULL,
    name        TEXT    NOT NULL,
    team        TEXT    NOT NULL,
    use_case    TEXT    NOT NULL,
    routes      TEXT    NOT NULL,
    floor       TEXT    NOT NULL,
    raw_context INTEGER NOT NULL,
    created     INTEGER NOT NULL,
    revoked     INTEGER NOT NULL
) WITHOUT ROWID;

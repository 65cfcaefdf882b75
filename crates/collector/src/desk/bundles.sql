-- Evidence: copies that outlive the week. The contents are files beside this one, named after the id.
CREATE TABLE bundles (
    id          TEXT PRIMARY KEY,
    session     TEXT NOT NULL,
    author      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    requests    INTEGER NOT NULL,
    left_out    INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    ndjson_hash TEXT NOT NULL,
    html_hash   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

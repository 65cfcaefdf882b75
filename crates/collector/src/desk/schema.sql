-- Ids are 32 hex digits, times microseconds and days days since the Unix epoch.

-- What notes and labels are on. It goes when the store no longer knows it, they go with it.
CREATE TABLE subjects (
    kind     TEXT NOT NULL CHECK (kind IN ('session', 'request')),
    id       TEXT NOT NULL,
    session  TEXT NOT NULL,
    last_day INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX subjects_by_session ON subjects (session);
CREATE INDEX subjects_by_day ON subjects (last_day);

CREATE TABLE notes (
    id      TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    text    TEXT NOT NULL,
    author  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    FOREIGN KEY (kind, subject) REFERENCES subjects (kind, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX notes_by_subject ON notes (kind, subject);

CREATE TABLE labels (
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    label   TEXT NOT NULL,
    author  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (kind, subject, label),
    FOREIGN KEY (kind, subject) REFERENCES subjects (kind, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX labels_by_label ON labels (label, kind);

-- Who did what. `kind` and `subject` are free: bundles and pseudonyms are no subjects of the above.
CREATE TABLE audit (
    n       INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    action  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    before  TEXT,
    after   TEXT
) STRICT;
CREATE INDEX audit_by_action ON audit (action, n);
CREATE INDEX audit_by_subject ON audit (kind, subject);

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn session(n: u8) -> Subject {
    let id = Id([n; 16]);
    Subject { kind: Kind::Session, id, session: id, last_day: Day(1) }
}

fn request(n: u8, session: u8) -> Subject {
    Subject { kind: Kind::Request, id: Id([n; 16]), session: Id([session; 16]), last_day: Day(1) }
}

fn by(at: i64) -> By {
    By::local(Micros(at))
}

async fn desk() -> (tempfile::TempDir, Desk) {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::open(&dir.path().join("settings.db"), dir.path()).await.unwrap();
    (dir, desk)
}

#[tokio::test]
async fn what_was_added_is_there_after_a_restart() {
    let (dir, desk) = desk().await;
    let note = desk.add_note(session(1), "looks like a robot", &by(5)).await.unwrap();
    let of_request = desk.add_note(request(9, 1), "the first wrong one", &by(6)).await.unwrap();
    assert!(desk.add_label(session(1), "robot", &by(7)).await.unwrap());
    desk.close().await;
    let desk = Desk::open(&dir.path().join("settings.db"), dir.path()).await.unwrap();
    assert_eq!(desk.notes_of_session(session(1).id).await.unwrap(), [note, of_request.clone()]);
    assert_eq!(desk.notes_of_request(request(9, 1).id).await.unwrap(), [of_request]);
    let label = Label { label: "robot".to_owned(), author: LOCAL.to_owned(), at: Micros(7) };
    assert_eq!(desk.labels_on(Kind::Session, session(1).id).await.unwrap(), [label]);
}

#[tokio::test]
async fn each_change_has_a_row_in_the_audit_and_what_changes_nothing_has_none() {
    let (_dir, desk) = desk().await;
    let note = desk.add_note(session(1), "text", &by(1)).await.unwrap();
    desk.add_label(request(2, 1), "odd", &by(2)).await.unwrap();
    assert!(!desk.add_label(request(2, 1), "odd", &by(3)).await.unwrap());
    assert!(desk.remove_label(Kind::Request, request(2, 1).id, "odd", &by(4)).await.unwrap());
    assert!(!desk.remove_label(Kind::Request, request(2, 1).id, "odd", &by(5)).await.unwrap());
    assert!(desk.remove_note(note.id, &by(6)).await.unwrap());
    assert!(!desk.remove_note(note.id, &by(7)).await.unwrap());
    let rows = desk.audit(None, 100).await.unwrap();
    let told: Vec<_> =
        rows.iter().map(|row| (row.at.0, row.action.as_str(), row.before.as_deref(), row.after.as_deref())).collect();
    let right = [
        (6, "note.remove", Some("text"), None),
        (4, "label.remove", Some("odd"), None),
        (2, "label.add", None, Some("odd")),
        (1, "note.add", None, Some("text")),
    ];
    assert_eq!(told, right);
    assert!(rows.iter().all(|row| row.who == LOCAL));
    assert_eq!(desk.audit(Some(rows[1].n), 1).await.unwrap(), rows[2..3]);
}

#[tokio::test]
async fn the_text_of_what_was_removed_goes_with_its_week_from_the_audit_too() {
    let (_dir, desk) = desk().await;
    let note = desk.add_note(session(1), "a secret, by mistake", &by(1)).await.unwrap();
    assert!(desk.remove_note(note.id, &by(2)).await.unwrap());
    let outdated = desk.outdated(Day(i32::MAX), 10).await.unwrap();
    assert_eq!(outdated, [(Kind::Session, session(1).id)]);
    desk.forget(Kind::Session, session(1).id, &by(3)).await.unwrap();
    let rows = desk.audit(None, 10).await.unwrap();
    assert!(rows.iter().all(|row| row.before.is_none() && row.after.is_none()), "{rows:?}");
    assert_eq!(rows.len(), 3);
}

#[tokio::test]
async fn there_is_an_end_to_notes_and_labels_and_it_says_so() {
    let (_dir, desk) = desk().await;
    for n in 0..limits::NOTES {
        desk.add_note(session(1), "text", &by(n as i64)).await.unwrap();
    }
    let error = desk.add_note(session(1), "one more", &by(0)).await.unwrap_err().to_string();
    assert!(error.contains("100 notes here"), "{error}");
    desk.add_note(session(2), "elsewhere", &by(0)).await.unwrap();
    for n in 0..limits::LABELS {
        desk.add_label(session(1), &format!("label {n}"), &by(0)).await.unwrap();
    }
    let error = desk.add_label(session(1), "one more", &by(0)).await.unwrap_err().to_string();
    assert!(error.contains("20 labels here"), "{error}");
    assert!(!desk.add_label(session(1), "label 0", &by(0)).await.unwrap());
    // What was refused left nothing behind.
    assert_eq!(desk.audit(None, 1000).await.unwrap().len(), limits::NOTES + limits::LABELS + 1);
}

#[tokio::test]
async fn a_damaged_file_is_named_with_what_to_do_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("settings.db");
    let text = "this is no database, and long enough not to be taken for an empty one".repeat(100);
    std::fs::write(&path, &text).unwrap();
    let error = Desk::open(&path, dir.path()).await.unwrap_err();
    assert!(matches!(error, DeskError::Damaged { .. }), "{error}");
    for needle in ["settings.db is damaged", "copy of it", "move it away"] {
        assert!(error.to_string().contains(needle), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_file_with_a_torn_page_is_not_taken_for_sound() {
    let (dir, desk) = desk().await;
    for n in 0..40 {
        desk.add_note(session(n), &"x".repeat(2000), &by(0)).await.unwrap();
    }
    desk.close().await;
    let path = dir.path().join("settings.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // All but the first pages, which hold the schema.
    let end = bytes.len();
    bytes[40_960..end].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let error = Desk::open(&path, dir.path()).await.unwrap_err();
    assert!(matches!(error, DeskError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let (dir, desk) = desk().await;
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'x', 1, x'00', 0)")
        .execute(&desk.pool)
        .await
        .unwrap();
    desk.close().await;
    let error = Desk::open(&dir.path().join("settings.db"), dir.path()).await.unwrap_err();
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[tokio::test]
async fn nobody_else_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, _desk) = desk().await;
    let mode = std::fs::metadata(dir.path().join("settings.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

fn archive(n: u8) -> crate::evidence::Archive {
    crate::evidence::Archive {
        id: Id([n; 16]),
        session: Id([1; 16]),
        requests: 1,
        left_out: 0,
        html: b"page".to_vec(),
        ndjson: b"archive".to_vec(),
    }
}

fn files(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with("settings.db")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_start_removes_what_a_crash_left_of_a_bundle_and_nothing_else() {
    let (dir, desk) = desk().await;
    let kept = desk.keep_bundle(archive(1), &by(1)).await.unwrap();
    let right = [format!("{}.html", kept.id), format!("{}.ndjson", kept.id), "notes of mine.html".to_owned()];
    std::fs::write(dir.path().join(&right[2]), "").unwrap();
    std::fs::write(dir.path().join(format!("{}.html", Id([2; 16]))), "half a pa").unwrap();
    desk.close().await;
    let desk = Desk::open(&dir.path().join("settings.db"), dir.path()).await.unwrap();
    assert_eq!(files(dir.path()), right);
    assert_eq!(desk.read_bundle(kept.id, Form::Ndjson).await.unwrap().unwrap(), b"archive");
    assert!(desk.remove_bundle(kept.id, &by(2)).await.unwrap());
    assert_eq!(files(dir.path()), right[2..]);
}

#[tokio::test]
async fn there_is_an_end_to_bundles_and_what_is_refused_leaves_no_files() {
    let (dir, desk) = desk().await;
    let fill = async |rows: usize, bytes: usize| {
        let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) \
                    INSERT INTO bundles SELECT printf('%032x', i), printf('%032x', i), 'local', 0, 1, 0, ?, '', '' FROM n";
        sqlx::query("DELETE FROM bundles").execute(&desk.pool).await.unwrap();
        sqlx::query(fill).bind(rows as i64).bind((bytes / rows) as i64).execute(&desk.pool).await.unwrap();
    };
    for (rows, bytes, needle) in [
        (limits::BUNDLES, 0, "200 evidence bundles"),
        (1, limits::BUNDLE_BYTES, "1073741824 bytes of evidence bundles"),
    ] {
        fill(rows, bytes).await;
        let error = desk.keep_bundle(archive(0xee), &by(1)).await.unwrap_err().to_string();
        assert!(error.contains(needle), "{error}");
        assert_eq!(files(dir.path()), [""; 0]);
    }
    fill(limits::BUNDLES - 1, 0).await;
    desk.keep_bundle(archive(0xee), &by(1)).await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is written in them: quotes, wildcards, other alphabets.
    #[test]
    fn labels_are_told_as_they_were_given(given in prop::collection::vec((0u8..4, "\\PC{1,12}"), 0..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_dir, desk) = desk().await;
            let mut right: BTreeMap<Id, Vec<String>> = BTreeMap::new();
            for (n, label) in given {
                let labels = right.entry(session(n).id).or_default();
                if labels.len() == limits::LABELS {
                    continue;
                }
                let new = !labels.contains(&label);
                assert_eq!(desk.add_label(session(n), &label, &by(0)).await.unwrap(), new);
                if new {
                    labels.push(label);
                    labels.sort();
                }
            }
            let ids = (0..5).map(|n| session(n).id);
            assert_eq!(desk.labels_of(Kind::Session, ids).await.unwrap(), right);
            let counts: BTreeMap<_, _> =
                desk.labels().await.unwrap().into_iter().map(|count| (count.label, count.sessions)).collect();
            let mut all: BTreeMap<String, i64> = BTreeMap::new();
            right.into_values().flatten().for_each(|label| *all.entry(label).or_default() += 1);
            assert_eq!(counts, all);
        });
    }
}

impl Desk {
    /// Lets every change fail from now on: when its row of the audit is written, or when it is to be kept.
    pub(crate) async fn refuse_changes(&self, at_the_end: bool) {
        let orphans = "CREATE TABLE orphans (id INTEGER REFERENCES bundles DEFERRABLE INITIALLY DEFERRED)";
        let refuse: &[&'static str] = match at_the_end {
            false => &["CREATE TRIGGER refuse AFTER INSERT ON audit BEGIN SELECT RAISE(ABORT, 'refused'); END"],
            // A row without its parent, which is looked for at the end.
            true => &[orphans, "CREATE TRIGGER orphan AFTER INSERT ON audit BEGIN INSERT INTO orphans VALUES (1); END"],
        };
        for statement in ["DROP TRIGGER IF EXISTS refuse"].iter().chain(refuse) {
            sqlx::query(*statement).execute(&self.pool).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_start_goes_on_when_files_of_bundles_cannot_be_removed() {
    let (dir, desk) = desk().await;
    let kept = desk.keep_bundle(archive(1), &by(1)).await.unwrap();
    desk.close().await;
    // A folder under the name of a file, as no file can be removed by root's tests otherwise.
    let (stuck, stray) = (Id([2; 16]), Id([3; 16]));
    std::fs::create_dir(dir.path().join(format!("{stuck}.html"))).unwrap();
    std::fs::write(dir.path().join(format!("{stray}.ndjson")), "left").unwrap();
    let desk = Desk::open(&dir.path().join("settings.db"), dir.path()).await.unwrap();
    assert_eq!(desk.bundles().await.unwrap(), [kept]);
    assert!(!dir.path().join(format!("{stray}.ndjson")).exists());
}

#[tokio::test]
async fn a_bundle_without_room_is_refused_before_anything_is_written() {
    let (dir, desk) = desk().await;
    let whole = "INSERT INTO bundles VALUES ('1', '1', 'local', 0, 1, 0, ?, '', '')";
    sqlx::query(whole).bind(count(limits::BUNDLE_BYTES)).execute(&desk.pool).await.unwrap();
    // Writing would fail, and say something else.
    let desk = Desk { bundles: dir.path().join("missing"), ..desk };
    let error = desk.keep_bundle(archive(1), &by(1)).await.unwrap_err();
    assert!(matches!(error, DeskError::Full { .. }), "{error}");
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap()
}

//! What the collector says of a disk that is not as it left it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use ngx_tests::collector::{Collector, newest_file};
use ngx_tests::forward::{SESSIONS, Sender, entry, frame, record};
use ngx_tests::wait;

const INSTANCE: [u8; 8] = *b"instance";

/// A collector that stored some chunks and was killed, and its newest log segment.
async fn killed_with_chunks(chunks: u64) -> (Collector, PathBuf) {
    let mut collector = Collector::start().await.unwrap();
    let rest = collector.rest().unwrap();
    let mut sender = Sender::connect(&collector.ingest()).unwrap();
    for n in 0..chunks {
        let chunk = format!("chunk {n}");
        sender.send(&frame(SESSIONS, entry(record(INSTANCE, n, 1)), 1, &chunk)).unwrap();
        assert_eq!(sender.ack().unwrap(), chunk);
    }
    wait::until("the requests", wait::LONG, async || (rest.stored().await.ok()? == chunks).then_some(()))
        .await
        .unwrap();
    collector.kill().unwrap();
    let segment = newest_file(&collector.data(), LOG_EXTENSION).expect("a log segment");
    (collector, segment)
}

/// Of log segments.
const LOG_EXTENSION: &str = "seg";

#[tokio::test]
async fn an_incomplete_last_record_is_cut_counted_and_logged() {
    let (mut collector, segment) = killed_with_chunks(3).await;
    let whole = fs::read(&segment).unwrap();
    // What a crash in the middle of a write leaves: the beginning of a record.
    let mut log = fs::OpenOptions::new().append(true).open(&segment).unwrap();
    log.write_all(&whole[..40]).unwrap();
    drop(log);

    collector.run().await.unwrap();

    let rest = collector.rest().unwrap();
    wait::until("the requests", wait::LONG, async || (rest.stored().await.ok()? == 3).then_some(())).await.unwrap();
    assert_eq!(rest.metrics().await.unwrap().sum("api_sessions_log_cut_bytes"), 40);
    assert!(collector.log().contains("cut"), "{}", collector.log());
    assert!(collector.stop().unwrap().unwrap().success());
}

#[tokio::test]
async fn damage_within_the_log_costs_what_it_met_and_is_told_with_counts() {
    let (mut collector, segment) = killed_with_chunks(3).await;
    let log = fs::OpenOptions::new().write(true).open(&segment).unwrap();
    log.write_all_at(b"damage", log.metadata().unwrap().len() / 2).unwrap();
    drop(log);
    let damaged = fs::read(&segment).unwrap();
    let rest = collector.rest().unwrap();
    let told = async |stored, missing| {
        wait::until("the damage", wait::LONG, async || {
            let metrics = rest.metrics().await.ok()?;
            let sums = ["damages", "missing_events"].map(|name| metrics.sum(&format!("api_sessions_log_{name}_total")));
            (sums == [1, missing] && rest.stored().await.ok()? == stored).then_some(())
        })
        .await
        .unwrap();
    };

    // The day file has all of it.
    collector.run().await.unwrap();
    told(3, 0).await;
    collector.kill().unwrap();
    // Without it the log is all there is.
    let days = collector.data().join("days");
    fs::remove_dir_all(&days).unwrap();
    collector.run().await.unwrap();
    told(2, 1).await;
    rest.text("/readyz").await.expect("nothing is left to be done about it");
    assert!(collector.stop().unwrap().unwrap().success());

    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(collector.log().contains(&format!("log segment {name} is damaged at byte")), "{}", collector.log());
    let kept = newest_file(&collector.data().join("set-aside"), LOG_EXTENSION).expect("the damaged segment");
    assert_eq!(fs::read(kept).unwrap(), damaged);
}

#[tokio::test]
async fn a_damaged_day_file_is_made_anew_from_the_log_and_kept_aside() {
    let (mut collector, _) = killed_with_chunks(3).await;
    // An end in order leaves everything in the day file.
    collector.run().await.unwrap();
    assert!(collector.stop().unwrap().unwrap().success());
    let day = newest_file(&collector.data(), "duckdb").expect("a day file");
    fs::write(&day, [0x5a; 20_000]).unwrap();

    collector.run().await.unwrap();

    let rest = collector.rest().unwrap();
    wait::until("the requests", wait::LONG, async || (rest.stored().await.ok()? == 3).then_some(())).await.unwrap();
    let anew = async || (rest.metrics().await.ok()?.sum("api_sessions_store_files_made_anew_total") == 1).then_some(());
    wait::until("the count", wait::LONG, anew).await.unwrap();
    assert!(collector.stop().unwrap().unwrap().success());
    assert!(collector.log().contains("nothing of it is lost"), "{}", collector.log());
    assert_eq!(fs::read(format!("{}.broken-1", day.display())).unwrap(), [0x5a; 20_000]);
}

#[tokio::test]
async fn a_data_directory_that_is_not_there_stops_the_start_with_a_clear_message() {
    let mut collector = Collector::new().unwrap();
    fs::remove_dir(collector.data()).unwrap();
    let data = collector.data().display().to_string();
    fails(&mut collector, &[&data]);
}

#[tokio::test]
async fn an_unreadable_data_directory_stops_the_start_with_a_clear_message() {
    use std::os::unix::fs::PermissionsExt;

    // Root may read everything, unless it gives that up.
    let root = rustix::process::getuid().is_root();
    let bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
    let mut collector = Collector::new().unwrap().under(if root { &bound } else { &[] });
    fs::set_permissions(collector.data(), fs::Permissions::from_mode(0o000)).unwrap();
    let data = collector.data().display().to_string();
    fails(&mut collector, &[&data, "permission"]);
}

#[tokio::test]
async fn a_full_disk_at_the_start_stops_it_with_a_clear_message() {
    let collector = Collector::new().unwrap();
    // A file system of its own, too small for anything, that goes with the process.
    let mount = format!(
        "mount -t tmpfs -o size=16k none {data} && head -c 100k /dev/zero >{data}/filler 2>/dev/null; exec \"$@\"",
        data = collector.data().display()
    );
    let mut collector = collector.under(&["unshare", "--map-root-user", "--mount", "sh", "-c", &mount, "sh"]);
    fails(&mut collector, &["space"]);
}

/// Starts it, sees it end with an error, and finds all of `words` in what it said.
#[track_caller]
fn fails(collector: &mut Collector, words: &[&str]) {
    let before = collector.log().len();
    let ended = collector.run_to_its_end().unwrap();
    let log = collector.log();
    let said = &log[before..];
    assert!(ended.is_some_and(|status| !status.success()), "it runs, or ended well: {ended:?}\n{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in what it said:\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

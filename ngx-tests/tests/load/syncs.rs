//! An acknowledgement is a promise of the disk: seen from the system calls.

use std::collections::BTreeMap;
use std::fs;

use ngx_tests::collector::Collector;
use ngx_tests::forward::{SESSIONS, Sender, entry, frame, record};
use ngx_tests::wait;

/// What a line of the trace says, as far as it matters.
#[derive(Debug, PartialEq)]
enum Call {
    /// Bytes went into a log segment.
    Written,
    /// A log segment was synced.
    Synced,
    /// An acknowledgement was written to a node.
    Acked,
}

#[tokio::test]
async fn the_log_is_synced_before_each_acknowledgement() {
    const CHUNKS: u64 = 20;
    let trace = ngx_tests::folder::temporary().unwrap();
    let file = trace.path().join("trace");
    let calls = "trace=fsync,fdatasync,sync_file_range,write,writev,pwrite64,pwritev,sendto,sendmsg";
    // With -D the collector is our child and the tracer its own: signals go to the collector.
    let under =
        ["strace", "-D", "-f", "-y", "-s", "64", "-e", calls, "-e", "signal=none", "-o", file.to_str().unwrap()];
    let mut collector = Collector::new().unwrap().under(&under);
    collector.run().await.unwrap();
    let mut sender = Sender::connect(&collector.ingest()).unwrap();
    for n in 0..CHUNKS {
        let chunk = format!("chunk {n}");
        sender.send(&frame(SESSIONS, entry(record(*b"instance", n, 1)), 1, &chunk)).unwrap();
        assert_eq!(sender.ack().unwrap(), chunk);
    }
    let id = collector.id().unwrap();
    collector.stop().unwrap();
    // Short process ids are padded.
    let is_end = |line: &str| {
        let line = line.split_once(' ').map(|(thread, rest)| (thread, rest.trim_start()));
        line.is_some_and(|(thread, rest)| thread == id.to_string() && rest.starts_with("+++ exited"))
    };
    let whole = async || fs::read_to_string(&file).ok().filter(|trace| trace.lines().any(is_end));
    let calls = read(&wait::until("the end of the trace", wait::LONG, whole).await.unwrap());

    let mut acked = 0;
    let (mut written, mut synced) = (false, false);
    for call in &calls {
        match call {
            Call::Written => (written, synced) = (true, false),
            Call::Synced => synced = true,
            Call::Acked => {
                // One chunk at a time is on its way, so its record is what was last written.
                assert!(written && synced, "ack {acked} was sent before the log was synced: {calls:?}");
                acked += 1;
                (written, synced) = (false, false);
            }
        }
    }
    assert_eq!(acked, CHUNKS);
}

/// Calls in the order that the trace shows: writes and syncs when they are done, acknowledgements
/// when they begin.
fn read(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    // Of each thread, a write or sync that other threads' calls were seen in the middle of.
    let mut unfinished: BTreeMap<&str, Call> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if rest.starts_with("<... ") {
            if let Some(call) = unfinished.remove(thread)
                && !rest.contains("= -1")
            {
                calls.push(call);
            }
            continue;
        }
        let Some((name, arguments)) = rest.split_once('(') else { continue };
        let to_log = arguments.split(['>', ',']).next().is_some_and(|file| file.ends_with(".seg"));
        let call = match name {
            "fsync" | "fdatasync" if to_log => Call::Synced,
            "write" | "writev" | "pwrite64" | "pwritev" if to_log => Call::Written,
            "write" | "writev" | "sendto" | "sendmsg" if arguments.contains(r"\201\243ack") => Call::Acked,
            _ => continue,
        };
        if call == Call::Acked {
            calls.push(call);
        } else if rest.contains("<unfinished ...>") {
            unfinished.insert(thread, call);
        } else if !rest.contains("= -1") {
            calls.push(call);
        }
    }
    calls
}

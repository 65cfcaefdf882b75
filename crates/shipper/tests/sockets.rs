//! The shipper on real sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use shipper::{Address, Batch, Failure, Left, Options, Shipper, Status, SystemClock, SystemNet, Until};
use wire::{EventTime, FrameReader, write_ack};

/// Long enough for any machine; no test waits for it to pass.
const DEADLINE: Duration = Duration::from_secs(60);

/// Takes chunks until `events` came, acknowledging each.
fn serve(mut stream: impl Read + Write, events: usize) -> usize {
    let mut reader = FrameReader::new();
    let mut seen = 0;
    let mut piece = [0; 65536];
    while seen < events {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "the shipper closed early");
        reader.push(&piece[..read]);
        while let Some(frame) = reader.next_frame().unwrap() {
            seen += frame.entries().filter(Result::is_ok).count();
            let mut ack = Vec::new();
            write_ack(&mut ack, &frame.chunk.unwrap());
            stream.write_all(&ack).unwrap();
        }
    }
    seen
}

fn ship(addresses: Vec<Address>, events: usize) -> Left {
    let now = Instant::now();
    let mut shipper: Shipper<SystemNet> = Shipper::new(SystemNet, Options::new(addresses, [1; 8]), 1, now);
    let mut left = events;
    shipper.finish(
        &SystemClock,
        Until { sending: now + DEADLINE, storing: now + DEADLINE },
        &mut |batch: &mut Batch| {
            if left == 0 {
                return false;
            }
            left -= 1;
            batch.push(EventTime::default(), |out| {
                rmp::encode::write_map_len(out, 1).unwrap();
                rmp::encode::write_str(out, "b").unwrap();
                rmp::encode::write_bin(out, &[7; 400]).unwrap();
                true
            });
            true
        },
    )
}

#[test]
fn chunks_go_over_a_unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("collector.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let collector = std::thread::spawn(move || serve(listener.accept().unwrap().0, 20_000));
    assert_eq!(ship(vec![Address::Unix(path)], 20_000), Left::default());
    assert_eq!(collector.join().unwrap(), 20_000);
}

#[test]
fn chunks_go_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap());
    let collector = std::thread::spawn(move || serve(listener.accept().unwrap().0, 20_000));
    assert_eq!(ship(vec![address], 20_000), Left::default());
    assert_eq!(collector.join().unwrap(), 20_000);
}

#[test]
fn a_socket_that_is_not_there_is_named_and_the_next_one_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let absent = Address::Unix(dir.path().join("absent.sock"));
    let path = dir.path().join("collector.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let collector = std::thread::spawn(move || serve(listener.accept().unwrap().0, 10));
    assert_eq!(ship(vec![absent.clone(), Address::Unix(path)], 10), Left::default());
    assert_eq!(collector.join().unwrap(), 10);

    let now = Instant::now();
    let options = Options::new(vec![absent.clone()], [1; 8]);
    let mut shipper: Shipper<SystemNet> = Shipper::new(SystemNet, options, 1, now);
    let change = shipper.step(now, &mut |_| false).change;
    let Some(Status::Unreachable(Failure { address, reason })) = change else { panic!("{change:?}") };
    assert_eq!(address, absent.to_string());
    assert!(reason.contains("No such file or directory"), "{reason}");
}

#[test]
fn a_refused_tcp_connect_is_told() {
    // The port is taken, but nobody listens there.
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = Address::Tcp(getsockname(&socket).unwrap().try_into().unwrap());
    let now = Instant::now();
    let mut options = Options::new(vec![address], [1; 8]);
    options.connect_timeout = DEADLINE;
    let mut shipper: Shipper<SystemNet> = Shipper::new(SystemNet, options, 1, now);
    let change = (0..).find_map(|_| {
        let step = shipper.step(Instant::now(), &mut |_| false);
        std::thread::sleep(Duration::from_millis(1));
        step.change
    });
    let Some(Status::Unreachable(Failure { reason, .. })) = change else { panic!("{change:?}") };
    assert!(reason.contains("Connection refused"), "{reason}");
}

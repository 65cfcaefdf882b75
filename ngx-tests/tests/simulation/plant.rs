//! Bugs put in on purpose, to see that the schedules find them.
//!
//! They are in what stands around the shipped code here, and take nothing from the dice: a schedule with a bug is
//! the same as without, until the bug bites.

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    Nothing,
    /// A chunk is acknowledged, then synced.
    AckBeforeSync,
    /// A chunk that the log refused is acknowledged.
    AckRefused,
    /// The log is never synced.
    LogWithoutSync,
    /// The log forgets what the store has, before that is safe there.
    ReleaseBeforeCheckpoint,
    /// Duplicates are not told after a restart.
    ForgetSeqs,
    /// A restart goes on where the day that got furthest is.
    ResumeAtNewestDay,
    /// A worker believes an ack that does not name what it sent.
    BelieveWrongAcks,
    /// A worker takes over the instance of the one before, and with it its numbers.
    SameInstance,
    /// A chunk that is sent again has another id.
    AnotherChunkId,
    /// Nothing ends the wait for an ack.
    WaitForever,
    /// More is held than allowed.
    HoldTooMuch,
    /// The memory of a batch is given back before its bytes are on the node's disk.
    StoreWithoutSync,
    /// The same for the name of its file.
    ForgetNames,
    /// A part is read while another worker writes or reads it.
    TakeWhatOthersHave,
    /// A part is removed when it is read, not when it is acknowledged.
    RemoveBeforeAck,
    /// Who takes a part over stops before its end.
    SkipLastRecord,
    /// What the spool had no room for is not counted.
    GapNotCounted,
    /// It is counted twice.
    GapCountedTwice,
    /// Damage is passed over in silence.
    HideDamage,
}

//! Faults that a hub must never have, planted to show that the oracle notices them.

/// What is wrong with the simulated host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plant {
    /// Nothing.
    #[default]
    Nothing,
    /// A socket swallows one byte of what it has taken.
    LoseByte,
    /// A short send is not reported.
    HideShortSend,
    /// A socket sends an event's frame twice.
    DuplicateEvent,
    /// One shard is not handed an event.
    SkipEvent,
    /// Two events reach a shard in the wrong order: the second is shown live before the first.
    SwapEvents,
    /// A publisher is told that an event was taken which the log has not.
    AcknowledgeUnkept,
    /// A publisher is answered twice.
    AnswerTwice,
    /// A publisher is never answered.
    AnswerNever,
    /// A shard sleeps through its deadlines.
    OversleepTimers,
    /// A socket that has room again is never reported.
    ForgetWritable,
    /// The count of streams never says that it is full.
    UncountedStreams,
    /// The disk says that it keeps what it will keep only with the next sync.
    AcknowledgeBeforeSync,
    /// What the log fails to keep is shown.
    ShowBeforeSync,
    /// The last event that was kept is not there after a crash.
    ForgetLastEvent,
    /// A page of the log lacks its last event.
    SkipSeam,
}

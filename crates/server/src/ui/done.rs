//! What was just done, said on the page that follows: one of a few sentences, never a text out of the address.

/// What became of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Replayed,
    ReplayedEdited,
    NowhereToReplay,
    Retried,
    NotRetried,
    Cancelled,
    NotCancelled,
    RetriedAll,
    Asked,
    NobodyToAsk,
    Paused,
    Resumed,
    Ordered,
    TooManyReplays,
    ReplayCancelled,
    ReplayEnded,
}

impl Done {
    const ALL: [Self; 16] = [
        Self::Replayed,
        Self::ReplayedEdited,
        Self::NowhereToReplay,
        Self::Retried,
        Self::NotRetried,
        Self::Cancelled,
        Self::NotCancelled,
        Self::RetriedAll,
        Self::Asked,
        Self::NobodyToAsk,
        Self::Paused,
        Self::Resumed,
        Self::Ordered,
        Self::TooManyReplays,
        Self::ReplayCancelled,
        Self::ReplayEnded,
    ];

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.as_str() == word)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::ReplayedEdited => "replayed-edited",
            Self::NowhereToReplay => "nowhere",
            Self::Retried => "retried",
            Self::NotRetried => "not-retried",
            Self::Cancelled => "cancelled",
            Self::NotCancelled => "not-cancelled",
            Self::RetriedAll => "retried-all",
            Self::Asked => "asked",
            Self::NobodyToAsk => "nobody",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Ordered => "ordered",
            Self::TooManyReplays => "too-many-replays",
            Self::ReplayCancelled => "replay-cancelled",
            Self::ReplayEnded => "replay-ended",
        }
    }

    /// In a sentence.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Replayed => "Replay is on its way: a new delivery of the stored bytes, due now.",
            Self::ReplayedEdited => {
                "Replay is on its way: a new delivery of what you edited, marked as edited, due now."
            }
            Self::NowhereToReplay => "Nothing was replayed: there is no such destination.",
            Self::Retried => "The delivery is due now.",
            Self::NotRetried => {
                "Not retried: only waiting, dead and cancelled deliveries are. Replay the event to send it again."
            }
            Self::Cancelled => "The delivery is cancelled. Retrying brings it back.",
            Self::NotCancelled => "Not cancelled: it is under way or has ended.",
            Self::RetriedAll => "The deliveries of this issue are due now.",
            Self::Asked => "The webhook is being looked at and challenged now.",
            Self::NobodyToAsk => {
                "Nobody looks after this webhook: set `heal = true` and `api` for its source."
            }
            Self::Paused => "Nothing more is sent there until it is resumed. What is due waits in its queue.",
            Self::Resumed => "It goes on.",
            Self::Ordered => "The replay is ordered.",
            Self::TooManyReplays => {
                "Not ordered: too many replays are under way. Wait for one to end, or cancel one."
            }
            Self::ReplayCancelled => "The replay is cancelled. The deliveries that were made stay.",
            Self::ReplayEnded => "It had ended already.",
        }
    }

    /// Whether it is what was wanted.
    pub(super) fn is_good(self) -> bool {
        matches!(
            self,
            Self::Replayed
                | Self::ReplayedEdited
                | Self::Retried
                | Self::Cancelled
                | Self::RetriedAll
                | Self::Asked
                | Self::Paused
                | Self::Resumed
                | Self::Ordered
                | Self::ReplayCancelled
        )
    }
}

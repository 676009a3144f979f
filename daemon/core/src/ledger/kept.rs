//! The answer kept under a batch request's own key, as bytes: seqs for what happened, the whole
//! refusal for what did not.

use serde::{Deserialize, Serialize};

use super::KeptAnswer;
use crate::{
    cut::Hash,
    outcome::{Conflict, Outcome, Refusal},
};

/// One outcome, without its record.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptOutcome {
    /// Recorded as this seq by this request.
    Ok(u64),
    /// Recorded as this seq before.
    Replayed(u64),
    /// Refused, and why.
    Refused(Refusal),
    /// The key was used for something else.
    Conflict(Conflict),
    /// Not tried.
    NotAttempted,
}

impl From<&Outcome> for KeptOutcome {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Ok(stored) => Self::Ok(stored.record.seq),
            Outcome::Replayed(stored) => Self::Replayed(stored.record.seq),
            Outcome::Refused(refusal) => Self::Refused(refusal.clone()),
            Outcome::Conflict(conflict) => Self::Conflict(conflict.clone()),
            Outcome::NotAttempted => Self::NotAttempted,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    content: Hash,
    outcomes: Vec<KeptOutcome>,
}

/// An answer as bytes.
pub fn encode_kept(answer: &KeptAnswer) -> Vec<u8> {
    let kept = Kept { content: answer.content, outcomes: answer.outcomes.iter().map(KeptOutcome::from).collect() };
    serde_json::to_vec(&kept).unwrap_or_default()
}

/// An answer's content hash and outcomes from bytes; the engine looks the records up.
pub fn decode_kept(bytes: &[u8]) -> Result<(Hash, Vec<KeptOutcome>), serde_json::Error> {
    serde_json::from_slice::<Kept>(bytes).map(|kept| (kept.content, kept.outcomes))
}

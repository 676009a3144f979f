use crate::time::Timestamp;

/// The wall clock, and a steady one to hold it against.
pub trait Clock: Send + Sync {
    /// Now, by the wall clock.
    fn now(&self) -> Timestamp;

    /// How far the wall clock was moved, in microseconds (forward is positive), since
    /// [`Clock::accept`] was last called, compared with a clock that nobody can set. Small drift is
    /// normal; the caller has the bound.
    fn jump(&self) -> i64;

    /// Takes the wall clock as it stands for right: called after a commit that used it.
    fn accept(&self);
}

//! Whole stories, with a clock that one can push.

mod delivery;

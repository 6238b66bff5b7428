//! How fast a provider may be asked, and whether at all.
//!
//! Promises: no application has more refreshes under way, or begun in a second, than it bears, whoever wants them, and those who
//! want them are served in the order in which they came; an endpoint that keeps failing is left alone, and asked again by one
//! request at a time until it answers; who asks for patience gets it. One slow provider takes its own share of the capacity and
//! nobody else's.
//!
//! All of it is in memory and per process: it spares the provider and ourselves, and nothing that is true depends on it.
//! Reading order: [`room`] counts per application and keeps the queue, [`circuit`] guards an endpoint, [`crew`] keeps work under way.

mod circuit;
mod crew;
mod room;
#[cfg(test)]
mod tests;

pub use circuit::{Circuits, Pass};
pub use crew::{Crew, LOOK_EVERY};
pub use room::{Limits, NotYet, Place, Rooms, Turn};

/// The two together, as the application's handles hold them.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// Per application.
    pub rooms: Rooms,
    /// Per endpoint.
    pub circuits: Circuits,
}

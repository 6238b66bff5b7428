//! All connections of an application at once: whoever takes several takes them in the order of their ids, and before the
//! application's incident.

pub(super) mod store;

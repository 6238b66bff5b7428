//! `ANY /api/v2/public/proxy/{slug}/{path}`: calls that pass through to real local providers.

mod again;
mod doubt;
mod kept;
mod limits;
mod passing;
mod placement;
mod redirects;
mod refused;
mod spelt;
mod streaming;
mod who;
mod world;

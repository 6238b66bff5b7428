//! The routes, as callers see them; the folders mirror the URLs.

mod webhook;

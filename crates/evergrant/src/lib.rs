//! Evergrant: keeps a product's customers connected to third-party applications, and when a connection can no longer
//! be kept alive, knows why, says so at once, and gets it repaired.
//!
//! This page is the map, in reading order. Imports point upwards in it (see `docs/ARCHITECTURE.md`).

// words
pub mod clock;
pub mod error;
pub mod ids;
pub mod reason;
pub mod secret;
pub mod steps;

// services: know no subject
pub mod db;
pub mod egress;
pub mod flights;
pub mod ledger;
pub mod pace;
pub mod tasks;
pub mod vault;

// knowledge: files and pure functions
pub mod catalog;
pub mod verdict;

// the handles that all work shares
pub mod app;

// subjects: own types, rules, SQL
pub mod accounts;
pub mod clients;
pub mod connections;
pub mod incidents;
pub mod links;
pub mod sessions;
pub mod tenants;
pub mod webhooks;

// work: takes the handles, tells the story in order; probes below refresh, refresh below authorize and proxy
pub mod authorize;
pub mod notices;
pub mod probes;
pub mod proxy;
pub mod refresh;

// edges: translate; no rules, no SQL
pub mod demo;
pub mod http;
pub mod jobs;
pub mod sandbox;

// start: settings and commands
pub mod cli;
pub mod config;

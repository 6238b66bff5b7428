//! The commands. They open the same database and call the same functions as the handlers, so a running server sees what
//! they change.
//!
//! Results go to standard output, as a table or with `--json` as JSON; everything else goes to standard error. Exit codes:
//! 0 done, 1 failed (one line `error: …` says why and what to do), 2 wrong usage. No secret is taken from the command
//! line, where every user of the machine can read it: they come from standard input or a file.

mod account;
mod application;
mod audit;
mod client;
mod connection;
mod connection_view;
mod demo;
mod doctor;
mod incident;
mod judge;
mod key;
mod key_file;
mod logs;
mod notices;
mod open;
mod org;
mod origins;
mod out;
mod policy;
mod reauth_link;
mod sandbox;
mod secret_input;
mod serve;
mod tenant;
#[cfg(test)]
mod tests;
mod webhook;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::app::App;
use crate::clock::Timestamp;
use crate::config::{Config, Environment, settings};
use crate::error::Error;
use out::Out;

const EXAMPLES: &str = "\
Examples:
  evergrant serve                                    start the server, with SQLite in ./evergrant-data
  evergrant key create --env test --name backend     make an API key
  evergrant connection list --status reauth_required who has to reconnect?
  evergrant doctor                                   is everything as it should be?

Settings come from EVERGRANT_… variables and evergrant.toml; `evergrant serve --help` lists them.";

/// Keeps your customers connected to third-party applications
#[derive(Debug, Parser)]
#[command(name = "evergrant", version, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    /// The settings file, instead of evergrant.toml in the working directory
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server
    #[command(after_help = SERVE_EXAMPLES, after_long_help = format!("{SERVE_EXAMPLES}\n\n{}", settings::help()))]
    Serve,
    /// Start a server, a provider that can be broken, and a page to try it all: nothing to configure
    #[command(after_help = DEMO_EXAMPLES)]
    Demo,
    /// Organisations
    #[command(
        subcommand,
        after_help = "Examples:\n  evergrant org create acme\n  \
        evergrant org list"
    )]
    Org(org::Command),
    /// API keys of an environment
    #[command(after_help = "Examples:\n  evergrant key create --env test --name backend\n  \
        evergrant key list --env production")]
    Key(tenant::Of<key::Command>),
    /// Applications, and your OAuth client for each
    #[command(after_help = "Examples:\n  evergrant app list\n  \
        evergrant app show hubspot")]
    App(tenant::Of<application::Command>),
    /// Linked accounts: your customers
    #[command(after_help = "Examples:\n  evergrant account list\n  \
        evergrant account show customer-17")]
    Account(tenant::Of<account::Command>),
    /// Connections: one customer's access to one application
    #[command(after_help = "Examples:\n  evergrant connection list --status reauth_required\n  \
        evergrant connection show 65aa000000000000000000c1")]
    Connection(tenant::Of<connection::Command>),
    /// Incidents: what is wrong with an application as a whole
    #[command(after_help = "Examples:\n  evergrant incident list --open\n  \
        evergrant incident show 65aa000000000000000000f1")]
    Incident(tenant::Of<incident::Command>),
    /// Webhooks, and how their deliveries fare
    #[command(after_help = "Examples:\n  evergrant webhook list --env production\n  \
        evergrant webhook show 65aa000000000000000000e1")]
    Webhook(tenant::Of<webhook::Command>),
    /// Origins that hosted pages may lead back to and be framed by
    #[command(after_help = "Examples:\n  evergrant origins list\n  \
        evergrant origins set --return https://app.example.com")]
    Origins(tenant::Of<origins::Command>),
    /// The audit trail: who did what to what, and who was given which credential
    #[command(after_help = "Example:\n  evergrant audit list --action credential.read")]
    Audit(tenant::Of<audit::Command>),
    /// What customers of an environment may do
    #[command(after_help = "Examples:\n  evergrant policy show\n  \
        evergrant policy set --account-switch ask")]
    Policy(tenant::Of<policy::Command>),
    /// Judge observations: what does this answer of a provider mean?
    Judge(judge::Judge),
    /// Check settings, data folder, database, master key and backlog
    #[command(after_help = doctor::EXAMPLES)]
    Doctor,
    /// Print the OpenAPI document
    #[command(after_help = "Example:\n  evergrant openapi > openapi.json")]
    Openapi,
}

const DEMO_EXAMPLES: &str = "\
Examples:
  evergrant demo
  EVERGRANT_LISTEN=127.0.0.1:9000 evergrant demo";

const SERVE_EXAMPLES: &str = "\
Examples:
  evergrant serve
  EVERGRANT_LISTEN=0.0.0.0:8080 EVERGRANT_PUBLIC_URL=https://connect.example.com evergrant serve
  evergrant serve --config /etc/evergrant.toml";

/// The settings, and how results are printed.
struct Loaded {
    config: Config,
    out: Out,
}

/// What a command works with.
struct Desk {
    app: App,
    out: Out,
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the run time does not start")
        .and_then(|runtime| runtime.block_on(run(cli)));
    match done {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", out::printable(&explain(&error)));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let out = Out { json: cli.global.json };
    if let Command::Openapi = cli.command {
        out::print(&crate::http::document().to_pretty_json()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let environment = Environment::of_process();
    if let Command::Doctor = cli.command {
        return doctor::run(Config::load(&environment, cli.global.config), out).await;
    }
    let loaded = Loaded {
        config: Config::load(&environment, cli.global.config)?,
        out,
    };
    logs::start(
        &loaded.config,
        if matches!(cli.command, Command::Serve) {
            "info"
        } else {
            "warn"
        },
    );
    match cli.command {
        Command::Serve => serve::run(&loaded).await?,
        Command::Demo => demo::run(&loaded).await?,
        Command::Judge(judge) => judge.run(&loaded)?,
        other => {
            let desk = loaded.desk().await?;
            let done = desk.work(other).await;
            desk.app.db.close().await;
            done?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Loaded {
    async fn desk(&self) -> anyhow::Result<Desk> {
        let opened = open::open(&self.config, self.config.public_url(self.config.listen)).await?;
        for line in &opened.news {
            eprintln!("note: {line}");
        }
        Ok(Desk {
            app: opened.app,
            out: self.out,
        })
    }
}

impl Desk {
    async fn work(&self, command: Command) -> anyhow::Result<()> {
        match command {
            Command::Org(command) => org::run(self, command).await,
            Command::Key(of) => key::run(self, &of.environment(self).await?, of.command).await,
            Command::App(of) => application::run(self, &of.environment(self).await?, of.command).await,
            Command::Account(of) => account::run(self, &of.environment(self).await?.tenant, of.command).await,
            Command::Connection(of) => connection::run(self, &of.environment(self).await?.tenant, of.command).await,
            Command::Incident(of) => incident::run(self, &of.environment(self).await?.tenant, of.command).await,
            Command::Webhook(of) => webhook::run(self, &of.environment(self).await?.tenant, of.command).await,
            Command::Audit(of) => audit::run(self, &of.environment(self).await?.tenant, of.command).await,
            Command::Policy(of) => policy::run(self, &of.environment(self).await?.tenant, of.command).await,
            Command::Origins(of) => origins::run(self, &of.environment(self).await?, of.command).await,
            Command::Serve | Command::Demo | Command::Judge(_) | Command::Doctor | Command::Openapi => Ok(()),
        }
    }
}

/// A time on the command line.
fn time_argument(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(text).ok_or("a time is wanted, such as 2024-01-02T03:04:05Z")
}

/// The reader has seen enough: `evergrant … | head` is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// The causes on one line, and what to do.
fn explain(error: &anyhow::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in error
        .chain()
        .map(|cause| cause.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
    {
        if !said.iter().any(|before| before.contains(&cause)) {
            said.push(cause);
        }
    }
    let said = said.join(": ");
    match error.downcast_ref::<Error>().and_then(advice) {
        Some(advice) => format!("{said}; {advice}"),
        None => said,
    }
}

/// What to do about an error that does not say so itself.
fn advice(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::AccountNotFound { .. } => "`evergrant account list` shows those of an environment",
        Error::ApplicationNotFound { .. } | Error::NotFound("Application") => "`evergrant app list` shows them all",
        Error::NotFound("API key") => "`evergrant key list` shows those of an environment",
        Error::NotFound("OAuth client") => "`evergrant app client list` shows those of an environment",
        Error::NotFound("Incident") => "`evergrant incident list` shows those of an environment",
        Error::NotFound("Connection") => "`evergrant connection list` shows those of an environment",
        Error::Database(_) | Error::Sealed { .. } | Error::Corrupt { .. } => "`evergrant doctor` looks closer",
        Error::Busy | Error::ProviderUnavailable { .. } => "try again in a moment",
        _ => return None,
    })
}

//! What is done in a run, besides what chance does to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evergrant::app::App;
use evergrant::authorize;
use evergrant::catalog::AuthType;
use evergrant::connections::{self, Credential, Fresh, Given, Switch};
use evergrant::error::Error;
use evergrant::ids::ConnectionId;
use evergrant::refresh::{self, Why};
use evergrant::tenants::Tenant;

use crate::disk::Failure;
use crate::provider::{MANNERS, parse};
use crate::run::Run;
use crate::stage::NODES;

#[derive(Clone, Copy, Debug)]
enum Deed {
    Sweep,
    KeepSweeping,
    Force,
    Use,
    Check,
    Reconnect,
    Disconnect,
    Revoke,
    Outage,
    DiskFails,
    StandStill,
    SetClock,
    Kill,
    Stop,
}

/// Drawn with this frequency.
const DEEDS: [Deed; 26] = [
    Deed::Sweep,
    Deed::Sweep,
    Deed::Sweep,
    Deed::KeepSweeping,
    Deed::KeepSweeping,
    Deed::Force,
    Deed::Force,
    Deed::Use,
    Deed::Use,
    Deed::Use,
    Deed::Use,
    Deed::Check,
    Deed::Check,
    Deed::Reconnect,
    Deed::Disconnect,
    Deed::Revoke,
    Deed::Outage,
    Deed::DiskFails,
    Deed::DiskFails,
    Deed::StandStill,
    Deed::StandStill,
    Deed::StandStill,
    Deed::SetClock,
    Deed::Kill,
    Deed::Kill,
    Deed::Stop,
];

/// What a caller got: the access token, or that the customer has to consent again, or that it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Token((usize, usize)),
    Reauth,
    Failed,
}

/// Where the answer of a use will be.
pub(crate) type Answer = Arc<Mutex<Option<Got>>>;

impl Run<'_> {
    pub(crate) async fn deed(&mut self) -> Result<(), String> {
        self.stage.disk.mend(self.gates.now()).await;
        let (deed, node, at) = self
            .gates
            .chance(|chance| (chance.one(&DEEDS), chance.below(NODES), chance.below(MANNERS.len())));
        self.gates.note(&format!("## {deed:?} node {node}, account {at}"));
        match deed {
            Deed::Sweep => self.sweep(node),
            Deed::KeepSweeping => {
                let (app, stop) = (self.app(node), self.nodes[node].stop.clone());
                self.nodes[node].tasks.spawn(async move {
                    drop(refresh::keep_running(&app, &stop).await);
                });
            }
            Deed::Force => self.begin(node, at, async |app, tenant, id| {
                drop(refresh::renew(&app, &tenant, &id, Why::Forced).await);
            }),
            Deed::Use => drop(self.use_one(node, at)),
            Deed::Check => self.begin(node, at, async |app, tenant, id| {
                drop(refresh::check(&app, &tenant, &id).await);
            }),
            Deed::Reconnect => self.connect(at).await,
            Deed::Disconnect => self.disconnect(node, at),
            Deed::Revoke => {
                if let Some((_, grant)) = self.connections[at] {
                    self.provider.revoke(grant);
                }
            }
            Deed::Outage => self
                .provider
                .down(MANNERS[at].1, self.gates.now().after(Duration::from_mins(5))),
            Deed::DiskFails => {
                let how = self
                    .gates
                    .chance(|chance| chance.one(&[Failure::Locked, Failure::Commit]));
                let span = self.gates.chance(|chance| chance.one(&[10, 120, 1_000, 20_000]));
                self.stage
                    .disk
                    .fail(how, &self.gates, Duration::from_millis(span))
                    .await;
            }
            Deed::StandStill => {
                let span = self.gates.chance(|chance| chance.one(&[5, 15, 50, 65, 900]));
                self.gates.stand(node, Duration::from_secs(span));
            }
            Deed::SetClock => {
                let skew = self
                    .gates
                    .chance(|chance| chance.one(&[-140_000, -20_000, 0, 30_000, 150_000]));
                self.gates.set_clock(node, skew);
            }
            Deed::Kill => self.kill(node),
            Deed::Stop => self.stop(node),
        }
        self.settle().await
    }

    fn app(&self, node: usize) -> App {
        self.nodes[node].app.clone()
    }

    pub(crate) fn sweep(&mut self, node: usize) {
        let (app, stop) = (self.app(node), self.nodes[node].stop.clone());
        self.nodes[node].tasks.spawn(async move {
            drop(refresh::run_due(&app, &stop).await);
        });
    }

    pub(crate) fn use_one(&mut self, node: usize, at: usize) -> Answer {
        let answer = Answer::default();
        let told = answer.clone();
        self.begin(node, at, move |app, tenant, id| {
            let told = told.clone();
            async move {
                let got = match refresh::live(&app, &tenant, &id, Duration::from_mins(5)).await {
                    Ok(Credential::OAuth2(tokens)) => Got::Token(parse(tokens.access_token.expose()).unwrap()),
                    Err(Error::ReauthRequired(_)) => Got::Reauth,
                    _ => Got::Failed,
                };
                *told.lock().unwrap() = Some(got);
            }
        });
        answer
    }

    /// Begins something with an account's connection.
    fn begin<F>(&mut self, node: usize, at: usize, work: impl Fn(App, Tenant, ConnectionId) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some((id, _)) = self.connections[at].clone() else {
            return;
        };
        let work = work(self.app(node), self.stage.tenant.clone(), id);
        self.nodes[node].tasks.spawn(work);
    }

    fn disconnect(&mut self, node: usize, at: usize) {
        if self.stage.disk.fails() {
            return;
        }
        self.connections[at] = None;
        let (app, tenant) = (self.app(node), self.stage.tenant.clone());
        let (account, slug) = (self.stage.accounts[at].clone(), MANNERS[at].1);
        self.nodes[node].tasks.spawn(async move {
            drop(authorize::disconnect(&app, &tenant, &account, (slug, None)).await);
        });
    }

    /// The customer consents, for the first time or again: one transaction, as the callback has it.
    pub(crate) async fn connect(&mut self, at: usize) {
        if self.stage.disk.fails() {
            return;
        }
        let app = self.app(at % NODES);
        let (manners, slug) = MANNERS[at];
        let (grant, body) = self.provider.grant(manners);
        let application = app.catalog.get(slug).unwrap().clone();
        let shape = application.oauth2.as_ref().unwrap().reply_shape();
        let set = evergrant_oauth::reply::read(200, body.as_bytes(), &shape, &[]).unwrap();
        let fresh = Fresh::granted(
            set,
            "client".to_owned(),
            BTreeMap::new(),
            (&application.lifetimes, app.now()),
        );
        let given = Given {
            account: &self.stage.accounts[at],
            application: &application,
            auth_type: AuthType::OAuth2,
            fresh,
            identifier: None,
            proved: false,
            switch: Switch::Refused,
        };
        let mut tx = app.db.begin().await.unwrap();
        let (connection, _) = connections::activate(&app, &mut tx, &self.stage.tenant, given)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        self.gates.note(&format!("   account {at} has grant {grant}"));
        self.connections[at] = Some((connection.id, grant));
    }
}

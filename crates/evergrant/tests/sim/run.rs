//! One run: what is done, by whom, in which order.

use std::collections::BTreeMap;
use std::time::Duration;

use evergrant::app::App;
use evergrant::catalog::AuthType;
use evergrant::connections::{self, Fresh, Given};
use evergrant::ids::ConnectionId;
use evergrant::refresh::{self, Why};
use evergrant::{authorize, ids};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::gates::Gates;
use crate::judge;
use crate::provider::{MANNERS, Provider};
use crate::stage::{NODES, START, Stage};

/// A promise that was broken, and what led to it.
pub(crate) struct Failure {
    pub(crate) why: String,
    pub(crate) trace: Vec<String>,
}

/// What is done in a run, besides what chance does to it.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Sweep,
    Force,
    Use,
    Check,
    Reconnect,
    Disconnect,
    Revoke,
    Outage,
    Kill,
}

/// In how many pauses of a hundred all processes are stopped for longer than a lease. None yet: today's engine sends with a lease
/// that may have lapsed meanwhile (at 20, seed 204), and counts a token's life from when it read the reply (seed 316).
const STANDS_STILL: usize = 0;

/// Drawn with this frequency.
const DEEDS: [Deed; 19] = [
    Deed::Sweep,
    Deed::Sweep,
    Deed::Sweep,
    Deed::Sweep,
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
    Deed::Kill,
    Deed::Sweep,
    Deed::Use,
];

struct Node {
    app: App,
    tasks: JoinSet<()>,
}

/// What one run consists of.
pub(crate) struct Run<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) gates: Gates,
    pub(crate) provider: Provider,
    nodes: Vec<Node>,
    /// The latest connection of each account, and the grant that its customer gave last.
    pub(crate) connections: Vec<Option<(ConnectionId, usize)>>,
    /// How far each connection's stored credential has come: grant, then token.
    pub(crate) seen: BTreeMap<ConnectionId, (usize, usize)>,
    /// Somebody who only looks.
    pub(crate) observer: App,
    /// How many commits there were when it last did.
    pub(crate) commits: u64,
}

/// Runs a seed; what comes back is how it went.
pub(crate) async fn run(stage: &mut Stage, seed: u64) -> Result<Vec<String>, Failure> {
    ids::seeded::set(Some(seed));
    stage.clear().await;
    let gates = Gates::new(seed, START);
    let provider = Provider::new(gates.clone(), NODES);
    let node = |at| Node {
        app: stage.node(&gates, &provider, (at, 0)),
        tasks: JoinSet::new(),
    };
    let nodes = (0..NODES).map(node).collect();
    let connections = vec![None; stage.accounts.len()];
    let mut run = Run {
        stage,
        gates: gates.clone(),
        provider: provider.clone(),
        nodes,
        connections,
        observer: stage.node(&Gates::new(0, START), &provider, (0, 0)),
        commits: 0,
        seen: BTreeMap::new(),
    };
    let done = run.story().await;
    ids::seeded::set(None);
    done.map(|()| gates.trace()).map_err(|why| Failure {
        why,
        trace: gates.trace(),
    })
}

impl Run<'_> {
    async fn story(&mut self) -> Result<(), String> {
        for at in 0..self.stage.accounts.len() {
            self.connect(at).await;
        }
        let deeds = self.gates.chance(|chance| 6 + chance.below(10));
        for _ in 0..deeds {
            let after = self.gates.chance(|chance| chance.below(7));
            for _ in 0..after {
                self.step().await?;
            }
            let pause = self
                .gates
                .chance(|chance| chance.one(&[0, 0, 0, 1, 30, 70, 600, 2400, 3600, 7200]));
            if pause > 1 && self.gates.chance(|chance| !chance.happens(STANDS_STILL)) {
                self.finish().await?;
            } else if pause > 1 {
                self.stand_still();
            }
            self.gates.advance(Duration::from_secs(pause));
            self.deed().await?;
        }
        self.finish().await?;
        self.aftermath().await
    }

    /// Everybody comes to an end.
    async fn finish(&mut self) -> Result<(), String> {
        self.settle().await?;
        for _ in 0..5_000 {
            if !self.step().await? {
                return Ok(());
            }
        }
        Err("it never comes to an end".to_owned())
    }

    /// With the weather fair again, sweeps and a use bring everything to where it belongs.
    async fn aftermath(&mut self) -> Result<(), String> {
        self.provider.recover();
        self.gates.calm_down();
        for round in 0..6 {
            self.gates.advance(Duration::from_mins(61));
            self.sweep(round % NODES);
            self.finish().await?;
        }
        judge::at_rest(self).await?;
        for at in 0..self.connections.len() {
            self.use_one(at % NODES, at);
            self.finish().await?;
        }
        judge::at_rest(self).await
    }

    /// Lets one go on, or time pass, and waits until all stand still. Says whether anything was left to do.
    async fn step(&mut self) -> Result<bool, String> {
        if !self.gates.let_one_on() {
            if !self.gates.wake_next() {
                return Ok(false);
            }
            self.gates.let_one_on();
        }
        self.settle().await?;
        Ok(true)
    }

    /// Waits until everybody stands at a gate or has ended.
    async fn settle(&mut self) -> Result<(), String> {
        let (mut quiet, mut arrivals) = (0, self.gates.arrivals());
        while quiet < 8 {
            tokio::task::yield_now().await;
            if let Some(node) = self.gates.who_dies() {
                self.kill(node);
            }
            let idle = self.stage.dbs.iter().all(evergrant::db::Db::is_idle);
            if idle && arrivals == self.gates.arrivals() {
                quiet += 1;
            } else {
                (quiet, arrivals) = (0, self.gates.arrivals());
                std::thread::yield_now();
            }
        }
        for node in &mut self.nodes {
            while let Some(ended) = node.tasks.try_join_next() {
                if let Err(error) = ended
                    && error.is_panic()
                {
                    return Err(format!("a task panicked: {error}"));
                }
            }
        }
        if let Some(why) = self.provider.broken().first() {
            return Err(why.clone());
        }
        judge::on_the_way(self).await
    }

    /// Ends a node with all it had in memory, and starts it anew.
    fn kill(&mut self, node: usize) {
        let life = self.provider.reborn(node);
        let mut dead = std::mem::take(&mut self.nodes[node].tasks);
        dead.abort_all();
        self.nodes[node].app = self.stage.node(&self.gates, &self.provider, (node, life));
    }

    /// All processes are stopped for longer than a lease: what is under way goes on later, and cannot know. A perfect client
    /// would lose what is lost by that. What begins afterwards begins in a process that knows nothing of it.
    fn stand_still(&mut self) {
        self.gates.note("   everybody stands still");
        for node in 0..NODES {
            let life = self.provider.reborn(node);
            self.nodes[node].app = self.stage.node(&self.gates, &self.provider, (node, life));
        }
    }

    async fn deed(&mut self) -> Result<(), String> {
        let (deed, node, at) = self
            .gates
            .chance(|chance| (chance.one(&DEEDS), chance.below(NODES), chance.below(MANNERS.len())));
        self.gates.note(&format!("## {deed:?} node {node}, account {at}"));
        match deed {
            Deed::Sweep => self.sweep(node),
            Deed::Force => self.begin(node, at, async |app, tenant, id| {
                drop(refresh::renew(&app, &tenant, &id, Why::Forced).await);
            }),
            Deed::Use => self.use_one(node, at),
            Deed::Check => self.begin(node, at, async |app, tenant, id| {
                drop(refresh::check(&app, &tenant, &id).await);
            }),
            Deed::Reconnect => self.connect(at).await,
            Deed::Disconnect => {
                self.connections[at] = None;
                let (app, tenant, account) = (
                    self.app(node),
                    self.stage.tenant.clone(),
                    self.stage.accounts[at].clone(),
                );
                let slug = MANNERS[at].1;
                self.nodes[node].tasks.spawn(async move {
                    drop(authorize::disconnect(&app, &tenant, &account, (slug, None)).await);
                });
            }
            Deed::Revoke => {
                if let Some((_, grant)) = self.connections[at] {
                    self.provider.revoke(grant);
                }
            }
            Deed::Outage => self
                .provider
                .down(MANNERS[at].1, self.gates.now().after(Duration::from_mins(5))),
            Deed::Kill => self.kill(node),
        }
        self.settle().await
    }

    fn app(&self, node: usize) -> App {
        self.nodes[node].app.clone()
    }

    fn sweep(&mut self, node: usize) {
        let app = self.app(node);
        self.nodes[node].tasks.spawn(async move {
            drop(refresh::run_due(&app, &CancellationToken::new()).await);
        });
    }

    fn use_one(&mut self, node: usize, at: usize) {
        self.begin(node, at, async |app, tenant, id| {
            drop(refresh::live(&app, &tenant, &id, Duration::from_mins(5)).await);
        });
    }

    /// Begins something with an account's connection.
    fn begin<F>(&mut self, node: usize, at: usize, work: impl Fn(App, evergrant::tenants::Tenant, ConnectionId) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some((id, _)) = self.connections[at].clone() else {
            return;
        };
        let work = work(self.app(node), self.stage.tenant.clone(), id);
        self.nodes[node].tasks.spawn(work);
    }

    /// The customer consents, for the first time or again: one transaction, as the callback has it.
    async fn connect(&mut self, at: usize) {
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
            switch: evergrant::connections::Switch::Refused,
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

//! One run: everybody is let on in turn, until nobody is left.

use std::collections::BTreeMap;
use std::time::Duration;

use evergrant::app::App;
use evergrant::ids::{self, ConnectionId};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::gates::Gates;
use crate::judge::{self, Seen};
use crate::provider::Provider;
use crate::stage::{AHEAD, NODES, START, Stage};

/// A promise that was broken, and what led to it.
pub(crate) struct Failure {
    pub(crate) why: String,
    pub(crate) trace: Vec<String>,
}

/// In how many pauses of a hundred all processes are stopped, as a machine is that sleeps.
const STANDS_STILL: usize = 20;

/// One of the nodes.
pub(crate) struct Node {
    pub(crate) app: App,
    pub(crate) tasks: JoinSet<()>,
    /// What ends its sweeps in good order.
    pub(crate) stop: CancellationToken,
}

/// One run.
pub(crate) struct Run<'a> {
    pub(crate) stage: &'a mut Stage,
    pub(crate) gates: Gates,
    pub(crate) provider: Provider,
    pub(crate) nodes: Vec<Node>,
    /// The latest connection of each account, and the grant that its customer gave last.
    pub(crate) connections: Vec<Option<(ConnectionId, usize)>>,
    /// What was last seen of each connection.
    pub(crate) seen: BTreeMap<ConnectionId, Seen>,
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
    stage.rest.watch(&stage.dbs, &gates);
    let provider = Provider::new(gates.clone(), NODES);
    let mut nodes = Vec::new();
    for (at, skew) in AHEAD.into_iter().enumerate() {
        gates.set_clock(at, skew);
        nodes.push(Node {
            app: stage.node(&gates, &provider, (at, 0)),
            tasks: JoinSet::new(),
            stop: CancellationToken::new(),
        });
    }
    let connections = vec![None; stage.accounts.len()];
    let observer = stage.node(&Gates::new(0, START), &provider, (0, 0));
    let mut run = Run {
        stage,
        gates: gates.clone(),
        provider,
        nodes,
        connections,
        observer,
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
            let pause = Duration::from_secs(pause);
            if pause > Duration::from_secs(1) && self.gates.chance(|chance| !chance.happens(STANDS_STILL)) {
                self.finish().await?;
                self.gates.advance(pause);
            } else if !pause.is_zero() {
                self.gates.note("   everybody stands still");
                self.gates.all_stand(pause);
            }
            self.deed().await?;
        }
        self.finish().await?;
        self.aftermath().await
    }

    /// Everybody comes to an end.
    async fn finish(&mut self) -> Result<(), String> {
        for node in 0..NODES {
            self.stop(node);
        }
        self.settle().await?;
        for _ in 0..5_000 {
            if !self.step().await? {
                return judge::nothing_is_left(self);
            }
        }
        Err("it never comes to an end".to_owned())
    }

    /// With the weather fair again, one sweep or one use brings everything to where it belongs.
    async fn aftermath(&mut self) -> Result<(), String> {
        self.provider.recover();
        self.gates.calm_down();
        self.stage.disk.mend(evergrant::clock::Timestamp::MAX).await;
        self.gates.advance(Duration::from_hours(3));
        if self.gates.chance(|chance| chance.happens(50)) {
            self.gates.note("## the last sweep");
            self.sweep(0);
            self.settle().await?;
            self.finish().await?;
            judge::at_rest(self).await?;
        }
        self.gates.note("## the last uses");
        for at in 0..self.connections.len() {
            let answer = self.use_one(at % NODES, at);
            self.finish().await?;
            judge::answered(self, at, &answer)?;
        }
        judge::at_rest(self).await
    }

    /// Lets one go on, or time pass, and waits until all stand still. Says whether anything was left to do.
    async fn step(&mut self) -> Result<bool, String> {
        if !self.gates.let_one_on() {
            if !self.gates.wake_next() {
                return Ok(false);
            }
            self.stage.disk.mend(self.gates.now()).await;
            self.gates.let_one_on();
        }
        self.settle().await?;
        Ok(true)
    }

    /// Waits until everybody stands at a gate or has ended, and looks at what has come of it.
    pub(crate) async fn settle(&mut self) -> Result<(), String> {
        loop {
            self.stage.rest.come().await;
            match self.gates.who_dies() {
                Some(node) => self.kill(node),
                None => break,
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
        if let Some(why) = self.provider.broken() {
            return Err(why);
        }
        for reuse in self.provider.reuses() {
            if reuse.was_needless(&self.stage.disk) {
                let (grant, token) = (reuse.grant, reuse.token);
                return Err(format!(
                    "token {token} of grant {grant} was used again though its successor was at hand"
                ));
            }
        }
        judge::on_the_way(self).await
    }

    /// Ends a node with all it had in memory, and starts it anew.
    pub(crate) fn kill(&mut self, node: usize) {
        let life = self.provider.reborn(node);
        let mut dead = std::mem::take(&mut self.nodes[node].tasks);
        dead.abort_all();
        self.gates.wake(node);
        self.nodes[node].stop = CancellationToken::new();
        self.nodes[node].app = self.stage.node(&self.gates, &self.provider, (node, life));
    }

    /// Asks a node to end, as SIGTERM does; what it has begun it finishes.
    pub(crate) fn stop(&mut self, node: usize) {
        std::mem::take(&mut self.nodes[node].stop).cancel();
    }
}

//! The modelled provider: what it holds, and what it does to whom.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evergrant::clock::Timestamp;
use evergrant::egress::Reply;

use crate::fate::{Case, End, Fate, Reuse, World, judge};
use crate::gates::Gates;

/// How refresh tokens are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Each works once; a second use ends the grant.
    Strict,
    /// The last one works again for a minute, and gives the same.
    Grace,
    /// The same one goes on living.
    Fixed,
}

pub(crate) const MANNERS: [(Manners, &str); 3] = [
    (Manners::Strict, "strict"),
    (Manners::Grace, "grace"),
    (Manners::Fixed, "fixed"),
];
const GRACE: Duration = Duration::from_mins(1);
const LIFE: Duration = Duration::from_hours(1);

/// One customer's consent.
#[derive(Debug)]
struct Grant {
    manners: Manners,
    alive: bool,
    newest: usize,
    /// The token that was used twice, if that ended it.
    reused: Option<usize>,
    rotated_at: Timestamp,
    access_until: Timestamp,
    /// Until when each request with one of its refresh tokens may be under way.
    under_way: Vec<(u64, usize, Timestamp)>,
    /// The replies in which each token went out.
    replies: HashMap<usize, Vec<Fate>>,
    /// How often each was sent without an answer, from the first reply that was lost.
    unanswered: HashMap<usize, usize>,
    /// The newest token that is stored.
    stored: usize,
}

pub(crate) struct State {
    grants: Vec<Grant>,
    lives: Vec<u64>,
    pub(crate) down_until: HashMap<&'static str, Timestamp>,
    pub(crate) faults: bool,
    broken: Vec<String>,
    reuses: Vec<Reuse>,
    requests: u64,
    asked: bool,
}

/// The provider, as all nodes see it.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) gates: Gates,
    state: Arc<Mutex<State>>,
}

/// A request with a grant's refresh token that is under way.
pub(crate) struct UnderWay {
    provider: Provider,
    number: u64,
    /// The grant, and which of its tokens was sent.
    token: (usize, usize),
    sent_at: Timestamp,
    by: (usize, u64),
    /// The newest token that was stored when it was sent.
    stored: usize,
    /// The token in its reply, and the how manieth reply with it this is.
    reply: Option<(usize, usize)>,
}

impl Provider {
    pub(crate) fn new(gates: Gates, nodes: usize) -> Self {
        let state = State {
            grants: Vec::new(),
            lives: vec![0; nodes],
            down_until: HashMap::new(),
            faults: true,
            broken: Vec::new(),
            reuses: Vec::new(),
            requests: 0,
            asked: false,
        };
        Self {
            gates,
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new consent: its number and the reply to the code.
    pub(crate) fn grant(&self, manners: Manners) -> (usize, String) {
        let now = self.gates.now();
        let mut state = self.lock();
        state.grants.push(Grant {
            manners,
            alive: true,
            newest: 0,
            reused: None,
            rotated_at: now,
            access_until: now.after(LIFE),
            under_way: Vec::new(),
            replies: HashMap::new(),
            unanswered: HashMap::new(),
            stored: 0,
        });
        let number = state.grants.len() - 1;
        (number, tokens(number, 0))
    }

    pub(crate) fn revoke(&self, grant: usize) {
        self.lock().grants[grant].alive = false;
    }

    pub(crate) fn is_alive(&self, grant: usize) -> bool {
        self.lock().grants[grant].alive
    }

    pub(crate) fn reused(&self, grant: usize) -> Option<usize> {
        self.lock().grants[grant].reused
    }

    pub(crate) fn manners(&self, grant: usize) -> Manners {
        self.lock().grants[grant].manners
    }

    pub(crate) fn newest(&self, grant: usize) -> usize {
        self.lock().grants[grant].newest
    }

    pub(crate) fn down(&self, slug: &'static str, until: Timestamp) {
        self.lock().down_until.insert(slug, until);
    }

    /// From now on everything works.
    pub(crate) fn recover(&self) {
        let mut state = self.lock();
        state.faults = false;
        state.down_until.clear();
    }

    /// A node has died; this is its next life.
    pub(crate) fn reborn(&self, node: usize) -> u64 {
        let mut state = self.lock();
        state.lives[node] += 1;
        state.lives[node]
    }

    /// Promises that were broken before the provider's eyes.
    pub(crate) fn broken(&self) -> Option<String> {
        self.lock().broken.first().cloned()
    }

    /// A token is stored.
    pub(crate) fn is_stored(&self, (grant, token): (usize, usize)) {
        let stored = &mut self.lock().grants[grant].stored;
        *stored = (*stored).max(token);
    }

    /// Until when a request with this token may be under way, if one is.
    pub(crate) fn under_way(&self, (grant, token): (usize, usize)) -> Option<Timestamp> {
        let now = self.gates.now();
        let state = self.lock();
        let of_token = state.grants[grant].under_way.iter().filter(|one| one.1 == token);
        of_token.map(|one| one.2).filter(|until| *until > now).max()
    }

    pub(crate) fn access_until(&self, grant: usize) -> Timestamp {
        self.lock().grants[grant].access_until
    }

    /// Whether it has got a request with a refresh token since this was last asked.
    pub(crate) fn has_been_asked(&self) -> bool {
        std::mem::take(&mut self.lock().asked)
    }

    /// Second uses that have ended a grant since this was last asked.
    pub(crate) fn reuses(&self) -> Vec<Reuse> {
        std::mem::take(&mut self.lock().reuses)
    }

    /// A request with a grant's refresh token is on its way, for at most so long.
    pub(crate) fn begin(&self, token: (usize, usize), by: (usize, u64), timeout: Duration) -> UnderWay {
        let (grant, _) = token;
        let now = self.gates.now();
        let mut state = self.lock();
        state.requests += 1;
        state.asked = true;
        let number = state.requests;
        let under_way = &mut state.grants[grant].under_way;
        under_way.retain(|(.., until)| *until > now);
        under_way.push((number, token.1, now.after(timeout)));
        if under_way.len() > 1 {
            state
                .broken
                .push(format!("two refreshes of grant {grant} are under way"));
        }
        UnderWay {
            provider: self.clone(),
            number,
            token,
            sent_at: now,
            by,
            stored: state.grants[grant].stored,
            reply: None,
        }
    }

    /// What the use of a refresh token does. The number in it is the grant's, then the token's.
    fn refresh(&self, (grant_number, token): (usize, usize), under_way: Option<&mut UnderWay>) -> Reply {
        let now = self.gates.now();
        let mut state = self.lock();
        let State {
            grants,
            lives,
            broken,
            reuses,
            ..
        } = &mut *state;
        let grant = &mut grants[grant_number];
        if !grant.alive {
            return reply(400, r#"{"error":"invalid_grant"}"#);
        }
        let Some(number) = grant.use_token(token, now) else {
            grant.alive = false;
            grant.reused = Some(token);
            let world = World {
                gates: &self.gates,
                lives,
            };
            let stored = under_way.map_or(0, |under_way| under_way.stored);
            match grant.judge((token, stored), &world) {
                Ok(read_at) => reuses.push(Reuse {
                    grant: grant_number,
                    token,
                    read_at,
                    late: grant.manners == Manners::Grace,
                }),
                Err(why) => broken.push(format!("token {token} of grant {grant_number} was used again: {why}")),
            }
            return reply(400, r#"{"error":"invalid_grant"}"#);
        };
        if let Some(under_way) = under_way {
            let replies = grant.replies.entry(number).or_default();
            under_way.reply = Some((number, replies.len()));
            replies.push(Fate {
                to: under_way.by,
                end: End::UnderWay,
                at: under_way.sent_at,
            });
        }
        reply(200, &tokens(grant_number, number))
    }

    /// What it answers to a form.
    pub(crate) fn answer(&self, path: &str, form: &HashMap<String, String>, under_way: Option<&mut UnderWay>) -> Reply {
        let token = form
            .get("refresh_token")
            .or(form.get("token"))
            .and_then(|text| parse(text));
        match (path, token) {
            ("/token", Some(token)) => self.refresh(token, under_way),
            ("/revoke", Some((grant, _))) => {
                self.revoke(grant);
                reply(200, "")
            }
            _ => reply(400, r#"{"error":"invalid_request"}"#),
        }
    }

    /// Whether an access token works.
    pub(crate) fn accepts(&self, (grant, _): (usize, usize)) -> bool {
        let now = self.gates.now();
        let state = self.lock();
        state.grants[grant].alive && state.grants[grant].access_until > now
    }
}

impl Grant {
    /// The token that comes of using one; none where that was no longer to be used.
    fn use_token(&mut self, token: usize, now: Timestamp) -> Option<usize> {
        match self.manners {
            Manners::Fixed => {
                self.access_until = now.after(LIFE);
                Some(0)
            }
            _ if token == self.newest => {
                self.newest += 1;
                self.rotated_at = now;
                self.access_until = now.after(LIFE);
                Some(self.newest)
            }
            Manners::Grace if token + 1 == self.newest && now.since(self.rotated_at) < GRACE => Some(self.newest),
            _ => None,
        }
    }

    fn judge(&self, (token, stored): (usize, usize), world: &World<'_>) -> Result<Vec<Timestamp>, String> {
        if token + 1 < self.newest {
            return Err("its successor has been used".to_owned());
        }
        let case = Case {
            replies: self.replies.get(&self.newest).map_or(&[], Vec::as_slice),
            tries: self.unanswered.get(&token).copied().unwrap_or(0),
            forgiven: if self.manners == Manners::Grace { 2 } else { 1 },
            stored: stored == self.newest,
        };
        judge(&case, world)
    }
}

impl UnderWay {
    /// How it ended for whoever had sent it.
    pub(crate) fn ends(&mut self, end: End) {
        let now = self.provider.gates.now();
        let mut state = self.provider.lock();
        let grant = &mut state.grants[self.token.0];
        let unanswered = grant.unanswered.entry(self.token.1).or_default();
        if end == End::Lost || end == End::Refused && *unanswered > 0 {
            *unanswered += 1;
        }
        if let Some((token, at)) = self.reply.take()
            && let Some(fate) = grant.replies.get_mut(&token).and_then(|replies| replies.get_mut(at))
        {
            fate.end = end;
            if end == End::Delivered {
                fate.at = now;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.ends(End::Dropped);
        let mut state = self.provider.lock();
        let under_way = &mut state.grants[self.token.0].under_way;
        under_way.retain(|(number, ..)| *number != self.number);
    }
}

/// The grant and the number in a token.
pub(crate) fn parse(token: &str) -> Option<(usize, usize)> {
    let mut parts = token.split('-').skip(1);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn tokens(grant: usize, number: usize) -> String {
    format!(
        r#"{{"access_token":"at-{grant}-{number}","refresh_token":"rt-{grant}-{number}","expires_in":{}}}"#,
        LIFE.as_secs()
    )
}

pub(crate) fn reply(status: u16, body: &str) -> Reply {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Reply {
        status,
        headers,
        body: body.as_bytes().to_vec(),
    }
}

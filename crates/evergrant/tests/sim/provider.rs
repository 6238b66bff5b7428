//! The modelled provider: what it holds, what it does to whom, and what went wrong on the way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evergrant::clock::Timestamp;
use evergrant::egress::{Carried, Reply, Request, Transport, Trust, Unreachable};

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
pub(crate) struct Grant {
    pub(crate) manners: Manners,
    pub(crate) alive: bool,
    pub(crate) newest: usize,
    /// The token that was used twice, if that ended it.
    pub(crate) reused: Option<usize>,
    rotated_at: Timestamp,
    access_until: Timestamp,
    /// Requests with its refresh token that are being answered.
    under_way: Vec<(usize, u64)>,
    /// To which life of which node each rotation's reply was delivered whole.
    delivered: HashMap<usize, (usize, u64)>,
}

struct State {
    grants: Vec<Grant>,
    lives: Vec<u64>,
    down_until: HashMap<&'static str, Timestamp>,
    faults: bool,
    broken: Vec<String>,
}

/// The provider, as all nodes see it.
#[derive(Clone)]
pub(crate) struct Provider {
    gates: Gates,
    state: Arc<Mutex<State>>,
}

/// One node's way to it.
pub(crate) struct Wire {
    pub(crate) provider: Provider,
    pub(crate) node: usize,
    pub(crate) life: u64,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Slow,
    NotConnected,
    LostBefore,
    LostAfter,
    BrokenBefore,
    BrokenAfter,
    Throttled,
}

impl Provider {
    pub(crate) fn new(gates: Gates, nodes: usize) -> Self {
        let state = State {
            grants: Vec::new(),
            lives: vec![0; nodes],
            down_until: HashMap::new(),
            faults: true,
            broken: Vec::new(),
        };
        Self {
            gates,
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
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
            delivered: HashMap::new(),
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
    pub(crate) fn broken(&self) -> Vec<String> {
        self.lock().broken.clone()
    }

    fn fault(&self, slug: &str) -> Fault {
        let (faults, down) = {
            let state = self.lock();
            (
                state.faults,
                state
                    .down_until
                    .get(slug)
                    .is_some_and(|until| *until > self.gates.now()),
            )
        };
        match (faults, down) {
            (_, true) => Fault::BrokenBefore,
            (false, _) => Fault::None,
            _ => self.gates.chance(|chance| {
                if chance.happens(65) {
                    return Fault::None;
                }
                chance.one(&[
                    Fault::Slow,
                    Fault::NotConnected,
                    Fault::LostBefore,
                    Fault::LostAfter,
                    Fault::BrokenBefore,
                    Fault::BrokenAfter,
                    Fault::Throttled,
                ])
            }),
        }
    }

    /// What the use of a refresh token does. The number in it is the grant's, then the token's.
    fn refresh(&self, (grant_number, token): (usize, usize)) -> Reply {
        let now = self.gates.now();
        let mut state = self.lock();
        let lives = state.lives.clone();
        let grant = &mut state.grants[grant_number];
        if !grant.alive {
            return reply(400, r#"{"error":"invalid_grant"}"#);
        }
        let granted = match grant.manners {
            Manners::Fixed => {
                grant.access_until = now.after(LIFE);
                Some(0)
            }
            _ if token == grant.newest => {
                grant.newest += 1;
                grant.rotated_at = now;
                grant.access_until = now.after(LIFE);
                Some(grant.newest)
            }
            Manners::Grace if token + 1 == grant.newest && now.since(grant.rotated_at) < GRACE => Some(grant.newest),
            _ => None,
        };
        let Some(number) = granted else {
            grant.alive = false;
            grant.reused = Some(token);
            // A perfect client loses a grant only where the next token never reached it, or it died with it in its hands.
            let ours = grant
                .delivered
                .get(&(token + 1))
                .is_some_and(|(node, life)| lives[*node] == *life);
            if ours
                || token + 1 < grant.newest && !grant.delivered.is_empty() && grant.delivered.contains_key(&(token + 2))
            {
                let why =
                    format!("token {token} of grant {grant_number} was used again though its successor had arrived");
                state.broken.push(why);
            }
            return reply(400, r#"{"error":"invalid_grant"}"#);
        };
        reply(200, &tokens(grant_number, number))
    }

    /// A request with a grant's refresh token is on its way. Those of nodes that have died or stood still do not count.
    fn begin(&self, grant: Option<usize>, by: (usize, u64)) -> Option<UnderWay> {
        let grant = grant?;
        let mut state = self.lock();
        let lives = state.lives.clone();
        state.grants[grant].under_way.push(by);
        let counted = state.grants[grant]
            .under_way
            .iter()
            .filter(|(node, life)| lives[*node] == *life)
            .count();
        if counted > 1 && lives[by.0] == by.1 {
            state
                .broken
                .push(format!("two refreshes of grant {grant} are under way"));
        }
        Some(UnderWay {
            provider: self.clone(),
            grant,
            by,
        })
    }

    fn answer(&self, path: &str, form: &HashMap<String, String>) -> Reply {
        let token = form
            .get("refresh_token")
            .or(form.get("token"))
            .and_then(|text| parse(text));
        match (path, token) {
            ("/token", Some(token)) => self.refresh(token),
            ("/revoke", Some((grant, _))) => {
                self.revoke(grant);
                reply(200, "")
            }
            _ => reply(400, r#"{"error":"invalid_request"}"#),
        }
    }

    fn me(&self, access: Option<(usize, usize)>) -> Reply {
        let now = self.gates.now();
        let state = self.lock();
        let works =
            access.is_some_and(|(grant, _)| state.grants[grant].alive && state.grants[grant].access_until > now);
        if works {
            reply(200, r#"{"id":"1"}"#)
        } else {
            reply(401, r#"{"error":"invalid_token"}"#)
        }
    }

    async fn carry(self, request: Request, (node, life): (usize, u64)) -> Result<Reply, Unreachable> {
        let slug = request
            .url
            .host_str()
            .unwrap_or_default()
            .split('.')
            .next()
            .unwrap_or_default()
            .to_owned();
        let path = request.url.path().to_owned();
        let body = request.body.as_ref().map_or("", |body| body.expose());
        let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let access = request
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let access = access.and_then(|(_, value)| parse(value.expose().trim_start_matches("Bearer ")));
        let token = form.get("refresh_token").and_then(|text| parse(text));
        let name = format!("node {node} {slug}{path} {token:?}");
        let _under_way = self.begin(token.map(|(grant, _)| grant), (node, life));
        self.gates.pass(format!("{name}: arrives"), Duration::ZERO).await;
        let fault = self.fault(&slug);
        if fault != Fault::None {
            self.gates.note(&format!("   {name}: {fault:?}"));
        }
        let answer = match fault {
            Fault::NotConnected => return Err(Unreachable::NotConnected),
            Fault::LostBefore => return Err(Unreachable::ReplyLost),
            Fault::BrokenBefore => reply(503, "down"),
            Fault::Throttled => {
                let mut reply = reply(429, "slow down");
                reply.headers.push(("retry-after".to_owned(), "40".to_owned()));
                reply
            }
            _ if path == "/me" => self.me(access),
            _ => self.answer(&path, &form),
        };
        let wait = self.gates.chance(|chance| match fault {
            Fault::Slow => Duration::from_secs(chance.one(&[3, 12, 30])),
            _ => Duration::from_millis(chance.one(&[0, 80, 400])),
        });
        let in_time = wait <= request.timeout;
        self.gates
            .pass(format!("{name}: answers {}", answer.status), wait.min(request.timeout))
            .await;
        match fault {
            _ if !in_time => Err(Unreachable::TimedOut),
            Fault::LostAfter => Err(Unreachable::ReplyLost),
            Fault::BrokenAfter => Ok(reply(502, "gateway")),
            _ => {
                self.delivered(&answer, token, (node, life));
                Ok(answer)
            }
        }
    }

    fn delivered(&self, answer: &Reply, token: Option<(usize, usize)>, to: (usize, u64)) {
        let new = answer.json().and_then(|body| parse(body["refresh_token"].as_str()?));
        if let (Some(_), Some((grant, number)), 200) = (token, new, answer.status) {
            self.lock().grants[grant].delivered.insert(number, to);
        }
    }
}

/// A request with a grant's refresh token that is being answered.
struct UnderWay {
    provider: Provider,
    grant: usize,
    by: (usize, u64),
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.provider.lock();
        let under_way = &mut state.grants[self.grant].under_way;
        if let Some(at) = under_way.iter().position(|one| *one == self.by) {
            under_way.swap_remove(at);
        }
    }
}

impl Transport for Wire {
    fn carry(&self, request: Request, _: Trust) -> Carried<'_> {
        Box::pin(self.provider.clone().carry(request, (self.node, self.life)))
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

fn reply(status: u16, body: &str) -> Reply {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Reply {
        status,
        headers,
        body: body.as_bytes().to_vec(),
    }
}

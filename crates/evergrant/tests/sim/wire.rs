//! A node's way to the provider, and what goes wrong on it.

use std::collections::HashMap;
use std::time::Duration;

use evergrant::clock::Timestamp;
use evergrant::egress::{Carried, Reply, Request, Transport, Trust, Unreachable};

use crate::fate::End;
use crate::provider::{Provider, UnderWay, parse, reply};

/// One node's way to the provider.
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

/// A request, taken apart.
struct Parcel {
    name: String,
    slug: String,
    path: String,
    form: HashMap<String, String>,
    access: Option<(usize, usize)>,
    /// When whoever sent it gives up.
    until: Timestamp,
}

impl Provider {
    fn fault(&self, slug: &str) -> Fault {
        let (faults, down) = {
            let state = self.lock();
            let until = state.down_until.get(slug);
            (state.faults, until.is_some_and(|until| *until > self.gates.now()))
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
}

impl Wire {
    async fn send(&self, request: Request) -> Result<Reply, Unreachable> {
        let parcel = self.parcel(&request);
        let token = parcel.form.get("refresh_token").and_then(|text| parse(text));
        let mut under_way = token.map(|token| self.provider.begin(token, (self.node, self.life), request.timeout));
        let answer = self.carried(&parcel, under_way.as_mut()).await;
        if let Some(under_way) = &mut under_way {
            under_way.ends(match &answer {
                Ok(reply) if reply.status >= 500 => End::Lost,
                Err(error) if error.may_have_arrived() => End::Lost,
                Ok(reply) if reply.status == 200 => End::Delivered,
                _ => End::Refused,
            });
        }
        answer
    }

    async fn carried(&self, parcel: &Parcel, under_way: Option<&mut UnderWay>) -> Result<Reply, Unreachable> {
        let (provider, gates, name) = (&self.provider, &self.provider.gates, &parcel.name);
        gates.pass(self.node, format!("{name}: arrives"), Duration::ZERO).await;
        if gates.now() >= parcel.until {
            return Err(Unreachable::TimedOut);
        }
        let fault = provider.fault(&parcel.slug);
        if fault != Fault::None {
            gates.note(&format!("   {name}: {fault:?}"));
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
            _ if parcel.path == "/me" && parcel.access.is_some_and(|token| provider.accepts(token)) => {
                reply(200, r#"{"id":"1"}"#)
            }
            _ if parcel.path == "/me" => reply(401, r#"{"error":"invalid_token"}"#),
            _ => provider.answer(&parcel.path, &parcel.form, under_way),
        };
        let wait = gates.chance(|chance| match fault {
            Fault::Slow => Duration::from_secs(chance.one(&[3, 12, 30])),
            _ => Duration::from_millis(chance.one(&[0, 80, 400])),
        });
        let wait = wait.min(parcel.until.since(gates.now()));
        gates
            .pass(self.node, format!("{name}: answers {}", answer.status), wait)
            .await;
        match fault {
            // The timer of a process that was stopped is the first to speak when it goes on.
            _ if gates.now() >= parcel.until => Err(Unreachable::TimedOut),
            Fault::LostAfter => Err(Unreachable::ReplyLost),
            Fault::BrokenAfter => Ok(reply(502, "gateway")),
            _ => Ok(answer),
        }
    }

    fn parcel(&self, request: &Request) -> Parcel {
        let host = request.url.host_str().unwrap_or_default();
        let slug = host.split('.').next().unwrap_or_default().to_owned();
        let path = request.url.path().to_owned();
        let body = request.body.as_ref().map_or("", |body| body.expose());
        let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let access = request
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let token = form.get("refresh_token").and_then(|text| parse(text));
        Parcel {
            name: format!("node {} {slug}{path} {token:?}", self.node),
            slug,
            path,
            access: access.and_then(|(_, value)| parse(value.expose().trim_start_matches("Bearer "))),
            form,
            until: self.provider.gates.now().after(request.timeout),
        }
    }
}

impl Transport for Wire {
    fn carry(&self, request: Request, _: Trust) -> Carried<'_> {
        Box::pin(self.send(request))
    }
}

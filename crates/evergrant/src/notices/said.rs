//! What a proved notice says. Pure.

use serde_json::Value;

use super::model::{Heard, Said, TokenNamed};
use super::signature::read_time;
use crate::catalog::Notices;
use crate::catalog::notices::NoticeRule;
use crate::clock::Timestamp;

/// How many members of a list are looked at: HubSpot sends a hundred events in one body.
const MOST: usize = 1000;

/// Everything that a notice says, by the application's rules.
pub(super) fn said(notices: &Notices, heard: &Heard<'_>, body: &Value) -> Vec<Said> {
    let of_rule = |rule: &NoticeRule| -> Vec<Said> {
        let members: Vec<&Value> = match &rule.each {
            None => vec![body],
            Some(at) => match body.pointer(at) {
                Some(Value::Array(list)) => list.iter().take(MOST).collect(),
                _ => Vec::new(),
            },
        };
        members
            .into_iter()
            .filter_map(|member| one(rule, heard, member))
            .collect()
    };
    notices.event.iter().flat_map(of_rule).collect()
}

fn one(rule: &NoticeRule, heard: &Heard<'_>, body: &Value) -> Option<Said> {
    let headers = rule
        .header
        .iter()
        .all(|(name, wanted)| heard.header(name) == Some(wanted));
    let values = rule.pointer.iter().all(|(at, wanted)| body.pointer(at) == Some(wanted));
    let present = rule
        .present
        .iter()
        .all(|at| body.pointer(at).is_some_and(|value| !value.is_null()));
    if !(headers && values && present) {
        return None;
    }
    // Nothing stored holds a NUL, and PostgreSQL refuses to look for one.
    let account = |at: &String| {
        let id = text(body.pointer(at)?).filter(|id| !id.contains('\0'))?;
        Some(without_suffix(rule, &id))
    };
    let accounts: Vec<String> = rule.account.iter().filter_map(account).collect();
    let token = rule
        .token_subject
        .as_ref()
        .and_then(|at| token_named(body.pointer(at)?));
    if accounts.is_empty() && token.is_none() {
        return None;
    }
    Some(Said {
        rule: rule.name.clone(),
        reason: rule.reason,
        accounts,
        token,
        at: happened(rule, heard, body),
    })
}

/// The OAuth client that a notice names, where its rule says where: all that match must agree.
pub(super) fn clients_named(notices: &Notices, body: &Value) -> Vec<String> {
    let named = notices.event.iter().filter_map(|rule| rule.client.as_ref());
    named.filter_map(|at| text(body.pointer(at)?)).collect()
}

fn happened(rule: &NoticeRule, heard: &Heard<'_>, body: &Value) -> Option<Timestamp> {
    let at = rule.at.as_ref()?;
    let written = match (&at.pointer, &at.header) {
        (Some(pointer), _) => text(body.pointer(pointer)?)?,
        (None, Some(header)) => heard.header(header)?.to_owned(),
        (None, None) => return None,
    };
    read_time(&written, at.unit)
}

fn token_named(subject: &Value) -> Option<TokenNamed> {
    let token = text(subject.get("token")?)?;
    match subject.get("token_identifier_alg").and_then(Value::as_str)? {
        "prefix" if token.len() >= 16 => Some(TokenNamed::Prefix(token)),
        "hash_base64_sha512_sha512" => Some(TokenNamed::Sha512Twice(token)),
        _ => None,
    }
}

fn without_suffix(rule: &NoticeRule, id: &str) -> String {
    id.strip_suffix(rule.account_suffix.as_str()).unwrap_or(id).to_owned()
}

/// Ids and times come as texts and as numbers.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

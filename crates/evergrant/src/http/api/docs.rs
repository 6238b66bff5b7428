//! The OpenAPI document as a page: complete without a script and without another server.

use std::sync::LazyLock;

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

const CSS: &str = include_str!("../../../templates/docs.css");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

static PAGE: LazyLock<Option<String>> = LazyLock::new(|| {
    let document = serde_json::to_value(crate::http::document()).ok()?;
    DocsPage::of(&document).render().ok()
});

/// `GET /docs`: every operation, what it takes and what it answers.
pub async fn page() -> Response {
    let Some(html) = &*PAGE else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ];
    (headers, html.as_str()).into_response()
}

/// `GET /assets/docs.css`
pub async fn stylesheet() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, CSS).into_response()
}

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage {
    title: String,
    version: String,
    description: String,
    groups: Vec<Group>,
    shapes: Vec<Shape>,
}

/// The operations of a tag.
struct Group {
    tag: String,
    anchor: String,
    operations: Vec<Operation>,
}

struct Operation {
    method: String,
    path: String,
    text: String,
    security: String,
    parameters: Vec<Member>,
    body: Option<Kind>,
    answers: Vec<Answer>,
}

/// Statuses that share a body.
struct Answer {
    statuses: String,
    text: String,
    kind: Kind,
}

/// A named schema.
struct Shape {
    name: String,
    text: String,
    members: Vec<Member>,
}

/// A parameter, or a member of a schema.
struct Member {
    name: String,
    place: String,
    required: bool,
    kind: Kind,
    text: String,
}

/// A type in words, and the schema it leads to.
#[derive(Clone, Default, PartialEq)]
struct Kind {
    words: String,
    shape: Option<String>,
}

impl DocsPage {
    fn of(document: &Value) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (path, item) in members(&document["paths"]) {
            let listed = METHODS.iter().filter_map(|method| Some((*method, item.get(*method)?)));
            for (method, operation) in listed {
                let tag = text(&operation["tags"][0]);
                let operation = Operation::of(method, path, operation);
                match groups.iter_mut().find(|group| group.tag == tag) {
                    Some(group) => group.operations.push(operation),
                    None => groups.push(Group {
                        anchor: tag.replace(' ', "-"),
                        tag,
                        operations: vec![operation],
                    }),
                }
            }
        }
        let shapes = members(&document["components"]["schemas"]).map(|(name, schema)| Shape::of(name, schema));
        Self {
            title: text(&document["info"]["title"]),
            version: text(&document["info"]["version"]),
            description: text(&document["info"]["description"]),
            groups,
            shapes: shapes.collect(),
        }
    }
}

impl Operation {
    fn of(method: &str, path: &str, operation: &Value) -> Self {
        let (summary, more) = (text(&operation["summary"]), text(&operation["description"]));
        let words = format!("{summary} {more}").trim().to_owned();
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        Self {
            method: method.to_uppercase(),
            path: path.to_owned(),
            text: words,
            security: security(&operation["security"]),
            parameters: list(&operation["parameters"]).iter().map(Member::parameter).collect(),
            body: (!body.is_null()).then(|| Kind::of(body)),
            answers: Answer::all(&operation["responses"]),
        }
    }
}

impl Answer {
    fn all(responses: &Value) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for (status, response) in members(responses) {
            let kind = Kind::of(&response["content"]["application/json"]["schema"]);
            let same = all.iter_mut().find(|one| !kind.words.is_empty() && one.kind == kind);
            if let Some(one) = same {
                one.statuses = format!("{}, {status}", one.statuses);
                one.text.clear();
            } else {
                let (statuses, text) = (status.clone(), text(&response["description"]));
                all.push(Self { statuses, text, kind });
            }
        }
        all
    }
}

impl Shape {
    fn of(name: &str, schema: &Value) -> Self {
        let mut members = Member::all(schema);
        for part in list(&schema["allOf"]) {
            members.extend(Member::all(part));
        }
        Self {
            name: name.to_owned(),
            text: text(&schema["description"]),
            members,
        }
    }
}

impl Member {
    fn parameter(parameter: &Value) -> Self {
        Self {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            required: parameter["required"] == true,
            kind: Kind::of(&parameter["schema"]),
            text: text(&parameter["description"]),
        }
    }

    fn all(schema: &Value) -> Vec<Self> {
        let required = list(&schema["required"]);
        let member = |(name, schema): (&String, &Value)| Self {
            name: name.clone(),
            place: String::new(),
            required: required.iter().any(|one| one == name),
            kind: Kind::of(schema),
            text: text(&schema["description"]),
        };
        members(&schema["properties"]).map(member).collect()
    }
}

impl Kind {
    fn of(schema: &Value) -> Self {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            return Self {
                words: name.to_owned(),
                shape: Some(name.to_owned()),
            };
        }
        for (key, joint) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
            let parts: Vec<_> = list(&schema[key]).iter().map(Self::of).collect();
            if !parts.is_empty() {
                let words: Vec<_> = parts.iter().map(|part| part.words.as_str()).collect();
                return Self {
                    words: words.join(joint),
                    shape: parts.iter().find_map(|part| part.shape.clone()),
                };
            }
        }
        if !schema["items"].is_null() {
            let inner = Self::of(&schema["items"]);
            return Self {
                words: format!("array of {}", inner.words),
                ..inner
            };
        }
        let allowed: Vec<_> = list(&schema["enum"]).iter().map(Value::to_string).collect();
        let words = match &schema["type"] {
            _ if !allowed.is_empty() => allowed.join(" or "),
            Value::String(word) => word.clone(),
            Value::Array(words) => words.iter().map(text).collect::<Vec<_>>().join(" or "),
            _ if schema.is_null() => String::new(),
            _ => "any".to_owned(),
        };
        Self { words, shape: None }
    }
}

/// Each alternative, and in it what is sent together.
fn security(alternatives: &Value) -> String {
    let words = |alternative: &Value| -> String {
        let names = members(alternative).map(|(name, _)| match name.as_str() {
            "api_key" => "API key",
            "linked_account" => "linked account",
            "session" => "session token",
            other => other,
        });
        names.collect::<Vec<_>>().join(" and ")
    };
    let all: Vec<_> = list(alternatives)
        .iter()
        .map(words)
        .filter(|text| !text.is_empty())
        .collect();
    if all.is_empty() {
        "No credentials".to_owned()
    } else {
        all.join(", or ")
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

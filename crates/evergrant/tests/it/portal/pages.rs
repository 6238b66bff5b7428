//! What the pages say, as text; data that looks like markup stays data.

use askama::Template as _;
use evergrant::http::portal::{
    AppCard, CardState, FieldOption, FormField, FormPage, Frame, Link, ListPage, MessagePage, Tone, Way, plain_reason,
};
use evergrant::reason::Reason;

use crate::support::START;

fn frame() -> Frame {
    Frame {
        org: "Acme & Sons".to_owned(),
        name: Some("<Zoë>".to_owned()),
        back: Some("https://app.example/back?a=1&b=2".to_owned()),
        style: "/assets/portal.css",
    }
}

fn card(slug: &str, state: CardState, ways: &[(&'static str, bool)]) -> AppCard {
    AppCard {
        slug: slug.to_owned(),
        name: slug.to_uppercase(),
        description: "Does <things>.".to_owned(),
        tag: Some("CRM".to_owned()),
        icon: None,
        state,
        ways: ways.iter().map(|&(auth_type, asks)| Way { auth_type, asks }).collect(),
    }
}

fn expired() -> CardState {
    CardState::Expired {
        reason: plain_reason(Reason::TokenRevoked),
        since: START,
    }
}

/// Without blank lines, which say nothing.
fn text(page: &impl askama::Template) -> String {
    let html = page.render().unwrap();
    let lines: Vec<_> = html
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join("\n")
}

#[test]
fn the_list_shows_what_needs_the_customer_first() {
    let mut cards = vec![
        card("alpha", CardState::NotConnected, &[("oauth2", false)]),
        card("beta", CardState::Connected, &[("keybased", true)]),
        card("gamma", expired(), &[("oauth2", false), ("keybased", true)]),
    ];
    AppCard::sort(&mut cards);
    let page = ListPage {
        frame: frame(),
        csrf: "token".to_owned(),
        notice: Some("GAMMA is connected.".to_owned()),
        cards,
    };
    insta::assert_snapshot!("list", text(&page));
}

#[test]
fn an_empty_list_says_so() {
    let page = ListPage {
        frame: Frame::anonymous(),
        csrf: "token".to_owned(),
        notice: None,
        cards: Vec::new(),
    };
    assert!(page.render().unwrap().contains("There is nothing to connect here yet."));
}

fn field(name: &str, kind: &str, value: Option<&str>) -> FormField {
    FormField {
        name: name.to_owned(),
        label: format!("The {name}"),
        kind: kind.to_owned(),
        required: true,
        placeholder: "Please \"enter\"".to_owned(),
        value: value.map(str::to_owned),
        ..FormField::default()
    }
}

fn form(fields: Vec<FormField>) -> FormPage {
    FormPage {
        frame: frame(),
        csrf: "token".to_owned(),
        slug: "copper".to_owned(),
        name: "Copper".to_owned(),
        verb: "Reconnect",
        auth_type: "keybased",
        help: Some("Settings > Integrations".to_owned()),
        error: Some("Failed to verify credentials: <no>".to_owned()),
        fields,
    }
}

#[test]
fn a_form_has_a_label_for_every_field_and_keeps_what_was_typed() {
    let region = FormField {
        options: vec![
            FieldOption {
                name: "Europe".to_owned(),
                value: "eu".to_owned(),
            },
            FieldOption {
                name: "US".to_owned(),
                value: "us".to_owned(),
            },
        ],
        help: Some("Where your data is.".to_owned()),
        required: false,
        ..field("region", "select", Some("us"))
    };
    let fields = vec![
        field("email", "text", Some("u@x.y")),
        field("api_token", "password", None),
        field("number", "number", Some("5")),
        region,
        field("note", "textarea", Some("</textarea><script>")),
        field("sandbox", "boolean", Some("true")),
    ];
    insta::assert_snapshot!("form", text(&form(fields)));
}

#[test]
fn a_secret_is_never_sent_back_whatever_its_type() {
    for kind in ["text", "password", "textarea", "number"] {
        let secret = FormField {
            secret: true,
            ..field("key", kind, Some("s3cret"))
        };
        assert!(!form(vec![secret]).render().unwrap().contains("s3cret"), "{kind}");
    }
}

#[test]
fn a_result_page_says_what_happened_and_where_to_go() {
    let mut page = MessagePage::new(
        frame(),
        Tone::Success,
        "Slack is connected",
        "You can close this window.",
    );
    page.link = Some(Link {
        href: "/connect".to_owned(),
        label: "All integrations".to_owned(),
    });
    insta::assert_snapshot!("success", text(&page));
    let denied = MessagePage::new(
        frame(),
        Tone::Denied,
        "Nothing was changed",
        "You did not agree at <Slack>.",
    );
    let denied = denied.render().unwrap();
    assert!(denied.contains("class=\"message denied\"") && denied.contains("&#60;Slack&#62;"));
    let error = MessagePage::new(frame(), Tone::Error, "t", "x").render().unwrap();
    assert!(error.contains("role=\"alert\""));
}

#[test]
fn the_way_to_a_provider_moves_on_by_itself_and_offers_a_link() {
    let page = MessagePage::onward(frame(), "Slack", "/api/v1/slack/start/x?a=1&b=2".to_owned());
    let html = page.render().unwrap();
    assert!(
        html.contains(r#"<meta http-equiv="refresh" content="0;url=/api/v1/slack/start/x?a=1&#38;b=2">"#),
        "{html}"
    );
    assert!(html.contains("Continue to Slack"));
}

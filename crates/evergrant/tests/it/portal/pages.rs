//! What the pages say, as text; data that looks like markup stays data.

use askama::Template as _;
use evergrant::catalog::{AuthType, Catalog};
use evergrant::http::portal::{
    AppCard, DetailPage, FieldOption, FormField, Frame, Lang, Link, ListPage, ListQuery, MessagePage, Reader, Standing,
    Status, Tone,
};
use evergrant::reason::Reason;

use crate::support::START;

fn frame() -> Frame {
    Frame {
        reader: Reader {
            again: true,
            ..Reader::default()
        },
        org: Some("Acme & Sons".to_owned()),
        name: Some("<Zoë>".to_owned()),
        back: Some("https://app.example/back?a=1&b=2".to_owned()),
        ..Frame::default()
    }
}

fn status(standing: Standing) -> Status {
    let is_new = standing == Standing::New;
    Status {
        standing,
        account: (!is_new).then(|| "ann@<acme>".to_owned()),
        connected_at: (!is_new).then_some(START),
        auth_type: (!is_new).then_some(AuthType::Keybased),
    }
}

fn card(slug: &str, standing: Standing, asks: bool) -> AppCard {
    AppCard {
        slug: slug.to_owned(),
        name: format!("<{}>", slug.to_uppercase()),
        tags: vec!["CRM".to_owned(), "Sales & more".to_owned()],
        status: status(standing),
        asks,
        auth_type: AuthType::OAuth2,
    }
}

fn expired() -> Standing {
    Standing::Expired {
        reason: Reason::TokenRevoked,
        since: START,
    }
}

/// Without blank lines, which say nothing, and without the names of the style sheet and the script, which change with them.
fn text(page: &impl askama::Template) -> String {
    let html = page.render().unwrap();
    let lines: Vec<_> = html
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !line.contains("/assets/portal-"))
        .collect();
    lines.join("\n")
}

fn list(query: (&str, &str)) -> ListPage {
    let mut cards = vec![
        card("alpha", Standing::New, false),
        card("beta", Standing::Connected, true),
        card("gamma", expired(), true),
        card("delta", expired(), false),
        card("epsilon", Standing::Expiring { ends: START }, false),
    ];
    AppCard::sort(&mut cards);
    let filter = ListQuery {
        q: query.0.to_owned(),
        category: query.1.to_owned(),
    };
    ListPage::new(frame(), "token".to_owned(), (cards, filter))
}

#[test]
fn the_list_shows_what_needs_the_customer_first() {
    insta::assert_snapshot!("list", text(&list(("", ""))));
}

#[test]
fn the_list_is_filtered_by_name_and_category_without_a_script() {
    let names = |query| -> Vec<String> { list(query).cards.into_iter().map(|card| card.slug).collect() };
    assert_eq!(names((" ELTA", "")), ["delta"]);
    assert_eq!(names(("", "CRM")).len(), 5);
    assert_eq!(names(("", "crm")).len(), 0);
    assert_eq!(names(("beta", "Sales & more")), ["beta"]);
    let page = list(("\"><script>", ""));
    assert!(
        page.attention.is_empty(),
        "what is looked for is not what needs attention"
    );
    let html = page.render().unwrap();
    assert!(
        html.contains("No application matches") && !html.contains("<script>"),
        "{html}"
    );
}

#[test]
fn an_empty_list_says_so() {
    let page = ListPage::new(Frame::default(), "token".to_owned(), (Vec::new(), ListQuery::default()));
    let html = page.render().unwrap();
    assert!(
        html.contains("Nothing to connect yet") && !html.contains("role=\"search\""),
        "{html}"
    );
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

fn detail(standing: Standing, fields: Vec<FormField>) -> DetailPage {
    let catalog = Catalog::load(None, None).unwrap();
    let copper = catalog.get("copper").unwrap();
    let page = DetailPage::new((frame(), "token".to_owned()), copper, status(standing), None);
    DetailPage {
        help: Some("Settings > Integrations".to_owned()),
        fields,
        ..page
    }
}

#[test]
fn a_form_has_a_label_for_every_field_and_keeps_what_was_typed() {
    let option = |name: &str, value: &str| FieldOption {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let region = FormField {
        options: vec![option("Europe", "eu"), option("US", "us")],
        help: Some("Where your data is.".to_owned()),
        required: false,
        ..field("region", "select", Some("us"))
    };
    let wrong = FormField {
        error: Some("Please fill this in.".to_owned()),
        ..field("api_token", "password", None)
    };
    let fields = vec![
        field("email", "text", Some("u@x.y")),
        wrong,
        field("number", "number", Some("5")),
        region,
        field("note", "textarea", Some("</textarea><script>")),
        field("sandbox", "boolean", Some("true")),
    ];
    let page = DetailPage {
        error: Some("Copper did not accept this: <no>.".to_owned()),
        ..detail(expired(), fields)
    };
    insta::assert_snapshot!("detail_expired", text(&page));
}

#[test]
fn what_works_says_so_and_folds_away_what_nobody_needs() {
    insta::assert_snapshot!("detail_connected", text(&detail(Standing::Connected, Vec::new())));
    let new = detail(Standing::New, Vec::new()).render().unwrap();
    assert!(!new.contains("Disconnect") && new.contains(">Connect<"), "{new}");
    let soon = detail(Standing::Expiring { ends: START }, Vec::new()).render().unwrap();
    assert!(
        soon.contains("Expiring soon") && soon.contains("ends on 2 January 2024"),
        "{soon}"
    );
}

#[test]
fn a_key_that_nobody_can_check_is_not_said_to_have_been_checked_or_to_work() {
    let unproved = |standing| DetailPage {
        proves_keys: false,
        ..detail(standing, Vec::new())
    };
    let (new, old) = (unproved(Standing::New), unproved(Standing::Connected));
    let (new, old) = (new.render().unwrap(), old.render().unwrap());
    for page in [&new, &old] {
        assert!(page.contains("Copper offers no way to check it"), "{page}");
        assert!(!page.contains("It is checked") && !page.contains("works"), "{page}");
    }
    assert!(old.contains("This connection is set up."), "{old}");
    let oauth = Status {
        auth_type: Some(AuthType::OAuth2),
        ..status(Standing::Connected)
    };
    let page = DetailPage {
        status: oauth,
        ..unproved(Standing::Connected)
    };
    assert!(page.render().unwrap().contains("This connection works."));
}

#[test]
fn a_secret_is_never_sent_back_whatever_its_type() {
    for kind in ["text", "password", "textarea", "number"] {
        let secret = FormField {
            secret: true,
            ..field("key", kind, Some("s3cret"))
        };
        assert!(
            !detail(Standing::New, vec![secret]).render().unwrap().contains("s3cret"),
            "{kind}"
        );
    }
}

#[test]
fn every_page_is_in_the_readers_language() {
    for (lang, words) in [
        (
            Lang::De,
            ["Was passiert ist", "Seit dem 2. Januar 2024.", "Neu verbinden"],
        ),
        (
            Lang::Fr,
            ["Ce qui s’est passé", "Depuis le 2 janvier 2024.", "Reconnecter"],
        ),
        (
            Lang::Es,
            ["Qué ha ocurrido", "Desde el 2 de enero de 2024.", "Volver a conectar"],
        ),
        (Lang::Ja, ["発生した問題", "2024年1月2日から。", "再接続する"]),
    ] {
        let mut page = detail(expired(), Vec::new());
        page.frame.reader.lang = lang;
        let html = page.render().unwrap();
        assert!(html.contains(&format!("<html lang=\"{}\">", lang.tag())));
        for word in words {
            assert!(html.contains(word), "{word} in {html}");
        }
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
fn the_way_to_a_provider_moves_on_by_itself_and_from_a_frame_into_a_window() {
    let to = || ("/api/v1/slack/start/x?a=1&b=2".to_owned(), "/connect/slack");
    let html = MessagePage::onward(frame(), "Slack", to()).render().unwrap();
    let moves_on = r#"<meta http-equiv="refresh" content="0;url=/api/v1/slack/start/x?a=1&#38;b=2">"#;
    assert!(html.contains(moves_on) && html.contains("Continue to Slack"), "{html}");
    let mut framed = frame();
    framed.reader.framed = true;
    framed.embedders = vec!["https://app.example".to_owned()];
    let html = MessagePage::onward(framed, "Slack", to()).render().unwrap();
    assert!(!html.contains("http-equiv=\"refresh\""), "{html}");
    assert!(html.contains("target=\"_blank\" rel=\"noopener noreferrer\"") && html.contains("href=\"/connect/slack\""));
    assert!(html.contains("data-framed=\"https://app.example\""), "{html}");
}

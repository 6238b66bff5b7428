//! Every language says everything, and nothing else is said.

use std::collections::BTreeSet;

use super::*;

fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split('{')
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap())
        .collect()
}

#[test]
fn every_language_has_every_text_with_the_same_placeholders() {
    let english = &TEXTS[&Lang::En];
    assert!(english.len() > 100, "the messages were not read");
    for lang in Lang::ALL {
        let texts = &TEXTS[&lang];
        let keys = |texts: &HashMap<String, String>| texts.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(texts), keys(english), "{}", lang.tag());
        for (key, text) in texts {
            assert!(
                !text.trim().is_empty() && text.trim() == text,
                "{key} in {}",
                lang.tag()
            );
            assert_eq!(
                placeholders(text),
                placeholders(&english[key]),
                "{key} in {}",
                lang.tag()
            );
        }
    }
}

#[test]
fn every_text_that_a_page_says_is_there_and_no_other() {
    let mut sources = String::new();
    for folder in ["src/http/portal", "templates"] {
        for entry in std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                sources += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    for key in TEXTS[&Lang::En].keys() {
        assert!(sources.contains(&format!("\"{key}\"")), "nobody says {key}");
    }
    for call in [".say(\"", ".fill(\"", ".app(\"", ".account(\"", ".dated(\""] {
        for rest in sources.split(call).skip(1) {
            let key = rest.split('"').next().unwrap();
            assert!(
                key == "nothing" || TEXTS[&Lang::En].contains_key(key),
                "there is no text {key}"
            );
        }
    }
}

#[test]
fn the_browsers_wishes_are_read_by_weight() {
    for (header, lang) in [
        ("de", Some(Lang::De)),
        ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", Some(Lang::Fr)),
        ("pt-BR,pt;q=0.9,es;q=0.4,ja;q=0.6", Some(Lang::Ja)),
        ("EN-us", Some(Lang::En)),
        ("de;q=0, es;q=0.1", Some(Lang::Es)),
        ("pt", None),
        ("*", None),
        ("", None),
        (";;q=,de;q=x", None),
    ] {
        assert_eq!(Lang::accepted(header), lang, "{header}");
    }
}

#[test]
fn a_day_is_written_as_its_readers_write_it() {
    let at = Timestamp::from_millis(1_704_164_645_678);
    let first = Timestamp::from_millis(1_711_929_600_000);
    for (lang, day, one) in [
        (Lang::En, "2 January 2024", "1 April 2024"),
        (Lang::De, "2. Januar 2024", "1. April 2024"),
        (Lang::Es, "2 de enero de 2024", "1 de abril de 2024"),
        (Lang::Fr, "2 janvier 2024", "1er avril 2024"),
        (Lang::Ja, "2024年1月2日", "2024年4月1日"),
    ] {
        assert_eq!((lang.day(at).as_str(), lang.day(first).as_str()), (day, one));
    }
}

#[test]
fn what_is_filled_in_stays_what_it_is() {
    assert_eq!(
        Lang::En.fill("done.connected", &[("app", "{app} & <b>")]),
        "{app} & <b> is connected"
    );
    assert_eq!(Lang::En.say("nothing"), "nothing");
}

/// The templates that customers see.
const PAGES: [&str; 6] = ["base", "list", "detail", "message", "link", "account"];

/// A template's own text, without what askama fills in.
fn own_text(template: &str) -> String {
    let mut text = template.to_owned();
    for (open, close) in [("{%", "%}"), ("{{", "}}"), ("{#", "#}")] {
        while let Some((before, rest)) = text.split_once(open) {
            let (_, after) = rest.split_once(close).unwrap();
            text = format!("{before}{after}");
        }
    }
    text
}

#[test]
fn no_page_says_anything_that_is_not_in_the_messages() {
    for name in PAGES {
        let path = format!("{}/templates/{name}.html", env!("CARGO_MANIFEST_DIR"));
        let text = own_text(&std::fs::read_to_string(path).unwrap());
        for part in text.split('<') {
            let (tag, said) = part.split_once('>').unwrap_or(("", part));
            // The mark of an account page is a sign, not a word.
            assert!(!said.chars().any(char::is_alphabetic), "{name} says {:?}", said.trim());
            for spoken in ["placeholder=\"", "aria-label=\"", "title=\"", "alt=\"", "data-busy=\""] {
                let Some((_, value)) = tag.split_once(spoken) else {
                    continue;
                };
                assert!(value.starts_with('"'), "{name} says {value} in {spoken}");
            }
        }
    }
}

//! What a hosted page's properties may say. They come from a browser (contract section 19, row 11).

use serde_json::{Map, Value};
use url::Url;

use super::colour::is_colour;
use crate::error::Error;

const MAX_BYTES: usize = 16 * 1024;
const MAX_NAME: usize = 100;
const COLOURS: [&str; 4] = ["color", "bgColor", "base_color", "button_color"];

/// Whether the properties do no harm: a JSON object of at most 16 KiB in which colours are colours, `name` is a text,
/// and `redirect_url` leads to an origin that the environment has registered. Whatever else it holds is only kept.
pub fn check(text: &str, return_origins: &[String]) -> Result<(), Error> {
    if text.len() > MAX_BYTES {
        return Err(Error::invalid("the properties of a hosted page have at most 16 KiB"));
    }
    let object: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| Error::invalid("the body must be a JSON object"))?;
    let given = |name: &str| object.get(name).filter(|value| !value.is_null());
    for name in COLOURS {
        if let Some(value) = given(name)
            && !value.as_str().is_some_and(is_colour)
        {
            return Err(Error::invalid(format!(
                "{name} must be a CSS colour: #rgb, #rrggbb, #rrggbbaa, rgb(…), rgba(…), hsl(…) or a named colour"
            )));
        }
    }
    if let Some(value) = given("name") {
        let fits = |text: &str| text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control);
        if !value.as_str().is_some_and(fits) {
            return Err(Error::invalid(format!(
                "name must be a text of at most {MAX_NAME} characters without control characters"
            )));
        }
    }
    match given("redirect_url") {
        Some(value) => check_return(value, return_origins),
        None => Ok(()),
    }
}

fn check_return(value: &Value, return_origins: &[String]) -> Result<(), Error> {
    let url = value.as_str().and_then(|text| Url::parse(text).ok());
    let origin = url
        .filter(|url| matches!(url.scheme(), "https" | "http") && url.username().is_empty() && url.password().is_none())
        .ok_or_else(|| Error::invalid("redirect_url must be an absolute http or https URL without user name"))?
        .origin();
    let registered = |text: &String| Url::parse(text).is_ok_and(|known| known.origin() == origin);
    if return_origins.iter().any(registered) {
        Ok(())
    } else {
        Err(Error::invalid(
            "the origin of redirect_url is not one of the return origins registered for this environment",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(text: &str) -> bool {
        check(text, &["https://app.example".to_owned()]).is_ok()
    }

    #[test]
    fn harmless_properties_are_kept() {
        for good in [
            "{}",
            r##"{"color":"#fff","bgColor":"rgb(1, 2, 3)","name":"Zoë & Co"}"##,
            r#"{"redirect_url":"https://app.example/back?x=1"}"#,
            r#"{"redirect_url":"https://app.example:443"}"#,
            r#"{"anything":[1,2,{"else":null}],"color":null}"#,
        ] {
            assert!(accepted(good), "{good}");
        }
    }

    #[test]
    fn harmful_ones_are_not() {
        let long_name = format!(r#"{{"name":"{}"}}"#, "x".repeat(101));
        let long = format!(r#"{{"x":"{}"}}"#, "x".repeat(MAX_BYTES));
        for bad in [
            "[]",
            "null",
            "{",
            r#"{"color":"red;background:url(//evil)"}"#,
            r#"{"button_color":1}"#,
            r#"{"name":["x"]}"#,
            r#"{"name":"a\u0007"}"#,
            r#"{"redirect_url":"https://app.example.evil"}"#,
            r#"{"redirect_url":"http://app.example"}"#,
            r#"{"redirect_url":"https://app.example@evil"}"#,
            r#"{"redirect_url":"https://evil@app.example"}"#,
            r#"{"redirect_url":"https://app.example:444"}"#,
            r#"{"redirect_url":"javascript:alert(1)"}"#,
            r#"{"redirect_url":"/relative"}"#,
            &long_name,
            &long,
        ] {
            assert!(!accepted(bad), "{bad}");
        }
    }
}

//! What a CSS colour looks like: the forms that hosted pages are given, not all of CSS Color 4.

/// The named colours of CSS Color Module Level 4, section 6.1, and `transparent`.
const NAMES: &str = "aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue blueviolet \
    brown burlywood cadetblue chartreuse chocolate coral cornflowerblue cornsilk crimson cyan darkblue darkcyan \
    darkgoldenrod darkgray darkgreen darkgrey darkkhaki darkmagenta darkolivegreen darkorange darkorchid darkred \
    darksalmon darkseagreen darkslateblue darkslategray darkslategrey darkturquoise darkviolet deeppink deepskyblue \
    dimgray dimgrey dodgerblue firebrick floralwhite forestgreen fuchsia gainsboro ghostwhite gold goldenrod gray \
    green greenyellow grey honeydew hotpink indianred indigo ivory khaki lavender lavenderblush lawngreen \
    lemonchiffon lightblue lightcoral lightcyan lightgoldenrodyellow lightgray lightgreen lightgrey lightpink \
    lightsalmon lightseagreen lightskyblue lightslategray lightslategrey lightsteelblue lightyellow lime limegreen \
    linen magenta maroon mediumaquamarine mediumblue mediumorchid mediumpurple mediumseagreen mediumslateblue \
    mediumspringgreen mediumturquoise mediumvioletred midnightblue mintcream mistyrose moccasin navajowhite navy \
    oldlace olive olivedrab orange orangered orchid palegoldenrod palegreen paleturquoise palevioletred papayawhip \
    peachpuff peru pink plum powderblue purple rebeccapurple red rosybrown royalblue saddlebrown salmon sandybrown \
    seagreen seashell sienna silver skyblue slateblue slategray slategrey snow springgreen steelblue tan teal \
    thistle tomato transparent turquoise violet wheat white whitesmoke yellow yellowgreen";

/// Whether `text` is a colour: `#rgb`, `#rrggbb`, `#rrggbbaa`, `rgb()`, `rgba()`, `hsl()`, `hsla()` or a name.
pub(super) fn is_colour(text: &str) -> bool {
    if text.len() > 64 || !text.is_ascii() {
        return false;
    }
    let text = text.to_ascii_lowercase();
    if let Some(digits) = text.strip_prefix('#') {
        return matches!(digits.len(), 3 | 4 | 6 | 8) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    match text.split_once('(') {
        Some((function, rest)) => {
            matches!(function, "rgb" | "rgba" | "hsl" | "hsla") && rest.strip_suffix(')').is_some_and(are_arguments)
        }
        None => NAMES.split_ascii_whitespace().any(|name| name == text),
    }
}

/// Three or four numbers, parted by commas, spaces or a slash.
fn are_arguments(text: &str) -> bool {
    let parts: Vec<&str> = text
        .split([',', ' ', '/'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    matches!(parts.len(), 3 | 4) && parts.into_iter().all(is_number)
}

fn is_number(text: &str) -> bool {
    let text = text
        .strip_suffix('%')
        .or_else(|| text.strip_suffix("deg"))
        .unwrap_or(text);
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty()
        && digits.len() <= 12
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_colours() {
        for good in [
            "#fff",
            "#FFFFFF",
            "#ffffff80",
            "red",
            "RebeccaPurple",
            "rgb(1,2,3)",
            "rgb(1 2 3 / 50%)",
            "rgba(1, 2, 3, .5)",
            "hsl(120deg, 50%, 50%)",
            "hsl(120 50% 50%)",
            "transparent",
        ] {
            assert!(is_colour(good), "{good}");
        }
    }

    #[test]
    fn everything_else_is_not() {
        for bad in [
            "",
            "#",
            "#ff",
            "#fffff",
            "#ggg",
            "reddish",
            "url(x)",
            "rgb()",
            "rgb(1,2)",
            "rgb(1,2,3,4,5)",
            "rgb(1,2,3",
            "rgb(1,2,x)",
            "rgb(1,2,3);x",
            "var(--x)",
            "red;",
            "red blue",
            "expression(alert(1))",
            "é",
            "rgb(inf,nan,1)",
            "rgb(url(x),2,3)",
        ] {
            assert!(!is_colour(bad), "{bad}");
        }
    }
}

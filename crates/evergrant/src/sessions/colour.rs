//! What a CSS colour looks like: the forms that hosted pages are given, not all of CSS Color 4.

/// The named colours of CSS Color Module Level 4, section 6.1, each with its value.
const NAMES: &str = "aliceblue f0f8ff antiquewhite faebd7 aqua 00ffff aquamarine 7fffd4 azure f0ffff beige f5f5dc bisque ffe4c4 \
    black 000000 blanchedalmond ffebcd blue 0000ff blueviolet 8a2be2 brown a52a2a burlywood deb887 \
    cadetblue 5f9ea0 chartreuse 7fff00 chocolate d2691e coral ff7f50 cornflowerblue 6495ed cornsilk fff8dc \
    crimson dc143c cyan 00ffff darkblue 00008b darkcyan 008b8b darkgoldenrod b8860b darkgray a9a9a9 \
    darkgreen 006400 darkgrey a9a9a9 darkkhaki bdb76b darkmagenta 8b008b darkolivegreen 556b2f \
    darkorange ff8c00 darkorchid 9932cc darkred 8b0000 darksalmon e9967a darkseagreen 8fbc8f \
    darkslateblue 483d8b darkslategray 2f4f4f darkslategrey 2f4f4f darkturquoise 00ced1 darkviolet 9400d3 \
    deeppink ff1493 deepskyblue 00bfff dimgray 696969 dimgrey 696969 dodgerblue 1e90ff firebrick b22222 \
    floralwhite fffaf0 forestgreen 228b22 fuchsia ff00ff gainsboro dcdcdc ghostwhite f8f8ff gold ffd700 \
    goldenrod daa520 gray 808080 green 008000 greenyellow adff2f grey 808080 honeydew f0fff0 hotpink ff69b4 \
    indianred cd5c5c indigo 4b0082 ivory fffff0 khaki f0e68c lavender e6e6fa lavenderblush fff0f5 \
    lawngreen 7cfc00 lemonchiffon fffacd lightblue add8e6 lightcoral f08080 lightcyan e0ffff \
    lightgoldenrodyellow fafad2 lightgray d3d3d3 lightgreen 90ee90 lightgrey d3d3d3 lightpink ffb6c1 \
    lightsalmon ffa07a lightseagreen 20b2aa lightskyblue 87cefa lightslategray 778899 lightslategrey 778899 \
    lightsteelblue b0c4de lightyellow ffffe0 lime 00ff00 limegreen 32cd32 linen faf0e6 magenta ff00ff \
    maroon 800000 mediumaquamarine 66cdaa mediumblue 0000cd mediumorchid ba55d3 mediumpurple 9370db \
    mediumseagreen 3cb371 mediumslateblue 7b68ee mediumspringgreen 00fa9a mediumturquoise 48d1cc \
    mediumvioletred c71585 midnightblue 191970 mintcream f5fffa mistyrose ffe4e1 moccasin ffe4b5 \
    navajowhite ffdead navy 000080 oldlace fdf5e6 olive 808000 olivedrab 6b8e23 orange ffa500 orangered ff4500 \
    orchid da70d6 palegoldenrod eee8aa palegreen 98fb98 paleturquoise afeeee palevioletred db7093 \
    papayawhip ffefd5 peachpuff ffdab9 peru cd853f pink ffc0cb plum dda0dd powderblue b0e0e6 purple 800080 \
    rebeccapurple 663399 red ff0000 rosybrown bc8f8f royalblue 4169e1 saddlebrown 8b4513 salmon fa8072 \
    sandybrown f4a460 seagreen 2e8b57 seashell fff5ee sienna a0522d silver c0c0c0 skyblue 87ceeb \
    slateblue 6a5acd slategray 708090 slategrey 708090 snow fffafa springgreen 00ff7f steelblue 4682b4 \
    tan d2b48c teal 008080 thistle d8bfd8 tomato ff6347 turquoise 40e0d0 violet ee82ee wheat f5deb3 \
    white ffffff whitesmoke f5f5f5 yellow ffff00 yellowgreen 9acd32";

/// A colour that can be seen through nothing: red, green and blue in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

impl Colour {
    /// White.
    pub const WHITE: Self = Self([255; 3]);
    /// Black.
    pub const BLACK: Self = Self([0; 3]);

    /// Reads `#rgb`, `#rgba`, `#rrggbb`, `#rrggbbaa`, `rgb()`, `rgba()`, `hsl()`, `hsla()` or a name. What can be seen
    /// through is laid on white; `transparent` itself is no colour to paint with, and is `None` as well.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (rgb, alpha) = parts(&text.trim().to_ascii_lowercase())?;
        (alpha > 0.0).then(|| Self::WHITE.mix(Self(rgb), alpha))
    }

    /// The six digits.
    #[must_use]
    pub fn hex(self) -> String {
        crate::ids::hex(&self.0)
    }

    /// From six digits.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        (digits.len() == 6)
            .then(|| hex(digits))
            .flatten()
            .map(|(rgb, _)| Self(rgb))
    }

    /// On the way from this colour to another: `0.0` is this one, `1.0` the other.
    #[must_use]
    pub fn mix(self, other: Self, part: f64) -> Self {
        let one = |at: usize| {
            let (from, to) = (f64::from(self.0[at]), f64::from(other.0[at]));
            to_byte(from + (to - from) * part)
        };
        Self([one(0), one(1), one(2)])
    }

    /// Relative luminance (WCAG 2.2).
    #[must_use]
    pub fn luminance(self) -> f64 {
        let linear = |byte: u8| {
            let part = f64::from(byte) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        let [r, g, b] = self.0.map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// Contrast ratio, 1 to 21 (WCAG 2.2).
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }
}

/// Whether `text` is a colour, `transparent` included.
pub(super) fn is_colour(text: &str) -> bool {
    text.len() <= 64 && text.is_ascii() && parts(&text.to_ascii_lowercase()).is_some()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is clamped to the range of a byte"
)]
fn to_byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// Red, green, blue and alpha of a lower-case text.
fn parts(text: &str) -> Option<([u8; 3], f64)> {
    if text == "transparent" {
        return Some(([0; 3], 0.0));
    }
    if let Some(digits) = text.strip_prefix('#') {
        return hex(digits);
    }
    if let Some((function, rest)) = text.split_once('(') {
        return function_value(function, rest.strip_suffix(')')?);
    }
    let mut words = NAMES.split_ascii_whitespace();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        if name == text {
            return hex(value);
        }
    }
    None
}

fn hex(digits: &str) -> Option<([u8; 3], f64)> {
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let wide: String = match digits.len() {
        3 | 4 => digits.chars().flat_map(|c| [c, c]).collect(),
        6 | 8 => digits.to_owned(),
        _ => return None,
    };
    let byte = |at: usize| wide.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let alpha = if wide.len() == 8 {
        f64::from(byte(6)?) / 255.0
    } else {
        1.0
    };
    Some(([byte(0)?, byte(2)?, byte(4)?], alpha))
}

fn function_value(function: &str, arguments: &str) -> Option<([u8; 3], f64)> {
    let parts: Vec<Number> = arguments
        .split([',', ' ', '/'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(Number::parse)
        .collect::<Option<_>>()?;
    let (colour, alpha) = match parts.as_slice() {
        [a, b, c] => ([*a, *b, *c], 1.0),
        [a, b, c, alpha] => ([*a, *b, *c], alpha.of(1.0).clamp(0.0, 1.0)),
        _ => return None,
    };
    match function {
        "rgb" | "rgba" => Some((colour.map(|part| to_byte(part.of(255.0))), alpha)),
        "hsl" | "hsla" => Some((from_hsl(colour), alpha)),
        _ => None,
    }
}

/// A number, and whether it is a percentage.
#[derive(Clone, Copy)]
struct Number(f64, bool);

impl Number {
    fn parse(text: &str) -> Option<Self> {
        let percent = text.ends_with('%');
        let text = text
            .strip_suffix('%')
            .or_else(|| text.strip_suffix("deg"))
            .unwrap_or(text);
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let plain = !digits.is_empty() && digits.len() <= 12 && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        plain
            .then(|| text.parse().ok())
            .flatten()
            .map(|value| Self(value, percent))
    }

    /// Its value, where a percentage is one of `whole`.
    fn of(self, whole: f64) -> f64 {
        if self.1 { self.0 / 100.0 * whole } else { self.0 }
    }
}

/// CSS Color 4, section 7.1.
fn from_hsl([hue, saturation, lightness]: [Number; 3]) -> [u8; 3] {
    let hue = hue.0.rem_euclid(360.0);
    let (saturation, lightness) = (
        (saturation.0 / 100.0).clamp(0.0, 1.0),
        (lightness.0 / 100.0).clamp(0.0, 1.0),
    );
    let reach = saturation * lightness.min(1.0 - lightness);
    [0.0, 8.0, 4.0].map(|offset: f64| {
        let k = (offset + hue / 30.0).rem_euclid(12.0);
        to_byte(255.0 * (lightness - reach * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)))
    })
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

    #[test]
    fn a_colour_has_the_value_that_css_gives_it() {
        for (text, hex) in [
            ("#fff", "ffffff"),
            ("RebeccaPurple", "663399"),
            ("rgb(1, 2, 3)", "010203"),
            ("rgb(100% 0% 0%)", "ff0000"),
            ("hsl(120deg, 100%, 25%)", "008000"),
            ("hsl(-120 100% 50%)", "0000ff"),
            ("#00000080", "7f7f7f"),
            ("rgba(0,0,0,.5)", "808080"),
        ] {
            assert_eq!(Colour::parse(text).unwrap().hex(), hex, "{text}");
        }
        assert_eq!(Colour::parse("transparent"), None);
        assert_eq!(Colour::from_hex("12ab0f"), Some(Colour([0x12, 0xab, 0x0f])));
        assert_eq!(Colour::from_hex("12ab0"), None);
        assert_eq!(Colour::from_hex("+2ab0f"), None);
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((Colour::BLACK.contrast(Colour::WHITE) - 21.0).abs() < 0.01);
        assert!((Colour([0x77; 3]).contrast(Colour::WHITE) - 4.48).abs() < 0.01);
    }
}

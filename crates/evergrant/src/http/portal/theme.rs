//! A team's colours, as far as they can be read.
//!
//! The content security policy forbids styles in the page, so that colours come as a style sheet of their own, whose name
//! holds nothing but two colours in hexadecimal: `/assets/theme-1f6feb-0.css`. Whatever a team chooses, text keeps a contrast
//! of 4.5 (WCAG 2.2, 1.4.3): a colour that would not is moved towards black or white until it does.

use std::fmt::Write as _;

use serde_json::Value;

use crate::sessions::Colour;

/// Contrast that text needs.
const TEXT: f64 = 4.5;
/// Contrast that the edge of a button has at least.
const EDGE: f64 = 1.6;

const LIGHT_GROUND: Colour = Colour([0xf5, 0xf6, 0xf4]);
const LIGHT_PAPER: Colour = Colour::WHITE;
const DARK_GROUND: Colour = Colour([0x11, 0x15, 0x13]);
const DARK_PAPER: Colour = Colour([0x1a, 0x20, 0x1d]);

/// The two colours that a team may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theme {
    /// Of buttons and links.
    pub accent: Option<Colour>,
    /// Behind everything; it decides between light and dark.
    pub ground: Option<Colour>,
}

impl Theme {
    /// As the hosted properties have it.
    #[must_use]
    pub fn of(properties: &Value) -> Self {
        let colour = |name: &str| properties[name].as_str().and_then(Colour::parse);
        Self {
            accent: colour("button_color")
                .or_else(|| colour("color"))
                .or_else(|| colour("base_color")),
            ground: colour("bgColor"),
        }
    }

    /// Where its style sheet is; nowhere where nothing was chosen.
    #[must_use]
    pub fn path(self) -> Option<String> {
        let name = |colour: Option<Colour>| colour.map_or_else(|| "0".to_owned(), Colour::hex);
        (self != Self::default()).then(|| format!("/assets/theme-{}-{}.css", name(self.accent), name(self.ground)))
    }

    /// The theme of a file's name.
    #[must_use]
    pub fn from_file(file: &str) -> Option<Self> {
        let (accent, ground) = file.strip_prefix("theme-")?.strip_suffix(".css")?.split_once('-')?;
        let read = |text: &str| match text {
            "0" => Some(None),
            digits => Colour::from_hex(digits).map(Some),
        };
        Some(Self {
            accent: read(accent)?,
            ground: read(ground)?,
        })
    }

    /// The style sheet.
    #[must_use]
    pub fn css(self) -> String {
        match self.ground {
            Some(ground) => rule(&self.on_ground(ground)),
            None => format!(
                "{}@media(prefers-color-scheme:dark){{{}}}",
                rule(&self.accents(LIGHT_GROUND, LIGHT_PAPER)),
                rule(&self.accents(DARK_GROUND, DARK_PAPER))
            ),
        }
    }

    fn on_ground(self, ground: Colour) -> String {
        let light = ground.contrast(Colour::BLACK) >= ground.contrast(Colour::WHITE);
        let (ink, far) = if light {
            (Colour([0x14, 0x19, 0x17]), Colour::WHITE)
        } else {
            (Colour([0xf2, 0xf5, 0xf3]), Colour::BLACK)
        };
        let paper = match (light, ground.luminance() < 0.02) {
            (true, _) => ground.mix(far, 0.65),
            (false, true) => ground.mix(Colour::WHITE, 0.06),
            (false, false) => ground.mix(far, 0.22),
        };
        let on = [ground, paper];
        let ink = legible(ink, &on, TEXT);
        let soft = legible(ink.mix(ground, 0.28), &on, TEXT);
        let line = paper.mix(ink, 0.16);
        let scheme = if light { "light" } else { "dark" };
        let mut css = format!(
            "color-scheme:{scheme};--ground:#{};--side:#{};--paper:#{};--ink:#{};--soft:#{};--line:#{};",
            ground.hex(),
            ground.mix(ink, 0.03).hex(),
            paper.hex(),
            ink.hex(),
            soft.hex(),
            line.hex()
        );
        css.push_str(if light { STATES_LIGHT } else { STATES_DARK });
        css + &self.accents(ground, paper)
    }

    /// What is of the accent's colour on this ground and paper.
    fn accents(self, ground: Colour, paper: Colour) -> String {
        let light = paper.contrast(Colour::BLACK) >= paper.contrast(Colour::WHITE);
        let default = if light {
            Colour([0x17, 0x69, 0x4a])
        } else {
            Colour([0x63, 0xc7, 0x9d])
        };
        let accent = legible(self.accent.unwrap_or(default), &[paper], EDGE);
        let ink = if accent.contrast(Colour::WHITE) >= TEXT
            || accent.contrast(Colour::WHITE) > accent.contrast(Colour::BLACK)
        {
            Colour::WHITE
        } else {
            Colour::BLACK
        };
        let soft = paper.mix(accent, 0.1);
        let link = legible(accent, &[ground, paper, soft], TEXT);
        let mut css = String::new();
        let _ = write!(
            css,
            "--accent:#{};--accent-ink:#{};--accent-soft:#{};--link:#{}",
            accent.hex(),
            ink.hex(),
            soft.hex(),
            link.hex()
        );
        css
    }
}

const STATES_LIGHT: &str = "--good:#17694a;--good-soft:#e3f1ea;--warn:#7c4a03;--warn-soft:#fdf0d8;--bad:#a3232b;\
    --bad-soft:#fbeaea;--shadow:0 1px 2px rgb(0 0 0/6%),0 8px 24px rgb(0 0 0/5%);";
const STATES_DARK: &str = "--good:#7bd3ad;--good-soft:#183027;--warn:#f0c27a;--warn-soft:#352a16;--bad:#f5a3a7;\
    --bad-soft:#3a2022;--shadow:none;";

fn rule(declarations: &str) -> String {
    format!(":root{{{declarations}}}")
}

/// The colour, moved towards black or white until it stands out from each of the others by `least`.
fn legible(colour: Colour, on: &[Colour], least: f64) -> Colour {
    let reaches = |colour: Colour| on.iter().all(|other| colour.contrast(*other) >= least);
    let worst = |colour: Colour| {
        on.iter()
            .map(|other| colour.contrast(*other))
            .fold(f64::INFINITY, f64::min)
    };
    let end = if worst(Colour::BLACK) >= worst(Colour::WHITE) {
        Colour::BLACK
    } else {
        Colour::WHITE
    };
    let steps = (0_u32..=20).map(|step| colour.mix(end, f64::from(step) / 20.0));
    steps.into_iter().find(|colour| reaches(*colour)).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a variable in a style sheet.
    fn value(css: &str, name: &str) -> Colour {
        let (_, rest) = css.split_once(&format!("{name}:#")).unwrap();
        Colour::from_hex(&rest[..6]).unwrap()
    }

    fn all() -> impl Iterator<Item = Colour> {
        let steps = [0_u8, 0x33, 0x66, 0x77, 0x99, 0xcc, 0xff];
        steps.into_iter().flat_map(move |r| {
            steps
                .into_iter()
                .flat_map(move |g| steps.into_iter().map(move |b| Colour([r, g, b])))
        })
    }

    #[test]
    fn whatever_is_chosen_can_be_read() {
        for accent in all() {
            for ground in [
                Colour::WHITE,
                Colour::BLACK,
                Colour([0x77; 3]),
                accent,
                Colour([0x80, 0x20, 0xd0]),
            ] {
                let css = Theme {
                    accent: Some(accent),
                    ground: Some(ground),
                }
                .css();
                let get = |name: &str| value(&css, name);
                for text in ["--ink", "--soft", "--link"] {
                    for on in ["--ground", "--paper"] {
                        let contrast = get(text).contrast(get(on));
                        assert!(contrast >= TEXT, "{text} on {on}: {contrast} in {css}");
                    }
                }
                assert!(get("--accent-ink").contrast(get("--accent")) >= TEXT, "{css}");
            }
            let css = Theme {
                accent: Some(accent),
                ground: None,
            }
            .css();
            let (light, dark) = css.split_once("@media").unwrap();
            assert!(value(light, "--link").contrast(LIGHT_GROUND) >= TEXT, "{css}");
            assert!(value(dark, "--link").contrast(DARK_PAPER) >= TEXT, "{css}");
        }
    }

    #[test]
    fn a_file_is_named_by_two_colours_and_nothing_else() {
        let both = Theme::of(&serde_json::json!({ "color": "#1f6feb", "bgColor": "white" }));
        assert_eq!(both.path().unwrap(), "/assets/theme-1f6feb-ffffff.css");
        assert_eq!(Theme::from_file("theme-1f6feb-ffffff.css"), Some(both));
        assert_eq!(Theme::from_file("theme-0-0.css"), Some(Theme::default()));
        assert_eq!(Theme::default().path(), None);
        for bad in [
            "theme-.css",
            "theme-0.css",
            "theme-red-0.css",
            "theme-0-0",
            "theme-0-}.css",
            "theme-000000-0-0.css",
            "portal.css",
        ] {
            assert_eq!(Theme::from_file(bad), None, "{bad}");
        }
        let button = Theme::of(&serde_json::json!({ "color": "red", "button_color": "blue", "bgColor": "url(x)" }));
        assert_eq!(button.path().unwrap(), "/assets/theme-0000ff-0.css");
    }
}

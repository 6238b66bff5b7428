//! Lists that are read page by page: the cursor, and the parameters that go with it.
//!
//! A cursor says after which row the next page begins. It is opaque: callers send back what they got.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::RowId;

const USUAL: u16 = 100;
const MOST: u16 = 500;

/// The last row of a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// Its time, where the list is in that order.
    pub(super) at: Option<Timestamp>,
    /// Its id.
    pub(super) id: String,
}

impl Place {
    /// In a list that is ordered by time.
    pub(super) fn at(at: Timestamp, id: &str) -> Self {
        let (at, id) = (Some(at), id.to_owned());
        Self { at, id }
    }

    /// In a list that is ordered by id.
    pub(super) fn of(id: &str) -> Self {
        let id = id.to_owned();
        Self { at: None, id }
    }

    /// Reads a cursor; an empty one is none.
    pub(super) fn parse(text: Option<&str>) -> Result<Option<Self>, Error> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (at, id) = text.split_once('.').ok_or_else(wrong)?;
        let at = match at {
            "" => None,
            at => Some(Timestamp::from_millis(at.parse().map_err(|_| wrong())?)),
        };
        let id: RowId = id.parse().map_err(|_| wrong())?;
        Ok(Some(Self { at, id: id.to_string() }))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.map(|at| at.as_millis().to_string()).unwrap_or_default();
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{at}.{}", self.id)))
    }
}

pub(super) fn wrong() -> Error {
    Error::invalid(
        "cursor is not one that this list gave: send `next_cursor` of the page before, with the same filters",
    )
}

/// Reads how many are wanted on a page.
pub(super) fn limit(text: Option<&str>) -> Result<u16, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(USUAL);
    };
    let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| Error::invalid(format!("limit must be a whole number from 1 to {MOST}")))
}

/// Reads a time; an empty one is none.
pub(super) fn time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Error> {
    let wanted = text.filter(|text| !text.is_empty());
    wanted
        .map(|text| {
            Timestamp::parse(text)
                .ok_or_else(|| Error::invalid(format!("{name} must be a time such as 2024-01-02T03:04:05Z")))
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went_and_anything_else_is_refused() {
        let id = "65aa000000000000000000c1";
        for place in [Place::of(id), Place::at(Timestamp::from_millis(1_704_164_645_678), id)] {
            assert_eq!(Place::parse(Some(&place.to_string())).unwrap(), Some(place));
        }
        assert_eq!(Place::parse(Some("")).unwrap(), None);
        let coded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for bad in [
            "%",
            &coded("x"),
            &coded(".x"),
            &coded("x.65aa000000000000000000c1"),
            &coded(id),
        ] {
            assert!(Place::parse(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_page_has_one_to_five_hundred() {
        assert_eq!(limit(None).unwrap(), 100);
        assert_eq!(limit(Some("1")).unwrap(), 1);
        assert_eq!(limit(Some("500")).unwrap(), 500);
        for wrong in ["0", "501", "-1", "ten"] {
            assert!(limit(Some(wrong)).is_err(), "{wrong}");
        }
    }
}

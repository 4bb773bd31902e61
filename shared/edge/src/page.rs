//! A page of a list that is read whole, oldest first.
//!
//! **Invariant:** a page goes on where the last one ended, whatever was added meanwhile.

use crate::app::App;
use crate::params::Window;
use crate::problem::Problem;

/// A page.
#[derive(Debug)]
pub struct Page<T> {
    /// What is shown.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: Option<u64>,
    /// Where to go on.
    pub next_cursor: Option<String>,
}

/// The page of `all` that the window shows; `place` tells where an item stands.
pub fn of<T>(
    app: &App,
    query: &str,
    window: &Window,
    all: Vec<T>,
    place: impl Fn(&T) -> String,
) -> Result<Page<T>, Problem> {
    let after = match &window.cursor {
        Some(cursor) => Some(app.cursors.open_text(query, cursor)?),
        None => None,
    };
    let total = u64::try_from(all.len()).ok();
    let rest = all.into_iter().filter(|item| after.as_ref().is_none_or(|after| place(item) > *after));
    let mut items: Vec<T> = rest.skip(usize::from(window.skip)).collect();
    let more = items.len() > usize::from(window.limit);
    items.truncate(usize::from(window.limit));
    let next = items.last().filter(|_| more).map(place);
    Ok(Page { items, total, next_cursor: next.and_then(|place| app.cursors.seal_text(query, &place)) })
}

//! Paging over a list that is read as a whole, oldest first.
//!
//! **Invariant:** a page continues where the previous one ended, whatever was added in between.

use crate::app::App;
use crate::params::Window;
use crate::problem::Problem;

/// A page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// At most `limit` elements.
    pub items: Vec<T>,
    /// The number of elements of the whole list.
    pub total: Option<u64>,
    /// The cursor of the next page; None on the last page.
    pub next_cursor: Option<String>,
}

/// Returns the page of `all` that the window selects; `place` returns the sort position of an item.
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

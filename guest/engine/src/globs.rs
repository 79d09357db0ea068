//! Choosing tables by name.

use wildmatch::WildMatch;

use crate::error::{Code, Error, Result};

/// The items whose names match one of the globs; all of them if there are none. A glob that matches nothing is an
/// error, so that a slip of the pen does not give an empty backup.
pub(crate) fn choose<'t, T>(
    items: &'t [T],
    globs: Option<&[String]>,
    name: impl Fn(&T) -> &str,
) -> Result<Vec<&'t T>> {
    let Some(globs) = globs else { return Ok(items.iter().collect()) };
    for glob in globs {
        let matcher = WildMatch::new(glob);
        if !items.iter().any(|item| matcher.matches(name(item))) {
            let mut names: Vec<&str> = items.iter().map(&name).take(12).collect();
            if items.len() > names.len() {
                names.push("...");
            }
            return Err(Error::new(
                Code::NotFound,
                format!("no table matches {glob:?}; there are: {}", names.join(", ")),
            ));
        }
    }
    let matchers: Vec<WildMatch> = globs.iter().map(|glob| WildMatch::new(glob)).collect();
    Ok(items.iter().filter(|item| matchers.iter().any(|matcher| matcher.matches(name(item)))).collect())
}

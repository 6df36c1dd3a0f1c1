//! From URL paths to repos, for clients whose paths cannot be changed.

use hashbrown::HashMap;

use crate::pipeline::RepoName;

/// From URL paths to repos: the exact path, else the longest path above it that is mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths(HashMap<Box<str>, RepoName>);

impl Paths {
    /// The mapping of the index.
    pub fn new(mapping: impl IntoIterator<Item = (String, RepoName)>) -> Self {
        let boxed = |(path, repo): (String, RepoName)| (path.into_boxed_str(), repo);
        Self(mapping.into_iter().map(boxed).collect())
    }

    /// All of it, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RepoName)> {
        self.0.iter().map(|(path, repo)| (&**path, repo))
    }

    /// The repo of a path: of `/a/b/c`, what `/a/b/c`, `/a/b/`, `/a/b`, `/a/`, `/a` or `/` says, the
    /// first that there is.
    pub fn find(&self, path: &str) -> Option<&RepoName> {
        if self.0.is_empty() {
            return None;
        }
        let mut rest = path;
        loop {
            if let Some(repo) = self.0.get(rest) {
                return Some(repo);
            }
            rest = match rest.strip_suffix('/') {
                Some(above) => above,
                None => &rest[..=rest.rfind('/')?],
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_above_wins() {
        let map = [
            ("/v1", "a"),
            ("/v1/track", "b"),
            ("/v1/track/web/", "c"),
            ("/x/", "d"),
        ];
        let paths = Paths::new(map.map(|(path, repo)| (path.to_owned(), RepoName::new(repo))));
        let find = |path| paths.find(path).map(RepoName::as_str);
        assert_eq!(find("/v1/track"), Some("b"));
        assert_eq!(find("/v1/track/"), Some("b"));
        assert_eq!(find("/v1/track/ios"), Some("b"));
        assert_eq!(find("/v1/tracker"), Some("a"));
        assert_eq!(find("/v1/track/web/x/y"), Some("c"));
        assert_eq!(find("/v1/track/web"), Some("b"));
        assert_eq!(find("/v2"), None);
        assert_eq!(find("/x"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn a_root_path_takes_everything() {
        let paths = Paths::new([("/".to_owned(), RepoName::new("all"))]);
        assert!(paths.find("/any/thing").is_some());
        assert!(paths.find("/").is_some());
    }
}

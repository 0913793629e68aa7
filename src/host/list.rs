//! A list of names in a message: each in backticks, separated by commas.

use std::fmt;

pub struct List<'a>(Vec<&'a str>);

impl<'a> List<'a> {
    pub fn new(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().collect())
    }
}

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}`{name}`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_backticks_with_commas_between() {
        assert_eq!(List::new(["dev", "prod"]).to_string(), "`dev`, `prod`");
        assert_eq!(List::new([]).to_string(), "");
    }
}

//! Settings that are lists.

use std::fmt::Display;
use std::str::FromStr;

/// Values with commas or white space between, as for secret keys; what stands between two commas may be nothing.
#[derive(Clone, Debug)]
pub struct List<T>(Vec<T>);

impl<T> FromStr for List<T>
where
    T: FromStr,
    T::Err: Display,
{
    type Err = String;

    /// Names the value that is refused.
    fn from_str(raw: &str) -> Result<Self, String> {
        let values = raw.split(|c: char| c == ',' || c.is_whitespace()).filter(|value| !value.is_empty());
        let parse = |value: &str| value.parse().map_err(|reason| format!("{value}: {reason}"));
        values.map(parse).collect::<Result<_, _>>().map(Self)
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_whatever_stands_between_them() {
        for raw in ["1,2", "1, 2", "1 2", " 1,\t2 ,", "\n1\n2\n", ",1,,2,"] {
            assert_eq!(raw.parse::<List<u8>>().unwrap().0, [1, 2], "{raw:?}");
        }
        assert!(" , ".parse::<List<u8>>().unwrap().0.is_empty());
    }

    #[test]
    fn the_value_that_is_refused_is_named() {
        assert!("1,x".parse::<List<u8>>().unwrap_err().starts_with("x: "));
    }
}

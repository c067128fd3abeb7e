//! Members of a request that may be omitted, and taken back.

/// What a request says of something that need not be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Optional<T> {
    /// Nothing: an update leaves it as it is.
    #[default]
    Omitted,
    /// That there is none: an update takes away what there was.
    Cleared,
    /// This.
    Given(T),
}

impl<T> Optional<T> {
    /// The value, where there is one: all that counts where nothing was before.
    pub fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Omitted | Self::Cleared => None,
        }
    }

    /// What an update makes of it; `None` where it leaves it as it is.
    pub fn change(&self) -> Option<Option<&T>> {
        match self {
            Self::Omitted => None,
            Self::Cleared => Some(None),
            Self::Given(value) => Some(Some(value)),
        }
    }
}

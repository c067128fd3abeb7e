//! What a caller's device seems to be, in words of ours.

use std::fmt;

use super::origin::UserAgent;

/// A browser on a system, each from a fixed list, as `User-Agent` says: `Firefox on Linux`. Whatever else the header holds
/// is not repeated, so it can be shown in mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device(Option<(&'static str, &'static str)>);

/// Signs of a browser and its name. Many browsers carry the signs of others, so the first that fits counts.
const BROWSERS: [(&str, &str); 12] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
    ("Safari/", "Safari"),
];

/// Signs of a system and its name; the first that fits counts.
const SYSTEMS: [(&str, &str); 8] = [
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows NT", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("X11", "Unix"),
];

impl Device {
    /// The device that the caller says it is.
    #[must_use]
    pub fn of(user_agent: Option<&UserAgent>) -> Self {
        let find = |signs: &[(&str, &'static str)]| {
            let said = user_agent?.as_str();
            signs.iter().find(|(sign, _)| said.contains(sign)).map(|(_, name)| *name)
        };
        Self(find(&BROWSERS).zip(find(&SYSTEMS)))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((browser, system)) => write!(f, "{browser} on {system}"),
            None => f.write_str("an unknown device"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn device(user_agent: &str) -> String {
        Device::of(UserAgent::from_header(user_agent.as_bytes()).as_ref()).to_string()
    }

    #[test]
    fn common_browsers_are_known() {
        for (user_agent, named) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 \
                 Safari/537.36 Edg/142.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile \
                 Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/26.0 Mobile/15E148 Safari/604.1",
                "Safari on iOS",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 \
                 Safari/605.1.15",
                "Safari on macOS",
            ),
            ("curl/8.14.1", "an unknown device"),
            ("", "an unknown device"),
        ] {
            assert_eq!(device(user_agent), named);
        }
    }

    proptest! {
        #[test]
        fn a_device_is_named_in_words_of_ours_alone(
            header in "\\PC{0,80}|(Firefox/|Linux|Android|Edg/|evil\\.example|[ -~]{0,9}){0,9}",
        ) {
            let named = device(&header);
            let ours = BROWSERS.iter().any(|(_, browser)| {
                SYSTEMS.iter().any(|(_, system)| named == format!("{browser} on {system}"))
            });
            prop_assert!(ours || named == "an unknown device", "{}", named);
        }
    }
}

//! Log lines, to standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{BadSetting, LogFormat, Settings};

/// Starts logging as the settings say. A panic is one line of the log, too.
///
/// # Errors
/// Where the filter is not one.
pub fn start(settings: &Settings) -> Result<(), BadSetting> {
    let filter = EnvFilter::try_new(&settings.log_filter).map_err(|error| BadSetting::new("--log-filter", error))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).finish().init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().init(),
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!("{}", panic.to_string().replace(['\r', '\n'], " "))));
    Ok(())
}

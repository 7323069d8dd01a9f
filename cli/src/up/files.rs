//! What `up` needs on disk: Envoy, the module, the authorities that TLS trusts. What is missing is said plainly.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use dragoman_core::config::Config;

use crate::render::SYSTEM_CA_FILE;

/// Envoy: as given, beside this program, or on PATH.
pub(super) fn envoy(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = given {
        return existing(path);
    }
    let on_path = env::var_os("PATH").unwrap_or_default();
    let folders = beside().into_iter().chain(env::split_paths(&on_path));
    let found = folders.map(|folder| folder.join("envoy")).find(|path| path.is_file());
    found.context("no Envoy beside this program or on PATH; name one with --envoy (1.39 or later)")
}

/// The module: as given, or beside this program. A string, because it goes into Envoy's configuration.
pub(super) fn module(given: Option<&Path>) -> anyhow::Result<String> {
    let path = match given {
        Some(path) => existing(path)?,
        None => beside()
            .map(|folder| folder.join("dragoman.wasm"))
            .filter(|path| path.is_file())
            .context("no dragoman.wasm beside this program; name it with --wasm")?,
    };
    let path = path.canonicalize().with_context(|| format!("{} cannot be read", path.display()))?;
    path.into_os_string().into_string().ok().context("the path of the module is not UTF-8")
}

/// Envoy refuses to start without the file, in words that do not name the setting.
pub(super) fn authorities(config: &Config) -> anyhow::Result<()> {
    let path = Path::new(config.tls.ca_file.as_deref().unwrap_or(SYSTEM_CA_FILE));
    let needed = config.providers.iter().any(|provider| provider.base_url.tls);
    if needed && !path.is_file() {
        bail!("no certificate authorities at {}: install them or set tls.ca_file", path.display());
    }
    Ok(())
}

fn existing(path: &Path) -> anyhow::Result<PathBuf> {
    if path.is_file() { Ok(path.to_owned()) } else { bail!("no such file: {}", path.display()) }
}

fn beside() -> Option<PathBuf> {
    Some(env::current_exe().ok()?.parent()?.to_owned())
}

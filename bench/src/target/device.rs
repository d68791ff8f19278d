//! The limit of the disk as a target: no server, but a loop that appends and syncs (`bare::device`).

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::{Device, Need, Options, Plan, Running, Target};
use crate::bare::device::Ahead;

/// See the module.
pub(super) struct DeviceLoop {
    folder: PathBuf,
    ahead: Ahead,
}

impl DeviceLoop {
    pub(super) fn new(options: &Options, ahead: Ahead) -> Self {
        let folder = options.data.as_deref().map_or_else(std::env::temp_dir, Path::to_owned);
        Self { folder, ahead }
    }
}

impl Target for DeviceLoop {
    fn name(&self) -> &'static str {
        match self.ahead {
            Ahead::Nothing => "device",
            Ahead::Reserved => "device-reserved",
        }
    }

    fn version(&self) -> anyhow::Result<String> {
        Ok(env!("CARGO_PKG_VERSION").to_owned())
    }

    fn unable(&self, _need: Need) -> Option<&'static str> {
        Some("it is a loop on a file, and no server")
    }

    fn device(&self) -> Option<Device<'_>> {
        Some(Device { folder: &self.folder, ahead: self.ahead })
    }

    fn start(&self, _plan: &Plan) -> anyhow::Result<Box<dyn Running>> {
        bail!("{} is a loop on a file, and no server", self.name())
    }
}

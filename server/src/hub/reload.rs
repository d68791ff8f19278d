//! What a reload of the configuration comes to.

/// One setting that has another value now, or would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `section.key`
    pub setting: String,
    /// Its value before, as a TOML literal; a secret is not shown.
    pub from: String,
    /// Its value now.
    pub to: String,
}

/// What a reload changed, and what it could not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadReport {
    /// In force since the reload.
    pub applied: Vec<Change>,
    /// In force after the next start.
    pub needs_restart: Vec<Change>,
}

//! The environment: `CORECAST_SECTION__KEY`.

use std::ffi::OsString;

use super::load::Given;
use super::problem::{Fault, Origin, Problem};
use super::schema::SETTINGS;
use super::value::Raw;

/// Picks our variables out of `variables`. What is wrong goes to `problems`, the rest is returned.
pub(super) fn read(variables: &[(OsString, OsString)], problems: &mut Vec<Problem>) -> Vec<Given> {
    let mut given = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| is_ours(name)) else { continue };
        let origin = Origin::Env(name.to_owned());
        let setting = SETTINGS.iter().find(|setting| setting.env_name() == name);
        match (setting, value.to_str()) {
            (Some(setting), Some(value)) => {
                given.push(Given { setting, raw: Raw::Untyped(value.to_owned()), origin });
            }
            (Some(_), None) => problems.push(Problem { origin, fault: Fault::NotUtf8 }),
            (None, _) => problems.push(Problem { origin, fault: Fault::unknown_env(name) }),
        }
    }
    given.sort_by(|a, b| a.origin.cmp(&b.origin));
    given
}

/// Two underscores mark a setting. Others with the prefix are not ours to judge: Kubernetes puts
/// `CORECAST_SERVICE_HOST` and `CORECAST_PORT` beside every container when a service has this name.
fn is_ours(name: &str) -> bool {
    name.strip_prefix("CORECAST_").is_some_and(|rest| rest.contains("__"))
}

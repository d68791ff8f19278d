//! A real Prometheus that scrapes a hub: whether it can read the page, and what it makes of it.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::exchange;
use crate::proxy::free_addrs;
use crate::request::percent_encoded;
use crate::wait::{PATIENCE, eventually};

/// The rules as shipped.
#[must_use]
pub fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus/corecast.rules.yml")
}

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    addr: SocketAddr,
    // Last: the files go when the process is gone.
    folder: tempfile::TempDir,
}

impl Prometheus {
    /// Scrapes a hub each second, as the job `corecast`, and evaluates the shipped rules as often. Waits until there have been
    /// a few scrapes.
    ///
    /// # Panics
    /// If it does not come up, or cannot read the page.
    #[must_use]
    pub fn scraping(admin: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: ['{}']\n\
             scrape_configs: [{{job_name: corecast, static_configs: [{{targets: ['{admin}']}}]}}]\n",
            rules().display()
        );
        std::fs::write(&config, text).expect("the temporary folder can be written");
        let log = File::create(folder.path().join("log")).expect("the temporary folder can be written");
        let [addr] = free_addrs(Ipv4Addr::LOCALHOST);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={addr}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("prometheus: {e}; scripts/test installs it"));
        let mut prometheus = Self { child, addr, folder };
        prometheus.wait_for_scrapes();
        prometheus
    }

    fn wait_for_scrapes(&mut self) {
        eventually(PATIENCE, "a Prometheus that answers", || {
            let ended = self.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "prometheus ended: {}", self.log());
            std::net::TcpStream::connect(self.addr).ok()
        });
        // Until then it answers 503 to everything.
        eventually(PATIENCE, "a Prometheus that is ready", || {
            (exchange::get(self.addr, "/-/ready").status() == 200).then_some(())
        });
        eventually(PATIENCE, "three scrapes that Prometheus could read", || {
            let scrapes = self.query("sum_over_time(up{job=\"corecast\"}[1m])").ok()?;
            (number(scrapes.first()?) >= 3.0).then_some(())
        });
    }

    /// The series that an expression gives now.
    ///
    /// # Errors
    /// What is wrong with the expression.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let path = format!("/api/v1/query?query={}", percent_encoded(expression));
        let answer = exchange::get(self.addr, &path).json();
        match answer["data"]["result"].as_array() {
            Some(result) => Ok(result.clone()),
            None => Err(answer["error"].to_string()),
        }
    }

    /// The names of all series there are.
    ///
    /// # Panics
    /// If it does not tell.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let answer = exchange::get(self.addr, "/api/v1/label/__name__/values").json();
        let names = answer["data"].as_array().unwrap_or_else(|| panic!("{answer}"));
        names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    }

    /// Every rule it has loaded: name and expression, and whether it could be evaluated.
    ///
    /// # Panics
    /// If it does not tell.
    #[must_use]
    pub fn rules(&self) -> Vec<Value> {
        let answer = exchange::get(self.addr, "/api/v1/rules").json();
        let groups = answer["data"]["groups"].as_array().unwrap_or_else(|| panic!("{answer}"));
        groups.iter().filter_map(|group| group["rules"].as_array()).flatten().cloned().collect()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Neither can fail in a way that matters: the process may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of Prometheus ---\n{}--- end of the log ---", self.log());
        }
    }
}

/// The value of one series.
///
/// # Panics
/// If it has none.
#[must_use]
pub fn number(series: &Value) -> f64 {
    let value = series["value"][1].as_str().and_then(|text| text.parse().ok());
    value.unwrap_or_else(|| panic!("no value in {series}"))
}

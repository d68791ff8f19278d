//! Why a command ended without having done its work.

use std::io;
use std::process::ExitCode;

use corecast_core::auth::MintError;
use thiserror::Error;
use tracing_subscriber::filter::ParseError;

use crate::config::Problems;
use crate::config::keys::KeyError;
use crate::hub::StartError;
use crate::log::file::OpenError;

#[derive(Debug, Error)]
pub(super) enum CliError {
    /// The configuration does not hold.
    #[error("{0}")]
    Config(#[from] Problems),
    /// A flag has a value that its command does not take.
    #[error("{flag} {value}: {reason}")]
    Flag { flag: &'static str, value: String, reason: String },
    /// The shared secret for signing cannot be used.
    #[error("{place}: {cause}")]
    Key { place: String, cause: KeyError },
    /// A token that the hub would refuse is not worth printing.
    #[error("cannot make a token: {0}")]
    Mint(#[from] MintError),
    /// The operating system has no random bytes.
    #[error("cannot make a key: {0}")]
    Random(#[from] getrandom::Error),
    /// The level of messages is no list of directives.
    #[error("logging.level: {0}")]
    Logging(#[from] ParseError),
    /// The hub did not start, or did not stop well.
    #[error("{0}")]
    Start(#[from] StartError),
    /// The machine does not hold the hub; what stands in the way was printed.
    #[error("a hub with limits.connections = {connections} cannot run here: failed checks: {failed}")]
    Unfit { connections: u32, failed: usize },
    /// A hub cannot be asked.
    #[error("cannot reach {url}: {cause}")]
    Unreachable { url: String, cause: Box<ureq::Error> },
    /// A hub said no.
    #[error("the hub answered {status}: {message}")]
    Refused { status: u16, message: String },
    /// A hub, or something else at its address, said what no hub says.
    #[error("unexpected answer of {url}: {reason}")]
    Unexpected { url: String, reason: String },
    /// Some lines were refused, each with its own message before this one.
    #[error("{refused} of {total} events were refused")]
    Partly { refused: u64, total: u64 },
    /// A file log cannot be read.
    #[error("{0}")]
    Log(#[from] OpenError),
    /// A file log has damage, which was printed.
    #[error("damaged in {places} {}", if *places == 1 { "place" } else { "places" })]
    Damaged { places: usize },
    /// Standard input.
    #[error("cannot read standard input: {0}")]
    Input(io::Error),
    /// Standard output.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

impl CliError {
    /// Prints the error, and says how to exit.
    pub(super) fn report(&self) -> ExitCode {
        match self {
            // Whoever read our output has seen enough, such as `head`.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            // One line for each error, each beginning with its place.
            Self::Config(problems) => {
                eprintln!("{problems}");
                ExitCode::from(2)
            }
            Self::Flag { .. } | Self::Key { .. } | Self::Mint(_) | Self::Logging(_) | Self::Log(_) => {
                eprintln!("error: {self}");
                ExitCode::from(2)
            }
            _ => {
                eprintln!("error: {self}");
                ExitCode::FAILURE
            }
        }
    }
}

//! What a running hub can be told to do, by a signal or over the admin API. The control thread obeys, one at a time.

use tokio::sync::mpsc;

use super::report::ReloadReply;

/// Commands that wait: more than people and their tools give in the time that one takes.
const COMMANDS_MAX: usize = 16;

/// One command.
#[derive(Debug)]
pub enum Command {
    /// Stop: drain, then end.
    Drain,
    /// Read the configuration anew, and say what came of it.
    Reload(ReloadReply),
}

/// Where commands are given. All clones reach the same hub.
#[derive(Clone, Debug)]
pub struct Commands {
    sender: mpsc::Sender<Command>,
}

impl Commands {
    /// The two ends.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<Command>) {
        let (sender, receiver) = mpsc::channel(COMMANDS_MAX);
        (Self { sender }, receiver)
    }

    /// Gives a command.
    ///
    /// # Errors
    /// The command: too many wait, or the hub has already stopped obeying.
    pub fn give(&self, command: Command) -> Result<(), Command> {
        self.sender.try_send(command).map_err(|error| error.into_inner())
    }
}

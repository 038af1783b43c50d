//! Exit codes.

/// What the exit code says; part of the public contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Nothing at or above `--fail-on`.
    Clean = 0,
    /// Findings at or above `--fail-on`.
    Findings = 1,
    /// Usage, policy or rule error, an input that could not be read or parsed, or a named one that was not recognised.
    Usage = 2,
    /// Nothing to check.
    Nothing = 3,
}

/// Why a command ended early.
#[derive(Debug)]
pub(super) enum Failure {
    /// Exit 2 with this message.
    Usage(String),
    /// Exit 2; the text is complete as it stands.
    Reported(String),
    /// The reader of our output went away, which is its right; the exit code known so far stands.
    BrokenPipe(Exit),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::BrokenPipe(Exit::Clean),
            _ => Failure::Usage(format!("cannot write the output: {error}")),
        }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Failure::Usage(message)
    }
}

//! How the program ends, and how it says so.

use std::process::ExitCode;

/// Why the program ends other than well.
#[derive(Debug)]
pub enum Failure {
    /// It could not be done: exit code 1.
    Failed(anyhow::Error),
    /// Wrong usage or configuration: exit code 2.
    Configuration(Vec<String>),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Failure {
    /// Prints it to stderr, each cause on its own line, and gives the exit code.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Failed(error) => {
                eprintln!("error: {error}");
                let mut said = error.to_string();
                for cause in error.chain().skip(1) {
                    let text = cause.to_string();
                    // Some libraries print their cause and return it too.
                    if !said.contains(&text) {
                        eprintln!("  cause: {text}");
                    }
                    said = text;
                }
                ExitCode::from(1)
            }
            Self::Configuration(faults) => {
                for fault in faults {
                    eprintln!("error: {fault}");
                }
                ExitCode::from(2)
            }
        }
    }
}

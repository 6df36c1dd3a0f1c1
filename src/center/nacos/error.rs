//! What can go wrong with Nacos: what was attempted, at which address, and what to do.

use crate::unit::{Size, TimeSpan};

/// A call that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{attempt} at Nacos {server}: {kind}")]
pub struct Error {
    /// What was attempted, as the sentence's beginning: `read weir.index`.
    pub attempt: String,
    /// Its address, or those of the whole cluster.
    pub server: String,
    /// What went wrong.
    pub kind: Kind,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// No connection, or one that broke.
    #[error("no connection ({0}); check the address, that Nacos runs, and who may reach it")]
    Unreachable(String),
    /// Connected perhaps, but silent.
    #[error("no answer within {0}; Nacos hangs, or a firewall drops its packets")]
    Silent(TimeSpan),
    /// It wants a login, and none is set.
    #[error("refused without a login; set WEIR_NACOS_USERNAME and WEIR_NACOS_PASSWORD_FILE")]
    LoginMissing,
    /// The login failed, and without it the call was refused.
    #[error(
        "the login failed ({0}); check WEIR_NACOS_USERNAME and the password in WEIR_NACOS_PASSWORD \
         or WEIR_NACOS_PASSWORD_FILE"
    )]
    Login(String),
    /// Logged in, but not allowed.
    #[error("refused although logged in ({0}); give the user the right to this namespace")]
    Denied(String),
    /// A compare-and-swap that somebody else won.
    #[error("somebody else changed it meanwhile; look at the new content and try again")]
    Conflict,
    /// A document over the limit.
    #[error("it is larger than {0}; split it")]
    TooLarge(Size),
    /// Too large as the form that Nacos takes.
    #[error("it needs {bytes} bytes as a form, and Nacos takes at most {limit}; split it")]
    FormTooLarge {
        /// The size of the form.
        bytes: u64,
        /// The most.
        limit: Size,
    },
    /// There is a document without content.
    #[error("it is blank; publish its content again, or delete it")]
    Blank,
    /// The content is not what its own digest says.
    #[error("its content does not fit its md5; it is read again")]
    Corrupt,
    /// Nacos answered that it failed, or did not understand.
    #[error("answered with status {status} ({message})")]
    Failed {
        /// The status of the reply.
        status: u16,
        /// What it said, shortened.
        message: String,
    },
    /// The reply is not one of Nacos.
    #[error("the reply cannot be understood ({0}); check that the address is Nacos' own")]
    Unintelligible(String),
    /// The settings cannot work.
    #[error("{0}")]
    Settings(String),
}

impl Error {
    /// What went wrong, without where.
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether Nacos as a whole is away, so that other calls would fail as well.
    pub const fn is_outage(&self) -> bool {
        match self.kind {
            Kind::Unreachable(_)
            | Kind::Silent(_)
            | Kind::LoginMissing
            | Kind::Login(_)
            | Kind::Failed { status: 500.., .. }
            | Kind::Unintelligible(_)
            | Kind::Settings(_) => true,
            Kind::Denied(_)
            | Kind::Conflict
            | Kind::TooLarge(_)
            | Kind::FormTooLarge { .. }
            | Kind::Blank
            | Kind::Corrupt
            | Kind::Failed { .. } => false,
        }
    }

    /// Whether somebody else won a compare-and-swap.
    pub const fn is_conflict(&self) -> bool {
        matches!(self.kind, Kind::Conflict)
    }
}

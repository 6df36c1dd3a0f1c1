//! The pin of the state directory.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::rollout::store::{Error, FORMAT, Store, check_format, sealed};

/// That this instance is to stay where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    format: u32,
    /// The digest of the set.
    pub set: String,
    /// Why, as the operator wrote it.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

impl Pin {
    /// To a set, from now on.
    pub fn new(set: &str, reason: &str, since: Timestamp) -> Self {
        Self {
            format: FORMAT,
            set: set.to_owned(),
            reason: reason.to_owned(),
            since,
        }
    }
}

impl Store {
    /// The pin, if this instance is pinned. A damaged one is removed: nobody can say what it was.
    pub fn pin(&self) -> Result<Option<Pin>, Error> {
        let path = self.root.join("pin.json");
        let pin = sealed::read_record::<Pin>(&path).and_then(|pin| {
            pin.map(|pin| check_format(pin.format, &path).map(|()| pin))
                .transpose()
        });
        if let Err(Error::Corrupt { .. }) = &pin {
            // Where it cannot be removed, it is found damaged again.
            let _left = sealed::remove(&path);
        }
        pin
    }

    /// Keeps the pin, or that there is none.
    pub fn save_pin(&self, pin: Option<&Pin>) -> Result<(), Error> {
        let path = self.root.join("pin.json");
        match pin {
            Some(pin) => {
                self.make_folders()?;
                sealed::write_record(&path, pin)
            }
            None => sealed::remove(&path),
        }
    }
}

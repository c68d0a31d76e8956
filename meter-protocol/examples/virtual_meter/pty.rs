//! A pseudo-terminal that looks like a serial port to a master.

use std::fs::{File, OpenOptions};
use std::io;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// Both ends: the master's program opens [`Terminal::path`].
pub(crate) struct Terminal {
    ours: File,
    path: String,
    /// Kept open: without it our reads fail whenever no master is connected.
    _theirs: File,
}

impl Terminal {
    pub(crate) fn open() -> io::Result<Self> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let path = ptsname(&ours, Vec::new())?.into_string().map_err(io::Error::other)?;
        let theirs = OpenOptions::new().read(true).write(true).open(&path)?;
        let mut settings = tcgetattr(&theirs)?;
        settings.make_raw();
        tcsetattr(&theirs, OptionalActions::Now, &settings)?;
        Ok(Self { ours: File::from(ours), path, _theirs: theirs })
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Our end, for reading and for writing.
    pub(crate) fn ends(&self) -> io::Result<(File, File)> {
        Ok((self.ours.try_clone()?, self.ours.try_clone()?))
    }

    /// The speed that the master's program has set.
    pub(crate) fn baud(&self) -> u32 {
        tcgetattr(&self.ours).map_or(0, |settings| settings.output_speed())
    }
}

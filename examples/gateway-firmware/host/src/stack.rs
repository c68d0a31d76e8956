//! How deep an image's stack has gone: the machine's memory below the stack's top is painted before the image starts and read
//! back at the end, both from outside, so that the image is the one that is installed.

use std::{
    fs,
    io::{BufRead, BufReader, Error, Result, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::Command,
};

/// The end of the board's RAM, as in `memory.x`; the stack grows down from there.
const TOP: u32 = 0x2040_0000;
/// So much is painted.
const PAINTED: u32 = 64 * 1024;
const PAINT: u8 = 0xA5;

/// The painted memory, and the way to read it back.
#[derive(Debug)]
pub struct Stack {
    folder: PathBuf,
}

impl Stack {
    /// Has the machine start with painted memory.
    pub fn paint(qemu: &mut Command) -> Result<Self> {
        let stack = Self { folder: std::env::temp_dir().join(format!("gateway-host-{}", std::process::id())) };
        fs::create_dir_all(&stack.folder)?;
        let paint = stack.folder.join("paint");
        fs::write(&paint, [PAINT; PAINTED as usize])?;
        let (paint, control) = (paint.display(), stack.control());
        qemu.args(["-device", &format!("loader,file={paint},addr={:#x},force-raw=on", TOP - PAINTED)]);
        qemu.args(["-qmp", &format!("unix:{},server=on,wait=off", control.display())]);
        Ok(stack)
    }

    fn control(&self) -> PathBuf {
        self.folder.join("control")
    }

    /// Stops the machine and says how many bytes of the stack were ever written.
    pub fn deepest(&self) -> Result<usize> {
        let mut control = UnixStream::connect(self.control())?;
        let mut answers = BufReader::new(control.try_clone()?);
        let seen = self.folder.join("seen");
        let save = format!(
            r#"{{"execute":"pmemsave","arguments":{{"val":{},"size":{PAINTED},"filename":"{}"}}}}"#,
            TOP - PAINTED,
            seen.display()
        );
        for order in [r#"{"execute":"qmp_capabilities"}"#, r#"{"execute":"stop"}"#, &save] {
            writeln!(control, "{order}")?;
            wait_for_return(&mut answers)?;
        }
        let seen = fs::read(seen)?;
        let untouched = seen.iter().take_while(|byte| **byte == PAINT).count();
        if untouched == 0 {
            return Err(Error::other("the stack has gone beyond what was painted"));
        }
        Ok(seen.len() - untouched)
    }
}

/// Events and the greeting come in between.
fn wait_for_return(answers: &mut impl BufRead) -> Result<()> {
    let mut line = String::new();
    while answers.read_line(&mut line)? > 0 {
        if line.contains(r#""error""#) {
            return Err(Error::other(line));
        }
        if line.contains(r#""return""#) {
            return Ok(());
        }
        line.clear();
    }
    Err(Error::other("the machine has ended"))
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Left behind at worst.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

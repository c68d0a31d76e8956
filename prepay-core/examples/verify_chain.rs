//! Checks an export of the hash chain offline and prints its head, or the first line that is wrong.
//!
//! ```text
//! cargo run -p prepay-core --example verify_chain -- chain.txt
//! ```

use std::process::ExitCode;

use prepay_core::export::verify_chain_text;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: verify_chain FILE");
        return ExitCode::from(2);
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{path}: {error}");
            return ExitCode::from(2);
        }
    };
    match verify_chain_text(text.lines()) {
        Ok(head) => {
            println!("{} lines, head {}", head.seq, head.hash);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

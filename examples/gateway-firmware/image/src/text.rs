//! A line of text without the formatting machinery, which is larger than the poll loop.

use embedded_io::Write;

/// Writes words and numbers to a port that doesn't fail.
pub fn line<P: Write>(port: &mut P, parts: &[Part<'_>]) {
    for part in parts {
        match part {
            Part::Word(word) => put(port, word.as_bytes()),
            Part::Number(number) => decimal(port, *number),
        }
    }
    put(port, b"\n");
}

/// A piece of a line.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// As it is.
    Word(&'a str),
    /// In decimal.
    Number(u64),
}

fn put<P: Write>(port: &mut P, bytes: &[u8]) {
    // The board's UARTs take everything.
    let _ = port.write(bytes);
}

fn decimal<P: Write>(port: &mut P, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut from = digits.len();
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        from = place;
        if number == 0 {
            break;
        }
    }
    put(port, digits.get(from..).unwrap_or_default());
}

/// A number that the build was given, or the usual one. What is no number does not compile.
pub const fn number_or(given: Option<&str>, usual: usize) -> usize {
    let Some(given) = given else { return usual };
    match usize::from_str_radix(given, 10) {
        Ok(number) => number,
        Err(_) => panic!("not a number"),
    }
}

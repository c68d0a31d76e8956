//! Mutations of documents that keep most of them readable: whole words and whole lines, not bytes.

use core::ops::Range;

/// What separates the words of JSON and TOML.
const BETWEEN: &[u8] = b" \t\r\n{}[]=,:";

/// Changes a document in place, within `max_len`, and gives its new length: a word for another of the document or of
/// `words`, or a line doubled, moved or left out.
pub fn mutate_words(data: &mut [u8], len: usize, max_len: usize, seed: u32, words: &[&str]) -> usize {
    let mut dice = Dice(u64::from(seed) | 1 << 40);
    let text = &data[..len];
    let places = spans(text, |byte| !BETWEEN.contains(byte));
    let lines = spans(text, |byte| *byte != b'\n');
    if places.is_empty() {
        return len;
    }
    let (from, to) = (dice.pick(&lines), dice.pick(&lines));
    let changed = match dice.below(6) {
        0 | 1 => {
            let place = dice.pick(&places);
            let quoted = text[place.start] == b'"';
            let fitting: Vec<_> = words.iter().filter(|word| word.starts_with('"') == quoted).collect();
            let word = fitting.get(dice.below(fitting.len().max(1))).map_or("", |word| word);
            replaced(text, place, word.as_bytes())
        }
        2 | 3 => {
            let word = text[dice.pick(&places)].to_vec();
            replaced(text, dice.pick(&places), &word)
        }
        4 => {
            let line = [&text[from], b"\n"].concat();
            replaced(text, to.start..to.start, &line)
        }
        _ => replaced(text, to, b""),
    };
    let new_len = changed.len().min(max_len).min(data.len());
    data[..new_len].copy_from_slice(&changed[..new_len]);
    new_len
}

fn replaced(text: &[u8], place: Range<usize>, with: &[u8]) -> Vec<u8> {
    [&text[..place.start], with, &text[place.end..]].concat()
}

/// Longest runs of bytes that belong together.
fn spans(text: &[u8], inside: impl Fn(&u8) -> bool) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let len = text[at..].iter().take_while(|byte| inside(byte)).count();
        if len > 0 {
            spans.push(at..at + len);
        }
        at += len.max(1);
    }
    spans
}

struct Dice(u64);

impl Dice {
    /// A number below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ mixed >> 31) % u64::try_from(end).unwrap()).unwrap()
    }

    fn pick(&mut self, spans: &[Range<usize>]) -> Range<usize> {
        spans[self.below(spans.len())].clone()
    }
}

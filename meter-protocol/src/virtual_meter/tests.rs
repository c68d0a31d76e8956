//! Frames of the reference and behaviour of the whole meter.

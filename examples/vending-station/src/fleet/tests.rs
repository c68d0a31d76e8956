//! The fleet over real sockets.

//! Copying and filling, one byte after the other. The compiler's own routines are fast and three kilobytes long; frames here have
//! a few dozen bytes.

use core::hint::black_box;

/// The compiler must not see what this loop does, or it calls by the names below what these names call.
#[inline(never)]
unsafe fn fill(to: *mut u8, byte: u8, len: usize) {
    let mut at = 0;
    while black_box(at) < len {
        // SAFETY: the caller vouches for `len` bytes.
        unsafe { to.add(at).write(byte) };
        at += 1;
    }
}

/// Also onto itself. Opaque for the same reason.
#[inline(never)]
unsafe fn copy(to: *mut u8, from: *const u8, len: usize) {
    let forwards = to.addr() <= from.addr();
    let mut done = 0;
    while black_box(done) < len {
        let at = if forwards { done } else { len - 1 - done };
        // SAFETY: the caller vouches for `len` bytes of both; what is overwritten has been read before in this order.
        unsafe { to.add(at).write(from.add(at).read()) };
        done += 1;
    }
}

/// C's names, which give back where to, and the processor's, for each alignment.
macro_rules! names {
    ($($name:ident($to:ident: *mut u8 $(, $argument:ident: $type:ty)*) $(-> $back:ty)? => $does:expr;)*) => {$(
        /// As in C.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($to: *mut u8 $(, $argument: $type)*) $(-> $back)? {
            // SAFETY: the caller's.
            unsafe { $does };
            $(let to: $back = $to; to)?
        }
    )*};
}
names! {
    memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 => copy(to, from, len);
    memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 => copy(to, from, len);
    memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 => fill(to, byte as u8, len);
    __aeabi_memcpy(to: *mut u8, from: *const u8, len: usize) => copy(to, from, len);
    __aeabi_memcpy4(to: *mut u8, from: *const u8, len: usize) => copy(to, from, len);
    __aeabi_memcpy8(to: *mut u8, from: *const u8, len: usize) => copy(to, from, len);
    __aeabi_memmove(to: *mut u8, from: *const u8, len: usize) => copy(to, from, len);
    __aeabi_memmove4(to: *mut u8, from: *const u8, len: usize) => copy(to, from, len);
    __aeabi_memmove8(to: *mut u8, from: *const u8, len: usize) => copy(to, from, len);
    __aeabi_memset(to: *mut u8, len: usize, byte: i32) => fill(to, byte as u8, len);
    __aeabi_memset4(to: *mut u8, len: usize, byte: i32) => fill(to, byte as u8, len);
    __aeabi_memset8(to: *mut u8, len: usize, byte: i32) => fill(to, byte as u8, len);
    __aeabi_memclr(to: *mut u8, len: usize) => fill(to, 0, len);
    __aeabi_memclr4(to: *mut u8, len: usize) => fill(to, 0, len);
    __aeabi_memclr8(to: *mut u8, len: usize) => fill(to, 0, len);
}
